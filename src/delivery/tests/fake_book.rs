//! What the fake store remembers of lanes, and how a settlement changes it.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;

use crate::domain::EventContext;
use crate::domain::EventId;
use crate::domain::HandoverEvent;
use crate::domain::HandoverId;
use crate::domain::Timestamp;
use crate::store::KeptWebhook;
use crate::store::Outage;
use crate::store::Settlement;
use crate::store::StoreError;
use crate::store::Target;
use crate::store::Verdict;

#[derive(Default)]
pub(super) struct Book {
    pub(super) lanes: BTreeMap<HandoverId, Lane>,
    pub(super) asides: HashMap<EventId, Entry>,
    pub(super) settled: Vec<Settlement>,
    /// As they came, by 8x8's id.
    pub(super) webhooks: HashMap<String, KeptWebhook>,
    /// So many calls of `claim` and `settle` fail first.
    pub(super) outage: usize,
    pub(super) epoch: u64,
    pub(super) outages: Vec<Outage>,
    /// Sequences whose rows cannot be read.
    pub(super) unreadable: HashSet<u64>,
    pub(super) given_up: Vec<u64>,
    pub(super) reads_fail: bool,
    pub(super) outages_fail: bool,
}

pub(super) struct Lane {
    pub(super) context: EventContext,
    pub(super) entries: VecDeque<Entry>,
    pub(super) stopped: bool,
}

pub(super) struct Entry {
    pub(super) event: HandoverEvent,
    pub(super) context: EventContext,
    pub(super) due_at: Timestamp,
    pub(super) attempts: u32,
    pub(super) first_attempt_at: Option<Timestamp>,
    pub(super) held: Option<u64>,
}

impl Book {
    pub(super) fn fail(&mut self) -> Result<(), StoreError> {
        if self.outage == 0 {
            return Ok(());
        }
        self.outage -= 1;
        Err(StoreError::Unavailable("outage".into()))
    }

    pub(super) fn entry(&mut self, target: &Target) -> Option<&mut Entry> {
        match target {
            Target::Lane(handover) => {
                let lane = self.lanes.get_mut(handover).filter(|lane| !lane.stopped)?;
                lane.entries.front_mut()
            }
            Target::Aside(event) => self.asides.get_mut(event),
        }
    }

    pub(super) fn bring_forward(&mut self, beyond: Timestamp, now: Timestamp) -> usize {
        let heads = self.lanes.values_mut().filter_map(|lane| lane.entries.front_mut());
        let late = heads
            .chain(self.asides.values_mut())
            .filter(|entry| entry.due_at > beyond);
        late.map(|entry| entry.due_at = now).count()
    }

    pub(super) fn remove(&mut self, target: &Target) -> Entry {
        match target {
            Target::Lane(handover) => self.lanes.get_mut(handover).unwrap().entries.pop_front().unwrap(),
            Target::Aside(event) => self.asides.remove(event).unwrap(),
        }
    }

    pub(super) fn settle(&mut self, settlement: Settlement) -> bool {
        let target = settlement.target.clone();
        let entry = self.entry(&target).expect("a claimed entry");
        assert_eq!(entry.held, Some(settlement.epoch), "settled by its holder");
        entry.held = None;
        if let Some(attempt) = &settlement.attempt {
            entry.attempts += 1;
            entry.first_attempt_at.get_or_insert(attempt.started_at);
        }
        match settlement.verdict {
            Verdict::Done | Verdict::Failed { .. } => drop(self.remove(&target)),
            Verdict::Again { at } => entry.due_at = at,
            Verdict::Aside { at } => {
                let mut entry = self.remove(&target);
                entry.due_at = at;
                self.asides.insert(entry.event.id.clone(), entry);
            }
            Verdict::Stop => self.lanes.get_mut(&settlement.handover).unwrap().stopped = true,
        }
        let at = settlement.at;
        self.settled.push(settlement);
        self.entry(&target).is_some_and(|entry| entry.due_at <= at)
    }
}
