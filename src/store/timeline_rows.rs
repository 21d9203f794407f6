//! Turns the columns of a timeline into what it shows, the same for every back end.

use crate::domain::AuthorType;
use crate::domain::Call;
use crate::domain::CallId;
use crate::domain::CallOutcome;
use crate::domain::EventId;
use crate::domain::EventType;
use crate::domain::HandoverId;
use crate::domain::MessageId;
use crate::domain::MessageStatus;
use crate::domain::Timestamp;
use crate::store::AttemptMade;
use crate::store::CallMade;
use crate::store::DeliveryLeft;
use crate::store::EventRecorded;
use crate::store::MessagePosted;
use crate::store::StoreError;
use crate::store::rows;
use crate::store::rows::Place;

pub(super) struct EventRecordedRow {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) sequence: i64,
    pub(super) at: i64,
    pub(super) state: String,
    pub(super) late: bool,
}

pub(super) struct AttemptRow {
    pub(super) sequence: i64,
    pub(super) number: i64,
    pub(super) started_at: i64,
    pub(super) took_millis: i64,
    pub(super) status: Option<u16>,
    pub(super) error: Option<String>,
}

pub(super) struct DeliveryRow {
    pub(super) event: String,
    pub(super) sequence: i64,
    pub(super) status: String,
    pub(super) attempts: i64,
    pub(super) at: i64,
    pub(super) reason: Option<String>,
}

pub(super) struct CallMadeRow {
    pub(super) id: String,
    pub(super) body: String,
    pub(super) state: String,
    pub(super) created_at: i64,
    pub(super) settled_at: Option<i64>,
}

pub(super) struct MessagePostedRow {
    pub(super) id: String,
    pub(super) author: String,
    pub(super) status: String,
    pub(super) created_at: i64,
}

pub(super) fn event_recorded(row: &EventRecordedRow) -> Result<EventRecorded, StoreError> {
    let wrong = |column| Place("event", column).wrong(&row.id);
    Ok(EventRecorded {
        kind: EventType::parse(&row.kind).ok_or_else(|| wrong("type"))?,
        sequence: rows::number(row.sequence, Place("event", "sequence"), &row.id)?,
        at: Timestamp::from_millis(row.at),
        state: rows::state(&row.state, Place("event", "state"), &row.id)?,
        late: row.late,
        id: EventId::parse(&row.id).ok_or_else(|| wrong("id"))?,
    })
}

pub(super) fn attempt_made(row: &AttemptRow, handover: &HandoverId) -> Result<AttemptMade, StoreError> {
    let number = |value, column| rows::number(value, Place("attempt", column), handover.as_str());
    Ok(AttemptMade {
        sequence: rows::number(row.sequence, Place("attempt", "sequence"), handover.as_str())?,
        number: number(row.number, "number")?,
        started_at: Timestamp::from_millis(row.started_at),
        took_millis: number(row.took_millis, "took_millis")?,
        status: row.status,
        error: row.error.clone(),
    })
}

pub(super) fn delivery_left(row: &DeliveryRow) -> Result<DeliveryLeft, StoreError> {
    Ok(DeliveryLeft {
        event: rows::event_id(&row.event, Place("delivery", "event"))?,
        sequence: rows::number(row.sequence, Place("delivery", "sequence"), &row.event)?,
        attempts: rows::number(row.attempts, Place("delivery", "attempts"), &row.event)?,
        at: Timestamp::from_millis(row.at),
        status: row.status.clone(),
        reason: row.reason.clone(),
    })
}

pub(super) fn call_made(row: &CallMadeRow) -> Result<CallMade, StoreError> {
    let wrong = |column| Place("command", column).wrong(&row.id);
    let call: Call = serde_json::from_str(&row.body).map_err(|_unreadable| wrong("body"))?;
    let outcome = match row.state.as_str() {
        "open" => None,
        state => Some(CallOutcome::parse(state).ok_or_else(|| wrong("state"))?),
    };
    Ok(CallMade::of(
        CallId::parse(&row.id).ok_or_else(|| wrong("id"))?,
        &call,
        Timestamp::from_millis(row.created_at),
        outcome.map(|outcome| {
            (
                outcome,
                row.settled_at.map_or_else(Timestamp::default, Timestamp::from_millis),
            )
        }),
    ))
}

pub(super) fn message_posted(row: &MessagePostedRow) -> Result<MessagePosted, StoreError> {
    let wrong = |column| Place("message", column).wrong(&row.id);
    Ok(MessagePosted {
        author: AuthorType::parse(&row.author).ok_or_else(|| wrong("author"))?,
        status: MessageStatus::parse(&row.status).ok_or_else(|| wrong("status"))?,
        created_at: Timestamp::from_millis(row.created_at),
        id: MessageId::parse(&row.id).ok_or_else(|| wrong("id"))?,
    })
}
