//! What was back-filled from 8x8's own record: its event of the same thing, when it comes after all, is no news then.

use serde::Deserialize;
use serde::Serialize;

use crate::domain::WebhookKind;
use crate::domain::hand_back::fingerprint;

/// More than 8x8 has under way for one conversation; the oldest go.
const REMEMBERED: usize = 128;
/// 8x8's time of a message in its list and in its event may differ by so many milliseconds.
const NEAR: i64 = 60_000;

/// Who says something, as far as it can be told from both of 8x8's ways to name an author: it may call an agent by
/// different types in its events and in its list, the user and the bot it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    User,
    Bot,
    Other,
}

impl Side {
    pub fn of(author_type: &str) -> Self {
        match author_type {
            "user" => Self::User,
            "bot" => Self::Bot,
            _ => Self::Other,
        }
    }
}

/// What is said, without what 8x8 may change of it: white space does not count.
pub fn same_words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Marks of what was back-filled, in the order in which it was. No words are kept, only their fingerprints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Backfilled(Vec<Mark>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    what: What,
    /// 8x8's time of it, in epoch milliseconds; where 8x8 gives none, when it was found.
    at: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Said(Side, u64),
    Queued(String),
    Transferred,
}

impl What {
    /// Joins and leaves are known by the agents, an end by the state.
    fn of(kind: &WebhookKind) -> Option<Self> {
        match kind {
            WebhookKind::Message(said) => {
                let words = fingerprint(&same_words(&said.text));
                Some(Self::Said(Side::of(&said.sender_type), words))
            }
            WebhookKind::Queued(queue) => Some(Self::Queued(queue.id.clone())),
            WebhookKind::Transfer => Some(Self::Transferred),
            WebhookKind::ConversationUpdate(_)
            | WebhookKind::AgentJoined(_)
            | WebhookKind::AgentLeft(_)
            | WebhookKind::UserJoined
            | WebhookKind::UserLeft
            | WebhookKind::Typing { .. }
            | WebhookKind::OwnTyping
            | WebhookKind::Action { .. }
            | WebhookKind::Unrecognized { .. } => None,
        }
    }

    /// A message has its own time. When a queue or a transfer was found, it had happened before.
    fn may_be(&self, found: i64, told: i64) -> bool {
        match self {
            Self::Said(..) => found.abs_diff(told) <= NEAR.unsigned_abs(),
            Self::Queued(_) | Self::Transferred => told <= found,
        }
    }
}

impl Backfilled {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much of it 8x8 has not told by an event.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn add(&mut self, kind: &WebhookKind, at: i64) {
        let Some(what) = What::of(kind) else { return };
        if self.0.len() >= REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(Mark { what, at });
    }

    /// Whether an event tells of what was back-filled; each counts once, the nearest in time first.
    pub(super) fn take(&mut self, kind: &WebhookKind, at: i64) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let Some(what) = What::of(kind) else { return false };
        let same = self.0.iter().enumerate();
        let same = same.filter(|(_, mark)| mark.what == what && what.may_be(mark.at, at));
        let nearest = same.min_by_key(|(_, mark)| mark.at.abs_diff(at));
        let Some(place) = nearest.map(|(place, _)| place) else {
            return false;
        };
        self.0.remove(place);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::AgentRef;
    use crate::domain::MessageSeen;
    use crate::domain::Queue;

    fn said(sender_type: &str, text: &str) -> WebhookKind {
        WebhookKind::Message(MessageSeen {
            is_echo: false,
            sender_type: sender_type.to_owned(),
            sender: AgentRef {
                id: "agent-1".to_owned(),
                name: None,
            },
            text: text.to_owned(),
            attachments: Vec::new(),
            cards: Vec::new(),
        })
    }

    #[test]
    fn a_late_event_is_known_once_in_whatever_shape_8x8_gives_it() {
        let mut marks = Backfilled::default();
        marks.add(&said("agent", "Hello there"), 1000);
        assert!(!marks.take(&said("user", "Hello there"), 1000), "another side");
        assert!(!marks.take(&said("agent", "Hello there"), 100_000), "another time");
        assert!(marks.take(&said("", "Hello  there\n"), 1200));
        assert!(!marks.take(&said("agent", "Hello there"), 1000), "each counts once");
        assert!(marks.is_empty());
    }

    #[test]
    fn the_same_words_twice_are_told_apart_by_their_times() {
        let mut marks = Backfilled::default();
        marks.add(&said("agent", "OK"), 1000);
        marks.add(&said("agent", "OK"), 30_000);
        assert!(marks.take(&said("agent", "OK"), 30_000));
        assert!(marks.take(&said("agent", "OK"), 1000));
    }

    #[test]
    fn a_queue_that_was_found_is_no_other_that_comes_later() {
        let queue = |id: &str| {
            WebhookKind::Queued(Queue {
                id: id.to_owned(),
                name: Some("by 8x8".to_owned()),
            })
        };
        let mut marks = Backfilled::default();
        marks.add(&queue("101"), 5000);
        marks.add(&WebhookKind::Transfer, 5000);
        assert!(!marks.take(&queue("102"), 4000));
        assert!(!marks.take(&queue("101"), 6000), "it was put there again");
        assert!(marks.take(&queue("101"), 4000));
        assert!(marks.take(&WebhookKind::Transfer, 4000));
    }

    #[test]
    fn only_the_newest_marks_are_kept() {
        let mut marks = Backfilled::default();
        for number in 0..=REMEMBERED {
            marks.add(&said("agent", &number.to_string()), 0);
        }
        assert_eq!(marks.len(), REMEMBERED);
        assert!(!marks.take(&said("agent", "0"), 0) && marks.take(&said("agent", "1"), 0));
    }
}
