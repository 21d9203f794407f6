//! Which of the messages that 8x8 keeps were never recorded here: what was said while the gateway was away. Where it is not
//! certain that one is missing, it is not: nobody is to read the same words twice.

use crate::chat_gateway::SaidView;
use crate::domain::Side;
use crate::domain::Timestamp;
use crate::domain::same_words;
use crate::handovers::redact::Rules;

/// A message that is known, as it may stand in 8x8's list.
#[derive(Clone, Debug)]
pub(super) struct Known {
    side: Side,
    words: String,
    pub(super) at: Timestamp,
}

/// Whose messages may be missing. What a bot posted is recorded before it is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missed {
    Agents,
    /// The user writes at 8x8.
    AgentsAndUser,
    /// What was recorded is lost.
    Everyone,
}

impl Known {
    pub(super) fn new(author_type: &str, text: &str, at: Timestamp) -> Self {
        Self {
            side: Side::of(author_type),
            words: same_words(text),
            at,
        }
    }
}

/// Those of theirs, from the first moment to the last, for which there is none of ours. Each of ours stands for the one
/// nearest in time of the same side and words; white space does not count. Theirs are redacted by `rules`; ours may have been
/// recorded before these rules were.
pub(super) fn missing(
    theirs: Vec<SaidView>,
    known: &[Known],
    times: (Timestamp, Timestamp),
    missed: Missed,
    rules: &Rules,
) -> Vec<(Timestamp, SaidView)> {
    // They come newest first: what was said at one moment stays in its order.
    let mut left: Vec<(Side, String, Timestamp, SaidView)> = theirs
        .into_iter()
        .rev()
        .filter_map(|said| {
            Some((
                Side::of(&said.author_type),
                comparable(&said.text, rules),
                said.created_at?,
                said,
            ))
        })
        .filter(|(_, _, at, _)| (times.0..times.1).contains(at))
        .collect();
    for ours in known {
        let ours_words = comparable(&ours.words, rules);
        let same = left
            .iter()
            .enumerate()
            .filter(|(_, (side, words, ..))| *side == ours.side && *words == ours_words);
        let nearest = same.min_by_key(|(_, (_, _, at, _))| at.since(ours.at).max(ours.at.since(*at)));
        if let Some(place) = nearest.map(|(place, _)| place) {
            left.remove(place);
        }
    }
    let is_missing = |said: &SaidView| match said.author_type.as_str() {
        "agent" | "system" => true,
        "user" => missed != Missed::Agents,
        "bot" => missed == Missed::Everyone,
        _ => false,
    };
    left.retain(|(_, _, _, said)| is_missing(said));
    left.sort_by_key(|(_, _, at, _)| *at);
    left.into_iter().map(|(_, _, at, said)| (at, said)).collect()
}

fn comparable(text: &str, rules: &Rules) -> String {
    let mut words = same_words(text);
    rules.text(&mut words);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn said(author_type: &str, text: &str, seconds: i64) -> SaidView {
        SaidView {
            id: None,
            author_type: author_type.to_owned(),
            author_id: None,
            text: text.to_owned(),
            created_at: Some(at(seconds)),
            attachments: Vec::new(),
            cards: Vec::new(),
        }
    }

    fn found(theirs: Vec<SaidView>, known: &[Known], missed: Missed) -> Vec<(i64, String)> {
        let missing = missing(theirs, known, (at(0), at(1000)), missed, &Rules::default());
        missing
            .into_iter()
            .map(|(at, said)| (at.as_seconds(), said.text))
            .collect()
    }

    #[test]
    fn what_an_agent_or_8x8_said_meanwhile_is_found_in_its_order() {
        let theirs = vec![
            said("system", "The agent left", 40),
            said("agent", "Are you there?", 30),
            said("agent", "Hello", 10),
        ];
        let known = [Known::new("agent", "Hello", at(10))];
        let expected = [(30, "Are you there?".to_owned()), (40, "The agent left".to_owned())];
        assert_eq!(found(theirs, &known, Missed::Agents), expected);
    }

    #[test]
    fn the_same_words_again_are_missing_only_when_8x8_has_more_of_them() {
        let twice = || vec![said("agent", "OK", 10), said("agent", "OK", 50)];
        let both = [Known::new("agent", "OK", at(10)), Known::new("agent", "OK", at(900))];
        assert_eq!(found(twice(), &both, Missed::Agents), []);
        assert_eq!(
            found(twice(), &both[..1], Missed::Agents),
            [(50, "OK".to_owned())],
            "the nearest is the one that is known"
        );
    }

    #[test]
    fn what_was_said_at_one_moment_stays_in_its_order() {
        let theirs = vec![said("agent", "second", 10), said("agent", "first", 10)];
        let expected = [(10, "first".to_owned()), (10, "second".to_owned())];
        assert_eq!(found(theirs, &[], Missed::Agents), expected);
    }

    #[test]
    fn another_shape_of_what_is_known_is_not_told_twice() {
        let known = [Known::new("", "Hello  there\n", at(10))];
        assert_eq!(
            found(vec![said("agent", "Hello there", 12)], &known, Missed::Agents),
            []
        );
    }

    #[test]
    fn only_a_user_who_writes_at_8x8_can_be_missed_and_never_the_bot() {
        let theirs = || vec![said("user", "Hi", 10), said("bot", "Hey", 11), said("", "?", 12)];
        assert_eq!(found(theirs(), &[], Missed::Agents), []);
        assert_eq!(found(theirs(), &[], Missed::AgentsAndUser), [(10, "Hi".to_owned())]);
    }

    #[test]
    fn what_belongs_to_another_handover_of_the_conversation_or_has_no_time_is_left() {
        let mut timeless = said("agent", "when?", 10);
        timeless.created_at = None;
        let theirs = vec![timeless, said("agent", "before", -1), said("agent", "after", 1000)];
        assert_eq!(found(theirs, &[], Missed::Agents), []);
    }
}
