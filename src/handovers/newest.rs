//! Keeps the newest entries of a transcript: as many as an answer has room for.

use std::collections::VecDeque;

use crate::domain::RawJson;
use crate::domain::Timestamp;
use crate::handovers::entry::Entry;
use crate::handovers::entry::EntryOrigin;

const MOST: usize = 2000;
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// What an entry takes beside what was said, and each of its files.
const FRAME: usize = 256;

/// Each source brings its entries oldest first, so what is dropped of one is older than what is kept of it.
#[derive(Debug, Default)]
pub(super) struct Newest {
    /// History, posted, received, and what 8x8 had.
    sources: [VecDeque<Entry>; 4],
    bytes: [usize; 4],
    left_out: usize,
    /// The newest that was left out.
    lost: Option<Timestamp>,
}

impl Newest {
    pub(super) fn push(&mut self, entry: Entry) {
        let place = match entry.origin {
            EntryOrigin::History => 0,
            EntryOrigin::Posted | EntryOrigin::Notice => 1,
            EntryOrigin::Received => 2,
            EntryOrigin::Backfilled => 3,
        };
        let (Some(source), Some(bytes)) = (self.sources.get_mut(place), self.bytes.get_mut(place)) else {
            return;
        };
        *bytes += size(&entry);
        source.push_back(entry);
        while source.len() > MOST || (*bytes > MOST_BYTES && source.len() > 1) {
            let Some(oldest) = source.pop_front() else { break };
            *bytes -= size(&oldest);
            self.left_out += 1;
            self.lost = self.lost.max(Some(oldest.at));
        }
    }

    /// From when on nothing is left out; `None` when nothing is.
    pub(super) const fn reaches_back_to(&self) -> Option<Timestamp> {
        self.lost
    }

    /// All of them oldest first, and how many there was no room for.
    pub(super) fn in_order(self) -> (Vec<Entry>, usize) {
        let mut entries: Vec<Entry> = self.sources.into_iter().flatten().collect();
        entries.sort_by_key(|entry| entry.at);
        let (mut room, mut kept) = (MOST_BYTES, 0);
        for entry in entries.iter().rev() {
            let Some(left) = room.checked_sub(size(entry)).filter(|_| kept < MOST) else {
                break;
            };
            (room, kept) = (left, kept + 1);
        }
        let over = entries.len() - kept.max(1).min(entries.len());
        entries.drain(..over);
        (entries, self.left_out + over)
    }
}

fn size(entry: &Entry) -> usize {
    let json = |list: &[RawJson]| list.iter().map(|json| json.as_str().len()).sum::<usize>();
    FRAME * (1 + entry.attachments.len()) + entry.text.len() + json(&entry.cards)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handovers::entry::EntryAuthor;

    fn entry(seconds: i64, origin: EntryOrigin, text: &str) -> Entry {
        Entry {
            at: Timestamp::from_millis(seconds * 1000),
            origin,
            id: None,
            client_message_id: None,
            author: EntryAuthor {
                kind: "agent".to_owned(),
                id: None,
                name: None,
            },
            text: text.to_owned(),
            attachments: Vec::new(),
            cards: Vec::new(),
            status: None,
            late: false,
        }
    }

    #[test]
    fn sources_are_joined_by_time_and_history_stands_first() {
        let mut newest = Newest::default();
        for (seconds, origin, text) in [
            (3, EntryOrigin::Received, "d"),
            (0, EntryOrigin::Posted, "b"),
            (0, EntryOrigin::History, "a"),
            (2, EntryOrigin::Backfilled, "c"),
        ] {
            newest.push(entry(seconds, origin, text));
        }
        let (entries, left_out) = newest.in_order();
        let texts: Vec<_> = entries.iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!((texts.concat().as_str(), left_out), ("abcd", 0));
    }

    #[test]
    fn the_newest_are_kept_by_number_and_by_size() {
        let mut newest = Newest::default();
        for n in 0..3000 {
            newest.push(entry(n, EntryOrigin::Received, "x"));
        }
        newest.push(entry(5000, EntryOrigin::Posted, "last"));
        assert_eq!(newest.reaches_back_to(), Some(Timestamp::from_millis(999_000)));
        let (entries, left_out) = newest.in_order();
        assert_eq!((entries.len(), left_out), (2000, 1001));
        assert_eq!(entries[1999].text, "last");

        let mut large = Newest::default();
        let text = "x".repeat(3 * 1024 * 1024);
        for n in 0..4 {
            large.push(entry(n, EntryOrigin::Received, &text));
        }
        let (entries, left_out) = large.in_order();
        assert_eq!((entries.len(), left_out), (2, 2));
    }
}
