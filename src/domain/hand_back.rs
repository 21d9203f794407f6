//! Handing a conversation back to the bot once the agents are done, and the bot's own words in the user's name.

use serde::Deserialize;
use serde::Serialize;

/// How far the post-agent assignment is, of which 8x8 takes one a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandBack {
    /// To be scheduled when the first agent joins.
    AtJoin,
    /// 8x8 is being asked.
    Calling,
    Scheduled,
    /// 8x8 may have taken it and never said so.
    Unknown,
}

impl HandBack {
    /// Whether the conversation may go on with the bot after the agents.
    pub(super) const fn may_come(self) -> bool {
        match self {
            Self::Calling | Self::Scheduled | Self::Unknown => true,
            Self::AtJoin => false,
        }
    }

    /// What a handover on the conversation of an earlier one starts with: 8x8 may have that one's still.
    pub fn left_over(of_before: Option<Self>) -> Option<Self> {
        of_before.filter(|before| before.may_come()).map(|_| Self::Unknown)
    }
}

/// What a bot asks for, already valid. What is not given is 8x8's to choose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleHandBack {
    /// `None`: the webhook of the channel, so that events go on coming to us.
    pub webhook_id: Option<String>,
    pub max_total_minutes: Option<u16>,
    pub user_timeout_minutes: Option<u16>,
}

/// More than may be under way at once.
const REMEMBERED: usize = 32;

/// Fingerprints of what was posted as the user. 8x8 sends it back as the user's, with no id and without marking it an
/// echo.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnWords(Vec<u64>);

impl OwnWords {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these words are ours.
    pub fn holds(&self, text: &str) -> bool {
        self.0.contains(&fingerprint(text))
    }

    pub(super) fn add(&mut self, text: &str) {
        if self.0.len() >= REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(fingerprint(text));
    }

    /// Whether these words are ours; each counts once.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let wanted = fingerprint(text);
        let found = self.0.iter().position(|known| *known == wanted);
        if let Some(place) = found {
            self.0.remove(place);
        }
        found.is_some()
    }
}

/// FNV-1a, since it is kept over releases. 8x8 may trim a text.
pub(super) fn fingerprint(text: &str) -> u64 {
    text.trim().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_said_twice_come_back_twice() {
        let mut words = OwnWords::default();
        words.add("yes");
        words.add("yes");
        assert!(words.take(" yes ") && words.take("yes"));
        assert!(!words.take("yes") && words.is_empty());
    }

    #[test]
    fn only_the_newest_words_are_remembered() {
        let mut words = OwnWords::default();
        for number in 0..=REMEMBERED {
            words.add(&number.to_string());
        }
        assert!(!words.take("0"));
        assert!(words.take("1") && words.take(&REMEMBERED.to_string()));
    }
}
