//! Whether our clock agrees with 8x8's, told from when its well-signed webhooks say they were sent. When most of them seem
//! to be of another time, it is our clock that is wrong, and not every webhook.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::domain::Timestamp;

/// So many of the last are looked at: few, so that a clock that jumps is noticed soon.
const LAST: usize = 16;
/// Before so many nothing follows.
const ENOUGH: usize = 5;
/// Older ones say nothing of the clock now.
const RECENT: Duration = Duration::from_mins(10);

#[derive(Debug, Default)]
pub struct ClockHealth(Mutex<VecDeque<Sample>>);

#[derive(Clone, Copy, Debug)]
struct Sample {
    sent_at: Timestamp,
    came_at: Timestamp,
    timely: bool,
}

impl ClockHealth {
    /// One well-signed webhook. The same one again, as whoever recorded it could send it, counts once.
    pub fn record(&self, sent_at: Timestamp, now: Timestamp, timely: bool) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.iter().any(|sample| sample.sent_at == sent_at) {
            return;
        }
        if last.len() >= LAST {
            last.pop_front();
        }
        last.push_back(Sample {
            sent_at,
            came_at: now,
            timely,
        });
    }

    /// How many milliseconds we seem to be ahead of 8x8, the median of the last ones; negative when behind. What the way
    /// takes is part of it.
    pub fn skew(&self) -> Option<i64> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut skews: Vec<i64> = last
            .iter()
            .map(|sample| sample.came_at.as_millis() - sample.sent_at.as_millis())
            .collect();
        skews.sort_unstable();
        skews.get(skews.len() / 2).copied()
    }

    /// Most of the recent ones seem to be of another time.
    pub fn is_off(&self, now: Timestamp) -> bool {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent: Vec<_> = last
            .iter()
            .filter(|sample| now.since(sample.came_at) <= RECENT)
            .collect();
        let untimely = recent.iter().filter(|sample| !sample.timely).count();
        recent.len() >= ENOUGH && untimely * 2 > recent.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + seconds * 1000)
    }

    #[test]
    fn a_clock_that_jumps_is_noticed_soon_and_forgiven_when_it_is_set_right() {
        for jump in [3600, -3600] {
            let health = ClockHealth::default();
            for second in 0..100 {
                health.record(at(second), at(second), true);
            }
            assert!(!health.is_off(at(100)));
            let mut second = 100;
            while !health.is_off(at(second + jump)) {
                health.record(at(second), at(second + jump), false);
                second += 1;
                assert!(second < 100 + 17, "{jump}: not noticed");
            }
            for good in second..second + 20 {
                health.record(at(good), at(good), true);
            }
            assert!(!health.is_off(at(second + 20)), "{jump}");
            assert_eq!(health.skew(), Some(0));
        }
    }

    #[test]
    fn one_old_webhook_sent_again_and_again_says_nothing() {
        let health = ClockHealth::default();
        for second in 0..1000 {
            health.record(at(-3600), at(second), false);
        }
        assert!(!health.is_off(at(1000)));
    }

    #[test]
    fn the_median_is_not_moved_by_a_few_that_were_held_up() {
        let health = ClockHealth::default();
        for second in 0..16 {
            let held_up = if second % 4 == 0 { 200 } else { 0 };
            health.record(at(second), at(second + held_up), true);
        }
        assert_eq!(health.skew(), Some(0));
    }
}
