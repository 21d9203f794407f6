//! What happened to a handover, for whoever has to find out: no words of people's, no addresses.

use crate::domain::AuthorType;
use crate::domain::Call;
use crate::domain::CallId;
use crate::domain::CallOutcome;
use crate::domain::EventId;
use crate::domain::EventType;
use crate::domain::MessageId;
use crate::domain::MessageStatus;
use crate::domain::State;
use crate::domain::Timestamp;

/// Each list in the order in which its rows came to be; of more than were asked for, the newest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    pub events: Vec<EventRecorded>,
    pub attempts: Vec<AttemptMade>,
    pub deliveries: Vec<DeliveryLeft>,
    pub calls: Vec<CallMade>,
    pub messages: Vec<MessagePosted>,
    /// Whether older rows were left out.
    pub cut: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecorded {
    pub id: EventId,
    pub kind: EventType,
    pub sequence: u64,
    pub at: Timestamp,
    pub state: State,
    pub late: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptMade {
    pub sequence: u64,
    pub number: u32,
    pub started_at: Timestamp,
    pub took_millis: u32,
    pub status: Option<u16>,
    pub error: Option<String>,
}

/// An event that left its lane undelivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryLeft {
    pub event: EventId,
    pub sequence: u64,
    /// `aside`, `waiting`, `failed` or `done`.
    pub status: String,
    pub attempts: u32,
    /// When it is due, where it is still tried; else when that ended.
    pub at: Timestamp,
    pub reason: Option<String>,
}

/// A call that must reach 8x8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallMade {
    pub id: CallId,
    pub name: &'static str,
    /// The message it posts.
    pub message: Option<MessageId>,
    /// `None` while it is open.
    pub outcome: Option<CallOutcome>,
    pub created_at: Timestamp,
    pub settled_at: Option<Timestamp>,
}

impl CallMade {
    pub fn of(id: CallId, call: &Call, created_at: Timestamp, settled: Option<(CallOutcome, Timestamp)>) -> Self {
        Self {
            id,
            name: call.name(),
            message: call.message().cloned(),
            outcome: settled.map(|(outcome, _at)| outcome),
            created_at,
            settled_at: settled.map(|(_outcome, at)| at),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessagePosted {
    pub id: MessageId,
    pub author: AuthorType,
    pub status: MessageStatus,
    pub created_at: Timestamp,
}
