//! Decides from one answer what becomes of an event: pure, so that the whole schedule can be read and tested here.

use std::time::Duration;

use crate::delivery::DeliverySettings;
use crate::delivery::answer::Answer;
use crate::delivery::answer::Fault;
use crate::delivery::outages::Away;
use crate::domain::EventClass;
use crate::domain::Timestamp;
use crate::store::Verdict;

/// The wait after the first attempt, the second …; the last one repeats.
const WAITS: [Duration; 7] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
    Duration::from_secs(30),
];

/// An event that cannot be put into a request is given up after so many tries: it will not be better later.
const UNSENDABLE: u32 = 3;

/// Which attempt at which event the answer is to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tried {
    /// Counted from 1.
    pub(crate) attempt: u32,
    pub(crate) first_at: Timestamp,
    pub(crate) class: EventClass,
    pub(crate) place: Place,
    /// For how long the clocks stood still since the first attempt, because the bot was away.
    pub(crate) away: Away,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the head of its lane: all later events of the handover wait for it.
    Head,
    /// Beside its lane.
    Aside,
    /// Beside its lane because somebody asked: all that was asked for after it waits for it.
    Replay,
}

/// `jitter` is a random number from 0 to 1, so that lanes that failed together do not come back together.
pub(crate) fn judge(
    answer: Answer,
    tried: &Tried,
    settings: &DeliverySettings,
    now: Timestamp,
    jitter: f64,
) -> Verdict {
    if answer.accepted() {
        return Verdict::Done;
    }
    if answer.gone() {
        return match tried.place {
            Place::Head => Verdict::Stop,
            // Its lane went on without it and is stopped by its own answer.
            Place::Aside | Place::Replay => Verdict::Failed { reason: "gone" },
        };
    }
    let next = now.plus(answer.retry_after.unwrap_or_else(|| wait(tried.attempt, jitter)));
    if answer.fault == Some(Fault::Unsendable) && tried.attempt >= UNSENDABLE {
        return Verdict::Failed { reason: "unsendable" };
    }
    if tried.away.now {
        return Verdict::Again { at: next };
    }
    let first_at = tried.first_at.plus(tried.away.so_far);
    let lifecycle_deadline = first_at.plus(settings.lifecycle_deadline);
    let head_deadline = first_at.plus(settings.head_deadline);
    match (tried.place, tried.class) {
        (Place::Head | Place::Replay, _) if now < head_deadline => Verdict::Again {
            at: next.min(head_deadline),
        },
        (Place::Head, EventClass::Lifecycle) if now < lifecycle_deadline => Verdict::Aside {
            at: next.min(lifecycle_deadline),
        },
        (Place::Aside, _) if now < lifecycle_deadline => Verdict::Again {
            at: next.min(lifecycle_deadline),
        },
        (Place::Head | Place::Aside | Place::Replay, _) => Verdict::Failed {
            reason: "not-accepted-in-time",
        },
    }
}

