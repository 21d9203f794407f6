//! The routing table: which handover stands on which conversation, in memory, one lock a handover.
//!
//! * It holds every live handover, and those that ended a short while ago.
//! * It never leads the store: a slot is changed after the commit, under the slot's lock, which is held from reading the
//!   handover to writing it back. No lock is held across a call to 8x8 or to a bot.
//! * After a crash it is loaded from the store; what was committed is there, what was not never happened.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use tokio::sync::Mutex;

use crate::domain::AccountId;
use crate::domain::ConversationId;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::handovers::pulse::Pulse;
use crate::handovers::send_lane::SendLane;
use crate::handovers::typing::Typists;

/// One handover in memory, with the lane of its calls to 8x8.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: HandoverId,
    pub(super) handover: Mutex<Handover>,
    pub(super) lane: SendLane,
    pub(super) typists: Typists,
    pub(super) pulse: Pulse,
}

impl Slot {
    pub(super) fn new(handover: Handover) -> Arc<Self> {
        Arc::new(Self {
            id: handover.id().clone(),
            handover: Mutex::new(handover),
            lane: SendLane::default(),
            typists: Typists::default(),
            pulse: Pulse::default(),
        })
    }
}

#[derive(Debug, Default)]
pub(super) struct SessionMap {
    tables: RwLock<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    by_id: HashMap<HandoverId, Arc<Slot>>,
    by_conversation: HashMap<AccountId, HashMap<ConversationId, Arc<Slot>>>,
}

impl SessionMap {
    pub(super) fn get(&self, id: &HandoverId) -> Option<Arc<Slot>> {
        self.read(|tables| tables.by_id.get(id).cloned())
    }

    pub(super) fn on_conversation(&self, account: &AccountId, conversation: &ConversationId) -> Option<Arc<Slot>> {
        self.read(|tables| tables.by_conversation.get(account)?.get(conversation).cloned())
    }

    /// Takes a handover in, or gives back the slot that holds it already.
    pub(super) fn insert(&self, handover: Handover) -> Arc<Slot> {
        let account = handover.facts.account.clone();
        let conversation = handover.progress.conversation.clone();
        let slot = self.write(|tables| {
            let entry = tables.by_id.entry(handover.id().clone());
            Arc::clone(entry.or_insert_with(|| Slot::new(handover)))
        });
        if let Some(conversation) = conversation {
            self.bind(&account, conversation, &slot);
        }
        slot
    }

    /// From now on events of this conversation go to this slot, unless a newer handover stands on it.
    pub(super) fn bind(&self, account: &AccountId, conversation: ConversationId, slot: &Arc<Slot>) {
        self.write(|tables| {
            let of_account = tables.by_conversation.entry(account.clone()).or_default();
            if of_account.get(&conversation).is_none_or(|known| known.id < slot.id) {
                of_account.insert(conversation, Arc::clone(slot));
            }
        });
    }

    /// Forgets a handover that is over; the store still knows it.
    pub(super) fn remove(&self, handover: &Handover) {
        self.write(|tables| {
            tables.by_id.remove(handover.id());
            let of_account = tables.by_conversation.get_mut(&handover.facts.account);
            if let (Some(of_account), Some(conversation)) = (of_account, &handover.progress.conversation) {
                // A newer handover may stand on the same conversation by now.
                if of_account
                    .get(conversation)
                    .is_some_and(|slot| slot.id == *handover.id())
                {
                    of_account.remove(conversation);
                }
            }
        });
    }

    pub(super) fn all(&self) -> Vec<Arc<Slot>> {
        self.read(|tables| tables.by_id.values().cloned().collect())
    }

    pub(super) fn len(&self) -> usize {
        self.read(|tables| tables.by_id.len())
    }

    fn read<T>(&self, look: impl FnOnce(&Tables) -> T) -> T {
        look(&self.tables.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Tables) -> T) -> T {
        change(&mut self.tables.write().unwrap_or_else(PoisonError::into_inner))
    }
}
