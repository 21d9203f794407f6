//! Why a handover ended, and what came of it.

use serde::Deserialize;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    AgentEnded,
    UserLeft,
    BotEnded,
    /// The bot ended it before any agent came.
    Cancelled,
    QueueTimeout,
    IdleTimeout,
    /// `max_age` of the handover was reached.
    Expired,
    UpstreamError,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An agent was there.
    Completed,
    /// None was.
    Cancelled,
    Error,
}

impl Outcome {
    pub fn of(reason: EndReason, agent_was_there: AgentSeen) -> Self {
        match (reason, agent_was_there) {
            (EndReason::UpstreamError, _) => Self::Error,
            (_, AgentSeen::Yes) => Self::Completed,
            (_, AgentSeen::No) => Self::Cancelled,
        }
    }
}

/// Whether any agent ever joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentSeen {
    Yes,
    No,
}
