//! Events that are posted again because somebody asked: what failed, what is asked for, and what came of it.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::BotName;
use crate::domain::EventId;
use crate::domain::HandoverId;
use crate::domain::Timestamp;
use crate::store::StoreError;

/// The part of the store's contract that is about what does not get through.
#[async_trait]
pub trait Redelivery: Send + Sync {
    /// A bot's failed deliveries, newest event first: those before an event, when one is given.
    async fn failed_deliveries(
        &self,
        bot: &BotName,
        before: Option<&EventId>,
        limit: usize,
    ) -> Result<FailedPage, StoreError>;

    /// Has an event of this bot's posted again beside its lane, after those of its handover that were asked for before and
    /// are older, and lets a lane that the bot stopped go on. What is on its way already stays as it is. `None` when the
    /// bot was never to be given such an event.
    async fn resend(&self, bot: &BotName, event: &EventId, now: Timestamp) -> Result<Option<Resent>, StoreError>;

    /// The same for the bot's failed deliveries of a time, a slice of them: a handover's together and in their order. None
    /// when there are no more.
    async fn recover(&self, recover: Recover) -> Result<Recovered, StoreError>;

    /// Lanes of handovers with an agent in which something said by or before `before` waits, and of which nothing was
    /// delivered since then; those whose agent knows are left out. Longest held up first, from after `after` on.
    async fn held_up(&self, before: Timestamp, after: Option<HeldUp>, limit: usize) -> Result<Vec<HeldUp>, StoreError>;

    /// Handovers whose agent knows, and that are over, or whose last attempt was good and where nothing said by or before
    /// `before` waits. By their ids, from after `after` on.
    async fn caught_up(
        &self,
        before: Timestamp,
        after: Option<HandoverId>,
        limit: usize,
    ) -> Result<Vec<HandoverId>, StoreError>;
}

/// An event that left its lane undelivered and is not tried any more; or the head of a lane that its bot stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedDelivery {
    pub event: EventId,
    pub handover: HandoverId,
    pub sequence: u64,
    /// The event's type, as it is kept.
    pub kind: String,
    pub attempts: u32,
    pub first_attempt_at: Option<Timestamp>,
    pub failed_at: Timestamp,
    pub reason: String,
}

#[derive(Clone, Debug)]
pub struct FailedPage {
    pub deliveries: Vec<FailedDelivery>,
    pub more: bool,
}

/// What resending one event came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resent {
    pub handover: HandoverId,
    pub sequence: u64,
    /// Whether its bot had stopped the handover, whose lane goes on now.
    pub resumed: bool,
}

/// One slice of a recovery.
#[derive(Clone, Debug)]
pub struct Recover {
    pub bot: BotName,
    /// Deliveries that failed from here …
    pub since: Timestamp,
    /// … to here: what fails again meanwhile is not recovered twice.
    pub until: Timestamp,
    pub now: Timestamp,
    /// The first of the slice goes out no earlier …
    pub start: Timestamp,
    /// … and each further one so much later.
    pub apart: Duration,
    /// A slice ends with the handover in which so many are reached, or with the first [`RECOVERED_AT_ONCE`] of it.
    pub limit: usize,
}

/// So many of one handover are put back in one transaction, the oldest first.
pub const RECOVERED_AT_ONCE: usize = 1_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    pub deliveries: usize,
    /// Handovers that their bot had stopped, and whose lanes go on.
    pub resumed: usize,
}

/// A lane whose bot has not been given what an agent said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldUp {
    pub handover: HandoverId,
    /// Since when nothing was delivered of it.
    pub since: Timestamp,
}

/// Whether the agent knows that the user is not receiving messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentKnows {
    Yes,
    No,
}
