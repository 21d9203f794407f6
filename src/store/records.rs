//! What goes into the store and comes out of it in one piece.

use bytes::Bytes;
use serde_json::Map;
use serde_json::Value;

use crate::domain::AccountId;
use crate::domain::BotName;
use crate::domain::CallId;
use crate::domain::CallOutcome;
use crate::domain::CallRecord;
use crate::domain::ConversationId;
use crate::domain::ERASED_EXTRA;
use crate::domain::EventContext;
use crate::domain::Handover;
use crate::domain::HandoverEvent;
use crate::domain::HandoverId;
use crate::domain::MessageId;
use crate::domain::MessageRecord;
use crate::domain::MessageStatus;
use crate::domain::State;
use crate::domain::Timestamp;
use crate::domain::WebhookHeaders;
use crate::domain::WebhookReceipt;
use crate::store::AgentKnows;

/// Everything one input changed: written together or not at all.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The handover as it is after the change; when `changed`, its `version` is one more than the stored one.
    pub handover: Handover,
    pub changed: bool,
    pub events: Vec<HandoverEvent>,
    /// Whether the events are to be delivered: a bot without callback address pulls.
    pub deliver: bool,
    pub calls: Vec<CallRecord>,
    pub settled: Vec<CallSettled>,
    pub message: Option<MessageRecord>,
    /// The webhook event that caused it, when one did. Also ends its being unplaced.
    pub receipt: Option<WebhookReceipt>,
    /// The idempotency key of the call that caused it, when it had one.
    pub claim: Option<IdempotencyClaim>,
    /// Marks the lane, where that changes.
    pub agent_knows: Option<AgentKnows>,
}

impl Commit {
    /// Whether it records what somebody outside brought and can bring again, in contrast to what became of it.
    pub fn brings_new(&self) -> bool {
        self.receipt.is_some() || self.message.is_some()
    }
}

/// A call that left its lane, and what that says of its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSettled {
    pub id: CallId,
    pub outcome: CallOutcome,
    /// The message's status, when this call settles it.
    pub message: Option<(MessageId, MessageStatus)>,
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    Done,
    /// The webhook event was recorded before; nothing was changed. `same_body` is false for another body under its id.
    Seen {
        same_body: bool,
    },
    /// The stored version is not the one the change was computed from; nothing was changed.
    Stale,
    /// Another call holds the idempotency key; nothing was changed.
    KeyTaken(IdempotencyRecord),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    Done,
    /// The session, or the conversation it was opened on, has a live handover already.
    SessionTaken(HandoverId),
    KeyTaken(IdempotencyRecord),
}

/// What became of a webhook event that no handover could be found for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    New,
    Seen { same_body: bool },
}

/// Reserves an idempotency key in the transaction that records the intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyClaim {
    pub bot: BotName,
    /// Method and path, so that one key may be used for different calls.
    pub scope: String,
    pub key: String,
    pub request_sha256: [u8; 32],
    pub reference: Reference,
    pub at: Timestamp,
}

/// What a key stands for: from it the answer can be told even when the process died before giving one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Handover(HandoverId),
    Message(HandoverId, MessageId),
    /// Nothing but the call itself: one that left no answer runs again.
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyRecord {
    pub request_sha256: [u8; 32],
    pub reference: Reference,
    /// `None` while the first call runs, or when it never answered.
    pub answer: Option<KeptAnswer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    pub status: u16,
    pub content_type: String,
    pub location: Option<String>,
    pub body: String,
}

impl KeptAnswer {
    /// The same answer about the same thing, without what people said and who they are.
    #[must_use]
    pub fn erased(&self) -> Self {
        Self {
            body: Self::erased_body(&self.body),
            ..self.clone()
        }
    }

    /// What our own answers to bots hold of people stands under these names, at the top or one level down.
    pub(super) fn erased_body(body: &str) -> String {
        if body.starts_with(ERASED_EXTRA) {
            return body.to_owned();
        }
        let Ok(Value::Object(mut fields)) = serde_json::from_str(body) else {
            return String::new();
        };
        for name in ["user", "metadata"] {
            if let Some(value) = fields.get_mut(name) {
                *value = Value::Object(Map::new());
            }
        }
        if let Some(Value::Array(agents)) = fields.get_mut("agents") {
            for agent in agents.iter_mut().filter_map(Value::as_object_mut) {
                agent.remove("name");
            }
        }
        if let Some(Value::Object(upstream)) = fields.get_mut("upstream") {
            upstream.remove("message");
        }
        for name in ["filename", "detail", "errors"] {
            fields.remove(name);
        }
        fields.remove("erased");
        let rest = Value::Object(fields).to_string();
        match rest.strip_prefix('{') {
            Some("}") | None => format!("{ERASED_EXTRA}}}"),
            Some(rest) => format!("{ERASED_EXTRA},{rest}"),
        }
    }
}

/// A webhook event as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptWebhook {
    pub headers: WebhookHeaders,
    pub body: Bytes,
}

impl KeptWebhook {
    pub fn of(receipt: &WebhookReceipt) -> Self {
        Self {
            headers: receipt.headers.clone(),
            body: receipt.body.clone(),
        }
    }
}

/// What a process needs to go on where the last one stopped.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Handovers that are not over, and those that are but have open calls.
    pub handovers: Vec<Handover>,
    /// Open calls, oldest first within a handover. Each may have been sent.
    pub calls: Vec<CallRecord>,
    /// Conversations with kept events that no handover has taken.
    pub unplaced: Vec<(AccountId, ConversationId)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoverFilter {
    pub bot: BotName,
    /// Any of these; all when empty.
    pub states: Vec<State>,
    pub conversation: Option<ConversationId>,
    pub bot_session_id: Option<String>,
    /// Only those created before this one.
    pub before: Option<HandoverId>,
    pub limit: usize,
}

#[derive(Clone, Debug)]
pub struct HandoverPage {
    pub handovers: Vec<Handover>,
    pub more: bool,
}

/// A page of events that has so much in it goes no further, so that a thousand large ones are never in memory at once.
pub const PAGE_BYTES: usize = 4 * 1024 * 1024;

#[derive(Clone, Debug)]
pub struct EventPage {
    pub context: EventContext,
    pub state: State,
    pub events: Vec<HandoverEvent>,
}

/// One event of any of a bot's handovers. `position` rises in the order of recording.
#[derive(Clone, Debug)]
pub struct BotEvent {
    pub position: i64,
    pub context: EventContext,
    pub event: HandoverEvent,
}

#[derive(Clone, Debug, Default)]
pub struct BotEvents {
    pub events: Vec<BotEvent>,
}
