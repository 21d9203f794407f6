//! What 8x8 told us, normalised over its two dialects.

use serde::Serialize;

use crate::domain::ConversationId;
use crate::domain::HandoverId;
use crate::domain::Queue;
use crate::domain::RawJson;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEvent {
    pub conversation: ConversationId,
    pub source: Source,
    pub kind: WebhookKind,
}

/// Where an event came from, passed on to the bot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    pub event_type: String,
    /// Of what was back-filled: 8x8's id of the message, empty where there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub event_id: String,
    /// 8x8's own time in epoch milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
}

impl Source {
    /// Of what was read from 8x8 instead of told by it.
    pub const RECONCILED: &str = "RECONCILED";
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookKind {
    ConversationUpdate(ConversationUpdate),
    Queued(Queue),
    AgentJoined(AgentRef),
    AgentLeft(AgentRef),
    UserJoined,
    UserLeft,
    Transfer,
    Message(MessageSeen),
    /// Nobody typing any more when empty.
    Typing {
        users: RawJson,
        active: bool,
    },
    /// Whoever types is not an agent: nothing a bot needs.
    OwnTyping,
    Action {
        name: String,
        value: RawJson,
    },
    /// An event type or activity we do not know.
    Unrecognized {
        raw: RawJson,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentRef {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationUpdate {
    pub state: Option<ConversationState>,
    /// The agent it is assigned to, when it is assigned to one.
    pub agent: Option<AgentRef>,
    /// The queue it is assigned to, when it is assigned to one.
    pub queue_id: Option<String>,
    /// Our own key, sent with the create, so that an orphan finds its handover.
    pub handover: Option<HandoverId>,
    /// Equal when user, channel and number are; state, queue and agents are told by events of their own.
    pub fingerprint: u64,
    /// `data` as 8x8 sent it.
    pub raw: RawJson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConversationState {
    Created,
    Active,
    Idle,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageSeen {
    pub is_echo: bool,
    /// `agent`, `user`, `bot`, `system`, or whatever 8x8 says; may be empty.
    pub sender_type: String,
    pub sender: AgentRef,
    pub text: String,
    pub attachments: Vec<AttachmentSeen>,
    pub cards: Vec<RawJson>,
}

/// 8x8's pre-signed link is left out on purpose: it expires, and the bot would keep it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttachmentSeen {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Our own link, put in before the handover is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}