/// A quarter shorter to a quarter longer than the schedule says.
fn wait(attempt: u32, jitter: f64) -> Duration {
    let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
    let [.., last] = WAITS;
    let wait = WAITS.get(index).copied().unwrap_or(last);
    wait.mul_f64(0.75 + 0.5 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const MIDDLE: f64 = 0.5;

    fn status(status: u16) -> Answer {
        Answer {
            status: Some(status),
            fault: None,
            retry_after: None,
        }
    }

    fn tried(attempt: u32, class: EventClass, place: Place) -> Tried {
        Tried {
            attempt,
            first_at: START,
            class,
            place,
            away: Away::default(),
        }
    }

    fn after(answer: Answer, tried: &Tried, elapsed: Duration) -> Verdict {
        judge(answer, tried, &DeliverySettings::default(), START.plus(elapsed), MIDDLE)
    }

    #[test]
    fn success_is_done_and_gone_stops() {
        let head = tried(1, EventClass::Conversational, Place::Head);
        assert_eq!(after(status(200), &head, Duration::ZERO), Verdict::Done);
        assert_eq!(after(status(299), &head, Duration::from_hours(99)), Verdict::Done);
        assert_eq!(after(status(410), &head, Duration::ZERO), Verdict::Stop);
        let aside = tried(9, EventClass::Lifecycle, Place::Aside);
        assert_eq!(
            after(status(410), &aside, Duration::ZERO),
            Verdict::Failed { reason: "gone" }
        );
    }

    #[test]
    fn everything_else_is_tried_again_later_and_later() {
        let answers = [
            status(199),
            status(302),
            status(400),
            status(404),
            status(500),
            Answer::fault(Fault::Timeout),
        ];
        for (attempt, millis) in [500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 30_000]
            .into_iter()
            .enumerate()
        {
            let number = u32::try_from(attempt).unwrap() + 1;
            for answer in answers {
                assert_eq!(
                    after(
                        answer,
                        &tried(number, EventClass::Conversational, Place::Head),
                        Duration::ZERO
                    ),
                    Verdict::Again {
                        at: START.plus(Duration::from_millis(millis))
                    },
                );
            }
        }
    }

    #[test]
    fn jitter_moves_a_wait_by_a_quarter_at_most() {
        assert_eq!(wait(1, 0.0), Duration::from_millis(375));
        assert_eq!(wait(1, 1.0), Duration::from_millis(625));
        assert_eq!(wait(u32::MAX, 1.0), Duration::from_millis(37_500));
    }

    #[test]
    fn what_the_bot_asks_for_counts_but_not_past_the_deadline() {
        let mut answer = status(503);
        answer.retry_after = Some(Duration::from_secs(90));
        let head = tried(1, EventClass::Conversational, Place::Head);
        let at = START.plus(Duration::from_secs(90));
        assert_eq!(after(answer, &head, Duration::ZERO), Verdict::Again { at });
        answer.retry_after = Some(Duration::from_mins(10));
        let at = START.plus(Duration::from_mins(5));
        assert_eq!(after(answer, &head, Duration::ZERO), Verdict::Again { at });
    }

    #[test]
    fn a_head_that_held_its_lane_long_enough_leaves_it() {
        let late = Duration::from_mins(5);
        let talk = tried(15, EventClass::Conversational, Place::Head);
        assert!(matches!(after(status(500), &talk, late), Verdict::Failed { .. }));
        let lifecycle = tried(15, EventClass::Lifecycle, Place::Head);
        let at = START.plus(late + Duration::from_secs(30));
        assert_eq!(after(status(500), &lifecycle, late), Verdict::Aside { at });
        let just_before = Duration::from_millis(299_999);
        let at = START.plus(late);
        assert_eq!(after(status(500), &lifecycle, just_before), Verdict::Again { at });
    }

    #[test]
    fn what_was_asked_for_again_holds_up_the_rest_of_it_no_longer_than_a_head_its_lane() {
        for class in [EventClass::Lifecycle, EventClass::Conversational] {
            let replay = tried(9, class, Place::Replay);
            let deadline = Duration::from_mins(5);
            let just_before = Duration::from_millis(299_999);
            assert_eq!(
                after(status(500), &replay, just_before),
                Verdict::Again {
                    at: START.plus(deadline)
                }
            );
            assert!(matches!(after(status(500), &replay, deadline), Verdict::Failed { .. }));
            assert_eq!(
                after(status(410), &replay, Duration::ZERO),
                Verdict::Failed { reason: "gone" }
            );
        }
    }

    #[test]
    fn an_event_beside_its_lane_is_tried_for_a_day() {
        let aside = tried(99, EventClass::Lifecycle, Place::Aside);
        let day = Duration::from_hours(24);
        let nearly = Duration::from_secs(24 * 3600 - 1);
        assert_eq!(
            after(status(500), &aside, nearly),
            Verdict::Again { at: START.plus(day) }
        );
        assert!(matches!(after(status(500), &aside, day), Verdict::Failed { .. }));
        let forgotten = tried(2, EventClass::Lifecycle, Place::Head);
        assert!(matches!(after(status(500), &forgotten, day), Verdict::Failed { .. }));
    }
    #[test]
    fn while_its_bot_is_away_nothing_is_given_up_and_afterwards_that_time_does_not_count() {
        let outage = Duration::from_hours(30);
        for (class, place) in [
            (EventClass::Conversational, Place::Head),
            (EventClass::Lifecycle, Place::Head),
            (EventClass::Lifecycle, Place::Aside),
        ] {
            let mut tried = tried(40, class, place);
            tried.away = Away {
                so_far: outage,
                now: true,
            };
            let at = START.plus(outage + Duration::from_secs(30));
            assert_eq!(after(status(503), &tried, outage), Verdict::Again { at });
            tried.away.now = false;
            let later = outage + Duration::from_mins(4);
            let at = START.plus(later + Duration::from_secs(30));
            assert_eq!(after(status(503), &tried, later), Verdict::Again { at });
            let over = outage + Duration::from_hours(24);
            assert!(matches!(after(status(503), &tried, over), Verdict::Failed { .. }));
        }
    }

    #[test]
    fn an_event_that_cannot_be_sent_is_given_up_soon_even_while_its_bot_is_away() {
        let mut first = tried(1, EventClass::Lifecycle, Place::Head);
        first.away.now = true;
        let unsendable = Answer::fault(Fault::Unsendable);
        assert!(matches!(
            after(unsendable, &first, Duration::ZERO),
            Verdict::Again { .. }
        ));
        let third = Tried { attempt: 3, ..first };
        let given_up = Verdict::Failed { reason: "unsendable" };
        assert_eq!(after(unsendable, &third, Duration::ZERO), given_up);
        let unread = Answer::fault(Fault::Store);
        assert!(matches!(after(unread, &third, Duration::ZERO), Verdict::Again { .. }));
    }
}
