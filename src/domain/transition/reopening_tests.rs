//! Reopening: what makes the new handover of each of 8x8's events, before and after its words are known to have arrived.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::transition::tests::*;
use crate::domain::transition::*;
use crate::domain::*;

fn words(parts: &[&str]) -> Reopening {
    Reopening {
        message: MessageId::generate(START),
        request_sha256: [7; 32],
        parts: parts.iter().map(|part| (*part).to_owned()).collect(),
        deadline: Duration::from_mins(2),
        text: parts.join(" "),
    }
}

/// Ada served the handover before and left it; 8x8's clock then stood at 20.
fn over() -> Handover {
    let walk = Walk::to(State::Active).and(joined("bob", 20)).and(end());
    walk.handover
}

impl Walk {
    /// A new handover on the conversation of an old one.
    fn reopening(parts: &[&str]) -> Self {
        let mut walk = Self::new();
        walk.handover = over().reopened(words(parts), vec![Stop::new("101", None)], START);
        walk
    }

    fn reopened() -> Self {
        Self::reopening(&["Hello"]).and(created())
    }
}

fn user_left(at: i64) -> Input {
    webhook(WebhookKind::UserLeft, at)
}

fn idle(at: i64) -> Input {
    update(ConversationState::Idle, None, 1, at)
}

fn still_there(at: i64) -> Input {
    update(ConversationState::Active, Some("bob"), 1, at)
}

#[test]
fn a_reopened_handover_takes_over_what_holds_and_starts_anew() {
    let old = over();
    let new = old.reopened(words(&["Hello"]), vec![Stop::new("101", None)], START);
    assert_eq!((new.state(), new.version), (State::Creating, 0));
    assert_eq!(new.facts.reopened_from.as_ref(), Some(old.id()));
    assert_ne!(new.id(), old.id());
    assert_eq!(new.facts.timers, old.facts.timers);
    let (progress, before) = (&new.progress, &old.progress);
    assert_eq!(
        (&progress.conversation, &progress.queue, &progress.user),
        (&before.conversation, &before.queue, &before.user)
    );
    assert!(progress.agents.nobody_ever() && progress.end_reason.is_none() && progress.ended_at.is_none());
    assert_eq!(progress.state_mark, before.state_mark);
}

/// What each input makes of a handover whose words may be on their way, that waits again, and that was given up.
fn rows() -> Vec<(&'static str, Input, [&'static str; 3])> {
    const LATE_QUEUED: &str = "failed handover.queued leaves";
    vec![
        ("created", created(), ["queued handover.accepted", "queued", "failed"]),
        (
            "not created",
            not_created(),
            ["failed handover.failed", "queued", "failed"],
        ),
        (
            "queued",
            queued(30),
            [
                "queued handover.accepted handover.queued",
                "queued handover.queued",
                LATE_QUEUED,
            ],
        ),
        (
            "an old queued",
            queued(10),
            ["creating", "queued handover.queued", "failed handover.queued"],
        ),
        (
            "joined",
            joined("bob", 30),
            [
                "active handover.accepted agent.joined",
                "active agent.joined",
                "failed agent.joined leaves",
            ],
        ),
        (
            "an old join",
            joined("bob", 10),
            ["creating", "queued asks", "failed agent.joined"],
        ),
        ("user left", user_left(30), ["creating", "queued asks", "failed"]),
        (
            "agent left",
            left("bob", 30),
            ["creating", "queued asks", "failed agent.left"],
        ),
        ("idle", idle(30), ["creating", "queued asks", "failed"]),
        (
            "an assignment that stands",
            still_there(30),
            ["creating", "queued", "failed"],
        ),
        (
            "an agent's late words",
            message("agent", false, 30),
            [
                "creating message.created",
                "queued message.created",
                "failed message.created",
            ],
        ),
        ("end", end(), ["creating", "ended handover.ended leaves", "over"]),
    ]
}

#[test]
fn what_is_of_the_time_before_neither_reopens_nor_ends() {
    for (name, input, expected) in rows() {
        let given_up = Walk::reopening(&["Hello"]).and(not_created());
        let walks = [Walk::reopening(&["Hello"]), Walk::reopened(), given_up];
        for (mut walk, expected) in walks.into_iter().zip(expected) {
            let before = (walk.events.len(), walk.calls.len(), walk.state());
            if walk.apply(input.clone()) == Err(Refused::Ended) {
                assert_eq!(expected, "over", "{name} in {:?}", before.2);
                continue;
            }
            let mut found = vec![walk.state().as_str()];
            found.extend(walk.events[before.0..].iter().map(|event| event.kind.as_str()));
            found.extend(walk.handover.progress.ask_at.map(|_| "asks"));
            found.extend(walk.calls[before.1..].iter().map(|_| "leaves"));
            assert_eq!(found.join(" "), expected, "{name} in {:?}", before.2);
        }
    }
}

/// A handover that was over before 8x8 had told of its first queuing: no event of it is known by which to tell old from new.
#[test]
fn the_first_queuing_told_late_does_not_speak_for_the_words() {
    let over = Walk::to(State::Queued).and(end()).handover;
    let mut walk = Walk::new();
    walk.handover = over.reopened(words(&["Hello"]), Vec::new(), START);
    let walk = walk.and(queued(-5)).and(joined("ada", -4));
    assert_eq!(walk.state(), State::Creating);
    assert_eq!(walk.and(queued(5)).state(), State::Queued);
}

