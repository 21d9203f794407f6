//! How many calls a second one account is given: at most what is configured, and what 8x8 has shown to be too many not soon
//! again. Pure: the time is an argument.

use std::time::Duration;
use std::time::Instant;

use crate::token_bucket::Rate;
use crate::token_bucket::TokenBucket;

/// When 8x8 does not say how long to wait.
const HOLD: Duration = Duration::from_secs(1);
/// As long as 8x8 is believed.
const LONGEST_HOLD: Duration = Duration::from_mins(10);
/// What is left at the least: after the first complaint, and after others that follow soon.
const SLOW: f64 = 5.0;
const SLOWEST: f64 = 1.0;
/// The rate was halved; after so long it is what it was before.
const RECOVERY: Duration = Duration::from_secs(10);
/// Without another complaint the lesson is forgotten.
const FORGOTTEN: Duration = Duration::from_mins(1);
const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Speed {
    ceiling: Option<f64>,
    lesson: Option<Lesson>,
    bucket: TokenBucket,
    held_until: Instant,
    sent: Sent,
}

/// What was learnt of 8x8's limit: the rate when calls go on, which grows from then on.
#[derive(Clone, Copy, Debug)]
struct Lesson {
    per_second: f64,
    from: Instant,
}

/// Calls in this second, and in the one before.
#[derive(Debug)]
struct Sent {
    since: Instant,
    now: u32,
    before: u32,
}

impl Speed {
    pub(super) fn new(per_second: Option<u32>, now: Instant) -> Self {
        let ceiling = per_second.map(f64::from);
        Self {
            ceiling,
            lesson: None,
            bucket: ceiling.map_or_else(|| TokenBucket::empty(now), |rate| TokenBucket::full(at(rate), now)),
            held_until: now,
            sent: Sent {
                since: now,
                now: 0,
                before: 0,
            },
        }
    }

    pub(super) fn limit(&mut self, per_second: Option<u32>) {
        self.ceiling = per_second.map(f64::from);
    }

    /// One call goes now; otherwise after what time to ask again.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let held = self.held(now);
        if !held.is_zero() {
            return Err(held);
        }
        if let Some(rate) = self.rate(now) {
            self.bucket.take(at(rate), now)?;
        }
        self.sent.count(now);
        Ok(())
    }

    /// How long nothing goes at all.
    pub(super) fn held(&self, now: Instant) -> Duration {
        self.held_until.saturating_duration_since(now)
    }

    /// Holds everything, and halves the rate: once, however many calls were refused together. What is news comes back.
    pub(super) fn throttled(&mut self, after: Option<Duration>, now: Instant) -> Option<(Duration, f64)> {
        let hold = after.unwrap_or(HOLD).clamp(HOLD, LONGEST_HOLD);
        let was_held = !self.held(now).is_zero();
        let longer = now + hold > self.held_until;
        self.held_until = self.held_until.max(now + hold);
        if was_held {
            if let Some(lesson) = &mut self.lesson {
                lesson.from = self.held_until;
            }
            return longer.then_some((hold, self.lesson.map_or(SLOWEST, |lesson| lesson.per_second)));
        }
        let rate = self.rate(now);
        let per_second = match (rate, self.lesson) {
            (Some(rate), Some(_)) => (rate / 2.0).max(SLOWEST),
            // Who happened to call little has not shown that little is too much.
            (_, _) => (f64::from(self.sent.per_second(now)) / 2.0).max(SLOW),
        };
        self.lesson = Some(Lesson {
            per_second,
            from: self.held_until,
        });
        self.bucket = TokenBucket::empty(self.held_until);
        Some((hold, per_second))
    }

    fn rate(&mut self, now: Instant) -> Option<f64> {
        let passed = |lesson: &Lesson| now.saturating_duration_since(lesson.from);
        self.lesson = self.lesson.filter(|lesson| passed(lesson) < FORGOTTEN);
        let learned = self.lesson.map(|lesson| {
            let grown = passed(&lesson).as_secs_f64() / RECOVERY.as_secs_f64();
            lesson.per_second * (1.0 + grown)
        });
        match (learned, self.ceiling) {
            (Some(learned), Some(ceiling)) => Some(learned.min(ceiling)),
            (learned, ceiling) => learned.or(ceiling),
        }
    }
}

/// A second's worth may go at once.
fn at(per_second: f64) -> Rate {
    Rate::new(per_second, per_second.max(1.0))
}

impl Sent {
    fn count(&mut self, now: Instant) {
        self.turn(now);
        self.now = self.now.saturating_add(1);
    }

    fn per_second(&mut self, now: Instant) -> u32 {
        self.turn(now);
        self.now.max(self.before)
    }

    fn turn(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        if passed >= SECOND {
            self.before = if passed < 2 * SECOND { self.now } else { 0 };
            (self.since, self.now) = (now, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_within(speed: &mut Speed, from: Instant, seconds: u64) -> u32 {
        let steps = (0..seconds * 1000).map(|millis| from + Duration::from_millis(millis));
        steps.map(|now| u32::from(speed.take(now).is_ok())).sum()
    }

    #[test]
    fn the_configured_rate_is_never_exceeded() {
        let start = Instant::now();
        let mut speed = Speed::new(Some(5), start);
        let sent = sent_within(&mut speed, start, 10);
        assert!(
            (50..=55).contains(&sent),
            "{sent} in ten seconds at five a second, and a burst of five"
        );
    }

    #[test]
    fn without_a_rate_only_8x8_slows_calls_down() {
        let start = Instant::now();
        let mut speed = Speed::new(None, start);
        assert_eq!(sent_within(&mut speed, start, 2), 2000);
        let now = start + Duration::from_secs(2);
        assert_eq!(
            speed.throttled(Some(Duration::from_secs(3)), now),
            Some((Duration::from_secs(3), 500.0))
        );
        assert_eq!(speed.throttled(None, now), None, "several at once are one complaint");
        assert_eq!(sent_within(&mut speed, now, 3), 0, "what 8x8 asked for");
        let slow = sent_within(&mut speed, now + Duration::from_secs(3), 1);
        assert!((490..=600).contains(&slow), "{slow}: half of what it was");
        let again = now + Duration::from_secs(5);
        let (_, slower) = speed.throttled(None, again).unwrap();
        assert!(
            (299.0..=301.0).contains(&slower),
            "{slower}: half of what it had grown to"
        );
        let back = again + HOLD + FORGOTTEN;
        assert_eq!(sent_within(&mut speed, back, 1), 1000);
    }

    #[test]
    fn what_8x8_asks_for_is_kept_within_bounds() {
        let start = Instant::now();
        for (asked, kept) in [
            (None, HOLD),
            (Some(Duration::ZERO), HOLD),
            (Some(Duration::from_hours(100)), LONGEST_HOLD),
            (Some(Duration::MAX), LONGEST_HOLD),
        ] {
            let mut speed = Speed::new(None, start);
            assert_eq!(speed.throttled(asked, start), Some((kept, SLOW)));
            assert_eq!(speed.held(start), kept);
        }
    }
}
