//! Asks the store regularly what is due, for all that nobody woke the dispatcher for: what an earlier process left, what
//! another one logged, what a person wants resent.

use std::time::Duration;

use crate::delivery::board::Board;
use crate::delivery::board::Due;
use crate::delivery::roster::Bots;
use crate::domain::Timestamp;
use crate::store::Store;
use crate::store::StoreError;

/// How often the store is asked, and how far ahead.
const INTERVAL: Duration = Duration::from_secs(1);
/// How soon after a delivery beside its lane.
const SOON: Duration = Duration::from_millis(50);
/// No retry is put off for longer: what an earlier process put off for longer did so by a clock that was set back since.
const LONGEST_WAIT: Duration = Duration::from_mins(15);
/// So many are asked for at once at least.
const PAGE: usize = 1000;
/// The interval grows by one of itself with so many known here.
const SPARING: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Survey {
    /// Everything is asked for then.
    next_at: Timestamp,
    /// What is beside its lane is, too.
    asides_at: Timestamp,
    /// All lanes with something to deliver have been seen once, also those that wait for a retry.
    complete: bool,
    /// Nothing waits for a time that a clock showed which was wrong.
    in_time: bool,
}

impl Survey {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            next_at: now,
            asides_at: now,
            complete: false,
            in_time: false,
        }
    }

    /// Whether every lane that is not idle is known here.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    pub(crate) fn next_at(&self) -> Timestamp {
        self.next_at.min(self.asides_at)
    }

    /// What was asked for again follows each other beside its lane: the next of it is looked for soon, the later the more
    /// is known here.
    pub(crate) fn hurry(&mut self, known: usize, now: Timestamp) {
        let soon = now.plus(SOON.saturating_mul(times(known)));
        self.asides_at = self.asides_at.min(soon);
    }

    /// The store tells again what stands in line here already, so more is asked for than is known; asking for much is done
    /// less often.
    pub(crate) async fn ask(
        &mut self,
        store: &dyn Store,
        board: &mut Board,
        bots: &Bots,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        while !self.in_time {
            let brought = store.bring_forward(now.plus(LONGEST_WAIT), now, PAGE).await?;
            self.in_time = brought == 0;
            if brought > 0 {
                tracing::warn!(
                    brought,
                    "events waited for a time too far ahead, they are due now: was the clock set back?"
                );
            }
        }
        let known = board.len();
        let limit = known.saturating_mul(2).max(PAGE);
        let is_for_all = now >= self.next_at;
        if is_for_all {
            self.next_at = now.plus(INTERVAL.saturating_mul(times(known)));
        }
        self.asides_at = self.next_at;
        let soon = now.plus(INTERVAL);
        let until = if self.complete {
            soon
        } else {
            Timestamp::from_millis(i64::MAX)
        };
        let lanes = if is_for_all {
            store.due_lanes(until, limit).await?
        } else {
            Vec::new()
        };
        let asides = store.due_asides(soon, limit).await?;
        let (all_lanes, all_asides) = (lanes.len() < limit, asides.len() < limit);
        self.complete |= is_for_all && all_lanes && all_asides;
        if !all_lanes || (is_for_all && !all_asides) {
            self.next_at = now;
        }
        if !all_asides {
            self.asides_at = now;
        }
        let all = lanes
            .into_iter()
            .map(Due::from)
            .chain(asides.into_iter().map(Due::from));
        all.for_each(|due| board.found(bots, due, now));
        Ok(())
    }
}

fn times(known: usize) -> u32 {
    u32::try_from(known / SPARING).unwrap_or(u32::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_763_640_000_000);

    #[test]
    fn one_bots_replays_do_not_have_all_that_waits_for_others_read_again_and_again() {
        let mut survey = Survey::new(NOW);
        (survey.next_at, survey.asides_at) = (NOW.plus(INTERVAL), NOW.plus(INTERVAL));
        survey.hurry(0, NOW);
        assert_eq!(survey.next_at(), NOW.plus(SOON));
        assert_eq!(survey.next_at, NOW.plus(INTERVAL), "lanes in their own time");
        survey.asides_at = NOW.plus(INTERVAL);
        survey.hurry(10 * SPARING, NOW);
        assert_eq!(survey.next_at(), NOW.plus(SOON * 11));
    }
}
