//! Turns columns into domain values and back, the same for every back end. What cannot be read is named by table, column
//! and id.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::AuthorType;
use crate::domain::BotName;
use crate::domain::Call;
use crate::domain::CallId;
use crate::domain::CallRecord;
use crate::domain::ConversationId;
use crate::domain::EventContext;
use crate::domain::EventId;
use crate::domain::EventType;
use crate::domain::Facts;
use crate::domain::Handover;
use crate::domain::HandoverEvent;
use crate::domain::HandoverId;
use crate::domain::MessageId;
use crate::domain::MessageRecord;
use crate::domain::MessageStatus;
use crate::domain::Progress;
use crate::domain::RawJson;
use crate::domain::State;
use crate::domain::Timestamp;
use crate::domain::WebhookHeaders;
use crate::store::IdempotencyRecord;
use crate::store::KeptAnswer;
use crate::store::Reference;
use crate::store::StoreError;

pub(super) struct HandoverRow {
    pub(super) id: String,
    pub(super) version: i64,
    pub(super) facts: String,
    pub(super) metadata: Option<String>,
    pub(super) progress: String,
}

pub(super) struct EventRow {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) sequence: i64,
    pub(super) at: i64,
    pub(super) state: String,
    pub(super) late: bool,
    pub(super) extra: String,
}

pub(super) struct ContextRow {
    pub(super) handover: String,
    pub(super) bot: String,
    pub(super) conversation: Option<String>,
    pub(super) bot_session_id: Option<String>,
    pub(super) metadata: Option<String>,
}

pub(super) struct CallRow {
    pub(super) id: String,
    pub(super) handover: String,
    pub(super) body: String,
    pub(super) created_at: i64,
    pub(super) deadline: i64,
}

pub(super) struct MessageRow {
    pub(super) id: String,
    pub(super) handover: String,
    pub(super) client_message_id: Option<String>,
    pub(super) request_sha256: [u8; 32],
    pub(super) author: String,
    pub(super) text: Option<String>,
    pub(super) cards: String,
    pub(super) status: String,
    pub(super) created_at: i64,
    pub(super) attachments: Option<String>,
    pub(super) notice: bool,
}

pub(super) struct IdempotencyRow {
    pub(super) request_sha256: [u8; 32],
    pub(super) handover: String,
    pub(super) message: Option<String>,
    pub(super) status: Option<u16>,
    pub(super) content_type: Option<String>,
    pub(super) location: Option<String>,
    pub(super) body: Option<String>,
}

pub(super) fn handover(row: &HandoverRow) -> Result<Handover, StoreError> {
    let mut facts: Facts = json(&row.facts, Place("handover", "facts"), &row.id)?;
    facts.metadata = raw(row.metadata.as_deref(), Place("handover", "metadata"), &row.id)?;
    let progress: Progress = json(&row.progress, Place("handover", "progress"), &row.id)?;
    Ok(Handover {
        facts: Arc::new(facts),
        version: number(row.version, Place("handover", "version"), &row.id)?,
        progress,
    })
}

/// `facts` without the metadata, which have a column of their own because every event shows them.
pub(super) fn facts_json(facts: &Facts) -> Result<String, StoreError> {
    let bare = Facts {
        metadata: None,
        ..facts.clone()
    };
    to_json(&bare)
}

pub(super) fn event(row: &EventRow) -> Result<HandoverEvent, StoreError> {
    let id = &row.id;
    let wrong = |column| Place("event", column).wrong(id);
    Ok(HandoverEvent {
        kind: EventType::parse(&row.kind).ok_or_else(|| wrong("type"))?,
        sequence: number(row.sequence, Place("event", "sequence"), id)?,
        at: Timestamp::from_millis(row.at),
        state: state(&row.state, Place("event", "state"), id)?,
        late: row.late,
        extra: RawJson::parse(&row.extra).map_err(|_not_json| wrong("extra"))?,
        id: EventId::parse(id).ok_or_else(|| wrong("id"))?,
    })
}

pub(super) fn context(row: ContextRow) -> Result<EventContext, StoreError> {
    Ok(EventContext {
        conversation: row.conversation.as_deref().and_then(ConversationId::parse),
        metadata: raw(row.metadata.as_deref(), Place("handover", "metadata"), &row.handover)?,
        handover: handover_id(row.handover, Place("handover", "id"))?,
        bot: BotName::new(&row.bot),
        bot_session_id: row.bot_session_id,
    })
}

