//! A handover's calls to 8x8: one in flight, in order of arrival, each tried until its fate is known.
//!
//! Every call was recorded before it came here. One of an earlier run of the process may have been sent; a message of
//! that kind is looked for at 8x8 before it is posted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Notify;

use crate::domain::Call;
use crate::domain::CallRecord;
use crate::domain::ConversationId;
use crate::domain::MessageId;
use crate::handovers::Handovers;
use crate::handovers::session_map::Slot;
use crate::handovers::ticket::Fate;
use crate::handovers::ticket::Ticket;

/// So many calls of one handover may wait; a bot that posts more is told to slow down.
const CAPACITY: usize = 64;

#[derive(Debug, Default)]
pub(super) struct SendLane {
    waiting: Mutex<Waiting>,
    /// A call was done with.
    went_on: Notify,
    /// Somebody waits for the call that is being repeated now.
    hurry: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    calls: VecDeque<Item>,
    running: bool,
    /// 8x8 is being told that the user left.
    leaving: bool,
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) record: CallRecord,
    pub(super) ticket: Option<Ticket>,
    /// Recorded by an earlier run of the process, which may have sent it.
    pub(super) may_be_sent: bool,
}

impl SendLane {
    pub(super) fn is_full(&self) -> bool {
        self.with(|waiting| waiting.calls.len() >= CAPACITY)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.with(|waiting| !waiting.running && waiting.calls.is_empty())
    }

    /// The next call, or `None` when the worker is to end: whoever adds a call then starts another.
    fn next(&self) -> Option<Item> {
        let next = self.with(|waiting| {
            let next = waiting.calls.pop_front();
            waiting.running = next.is_some();
            waiting.leaving = next.as_ref().is_some_and(Item::is_leave);
            next
        });
        self.went_on.notify_waiters();
        next
    }

    /// Waits until nothing is on its way to 8x8 any more: a message that arrives late would stand behind newer words, and a
    /// leave call that arrives late would end what they begin. That one is made again at once. Whether it came in time.
    pub(super) async fn left(&self, at_most: Duration) -> bool {
        let waits = async {
            loop {
                let went_on = self.went_on.notified();
                if self.is_idle() {
                    return;
                }
                if self.leave_is_open() {
                    self.hurry.notify_one();
                }
                went_on.await;
            }
        };
        tokio::time::timeout(at_most, waits).await.is_ok()
    }

    /// Ends when somebody waits for the call that is being repeated.
    pub(super) async fn hurried(&self) {
        self.hurry.notified().await;
    }

    /// Undoes [`SendLane::next`]: the call waits where it waited, and nobody works.
    fn put_back(&self, item: Item) {
        self.with(|waiting| {
            waiting.calls.push_front(item);
            waiting.running = false;
            waiting.leaving = false;
        });
    }

    fn leave_is_open(&self) -> bool {
        self.with(|waiting| waiting.leaving || waiting.calls.iter().any(Item::is_leave))
    }

    /// The parts of a message that follow the one that failed.
    pub(super) fn take_parts(&self, message: &MessageId) -> Vec<Item> {
        self.with(|waiting| {
            let is_part =
                |item: &Item| matches!(&item.record.call, Call::PostMessage(part) if part.message == *message);
            let count = waiting.calls.iter().take_while(|item| is_part(item)).count();
            waiting.calls.drain(..count).collect()
        })
    }

    /// Everything that waits, when there is nowhere for it to go.
    fn take_all(&self) -> Vec<Item> {
        self.with(|waiting| waiting.calls.drain(..).collect())
    }

    /// Whether 8x8 is still to be told that the user left.
    pub(super) fn leave_waits(&self) -> bool {
        self.with(|waiting| waiting.calls.iter().any(Item::is_leave))
    }

    /// Adds calls; whether a worker must be started for them.
    fn add(&self, items: Vec<Item>, can_run: Ready) -> bool {
        self.with(|waiting| {
            waiting.calls.extend(items);
            let start = !waiting.running && !waiting.calls.is_empty() && can_run == Ready::Yes;
            waiting.running |= start;
            start
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        change(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Item {
    fn is_leave(&self) -> bool {
        matches!(self.record.call, Call::UserLeaves { .. })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ready {
    Yes,
    /// 8x8 has not said under which conversation it took the handover.
    NotYet,
}

impl Handovers {
    /// Puts calls that were just committed into their lane. The ticket shows how each stands and is settled with the last.
    pub(super) fn enqueue(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        calls: Vec<CallRecord>,
        conversation: Option<&ConversationId>,
        ticket: Option<&Ticket>,
    ) {
        let items = calls.into_iter().map(|record| Item {
            record,
            ticket: ticket.cloned(),
            may_be_sent: false,
        });
        self.run_lane(slot, items.collect(), conversation);
    }

    /// Ends the calls of a handover that never had a conversation.
    pub(super) fn drop_lane(self: &Arc<Self>, slot: &Arc<Slot>) {
        let items = slot.lane.take_all();
        let (this, slot) = (Arc::clone(self), Arc::clone(slot));
        self.parts.supervisor.run(async move {
            for item in items {
                this.settle(&slot, item, Fate::Failed(None)).await;
            }
        });
    }

    /// Takes up the calls an earlier run of the process left open.
    pub(super) fn resume(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        calls: Vec<CallRecord>,
        conversation: Option<&ConversationId>,
    ) {
        let items = calls.into_iter().map(|record| Item {
            record,
            ticket: None,
            may_be_sent: true,
        });
        self.run_lane(slot, items.collect(), conversation);
    }

    /// Starts the lane where calls wait in it and nobody works.
    pub(super) fn go_on(self: &Arc<Self>, slot: &Arc<Slot>, conversation: Option<&ConversationId>) {
        self.run_lane(slot, Vec::new(), conversation);
    }

    fn run_lane(self: &Arc<Self>, slot: &Arc<Slot>, items: Vec<Item>, conversation: Option<&ConversationId>) {
        let ready = if conversation.is_some() {
            Ready::Yes
        } else {
            Ready::NotYet
        };
        if !slot.lane.add(items, ready) {
            return;
        }
        if let Some(conversation) = conversation.cloned() {
            let (this, slot) = (Arc::clone(self), Arc::clone(slot));
            self.parts
                .supervisor
                .run(async move { this.work(&slot, &conversation).await });
        }
    }

    async fn work(self: &Arc<Self>, slot: &Arc<Slot>, conversation: &ConversationId) {
        let stop = self.parts.supervisor.stop_token();
        // A worker that panics must not leave the lane shut.
        let _open_again = OpenAgain(&slot.lane);
        while let Some(item) = slot.lane.next() {
            // A call that is left open here, or by a panic, stays recorded and is taken up at the next start.
            if stop.is_cancelled() {
                return;
            }
            let Some(tenant) = self.tenant_of(slot).await else {
                tracing::warn!(handover.id = %slot.id, "its tenant is not configured any more, calls to 8x8 wait for it");
                slot.lane.put_back(item);
                // It may have come back while the call was on its way into the lane again.
                if self.tenant_of(slot).await.is_some() {
                    self.go_on(slot, Some(conversation));
                }
                return;
            };
            self.carry_out(slot, &tenant, conversation, item).await;
        }
    }
}

struct OpenAgain<'a>(&'a SendLane);

impl Drop for OpenAgain<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.with(|waiting| waiting.running = false);
        }
    }
}
