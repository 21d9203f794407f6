//! When the agent is told that messages do not get through.

use crate::domain::transition::tests::Walk;
use crate::domain::transition::tests::end;
use crate::domain::transition::tests::joined;
use crate::domain::transition::tests::left;
use crate::domain::transition::tests::message;
use crate::domain::transition::tests::notice;
use crate::domain::transition::*;
use crate::domain::*;

/// What the agent was told.
fn told(walk: &Walk) -> Vec<&str> {
    let notices = walk.calls.iter().filter_map(|call| match call {
        Call::PostMessage(part) if part.notice => part.text.as_deref(),
        Call::PostMessage(_) | Call::UserLeaves { .. } | Call::Update { .. } | Call::HandBack { .. } => None,
    });
    notices.collect()
}

fn held_up() -> Input {
    Input::HeldUp(notice("held up"))
}

fn over() -> Input {
    Input::CaughtUp(Some(notice("over")))
}

#[test]
fn an_agent_is_told_once_and_once_more_when_it_is_over() {
    let walk = Walk::to(State::Active).and(held_up()).and(held_up());
    assert_eq!(told(&walk), ["held up"]);
    assert!(walk.handover.progress.agent_knows);
    let walk = walk.and(over()).and(over());
    assert_eq!(told(&walk), ["held up", "over"]);
    let walk = walk.and(held_up());
    assert_eq!(told(&walk), ["held up", "over", "held up"], "another trouble");
}

#[test]
fn nobody_is_told_before_an_agent_is_there_and_who_comes_later_is() {
    let walk = Walk::to(State::Queued).and(held_up());
    assert!(told(&walk).is_empty() && !walk.handover.progress.agent_knows);
    let walk = walk.and(joined("ada", 9)).and(held_up());
    assert_eq!(told(&walk), ["held up"]);
}

#[test]
fn what_is_over_when_nobody_is_there_any_more_is_told_to_nobody() {
    let walk = Walk::to(State::Active).and(held_up()).and(end()).and(over());
    assert_eq!(told(&walk), ["held up"]);
    assert!(!walk.handover.progress.agent_knows);
    let walk = Walk::to(State::Active).and(held_up()).and(Input::CaughtUp(None));
    assert_eq!(told(&walk), ["held up"], "there may be nothing to say");
    assert!(!walk.handover.progress.agent_knows);
}

#[test]
fn the_user_of_a_channel_of_8x8s_reads_it_there_and_is_not_shown_a_notice() {
    let mut walk = Walk::to(State::Active);
    let facts = Facts {
        origin: Origin::Channel,
        ..(*walk.handover.facts).clone()
    };
    walk.handover.facts = std::sync::Arc::new(facts);
    assert!(told(&walk.and(held_up())).is_empty());
}

#[test]
fn a_notice_is_no_sign_of_life_and_its_echo_is_not_the_bots_business() {
    let before = Walk::to(State::Active);
    let (last, logged) = (before.handover.progress.last_message_at, before.told().len());
    let walk = before.and(held_up()).and(message("bot", true, 50));
    assert_eq!(walk.handover.progress.last_message_at, last);
    assert_eq!(walk.told().len(), logged);
    let walk = Walk::to(State::Active).and(left("ada", 2)).and(held_up());
    assert_eq!(told(&walk), ["held up"], "somebody else may come");
}
