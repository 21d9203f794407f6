//! One bot-to-agent episode: what was settled when it opened, and where it stands.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::domain::AccountId;
use crate::domain::Agents;
use crate::domain::BotName;
use crate::domain::ConversationId;
use crate::domain::EndHandover;
use crate::domain::EndReason;
use crate::domain::HandoverId;
use crate::domain::Outcome;
use crate::domain::RawJson;
use crate::domain::Routing;
use crate::domain::TenantName;
use crate::domain::Timestamp;
use crate::domain::User;

/// Changed only by [`crate::domain::transition::next`]; `version` counts the changes, so that a commit can tell whether
/// it was computed from the newest.
#[derive(Clone, Debug, PartialEq)]
pub struct Handover {
    pub facts: Arc<Facts>,
    pub version: u64,
    pub progress: Progress,
}

/// Settled at the create, never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub id: HandoverId,
    pub tenant: TenantName,
    pub account: AccountId,
    pub bot: BotName,
    pub origin: Origin,
    pub channel_id: String,
    /// The queue asked for at the create.
    pub queue_id: Option<String>,
    pub bot_session_id: Option<String>,
    /// Whether `bot_session_id` may have one live handover only.
    pub one_per_session: bool,
    pub metadata: Option<RawJson>,
    /// Where this handover's events go, when not to the bot's own address.
    pub callback_url: Option<String>,
    pub reopened_from: Option<HandoverId>,
    pub timers: Timers,
    pub created_at: Timestamp,
}

/// What changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub state: State,
    pub last_sequence: u64,
    pub updated_at: Timestamp,
    pub user: Arc<User>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    #[serde(default)]
    pub agents: Agents,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<EndReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_joined_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Since when it waits in a queue: the queue time-out counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_since: Option<Timestamp>,
    /// Which queues it goes through.
    #[serde(default, skip_serializing_if = "Routing::is_default")]
    pub routing: Routing,
    /// The last message either way: the idle time-out counts from here.
    pub last_message_at: Timestamp,
    /// A TRANSFER or its queue was seen: the agent who left is not the last.
    #[serde(default)]
    pub transfer_seen: bool,
    /// When 8x8 is to be asked whether the conversation goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask_at: Option<Timestamp>,
    /// Answers that said neither yes nor no.
    #[serde(default)]
    pub asked: u8,
    /// An end that came before 8x8 answered the create.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_requested: Option<EndHandover>,
    /// 8x8's newest time of an event that changed the state; an older one may not take it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_mark: Option<i64>,
    /// What CONVERSATION_UPDATE last said of user, channel and number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_seen: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Creating,
    Queued,
    Active,
    Transferring,
    Bot,
    Ended,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    Bot,
    Agent,
}

/// Who opened the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Bot,
    Channel,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// How long a handover may stay where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timers {
    pub queue: Option<Duration>,
    pub idle: Option<Duration>,
    pub max_age: Duration,
    pub transfer_grace: Duration,
}

impl Handover {
    /// A handover about to be asked of 8x8.
    pub fn creating(facts: Facts, user: User) -> Self {
        let at = facts.created_at;
        let queue = facts.queue_id.clone().map(|id| Queue { id, name: None });
        let progress = Progress {
            state: State::Creating,
            last_sequence: 0,
            updated_at: at,
            user: Arc::new(user),
            conversation: None,
            queue,
            agents: Agents::default(),
            end_reason: None,
            outcome: None,
            agent_joined_at: None,
            ended_at: None,
            queued_since: None,
            routing: Routing::default(),
            last_message_at: at,
            transfer_seen: false,
            ask_at: None,
            asked: 0,
            end_requested: None,
            state_mark: None,
            conversation_seen: None,
        };
        Self {
            facts: Arc::new(facts),
            version: 0,
            progress,
        }
    }

    pub fn id(&self) -> &HandoverId {
        &self.facts.id
    }

    pub fn state(&self) -> State {
        self.progress.state
    }
}

impl State {
    pub const ALL: [Self; 7] = [
        Self::Creating,
        Self::Queued,
        Self::Active,
        Self::Transferring,
        Self::Bot,
        Self::Ended,
        Self::Failed,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Queued => "queued",
            Self::Active => "active",
            Self::Transferring => "transferring",
            Self::Bot => "bot",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub const fn is_live(self) -> bool {
        match self {
            Self::Creating | Self::Queued | Self::Active | Self::Transferring | Self::Bot => true,
            Self::Ended | Self::Failed => false,
        }
    }

    pub const fn control(self) -> Control {
        match self {
            Self::Queued | Self::Active | Self::Transferring => Control::Agent,
            Self::Creating | Self::Bot | Self::Ended | Self::Failed => Control::Bot,
        }
    }
}