#[test]
fn an_end_is_one_when_8x8_says_so_or_somebody_had_come() {
    let asked = Walk::reopened().and(idle(30)).after(Duration::from_secs(10));
    let over = asked.and(Input::Asked(Answer::Over));
    assert_eq!(over.state(), State::Ended);
    let goes_on = Walk::reopened().and(user_left(30)).after(Duration::from_secs(10));
    let goes_on = goes_on.and(Input::Asked(Answer::GoesOn {
        agent: None,
        in_queue: true,
    }));
    assert_eq!(
        (goes_on.state(), goes_on.handover.progress.ask_at),
        (State::Queued, None)
    );
    let served = Walk::reopened().and(joined("bob", 40));
    let late = served.and(idle(30)).and(left("ada", 35));
    assert_eq!(late.state(), State::Active, "an idle from before the join");
    assert_eq!(
        late.told(),
        ["handover.accepted", "agent.joined"],
        "who left then was never in"
    );
    assert_eq!(late.and(idle(50)).state(), State::Ended);
}

#[test]
fn the_words_are_a_message_once_8x8_has_them_and_the_rest_follows() {
    let mut walk = Walk::reopening(&["one", "two", "three"]);
    let next = next(&walk.handover, created(), walk.now).unwrap();
    let message = next.message.expect("it is recorded");
    assert_eq!(
        (message.text.as_deref(), message.status),
        (Some("one two three"), MessageStatus::Queued)
    );
    assert_eq!(message.request_sha256, [7; 32]);
    walk.apply(created()).unwrap();
    let parts: Vec<_> = walk
        .calls
        .iter()
        .map(|call| match call {
            Call::PostMessage(part) => (part.text.as_deref().unwrap(), part.last),
            Call::UserLeaves { .. } | Call::Update { .. } | Call::HandBack { .. } => panic!("{call:?}"),
        })
        .collect();
    assert_eq!(parts, [("two", false), ("three", true)]);
    assert_eq!(walk.handover.progress.reopening, None);
}

#[test]
fn words_that_came_to_nothing_are_not_kept() {
    let walk = Walk::reopening(&["secret"]).and(not_created());
    let kept = serde_json::to_string(&walk.handover.progress).unwrap();
    assert!(!kept.contains("secret"), "{kept}");
}

#[test]
fn a_given_up_reopening_that_turns_up_is_left_once() {
    let walk = Walk::reopening(&["Hello"])
        .and(not_created())
        .and(queued(30))
        .and(joined("bob", 31));
    assert_eq!(walk.calls.len(), 1);
}

#[test]
fn an_end_before_the_words_arrived_is_carried_out_when_they_do() {
    let walk = Walk::reopening(&["Hello"]).and(end()).and(created());
    assert_eq!(walk.told(), ["handover.accepted", "handover.ended"]);
    assert!(matches!(walk.calls.as_slice(), [Call::UserLeaves { .. }]));
}

#[test]
fn what_a_customer_began_and_the_bot_reopens_is_the_bots() {
    let mut old = over();
    old.facts = Arc::new(Facts {
        origin: Origin::Channel,
        ..facts()
    });
    let mut walk = Walk::new();
    walk.handover = old.reopened(words(&["Hello", "again"]), Vec::new(), START);
    let known = &walk.handover.progress.own_words;
    assert!(known.holds("Hello") && known.holds("again"));
    assert_eq!(walk.and(created()).told(), ["handover.accepted"]);
}

#[test]
fn what_8x8_does_not_queue_again_ends_and_does_not_wait_for_its_timers() {
    let mut old = over();
    old.facts = Arc::new(Facts {
        origin: Origin::Channel,
        ..facts()
    });
    let mut walk = Walk::new();
    walk.handover = old.reopened(words(&["Hello"]), Vec::new(), START);
    let mut walk = walk.and(created());
    for _ in 0..2 {
        walk = walk.after(Duration::from_secs(10)).and(Input::Asked(Answer::Over));
        assert_eq!(walk.state(), State::Queued, "8x8 may be slow");
    }
    let walk = walk.after(Duration::from_secs(10)).and(Input::Asked(Answer::Over));
    assert_eq!(walk.told(), ["handover.accepted", "handover.ended"]);
}

#[test]
fn a_hand_back_that_8x8_may_still_have_may_come() {
    let mut old = over();
    old.progress.hand_back = Some(HandBack::Scheduled);
    let mut walk = Walk::new();
    walk.handover = old.reopened(words(&["Hello"]), Vec::new(), START);
    let walk = walk.and(created()).and(joined("bob", 40)).and(left("bob", 50));
    let walk = walk.and(update(ConversationState::Active, None, 1, 51));
    assert_eq!(walk.state(), State::Bot);
    old.progress.hand_back = Some(HandBack::AtJoin);
    let new = old.reopened(words(&["Hello"]), Vec::new(), START);
    assert_eq!(new.progress.hand_back, None, "it was never asked for");
}

#[test]
fn an_agents_words_of_the_time_before_do_not_end_the_wait() {
    let waits = Walk::reopened().and(message("agent", false, -5));
    assert_eq!(waits.told(), ["handover.accepted", "message.created"]);
    assert!(waits.handover.progress.queued_since.is_some());
    let answered = waits.and(message("agent", false, 5));
    assert_eq!(answered.handover.progress.queued_since, None);
}

#[test]
fn where_8x8_has_an_assignment_of_the_time_before_nobody_came() {
    let route = Input::Update(UpdateHandover {
        queue_id: Some("103".to_owned()),
        chain: Vec::new(),
        user: None,
    });
    let mut walk = Walk::reopened().and(route);
    let call = walk.handover.progress.routing.wanted.as_ref().unwrap().call.clone();
    walk.apply(Input::Updated { call, user: None }).unwrap();
    let walk = walk
        .after(Duration::from_secs(10))
        .and(Input::Looked(Whereabouts::Agent(agent("bob"))));
    assert_eq!(walk.state(), State::Queued);
    assert!(walk.handover.progress.routing.wanted.is_some(), "8x8 is asked again");
}
