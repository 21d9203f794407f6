//! Lanes: one handover's deliveries in order, and the right to try the next one.

use crate::domain::BotName;
use crate::domain::EventContext;
use crate::domain::EventId;
use crate::domain::HandoverEvent;
use crate::domain::HandoverId;
use crate::domain::Timestamp;

/// A lane whose head may be tried from `due_at` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueLane {
    pub handover: HandoverId,
    pub bot: BotName,
    pub due_at: Timestamp,
}

/// A lifecycle event that gave up its place in the lane and is retried beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    pub event: EventId,
    pub handover: HandoverId,
    pub bot: BotName,
    pub due_at: Timestamp,
}

/// What a claim or a settlement is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The head of this handover's lane.
    Lane(HandoverId),
    Aside(EventId),
}

/// The right to make one attempt. No one else holds it until it is settled, or the process that held it is gone.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub target: Target,
    /// Given back with the settlement: one of an older claim changes nothing.
    pub epoch: u64,
    pub event: HandoverEvent,
    pub context: EventContext,
    /// The handover's own callback address, when it was created with one.
    pub callback_url: Option<String>,
    /// Attempts made so far.
    pub attempts: u32,
    pub first_attempt_at: Option<Timestamp>,
    /// Somebody asked for it again.
    pub replay: bool,
}

#[derive(Clone, Debug)]
pub struct Settlement {
    pub target: Target,
    pub epoch: u64,
    pub handover: HandoverId,
    pub sequence: u64,
    pub verdict: Verdict,
    /// `None` when nothing was sent, as for an event the bot did not ask for.
    pub attempt: Option<Attempt>,
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Delivered, or not wanted: the lane goes on.
    Done,
    /// The same again, not before `at`.
    Again { at: Timestamp },
    /// The lane goes on, the event is retried beside it from `at` on.
    Aside { at: Timestamp },
    /// The event becomes a failed delivery, and the lane goes on.
    Failed { reason: &'static str },
    /// The bot wants no more of this handover (410): the lane stops where it is, and its head is listed as failed.
    Stop,
}

/// So many attempts at an event are kept, the newest.
pub const ATTEMPTS_KEPT: u32 = 50;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub number: u32,
    pub started_at: Timestamp,
    pub took_millis: u32,
    /// The answer's status; `None` when there was none.
    pub status: Option<u16>,
    /// A short word of our own for what went wrong: `timeout`, `connect`, `refused-address` …
    pub error: Option<&'static str>,
}

/// So many outages of a bot are kept, the newest.
pub const OUTAGES_KEPT: usize = 500;

/// A time in which a bot was away: the clocks of what was to be delivered to it stood still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    pub bot: BotName,
    pub since: Timestamp,
    /// `None` while it lasts.
    pub until: Option<Timestamp>,
    /// Events a minute the bot was used to before.
    pub usual_per_minute: u32,
}

/// What waits in the lanes of a bot, as near as counting without reading gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    pub bot: BotName,
    pub events: u64,
    /// Of the events' own content; counted for large backlogs only.
    pub bytes: Option<u64>,
    /// When the oldest was recorded.
    pub oldest_at: Option<Timestamp>,
    /// The lanes with more than was asked for, not all of them where there are many.
    pub long_lanes: Vec<(HandoverId, u64)>,
}

/// How a backlog is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BacklogAsked {
    /// Lanes with more events than this are named.
    pub long_lane: u64,
    /// The bytes of bots with so many events are counted.
    pub weigh_from: u64,
}

/// What becomes a failed delivery without being tried (again).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// The event that a target has, which [`crate::store::Store::claim`] could not read: `unreadable`.
    Unreadable(Target),
    /// The oldest events of a lane, so many: `backlog-quota`.
    OfLane(HandoverId, u64),
    /// The oldest events in all lanes of a bot, so many: `backlog-quota`.
    OfBot(BotName, u64),
}
