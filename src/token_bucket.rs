//! Budgets that fill again as time goes by: one, or one for each of many, in bounded memory. The time is an argument.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;
use std::time::Instant;

/// How fast a budget fills, and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub per_second: f64,
    /// One at least, or nothing is ever given.
    pub burst: f64,
}

/// One budget. Its rate may change from one question to the next.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    level: f64,
    filled_at: Instant,
}

/// A budget for each of many. What is full again is forgotten; with too many that are not, all are.
#[derive(Debug)]
pub struct Budgets<K> {
    rate: Rate,
    most: usize,
    buckets: HashMap<K, TokenBucket>,
}

impl Rate {
    pub const fn new(per_second: f64, burst: f64) -> Self {
        Self { per_second, burst }
    }
}

impl TokenBucket {
    pub const fn full(rate: Rate, now: Instant) -> Self {
        Self {
            level: rate.burst,
            filled_at: now,
        }
    }

    pub const fn empty(now: Instant) -> Self {
        Self {
            level: 0.0,
            filled_at: now,
        }
    }

    /// Takes one; otherwise says after what time there is one.
    pub fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        self.level = self.level_at(rate, now);
        self.filled_at = self.filled_at.max(now);
        if self.level >= 1.0 {
            self.level -= 1.0;
            return Ok(());
        }
        let missing = Duration::try_from_secs_f64((1.0 - self.level) / rate.per_second);
        // At least a moment, so that who waits for so long finds one.
        Err(missing.unwrap_or(Duration::MAX).max(Duration::from_millis(1)))
    }

    fn level_at(&self, rate: Rate, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        passed.mul_add(rate.per_second, self.level).min(rate.burst)
    }
}

impl<K: Eq + Hash> Budgets<K> {
    pub fn new(rate: Rate, most: usize) -> Self {
        Self {
            rate,
            most,
            buckets: HashMap::new(),
        }
    }

    pub fn take(&mut self, key: K, now: Instant) -> Result<(), Duration> {
        let rate = self.rate;
        if self.buckets.len() >= self.most && !self.buckets.contains_key(&key) {
            self.buckets.retain(|_, bucket| bucket.level_at(rate, now) < rate.burst);
            if self.buckets.len() >= self.most {
                self.buckets.clear();
            }
        }
        let full = || TokenBucket::full(rate, now);
        self.buckets.entry(key).or_insert_with(full).take(rate, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate::new(5.0, 10.0);

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::full(RATE, start);
        for _ in 0..10 {
            assert_eq!(bucket.take(RATE, start), Ok(()));
        }
        assert_eq!(bucket.take(RATE, start), Err(Duration::from_millis(200)));
        let mut given = 0;
        for millis in 0..10_000 {
            let now = start + Duration::from_millis(millis);
            given += u32::from(bucket.take(RATE, now).is_ok());
        }
        assert!((48..=50).contains(&given), "{given} in ten seconds at five a second");
    }

    #[test]
    fn a_clock_that_seems_to_go_back_gives_nothing_away() {
        let start = Instant::now() + Duration::from_mins(1);
        let mut bucket = TokenBucket::empty(start);
        assert!(
            bucket
                .take(RATE, start.checked_sub(Duration::from_secs(30)).unwrap())
                .is_err()
        );
        assert!(bucket.take(RATE, start).is_err());
    }

    #[test]
    fn budgets_are_apart_and_their_number_is_bounded() {
        let start = Instant::now();
        let mut budgets = Budgets::new(Rate::new(1.0, 1.0), 1000);
        for n in 0..100_000_u32 {
            assert_eq!(budgets.take(n, start), Ok(()));
            assert!(budgets.buckets.len() <= 1000);
        }
        assert!(budgets.take(99_999, start).is_err());
        assert_eq!(budgets.take(99_999, start + Duration::from_secs(1)), Ok(()));
    }
}
