//! No handover can be stuck: from wherever inputs in any order lead, the clock alone brings it to its end.

use std::time::Duration;

use proptest::prelude::*;

use crate::domain::transition::tests::*;
use crate::domain::transition::*;
use crate::domain::*;

/// More timers than a handover has one after the other before its `max_age`; each looks at least a second ahead.
const STEPS: usize = 100_000;

fn any_input() -> impl Strategy<Value = Input> {
    (0..NAMES.len(), -20_i64..200).prop_map(|(name, at)| later(input(NAMES[name]), at))
}

/// The same event at another time of 8x8's.
fn later(mut input: Input, at: i64) -> Input {
    if let Input::Webhook(event) | Input::Passed(event) | Input::Backfilled { event, .. } = &mut input {
        event.source.timestamp = Some(START.as_millis() + at * 100);
    }
    input
}

fn any_start() -> impl Strategy<Value = Walk> {
    let hand_back = proptest::option::of(Just(HandBack::AtJoin));
    (any::<bool>(), any::<bool>(), any::<bool>(), hand_back).prop_map(|(from_channel, again, timers, hand_back)| {
        let mut facts = facts();
        facts.origin = if from_channel { Origin::Channel } else { Origin::Bot };
        facts.reopened_from = again.then(|| HandoverId::generate(START));
        if !timers {
            facts.timers.queue = None;
            facts.timers.idle = None;
        }
        let mut walk = Walk::new();
        walk.handover = if from_channel && !again {
            let conversation = ConversationId::parse("c-1").unwrap();
            Handover::led_by_bot(facts, User::default(), conversation)
        } else {
            Handover::creating(facts, User::default())
        };
        walk.handover.progress.hand_back = hand_back;
        walk
    })
}

/// Goes from one deadline to the next, as the timers do, while 8x8 never says anything of use.
fn left_alone(walk: &mut Walk) -> Result<(), TestCaseError> {
    let max_age = walk.handover.facts.timers.max_age;
    let over_by = walk.handover.facts.created_at.plus(max_age).max(walk.now);
    for _ in 0..STEPS {
        let Some(due) = next_deadline(&walk.handover) else {
            prop_assert!(!walk.state().is_live(), "a live handover has a next deadline");
            return Ok(());
        };
        prop_assert!(due <= over_by, "no timer is later than the oldest age");
        let moved = due.max(walk.now);
        walk.now = moved;
        let (ask, look) = (walk.handover.progress.ask_at, walk.handover.progress.routing.look_at());
        step(walk, Input::Deadline)?;
        if ask.is_some_and(|at| at <= moved) {
            step(walk, Input::Asked(Answer::CouldNotTell))?;
        }
        if look.is_some_and(|at| at <= moved) {
            step(walk, Input::Looked(Whereabouts::CouldNotTell))?;
        }
        let again = next_deadline(&walk.handover);
        prop_assert!(again.is_none_or(|again| again > moved), "what was due is done");
    }
    Err(TestCaseError::fail("it goes on for ever"))
}

/// Without the second that a walk takes for each step.
fn step(walk: &mut Walk, input: Input) -> Result<(), TestCaseError> {
    let next = next(&walk.handover, input, walk.now).map_err(|refused| TestCaseError::fail(refused.to_string()))?;
    walk.handover = next.next;
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happened_a_handover_that_is_left_alone_ends(
        mut walk in any_start(),
        inputs in proptest::collection::vec((any_input(), 0_u64..3600), 0..25),
    ) {
        for (input, wait) in inputs {
            walk.now = walk.now.plus(Duration::from_secs(wait));
            // What is not allowed here changes nothing.
            let _allowed = walk.apply(input).is_ok();
            if walk.state().is_live() {
                prop_assert!(next_deadline(&walk.handover).is_some());
            }
        }
        left_alone(&mut walk)?;
        prop_assert!(!walk.state().is_live());
    }
}
