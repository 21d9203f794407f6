//! What is in mind of conversations that began at 8x8 and belong to no handover yet. The events themselves are in the
//! store; nothing here outlives the process.

use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::sync::Semaphore;

use crate::domain::AccountId;
use crate::domain::ConversationId;
use crate::domain::Facts;
use crate::domain::HandoverId;
use crate::domain::Timestamp;

/// Conversations 8x8 is asked about at the same time.
const AT_ONCE: usize = 16;
/// Conversations looked into; one more waits for its next event, or for the next start.
const LOOKED_INTO: usize = 50_000;
/// Conversations known to be no bot's.
const STRANGERS: usize = 10_000;

/// A conversation of an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) account: AccountId,
    pub(super) conversation: ConversationId,
}

#[derive(Debug)]
pub(super) struct Inbound {
    mind: Mutex<Mind>,
    pub(super) at_once: Semaphore,
}

#[derive(Debug, Default)]
struct Mind {
    /// Being looked into, and whether an event came meanwhile.
    open: HashMap<Place, Again>,
    strangers: HashSet<Place>,
    oldest: VecDeque<Place>,
    /// Creates that 8x8 has not answered: the conversation of one may be told of before it is known as ours.
    creating: HashMap<AccountId, HashMap<HandoverId, Creating>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Creating {
    since: Timestamp,
    channel: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    Yes,
    No,
}

/// Whether to start looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    Now,
    /// It is being looked into, or known to be nobody's.
    Not,
    TooMany,
}

impl Default for Inbound {
    fn default() -> Self {
        Self {
            mind: Mutex::default(),
            at_once: Semaphore::new(AT_ONCE),
        }
    }
}

impl Inbound {
    pub(super) fn begin(&self, place: &Place) -> Begin {
        self.with(|mind| {
            if let Some(again) = mind.open.get_mut(place) {
                *again = Again::Yes;
                Begin::Not
            } else if mind.strangers.contains(place) {
                Begin::Not
            } else if mind.open.len() >= LOOKED_INTO {
                Begin::TooMany
            } else {
                mind.open.insert(place.clone(), Again::No);
                Begin::Now
            }
        })
    }

    pub(super) fn is_open(&self, place: &Place) -> bool {
        self.with(|mind| mind.open.contains_key(place))
    }

    /// Ends the look, unless an event came meanwhile: then it is to begin again.
    pub(super) fn end(&self, place: &Place) -> Begin {
        self.with(|mind| match mind.open.get_mut(place) {
            Some(again @ Again::Yes) => {
                *again = Again::No;
                Begin::Now
            }
            Some(Again::No) | None => {
                mind.open.remove(place);
                Begin::Not
            }
        })
    }

    /// Nobody's: not asked for again for as long as it is remembered.
    pub(super) fn end_as_stranger(&self, place: &Place) {
        self.with(|mind| {
            mind.open.remove(place);
            if mind.strangers.insert(place.clone()) {
                mind.oldest.push_back(place.clone());
            }
            if mind.oldest.len() > STRANGERS
                && let Some(oldest) = mind.oldest.pop_front()
            {
                mind.strangers.remove(&oldest);
            }
        });
    }

    /// Whose a conversation is may be seen otherwise from now on.
    pub(super) fn forget_strangers(&self) {
        self.with(|mind| {
            mind.strangers.clear();
            mind.oldest.clear();
        });
    }

    pub(super) fn create_begins(&self, facts: &Facts) {
        self.with(|mind| {
            let of_account = mind.creating.entry(facts.account.clone()).or_default();
            let creating = Creating {
                since: facts.created_at,
                channel: facts.channel_id.clone(),
            };
            of_account.insert(facts.id.clone(), creating);
        });
    }

    pub(super) fn create_is_over(&self, facts: &Facts) {
        self.with(|mind| {
            if let Some(of_account) = mind.creating.get_mut(&facts.account) {
                of_account.remove(&facts.id);
            }
        });
    }

    /// Whether a conversation that was told of by then may be that of a create which is still unanswered. The one of a create
    /// is in the create's channel; of one that shows no channel nothing is known.
    pub(super) fn may_be_of_a_create(&self, account: &AccountId, channel: Option<&str>, by: Timestamp) -> bool {
        self.with(|mind| {
            let mut creating = mind.creating.get(account).into_iter().flat_map(HashMap::values);
            creating.any(|one| one.since <= by && channel.is_none_or(|channel| channel == one.channel))
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Mind) -> T) -> T {
        change(&mut self.mind.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> Place {
        Place {
            account: AccountId::new("acme01"),
            conversation: ConversationId::parse(name).unwrap(),
        }
    }

    #[test]
    fn one_look_at_a_time_and_another_when_an_event_came_meanwhile() {
        let inbound = Inbound::default();
        assert_eq!(inbound.begin(&place("c-1")), Begin::Now);
        assert_eq!(inbound.begin(&place("c-1")), Begin::Not);
        assert_eq!(inbound.begin(&place("c-2")), Begin::Now);
        assert_eq!(inbound.end(&place("c-1")), Begin::Now, "an event came");
        assert_eq!(inbound.end(&place("c-1")), Begin::Not);
        assert!(!inbound.is_open(&place("c-1")) && inbound.is_open(&place("c-2")));
    }

    #[test]
    fn strangers_are_remembered_and_the_oldest_forgotten() {
        let inbound = Inbound::default();
        for number in 0..=STRANGERS {
            inbound.end_as_stranger(&place(&format!("c-{number}")));
        }
        assert_eq!(inbound.begin(&place("c-1")), Begin::Not);
        assert_eq!(inbound.begin(&place("c-0")), Begin::Now);
    }

    #[test]
    fn what_is_looked_into_is_bounded() {
        let inbound = Inbound::default();
        for number in 0..LOOKED_INTO {
            assert_eq!(inbound.begin(&place(&format!("c-{number}"))), Begin::Now);
        }
        assert_eq!(inbound.begin(&place("one more")), Begin::TooMany);
    }
}
