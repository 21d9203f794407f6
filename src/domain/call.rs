//! A call that must reach 8x8 in the end, written in the transaction that caused it.

use serde::Deserialize;
use serde::Serialize;

use crate::domain::AskedBy;
use crate::domain::Attached;
use crate::domain::AuthorType;
use crate::domain::CallId;
use crate::domain::HandoverId;
use crate::domain::MessageFile;
use crate::domain::MessageId;
use crate::domain::RawJson;
use crate::domain::ScheduleHandBack;
use crate::domain::Timestamp;
use crate::domain::User;

/// One entry of a handover's send lane. An open call of an earlier run of the process may have been sent.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    pub id: CallId,
    pub handover: HandoverId,
    pub call: Call,
    pub created_at: Timestamp,
    /// When trying ends.
    pub deadline: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Call {
    /// Not repeatable: an unknown outcome is resolved by reading 8x8's messages.
    PostMessage(MessagePart),
    /// Repeatable; ends the interaction and frees the agent.
    UserLeaves { display_message: Option<String> },
    /// Repeatable. What is new of the user is merged when the call is made, so that an earlier change is not undone.
    Update {
        queue_id: Option<String>,
        user: Option<Box<User>>,
        #[serde(default)]
        asked_by: AskedBy,
    },
    /// Repeatable: 8x8 takes one a conversation, and says so of a second.
    HandBack {
        asked: ScheduleHandBack,
        /// An earlier try may have been taken: that there is one already means that it was.
        perhaps_there: bool,
    },
}

impl Call {
    /// What it is called where calls are listed.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PostMessage(part) if part.notice => "notice",
            Self::PostMessage(_) => "message",
            Self::UserLeaves { .. } => "leave",
            Self::Update { .. } => "update",
            Self::HandBack { .. } => "hand_back",
        }
    }

    /// The message it posts.
    pub const fn message(&self) -> Option<&MessageId> {
        match self {
            Self::PostMessage(part) => Some(&part.message),
            Self::UserLeaves { .. } | Self::Update { .. } | Self::HandBack { .. } => None,
        }
    }
}

/// A message as one POST to 8x8; a long text is several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagePart {
    pub message: MessageId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_message_id: Option<String>,
    /// Whether this is the last part, whose acceptance is the message's.
    pub last: bool,
    pub author: AuthorType,
    pub text: Option<String>,
    pub cards: Vec<RawJson>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attached>,
    /// What is said where a file of the history cannot be had. Nobody is told the fate of a message with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// The gateway's own words to the agent. The bot is not told their fate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub notice: bool,
}

impl MessagePart {
    /// What its message shows by now; `None` for a part without files.
    pub fn shown(&self) -> Option<Vec<MessageFile>> {
        let files = &self.attachments;
        (!files.is_empty()).then(|| files.iter().map(Attached::as_shown).collect())
    }
}

/// How a call left the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    Done,
    Failed,
    /// 8x8 may have taken it and could not be asked before the deadline.
    Unconfirmed,
}

impl CallOutcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unconfirmed => "unconfirmed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Done, Self::Failed, Self::Unconfirmed]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
    }
}
