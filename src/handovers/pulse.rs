//! When a handover is compared with 8x8 next. One that 8x8's events come for is left alone; one that something was missed
//! in, or that no event ever came for, is looked at often at first.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::domain::Timestamp;

/// 8x8 tells of a conversation at once: without any event after this time its webhooks do not arrive.
pub(super) const SILENT_AFTER: Duration = Duration::from_secs(30);
/// The first look after something was missed.
const SOON: Duration = Duration::from_secs(3);
/// The longest wait while no event ever came.
const BRIDGE: Duration = Duration::from_secs(10);
/// The shortest after 8x8 could not be asked.
const AFTER_A_FAILURE: Duration = Duration::from_secs(10);
/// A quiet handover in which nothing is ever missed is left alone for so many times the usual.
const LONGEST: u32 = 6;
/// 8x8 does not know the conversation: so many answers are no slip of its.
const GONE_AFTER: u8 = 3;

/// In memory only: after a restart every handover is looked at once.
#[derive(Debug, Default)]
pub(super) struct Pulse(Mutex<Beat>);

#[derive(Debug, Default)]
struct Beat {
    /// `None` until the handover has a conversation.
    due: Option<Timestamp>,
    /// Whether any event came.
    heard: bool,
    /// Looked at however many events come meanwhile.
    is_suspect: bool,
    wait: Duration,
    /// Answers that 8x8 does not know it.
    unknown: u8,
    /// Questions that came to nothing, one after the other.
    failures: u32,
    /// Counted among those for which no event came in time.
    is_silent: bool,
    past: Past,
}

/// Whether a comparison has shown what happened before this process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Past {
    #[default]
    Seen,
    Unseen,
}

/// What an event changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beats {
    /// Whether the handover was counted among the silent.
    pub(super) silent_no_longer: bool,
    /// When it is looked at, where that is earlier than before.
    pub(super) earlier: Option<Timestamp>,
}

impl Pulse {
    /// 8x8 took the conversation. When it is looked at first, unless that is settled.
    pub(super) fn begin(&self, now: Timestamp, usual: Duration) -> Option<Timestamp> {
        self.with(|beat| {
            if beat.due.is_some() {
                return None;
            }
            beat.wait = usual;
            beat.due = Some(now.plus(SILENT_AFTER));
            beat.due
        })
    }

    /// Taken up by a new process: much may have been missed.
    pub(super) fn restore(&self, due: Timestamp, usual: Duration) {
        self.with(|beat| {
            beat.heard = true;
            beat.is_suspect = true;
            beat.past = Past::Unseen;
            beat.wait = usual;
            beat.due = Some(due);
        });
    }

    /// Whether much may have been missed that no comparison has shown yet.
    pub(super) fn is_unseen(&self) -> bool {
        self.with(|beat| beat.past == Past::Unseen)
    }

    /// It was compared.
    pub(super) fn seen(&self) {
        self.with(|beat| beat.past = Past::Seen);
    }

    /// An event came.
    pub(super) fn hear(&self, now: Timestamp, usual: Duration) -> Beats {
        self.with(|beat| {
            beat.heard = true;
            let mut earlier = None;
            if !beat.is_suspect {
                let due = now.plus(usual);
                earlier = (beat.due.is_none_or(|before| due < before)).then_some(due);
                beat.wait = usual;
                beat.due = Some(due);
            }
            Beats {
                silent_no_longer: std::mem::take(&mut beat.is_silent),
                earlier,
            }
        })
    }

    /// An event told what was read from 8x8 before: events come late, or two were taken for one.
    pub(super) fn doubt(&self, now: Timestamp) -> Timestamp {
        self.with(|beat| {
            beat.is_suspect = true;
            beat.wait = SOON;
            let due = beat.due.map_or(now.plus(SOON), |due| due.min(now.plus(SOON)));
            beat.due = Some(due);
            due
        })
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        self.with(|beat| beat.due)
    }

    /// Whether something is out of the usual, so that a look is worth another question.
    pub(super) fn is_suspect(&self) -> bool {
        self.with(|beat| beat.is_suspect || !beat.heard)
    }

    /// Whether no event came in time and that is news.
    pub(super) fn falls_silent(&self) -> bool {
        self.with(|beat| !beat.heard && !std::mem::replace(&mut beat.is_silent, true))
    }

    /// It is over. Whether it counts as silent no longer.
    pub(super) fn stop(&self) -> bool {
        self.with(|beat| std::mem::take(&mut beat.is_silent))
    }

    /// Something was missed.
    pub(super) fn found(&self, now: Timestamp) -> Timestamp {
        self.with(|beat| {
            (beat.unknown, beat.failures) = (0, 0);
            beat.is_suspect = true;
            beat.wait = SOON;
            beat.next(now, SOON)
        })
    }

    pub(super) fn nothing(&self, now: Timestamp, usual: Duration) -> Timestamp {
        self.with(|beat| {
            (beat.unknown, beat.failures) = (0, 0);
            let doubled = beat.wait.saturating_mul(2);
            beat.wait = if !beat.heard {
                beat.is_suspect = true;
                doubled.clamp(SOON, BRIDGE)
            } else if beat.is_suspect && doubled < usual {
                doubled
            } else if beat.is_suspect {
                beat.is_suspect = false;
                usual
            } else {
                doubled.min(usual.saturating_mul(LONGEST))
            };
            let wait = beat.wait;
            beat.next(now, wait)
        })
    }

