//! What 8x8 shows against what a handover knows: joins before words, leaves after them, ends last.

use std::sync::Arc;
use std::time::Duration;

use crate::chat_gateway::AssignmentView;
use crate::chat_gateway::ParticipantView;
use crate::chat_gateway::SaidView;
use crate::domain::AccountId;
use crate::domain::AgentRef;
use crate::domain::BotName;
use crate::domain::ConversationId;
use crate::domain::Facts;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::domain::Origin;
use crate::domain::Source;
use crate::domain::State;
use crate::domain::TenantName;
use crate::domain::Timers;
use crate::domain::Timestamp;
use crate::domain::User;
use crate::domain::WebhookEvent;
use crate::domain::WebhookKind;
use crate::domain::transition;
use crate::domain::transition::Input;
use crate::handovers::compare;
use crate::handovers::compare::There;

const START: Timestamp = Timestamp::from_millis(1_763_640_000_000);

fn at(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn facts(origin: Origin) -> Facts {
    Facts {
        id: HandoverId::generate(START),
        tenant: TenantName::new("acme"),
        account: AccountId::new("acme01"),
        bot: BotName::new("support"),
        origin,
        channel_id: "channel".to_owned(),
        queue_id: Some("101".to_owned()),
        bot_session_id: None,
        one_per_session: false,
        metadata: None,
        callback_url: None,
        reopened_from: None,
        arrival: None,
        timers: Timers {
            queue: None,
            idle: None,
            max_age: Duration::from_hours(24),
            transfer_grace: Duration::from_secs(10),
        },
        created_at: START,
        recovered_at: None,
    }
}

fn conversation() -> ConversationId {
    ConversationId::parse("c-1").unwrap()
}

fn queued() -> Handover {
    let handover = Handover::creating(facts(Origin::Bot), User::default());
    change(&handover, Input::Created(conversation()), START)
}

fn change(handover: &Handover, input: Input, now: Timestamp) -> Handover {
    transition::next(handover, input, now).unwrap().next
}

fn said(agent: &str, text: &str, seconds: u64) -> (Timestamp, SaidView) {
    let said = SaidView {
        id: Some(text.to_owned()),
        author_type: "agent".to_owned(),
        author_id: Some(agent.to_owned()),
        text: text.to_owned(),
        created_at: Some(at(seconds)),
        attachments: Vec::new(),
        cards: Vec::new(),
    };
    (at(seconds), said)
}

fn there(state: &str, assigned: Option<(&str, &str)>, agents: &[(&str, bool)]) -> There {
    let agent = |(id, removed): &(&str, bool)| ParticipantView {
        id: (*id).to_owned(),
        kind: "agent".to_owned(),
        removed: *removed,
    };
    There {
        is_over: state == "idle",
        assigned: assigned.map(|(kind, id)| AssignmentView {
            kind: kind.to_owned(),
            id: Some(id.to_owned()),
        }),
        participants: agents.iter().map(agent).collect(),
        asked_at: at(100),
    }
}

/// What is told, in order; applying it leads to the state, and a second look finds nothing.
fn told(
    handover: &Handover,
    there: &There,
    said: Vec<(Timestamp, SaidView)>,
    queue: Option<&str>,
) -> (Vec<String>, State) {
    let missed = compare::missed(handover, there, said, queue);
    let words = missed.iter().map(|missed| word(&missed.kind)).collect();
    let mut now = handover.clone();
    for missed in missed {
        let (event, at) = missed.event(handover).unwrap();
        now = change(&now, Input::Backfilled { event, at }, there.asked_at);
    }
    let known = now.progress.queue.as_ref().map(|queue| queue.id.clone());
    if now.state().is_live() {
        let again = compare::missed(&now, there, Vec::new(), known.as_deref());
        assert_eq!(again, [], "once");
    }
    (words, now.state())
}

fn word(kind: &WebhookKind) -> String {
    match kind {
        WebhookKind::AgentJoined(agent) => format!("{} joins", agent.id),
        WebhookKind::AgentLeft(agent) => format!("{} leaves", agent.id),
        WebhookKind::Message(said) => said.text.clone(),
        WebhookKind::Queued(queue) => format!("in {}", queue.id),
        WebhookKind::Transfer => "transfer".to_owned(),
        WebhookKind::ConversationUpdate(_) => "idle".to_owned(),
        WebhookKind::UserLeft => "user leaves".to_owned(),
        WebhookKind::UserJoined
        | WebhookKind::Typing { .. }
        | WebhookKind::OwnTyping
        | WebhookKind::Action { .. }
        | WebhookKind::Unrecognized { .. } => panic!("{kind:?}"),
    }
}

#[test]
fn a_whole_episode_is_told_in_an_order_in_which_it_can_have_happened() {
    let words = vec![said("ada", "Hello", 10), said("ada", "Bye", 20)];
    let found = told(&queued(), &there("idle", None, &[("ada", true)]), words, None);
    let expected = ["ada joins", "Hello", "Bye", "ada leaves", "idle"];
    assert_eq!(found, (expected.map(str::to_owned).to_vec(), State::Ended));
}

#[test]
fn a_transfer_shows_by_who_left_and_who_came() {
    let active = change(&queued(), joins("ada"), at(1));
    let words = vec![said("ada", "One moment", 10), said("bob", "Hello", 20)];
    let shown = there("active", Some(("agent", "bob")), &[("ada", true), ("bob", false)]);
    let found = told(&active, &shown, words, None);
    let expected = ["One moment", "ada leaves", "transfer", "bob joins", "Hello"];
    assert_eq!(found, (expected.map(str::to_owned).to_vec(), State::Active));
    let waits = there("active", Some(("queue", "102")), &[("ada", true)]);
    let found = told(&active, &waits, Vec::new(), None);
    let expected = ["ada leaves", "transfer", "in 102"];
    assert_eq!(found, (expected.map(str::to_owned).to_vec(), State::Transferring));
}

#[test]
fn an_agent_who_comes_beside_another_is_no_transfer() {
    let active = change(&queued(), joins("ada"), at(1));
    let shown = there("active", Some(("agent", "bob")), &[("ada", false), ("bob", false)]);
    let found = told(&active, &shown, vec![said("bob", "Me too", 20)], None);
    assert_eq!(
        found,
        (["bob joins", "Me too"].map(str::to_owned).to_vec(), State::Active)
    );
}

#[test]
fn a_conversation_in_step_has_missed_nothing() {
    let waits = there("active", Some(("queue", "101")), &[]);
    assert_eq!(told(&queued(), &waits, Vec::new(), Some("101")).0, [""; 0]);
    let active = change(&queued(), joins("ada"), at(1));
    for shown in [
        there("active", Some(("agent", "ada")), &[("ada", false)]),
        there("active", Some(("agent", "ada")), &[]),
        there("active", None, &[]),
    ] {
        assert_eq!(told(&active, &shown, Vec::new(), None).0, [""; 0]);
    }
}

#[test]
fn an_assignment_that_stands_after_the_agent_left_brings_nobody_back() {
    let left = change(&change(&queued(), joins("ada"), at(1)), leaves("ada"), at(2));
    let shown = there("active", Some(("agent", "ada")), &[("ada", true)]);
    assert_eq!(told(&left, &shown, Vec::new(), None), (Vec::new(), State::Transferring));
    let back = there("active", Some(("agent", "ada")), &[("ada", false)]);
    assert_eq!(
        told(&left, &back, Vec::new(), None),
        (vec!["ada joins".to_owned()], State::Active)
    );
}

#[test]
fn whoever_was_there_before_a_reopening_has_not_come_again() {
    let mut again = queued();
    let facts = Facts {
        reopened_from: Some(HandoverId::generate(START)),
        ..(*again.facts).clone()
    };
    again.facts = Arc::new(facts);
    let before = there("active", Some(("queue", "101")), &[("ada", true)]);
    assert_eq!(told(&again, &before, Vec::new(), Some("101")).0, [""; 0]);
    let writes = told(&again, &before, vec![said("ada", "Back again", 50)], Some("101"));
    assert_eq!(writes.0[..2], ["ada joins", "Back again"]);
}

#[test]
fn a_customer_who_left_their_channel_is_said_to_have_left() {
    let led = Handover::led_by_bot(facts(Origin::Channel), User::default(), conversation());
    let mut shown = there("idle", None, &[]);
    shown.participants.push(ParticipantView {
        id: "user".to_owned(),
        kind: "user".to_owned(),
        removed: true,
    });
    assert_eq!(
        told(&led, &shown, Vec::new(), None),
        (vec!["user leaves".to_owned()], State::Ended)
    );
}

fn joins(agent: &str) -> Input {
    read(WebhookKind::AgentJoined(person(agent)), at(1))
}

fn leaves(agent: &str) -> Input {
    read(WebhookKind::AgentLeft(person(agent)), at(2))
}

fn person(id: &str) -> AgentRef {
    AgentRef {
        id: id.to_owned(),
        name: None,
    }
}

fn read(kind: WebhookKind, when: Timestamp) -> Input {
    let event = WebhookEvent {
        conversation: conversation(),
        source: Source {
            event_type: "MEMBERS_CHANGED".to_owned(),
            event_id: "e".to_owned(),
            timestamp: Some(when.as_millis()),
        },
        kind,
    };
    Input::Webhook(event)
}
