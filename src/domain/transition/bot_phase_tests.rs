//! The bot leads: conversations that begin at 8x8, the way into a queue, and every way back from the agents.

use std::time::Duration;

use proptest::prelude::*;

use crate::domain::transition::tests::*;
use crate::domain::transition::*;
use crate::domain::*;

/// The tests' transfer grace.
const GRACE: Duration = Duration::from_secs(10);

impl Walk {
    /// A conversation that a customer began.
    fn from_a_channel() -> Self {
        let facts = Facts {
            origin: Origin::Channel,
            arrival: Some(Arrival {
                channel_type: Some("WhatsApp".to_owned()),
                msisdn: None,
            }),
            queue_id: None,
            ..facts()
        };
        let mut walk = Self::new();
        walk.handover = Handover::led_by_bot(facts, User::default(), ConversationId::parse("c-1").unwrap());
        walk
    }

    fn is(self, state: State, last: &str) -> Self {
        assert_eq!((self.state(), self.told().last().copied()), (state, Some(last)));
        self
    }

    fn asked(self, answer: Answer) -> Self {
        self.after(GRACE).and(Input::Asked(answer))
    }

    /// A customer whose agent has left, with a hand-back scheduled.
    fn gone() -> Self {
        Self::from_a_channel()
            .and(queued(1))
            .and(joined("ada", 2))
            .scheduled()
            .and(left("ada", 10))
    }

    /// With an agent in and a hand-back scheduled.
    fn scheduled(self) -> Self {
        self.and(Input::HandBack(ScheduleHandBack::default()))
            .and(Input::HandBackScheduled)
    }
}

fn active(at: i64) -> Input {
    update(ConversationState::Active, None, 1, at)
}

fn says(text: &str, at: i64) -> Input {
    let seen = MessageSeen {
        is_echo: false,
        sender_type: "user".to_owned(),
        sender: agent("user"),
        text: text.to_owned(),
        attachments: Vec::new(),
        cards: Vec::new(),
    };
    webhook(WebhookKind::Message(seen), at)
}

fn posts(text: &str, author: Option<AuthorType>) -> Input {
    Input::Send(SendMessage {
        id: MessageId::generate(Timestamp::from_millis(0)),
        client_message_id: None,
        request_sha256: [0; 32],
        author,
        text: Some(text.to_owned()),
        parts: vec![text.to_owned()],
        cards: Vec::new(),
        attachments: Vec::new(),
        deadline: Duration::from_mins(2),
    })
}

const NOBODY: Answer = Answer::GoesOn {
    agent: None,
    in_queue: false,
};