    /// 8x8 could not be asked.
    pub(super) fn failed(&self, now: Timestamp, usual: Duration, at_least: Duration) -> Timestamp {
        self.with(|beat| {
            let longest = usual.saturating_mul(LONGEST).max(AFTER_A_FAILURE);
            let doubled = AFTER_A_FAILURE.saturating_mul(1 << beat.failures.min(16));
            beat.failures = beat.failures.saturating_add(1);
            let wait = doubled.min(longest).max(at_least);
            beat.next(now, wait)
        })
    }

    /// 8x8 says that it does not know the conversation. Whether that is to be believed.
    pub(super) fn is_gone(&self) -> bool {
        self.with(|beat| {
            beat.unknown = beat.unknown.saturating_add(1);
            beat.unknown >= GONE_AFTER
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Beat) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Beat {
    fn next(&mut self, now: Timestamp, wait: Duration) -> Timestamp {
        let due = now.plus(wait);
        self.due = Some(due);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Duration = Duration::from_mins(5);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn a_handover_that_events_come_for_is_not_looked_at() {
        let pulse = Pulse::default();
        assert_eq!(pulse.begin(at(0), USUAL), Some(at(30)));
        pulse.hear(at(10), USUAL);
        assert_eq!(pulse.hear(at(200), USUAL).earlier, None);
        assert_eq!(pulse.due(), Some(at(500)));
        assert_eq!(pulse.begin(at(201), USUAL), None, "it has begun");
    }

    #[test]
    fn where_quiet_is_short_the_first_event_brings_the_first_look_forward() {
        let pulse = Pulse::default();
        let short = Duration::from_secs(2);
        assert_eq!(pulse.begin(at(0), short), Some(at(30)));
        assert_eq!(pulse.hear(at(1), short).earlier, Some(at(3)));
    }

    #[test]
    fn a_quiet_one_costs_less_and_less_up_to_a_bound() {
        let pulse = Pulse::default();
        pulse.begin(at(0), USUAL);
        pulse.hear(at(0), USUAL);
        let mut waits = Vec::new();
        for _ in 0..5 {
            waits.push(pulse.nothing(at(0), USUAL).as_seconds());
        }
        assert_eq!(waits, [600, 1200, 1800, 1800, 1800]);
        pulse.hear(at(0), USUAL);
        assert_eq!(pulse.due(), Some(at(300)));
    }

    #[test]
    fn after_a_miss_it_is_looked_at_often_then_seldom_and_events_do_not_hinder_that() {
        let pulse = Pulse::default();
        pulse.hear(at(0), USUAL);
        assert_eq!(pulse.found(at(0)), at(3));
        pulse.hear(at(1), USUAL);
        assert_eq!(pulse.due(), Some(at(3)));
        let waits: Vec<i64> = (0..8).map(|_| pulse.nothing(at(0), USUAL).as_seconds()).collect();
        assert_eq!(waits, [6, 12, 24, 48, 96, 192, 300, 600]);
    }

    #[test]
    fn one_that_no_event_ever_came_for_is_looked_at_every_few_seconds_and_counted_once() {
        let pulse = Pulse::default();
        pulse.begin(at(0), USUAL);
        assert!(pulse.falls_silent() && !pulse.falls_silent());
        for _ in 0..5 {
            assert_eq!(pulse.nothing(at(0), USUAL), at(10));
        }
        assert!(pulse.hear(at(0), USUAL).silent_no_longer);
        assert!(!pulse.falls_silent() && !pulse.stop());
    }

    #[test]
    fn a_failing_8x8_is_asked_less_and_as_it_wishes() {
        let pulse = Pulse::default();
        pulse.found(at(0));
        assert_eq!(pulse.failed(at(0), USUAL, Duration::ZERO), at(10));
        assert_eq!(pulse.failed(at(0), USUAL, Duration::from_mins(1)), at(60));
        for _ in 0..20 {
            pulse.failed(at(0), USUAL, Duration::ZERO);
        }
        assert_eq!(pulse.failed(at(0), USUAL, Duration::ZERO), at(1800));
    }

    #[test]
    fn after_a_restart_it_is_unseen_until_it_was_compared_whatever_events_come() {
        let pulse = Pulse::default();
        assert!(!pulse.is_unseen());
        pulse.restore(at(1), USUAL);
        pulse.hear(at(1), USUAL);
        pulse.failed(at(1), USUAL, Duration::ZERO);
        assert!(pulse.is_unseen());
        pulse.seen();
        assert!(!pulse.is_unseen());
    }

    #[test]
    fn one_answer_that_8x8_does_not_know_it_ends_nothing() {
        let pulse = Pulse::default();
        assert!(!pulse.is_gone() && !pulse.is_gone());
        pulse.nothing(at(0), USUAL);
        assert!(!pulse.is_gone() && !pulse.is_gone() && pulse.is_gone());
    }
}