pub(super) fn call(row: CallRow) -> Result<CallRecord, StoreError> {
    let call: Call = json(&row.body, Place("command", "body"), &row.id)?;
    Ok(CallRecord {
        id: CallId::parse(&row.id).ok_or_else(|| Place("command", "id").wrong(&row.id))?,
        handover: handover_id(row.handover, Place("command", "handover"))?,
        call,
        created_at: Timestamp::from_millis(row.created_at),
        deadline: Timestamp::from_millis(row.deadline),
    })
}

pub(super) fn message(row: MessageRow) -> Result<MessageRecord, StoreError> {
    let wrong = |column| Place("message", column).wrong(&row.id);
    let author = [AuthorType::User, AuthorType::Bot]
        .into_iter()
        .find(|author| author.as_str() == row.author)
        .ok_or_else(|| wrong("author"))?;
    Ok(MessageRecord {
        author,
        status: MessageStatus::parse(&row.status).ok_or_else(|| wrong("status"))?,
        cards: json(&row.cards, Place("message", "cards"), &row.id)?,
        attachments: row.attachments.as_deref().map_or(Ok(Vec::new()), |text| {
            json(text, Place("message", "attachments"), &row.id)
        })?,
        id: MessageId::parse(&row.id).ok_or_else(|| wrong("id"))?,
        handover: handover_id(row.handover, Place("message", "handover"))?,
        client_message_id: row.client_message_id,
        request_sha256: row.request_sha256,
        text: row.text,
        created_at: Timestamp::from_millis(row.created_at),
        notice: row.notice,
    })
}

pub(super) fn idempotency(row: IdempotencyRow) -> Result<IdempotencyRecord, StoreError> {
    let handover = (!row.handover.is_empty())
        .then(|| handover_id(row.handover, Place("idempotency", "handover")))
        .transpose()?;
    let reference = match (handover, row.message) {
        (None, _) => Reference::Nothing,
        (Some(handover), None) => Reference::Handover(handover),
        (Some(handover), Some(text)) => {
            let message = MessageId::parse(&text).ok_or_else(|| Place("idempotency", "message").wrong(&text))?;
            Reference::Message(handover, message)
        }
    };
    let answer = row.status.map(|status| KeptAnswer {
        status,
        content_type: row.content_type.unwrap_or_default(),
        location: row.location,
        body: row.body.unwrap_or_default(),
    });
    Ok(IdempotencyRecord {
        request_sha256: row.request_sha256,
        reference,
        answer,
    })
}

/// `None` for those of a webhook that nobody passes on.
pub(super) fn webhook_headers_json(headers: &WebhookHeaders) -> Result<Option<String>, StoreError> {
    (!headers.is_empty()).then(|| to_json(headers)).transpose()
}

/// Headers that cannot be read are as good as none: whoever gets the body checks it by them.
pub(super) fn webhook_headers(text: Option<&str>) -> WebhookHeaders {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

pub(super) fn handover_id(text: String, place: Place) -> Result<HandoverId, StoreError> {
    HandoverId::parse(&text).ok_or(StoreError::Inconsistent {
        table: place.0,
        column: place.1,
        id: text,
    })
}

pub(super) fn event_id(text: &str, place: Place) -> Result<EventId, StoreError> {
    EventId::parse(text).ok_or_else(|| place.wrong(text))
}

pub(super) fn state(text: &str, place: Place, id: &str) -> Result<State, StoreError> {
    State::parse(text).ok_or_else(|| place.wrong(id))
}

pub(super) fn number<T: TryFrom<i64>>(value: i64, place: Place, id: &str) -> Result<T, StoreError> {
    T::try_from(value).map_err(|_out_of_range| place.wrong(id))
}

pub(super) fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unavailable(Box::new(error)))
}

/// A table and a column of it.
#[derive(Clone, Copy)]
pub(super) struct Place(pub(super) &'static str, pub(super) &'static str);

impl Place {
    pub(super) fn wrong(self, id: &str) -> StoreError {
        StoreError::Inconsistent {
            table: self.0,
            column: self.1,
            id: id.to_owned(),
        }
    }
}

fn json<T: DeserializeOwned>(text: &str, place: Place, id: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_unreadable| place.wrong(id))
}

fn raw(text: Option<&str>, place: Place, id: &str) -> Result<Option<RawJson>, StoreError> {
    text.map(|text| RawJson::parse(text).map_err(|_not_json| place.wrong(id)))
        .transpose()
}
