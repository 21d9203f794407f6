//! Which handover is to be looked at when: an ordered set in memory, rebuilt from the handovers at start.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::sync::Notify;

use crate::domain::HandoverId;
use crate::domain::Timestamp;

/// Entries are hints: a handover is looked at when its entry comes due, and looks for itself what there is to do.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    set: Mutex<BTreeSet<(Timestamp, HandoverId)>>,
    earlier: Notify,
}

impl Deadlines {
    pub(super) fn add(&self, at: Timestamp, handover: &HandoverId) {
        let first = self.with(|set| {
            set.insert((at, handover.clone()));
            set.first().is_some_and(|(first, id)| *first == at && id == handover)
        });
        if first {
            self.earlier.notify_one();
        }
    }

    /// Takes out what is due by `now`, at most `limit`.
    pub(super) fn take_due(&self, now: Timestamp, limit: usize) -> Vec<HandoverId> {
        self.with(|set| {
            let mut due = Vec::new();
            while due.len() < limit && set.first().is_some_and(|(at, _)| *at <= now) {
                due.extend(set.pop_first().map(|(_, id)| id));
            }
            due
        })
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.with(|set| set.first().map(|(at, _)| *at))
    }

    /// Returns when an earlier deadline than all others was added.
    pub(super) async fn changed(&self) {
        self.earlier.notified().await;
    }

    fn with<T>(&self, change: impl FnOnce(&mut BTreeSet<(Timestamp, HandoverId)>) -> T) -> T {
        change(&mut self.set.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
