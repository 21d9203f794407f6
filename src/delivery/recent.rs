//! Counts of the last seconds, one place a second.

use crate::domain::Timestamp;

const LEAST_AGE: u32 = 10;

#[derive(Clone, Debug)]
pub(crate) struct Recent<const SECONDS: usize> {
    places: [Place; SECONDS],
    /// The second of the first count.
    since: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    second: i64,
    all: u32,
    marked: u32,
}

/// What was counted, and how much of it was marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) all: u32,
    pub(crate) marked: u32,
}

impl<const SECONDS: usize> Recent<SECONDS> {
    pub(crate) fn new() -> Self {
        Self {
            places: [Place::default(); SECONDS],
            since: None,
        }
    }

    pub(crate) fn count(&mut self, now: Timestamp) {
        self.add(now, 0);
    }

    pub(crate) fn count_marked(&mut self, now: Timestamp) {
        self.add(now, 1);
    }

    pub(crate) fn counted(&self, now: Timestamp) -> Counted {
        let (last, length) = (now.as_seconds(), i64::try_from(SECONDS).unwrap_or(i64::MAX));
        let current = |place: &&Place| place.second > last.saturating_sub(length) && place.second <= last;
        let mut sum = Counted::default();
        for place in self.places.iter().filter(current) {
            sum.all = sum.all.saturating_add(place.all);
            sum.marked = sum.marked.saturating_add(place.marked);
        }
        sum
    }

    /// The mean over the time that is looked at, or over the time since the first count while that is shorter; a few seconds
    /// say little.
    pub(crate) fn per_second(&self, now: Timestamp) -> f64 {
        let Some(since) = self.since else { return 0.0 };
        let most = u32::try_from(SECONDS).unwrap_or(u32::MAX);
        let age = u32::try_from(now.as_seconds().saturating_sub(since).saturating_add(1)).unwrap_or(1);
        f64::from(self.counted(now).all) / f64::from(age.clamp(LEAST_AGE.min(most), most))
    }

    fn add(&mut self, now: Timestamp, marks: u32) {
        let second = now.as_seconds();
        self.since.get_or_insert(second);
        let index = usize::try_from(second.rem_euclid(i64::try_from(SECONDS).unwrap_or(1).max(1))).unwrap_or(0);
        let Some(place) = self.places.get_mut(index) else {
            return;
        };
        if place.second != second {
            *place = Place {
                second,
                ..Place::default()
            };
        }
        place.all = place.all.saturating_add(1);
        place.marked = place.marked.saturating_add(marks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_763_640_000_000 + seconds * 1000)
    }

    #[test]
    fn what_is_older_than_the_time_looked_at_counts_no_more() {
        let mut recent = Recent::<30>::new();
        recent.count(at(0));
        recent.count_marked(at(0));
        recent.count(at(29));
        assert_eq!(recent.counted(at(29)), Counted { all: 3, marked: 1 });
        assert_eq!(recent.counted(at(30)), Counted { all: 1, marked: 0 });
        recent.count(at(30));
        assert_eq!(recent.counted(at(30)), Counted { all: 2, marked: 0 });
        assert_eq!(recent.counted(at(1_000)), Counted::default());
    }

    #[test]
    fn a_rate_is_the_mean_of_what_was_seen_so_far() {
        let mut recent = Recent::<60>::new();
        assert!(recent.per_second(at(0)).abs() < f64::EPSILON);
        for second in 0..5 {
            for _ in 0..10 {
                recent.count(at(second));
            }
        }
        assert!((recent.per_second(at(4)) - 5.0).abs() < 1e-9);
        assert!((recent.per_second(at(24)) - 2.0).abs() < 1e-9);
        assert!(recent.per_second(at(500)).abs() < f64::EPSILON);
    }
}
