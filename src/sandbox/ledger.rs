//! What the stand-in received and sent, for tests to look at. Each ledger keeps its newest entries only.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};

use super::clock;

pub(crate) struct Ledger {
    calls: Mutex<Bounded<Call>>,
    events: Mutex<Bounded<EventRecord>>,
}

/// One API call.
pub(crate) struct Call {
    pub(crate) at: i64,
    pub(crate) operation: &'static str,
    pub(crate) conversation_id: Option<String>,
    pub(crate) body: Bytes,
    pub(crate) outcome: Outcome,
    /// Whether it was carried out, whatever the caller was told.
    pub(crate) taken: bool,
}

#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    Status(u16),
    Dropped,
    Hung,
}

/// One webhook event and the attempts at it.
pub(crate) struct EventRecord {
    at: i64,
    event_id: String,
    event_type: String,
    conversation_id: String,
    body: Bytes,
    attempts: Vec<(i64, Result<u16, String>)>,
    acked: bool,
    given_up: bool,
}

/// Finds an event's entry again as long as it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventEntry(usize);

struct Bounded<T> {
    limit: usize,
    forgotten: usize,
    entries: VecDeque<T>,
}

impl Ledger {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            calls: Mutex::new(Bounded::new(limit)),
            events: Mutex::new(Bounded::new(limit)),
        }
    }

    pub(crate) fn call(&self, call: Call) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    pub(crate) fn event(&self, event_id: &str, event_type: &str, conversation_id: &str, body: &Bytes) -> EventEntry {
        let record = EventRecord {
            at: clock::now_ms(),
            event_id: event_id.to_owned(),
            event_type: event_type.to_owned(),
            conversation_id: conversation_id.to_owned(),
            body: body.clone(),
            attempts: Vec::new(),
            acked: false,
            given_up: false,
        };
        EventEntry(self.events.lock().unwrap_or_else(PoisonError::into_inner).push(record))
    }

    pub(crate) fn attempt(&self, entry: EventEntry, at: i64, outcome: Result<u16, String>) {
        self.with_event(entry, |record| {
            record.acked |= outcome.as_ref().is_ok_and(|&status| is_success(status));
            record.attempts.push((at, outcome));
        });
    }

    pub(crate) fn given_up(&self, entry: EventEntry) {
        self.with_event(entry, |record| record.given_up = true);
    }

    pub(crate) fn calls(&self, operation: Option<&str>, conversation_id: Option<&str>) -> Vec<Value> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls
            .entries
            .iter()
            .filter(|call| operation.is_none_or(|wanted| call.operation == wanted))
            .filter(|call| conversation_id.is_none_or(|wanted| call.conversation_id.as_deref() == Some(wanted)))
            .map(Call::view)
            .collect()
    }

    pub(crate) fn events(&self, conversation_id: Option<&str>) -> Vec<Value> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events
            .entries
            .iter()
            .filter(|record| conversation_id.is_none_or(|wanted| record.conversation_id == wanted))
            .map(EventRecord::view)
            .collect()
    }

    fn with_event(&self, entry: EventEntry, change: impl FnOnce(&mut EventRecord)) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = events.get_mut(entry.0) {
            change(record);
        }
    }
}

pub(crate) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

impl Call {
    fn view(&self) -> Value {
        let status = match self.outcome {
            Outcome::Status(status) => json!(status),
            Outcome::Dropped => json!("dropped"),
            Outcome::Hung => json!("hung"),
        };
        json!({
            "at": self.at,
            "operation": self.operation,
            "conversationId": self.conversation_id,
            "body": json_or_text(&self.body),
            "raw": String::from_utf8_lossy(&self.body),
            "status": status,
            "taken": self.taken,
        })
    }
}

impl EventRecord {
    fn view(&self) -> Value {
        let attempt = |(at, outcome): &(i64, Result<u16, String>)| match outcome {
            Ok(status) => json!({"at": at, "status": status}),
            Err(error) => json!({"at": at, "error": error}),
        };
        json!({
            "at": self.at,
            "eventId": self.event_id,
            "eventType": self.event_type,
            "conversationId": self.conversation_id,
            "body": json_or_text(&self.body),
            "attempts": self.attempts.iter().map(attempt).collect::<Vec<_>>(),
            "acked": self.acked,
            "givenUp": self.given_up,
        })
    }
}

fn json_or_text(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into())
}

impl<T> Bounded<T> {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            forgotten: 0,
            entries: VecDeque::new(),
        }
    }

    fn push(&mut self, entry: T) -> usize {
        if self.entries.len() >= self.limit && self.entries.pop_front().is_some() {
            self.forgotten += 1;
        }
        self.entries.push_back(entry);
        self.forgotten + self.entries.len() - 1
    }

    fn get_mut(&mut self, number: usize) -> Option<&mut T> {
        self.entries.get_mut(number.checked_sub(self.forgotten)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_event_is_forgotten_and_its_attempts_go_nowhere() {
        let ledger = Ledger::new(2);
        let body = Bytes::from_static(b"{}");
        let [first, _, third] = ["a", "b", "c"].map(|id| ledger.event(id, "MESSAGE", "c", &body));
        ledger.attempt(first, 1, Ok(204));
        ledger.attempt(third, 1, Ok(204));
        let acked: Vec<_> = ledger.events(None).iter().map(|event| event["acked"] == true).collect();
        assert_eq!(acked, [false, true]);
    }
}
