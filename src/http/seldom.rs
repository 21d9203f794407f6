//! Lines of log that anybody on the network could cause: of each kind one at once and then one a while, with the number of
//! those left out, so that a flood does not fill the log.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

const A_WHILE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Seldom(Mutex<HashMap<&'static str, Last>>);

#[derive(Debug)]
struct Last {
    said_at: Instant,
    left_out: u64,
}

impl Seldom {
    /// Whether a line of this kind is to be written now: with how many before it were not.
    pub(super) fn due(&self, kind: &'static str) -> Option<u64> {
        self.due_at(kind, Instant::now())
    }

    fn due_at(&self, kind: &'static str, now: Instant) -> Option<u64> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = kinds.get_mut(kind) else {
            let first = Last {
                said_at: now,
                left_out: 0,
            };
            kinds.insert(kind, first);
            return Some(0);
        };
        if now.saturating_duration_since(last.said_at) < A_WHILE {
            last.left_out += 1;
            return None;
        }
        last.said_at = now;
        Some(std::mem::take(&mut last.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_a_while_and_loses_no_count() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        let mut counted = 0;
        let mut lines = 0;
        for millis in 0..60_000 {
            if let Some(left_out) = seldom.due_at("flood", start + Duration::from_millis(millis)) {
                counted += left_out + 1;
                lines += 1;
            }
        }
        assert_eq!((lines, counted), (6, 50_001));
        assert_eq!(seldom.due_at("other", start), Some(0), "another kind is not held back");
    }
}