#[test]
fn whatever_comes_first_the_conversation_is_told_before_it() {
    for input in [says("Hi", 1), active(1), posts("Hi", None), typing(), Input::Deadline] {
        let walk = Walk::from_a_channel().and(input);
        assert_eq!(walk.told().first(), Some(&"conversation.started"));
        let started = walk
            .told()
            .iter()
            .filter(|kind| **kind == "conversation.started")
            .count();
        assert_eq!(started, 1);
    }
    let walk = Walk::from_a_channel().and(active(1)).and(says("Hi", 2)).and(active(3));
    assert_eq!(walk.told(), ["conversation.started", "message.created"]);
    assert_eq!(walk.events[0].extra.as_str(), r#"{"user":{},"channelType":"WhatsApp"}"#);
    assert_eq!(walk.events[0].state, State::Bot);
}

#[test]
fn the_user_is_told_while_the_bot_leads_and_only_then() {
    let walk = Walk::from_a_channel()
        .and(says("one", 1))
        .and(queued(2))
        .and(says("two", 3))
        .and(joined("ada", 4))
        .and(says("three", 5))
        .and(left("ada", 6))
        .and(says("four", 7));
    let told = walk.told();
    assert_eq!(
        told.iter().filter(|kind| **kind == "message.created").count(),
        1,
        "{told:?}"
    );
    assert_eq!(
        walk.handover.progress.last_message_at, walk.now,
        "they count as a sign of life"
    );
}

#[test]
fn a_scheduled_hand_back_shows_in_an_update_in_the_users_words_and_when_asked() {
    Walk::gone()
        .is(State::Transferring, "agent.left")
        .and(active(11))
        .is(State::Bot, "handover.handed_back");
    let walk = Walk::gone().and(says("And now?", 11));
    assert_eq!(walk.told()[4..], ["handover.handed_back", "message.created"]);
    Walk::gone().asked(NOBODY).is(State::Bot, "handover.handed_back");
    let still_ada = Answer::GoesOn {
        agent: Some(agent("ada")),
        in_queue: false,
    };
    Walk::gone().asked(still_ada).is(State::Bot, "handover.handed_back");
    Walk::gone().asked(Answer::Over).is(State::Ended, "handover.ended");
    Walk::gone()
        .asked(Answer::CouldNotTell)
        .is(State::Transferring, "agent.left");
    Walk::gone()
        .and(update(ConversationState::Idle, None, 1, 11))
        .is(State::Ended, "handover.ended");
}

#[test]
fn a_transfer_and_old_words_are_no_hand_back() {
    let transferred = Walk::gone()
        .and(transfer(11))
        .and(active(12))
        .and(says("Hello?", 13))
        .asked(NOBODY);
    assert_eq!(transferred.state(), State::Transferring);
    let queue = Answer::GoesOn {
        agent: None,
        in_queue: true,
    };
    assert_eq!(Walk::gone().asked(queue).state(), State::Transferring);
    for old in [active(9), says("Bye Ada", 9)] {
        assert_eq!(Walk::gone().and(old).state(), State::Transferring);
    }
    // Nothing was scheduled.
    let not = Walk::to(State::Transferring)
        .and(active(11))
        .and(says("Hello?", 12))
        .asked(NOBODY);
    assert_eq!(not.state(), State::Transferring);
    // Words that were the agent's to answer come late.
    let late = Walk::gone().and(active(11)).and(says("Thank you Ada", 8));
    assert_eq!(late.told().last(), Some(&"handover.handed_back"));
}

#[test]
fn the_bot_hands_over_again_after_a_hand_back() {
    let walk = Walk::to(State::Active).scheduled().and(left("ada", 10)).and(active(11));
    let walk = walk.is(State::Bot, "handover.handed_back").and(reroute());
    let walk = walk.and(queued(20)).is(State::Queued, "handover.queued");
    let walk = walk.and(joined("ada", 21)).is(State::Active, "agent.joined");
    walk.and(left("ada", 22))
        .and(update(ConversationState::Idle, None, 1, 23))
        .is(State::Ended, "handover.ended");
}

#[test]
fn a_hand_back_is_asked_for_once_and_may_fail() {
    let mut walk = Walk::to(State::Active).and(Input::HandBack(ScheduleHandBack::default()));
    assert!(matches!(
        walk.calls.as_slice(),
        [Call::HandBack {
            perhaps_there: false,
            ..
        }]
    ));
    let again = || Input::HandBack(ScheduleHandBack::default());
    assert_eq!(walk.apply(again()), Err(Refused::HandBackUnderWay));
    let failed = |may_be_there| Input::HandBackFailed {
        problem: RawJson::parse("{}").unwrap(),
        may_be_there,
    };
    let mut walk = walk.and(failed(true)).is(State::Active, "handover.update_failed");
    walk.apply(again()).unwrap();
    assert!(matches!(
        walk.calls.as_slice(),
        [
            _,
            Call::HandBack {
                perhaps_there: true,
                ..
            }
        ]
    ));
    let mut walk = walk.and(Input::HandBackScheduled);
    assert_eq!(walk.apply(again()), Err(Refused::HandBackTaken));
    let walk = Walk::to(State::Active).and(again()).and(failed(false)).and(again());
    assert!(matches!(
        walk.calls.as_slice(),
        [
            _,
            Call::HandBack {
                perhaps_there: false,
                ..
            }
        ]
    ));
}

#[test]
fn one_asked_for_at_the_create_waits_for_the_first_agent() {
    let mut walk = Walk::new();
    walk.handover.progress.hand_back = Some(HandBack::AtJoin);
    let walk = walk.and(created());
    assert_eq!(walk.calls, []);
    let walk = walk.and(joined("ada", 1)).and(joined("bob", 2));
    assert!(
        matches!(walk.calls.as_slice(), [Call::HandBack { .. }]),
        "{:?}",
        walk.calls
    );
}

#[test]
fn the_end_while_the_bot_leads_says_who_ended_it() {
    let by_bot = Walk::from_a_channel().and(says("Hi", 1)).and(end());
    assert_eq!(by_bot.handover.progress.end_reason, Some(EndReason::BotEnded));
    assert_eq!(by_bot.handover.progress.outcome, Some(Outcome::Cancelled));
    assert!(matches!(by_bot.calls.as_slice(), [Call::UserLeaves { .. }]));
    let by_8x8 = Walk::from_a_channel().and(says("Hi", 1));
    let by_8x8 = by_8x8.and(update(ConversationState::Idle, None, 1, 2));
    assert_eq!(by_8x8.handover.progress.end_reason, Some(EndReason::IdleTimeout));
    let by_user = Walk::from_a_channel().and(webhook(WebhookKind::UserLeft, 2));
    assert_eq!(by_user.handover.progress.end_reason, Some(EndReason::UserLeft));
}

#[test]
fn a_begun_again_conversation_is_not_ended_by_what_8x8_has_yet_to_tell_of_the_last() {
    let mut walk = Walk::from_a_channel();
    let opened_at = START.as_millis() + 20;
    walk.handover.progress.state_mark = Some(opened_at);
    let walk = walk
        .and(says("Again", 20))
        .and(update(ConversationState::Idle, None, 1, 10))
        .and(webhook(WebhookKind::UserLeft, 11))
        .and(says("earlier words, later told", 19));
    assert_eq!(walk.state(), State::Bot);
    assert_eq!(
        walk.told(),
        ["conversation.started", "message.created", "message.created"]
    );
}

/// What may happen, in any order; the texts are few, so that the same is said by different people.
#[derive(Clone, Debug)]
enum Step {
    Posted(usize, AuthorType),
    /// The oldest post that has not come back comes back, as 8x8 sends it.
    Echo,
    Queued,
    Joined,
    Left,
    Active,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_usize, prop_oneof![Just(AuthorType::User), Just(AuthorType::Bot)])
            .prop_map(|(text, author)| Step::Posted(text, author)),
        4 => Just(Step::Echo),
        1 => Just(Step::Queued),
        1 => Just(Step::Joined),
        1 => Just(Step::Left),
        1 => Just(Step::Active),
    ]
}

proptest! {
    #[test]
    fn what_the_bot_posts_never_comes_back_to_it(steps in prop::collection::vec(step(), 1..60), channel: bool) {
        let mut walk = if channel { Walk::from_a_channel() } else { Walk::to(State::Active).scheduled() };
        let mut under_way = std::collections::VecDeque::new();
        for (step, at) in steps.into_iter().zip(100..) {
            let input = match step {
                Step::Posted(text, author) => {
                    let text = format!("text {text}");
                    under_way.push_back((text.clone(), author));
                    posts(&text, Some(author))
                }
                Step::Echo => match under_way.pop_front() {
                    Some((text, AuthorType::User)) => says(&text, at),
                    Some((_, AuthorType::Bot)) => message("bot", true, at),
                    None => continue,
                },
                Step::Queued => queued(at),
                Step::Joined => joined("ada", at),
                Step::Left => left("ada", at),
                Step::Active => active(at),
            };
            // Only as many as are remembered can be known again.
            if under_way.len() > 30 {
                under_way.clear();
                continue;
            }
            if walk.state().is_live() {
                walk.apply(input).unwrap();
            }
        }
        prop_assert!(!walk.told().contains(&"message.created"), "{:?}", walk.told());
    }
}
