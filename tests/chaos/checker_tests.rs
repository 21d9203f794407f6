//! The checker is shown ledgers with one fault each and has to find it.

use crate::checker::check;
use crate::ledger::Call;
use crate::ledger::Callback;
use crate::ledger::Fate;
use crate::ledger::Intent;
use crate::ledger::Ledgers;
use crate::ledger::Outcome;
use crate::ledger::Stored;
use crate::ledger::StoredEvent;
use crate::ledger::StoredHandover;
use crate::ledger::StoredMessage;
use crate::ledger::Webhook;

/// One handover: three things said by the agent, two by the bot.
fn right() -> Ledgers {
    Ledgers {
        webhooks: [1, 2, 3].map(webhook).to_vec(),
        calls: vec![
            call("create", "name 1"),
            call("message", "word 2"),
            call("message", "word 3"),
        ],
        callbacks: [1, 2, 2, 3].map(callback).to_vec(),
        intents: vec![
            intent(1, "create", "name 1", "created"),
            intent(2, "message", "word 2", "accepted"),
            intent(3, "message", "word 3", "queued"),
        ],
        store: Stored {
            handovers: vec![StoredHandover {
                id: "ho_1".to_owned(),
                bot: "support".to_owned(),
                state: "ended".to_owned(),
                conversation: "c1".to_owned(),
            }],
            events: [1, 2, 3].map(event).to_vec(),
            messages: vec![StoredMessage {
                handover: "ho_1".to_owned(),
                text: "word 2".to_owned(),
                status: "accepted".to_owned(),
            }],
            placed: [1, 2, 3].map(|n| format!("w{n}")).to_vec(),
            ..Stored::default()
        },
        held: Vec::new(),
    }
}

fn said(n: u64) -> String {
    format!("word there {n}")
}

fn webhook(n: u64) -> Webhook {
    Webhook {
        id: format!("w{n}"),
        kind: "MESSAGE".to_owned(),
        conversation: "c1".to_owned(),
        text: Some(said(n)),
        acked: true,
        attempts: 1,
        refused: 0,
    }
}

fn event(n: u64) -> StoredEvent {
    StoredEvent {
        id: format!("evt_{n}"),
        handover: "ho_1".to_owned(),
        sequence: n,
        kind: "message.created".to_owned(),
        source: Some(format!("w{n}")),
        text: Some(said(n)),
        fate: Fate::Done,
    }
}

fn callback(n: u64) -> Callback {
    Callback {
        bot: "support".to_owned(),
        id: format!("evt_{n}"),
        handover: "ho_1".to_owned(),
        conversation: "c1".to_owned(),
        sequence: n,
        source: Some(format!("w{n}")),
        text: Some(said(n)),
        hash: n,
        answered: Some(204),
        ..Callback::default()
    }
}

fn call(operation: &str, text: &str) -> Call {
    Call {
        operation: operation.to_owned(),
        conversation: "c1".to_owned(),
        text: text.to_owned(),
        taken: true,
    }
}

fn intent(number: u64, kind: &'static str, text: &str, said: &str) -> Intent {
    Intent {
        number,
        kind,
        bot: "support".to_owned(),
        handover: "ho_1".to_owned(),
        text: text.to_owned(),
        attempts: 1,
        outcome: Outcome::Done(said.to_owned()),
    }
}

/// What the checker says about ledgers with a fault.
fn found(spoil: impl FnOnce(&mut Ledgers)) -> Vec<String> {
    let mut ledgers = right();
    spoil(&mut ledgers);
    check(&ledgers).findings
}

#[track_caller]
fn only(findings: &[String], invariant: &str) {
    assert!(!findings.is_empty(), "nothing was found");
    assert!(
        findings.iter().all(|finding| finding.starts_with(invariant)),
        "{findings:?}"
    );
}

#[test]
fn right_ledgers_are_found_right_and_a_repeat_is_counted() {
    let verdict = check(&right());
    assert!(verdict.findings.is_empty(), "{:?}", verdict.findings);
    let counts = &verdict.counts;
    assert_eq!((counts.acked, counts.delivered, counts.repeats), (3, 3, 1));
    assert_eq!((counts.lost, counts.doubled, counts.posts), (0, 0, 3));
}

#[test]
fn a_lost_event_is_found() {
    only(
        &found(|all| all.callbacks.retain(|one| one.sequence != 3)),
        "I1 done and no bot took it",
    );
    only(
        &found(|all| all.callbacks[3].answered = Some(500)),
        "I1 done and no bot took it",
    );
    only(
        &found(|all| all.store.placed.truncate(2)),
        "I1 acknowledged and not kept",
    );
    only(
        &found(|all| {
            all.store.events.truncate(2);
            all.callbacks.truncate(3);
        }),
        "I1 words that became no event",
    );
    only(
        &found(|all| {
            all.store.events[2].fate = Fate::Pending;
            all.callbacks.truncate(3);
        }),
        "I1 still pending",
    );
}

#[test]
fn an_event_that_is_listed_as_failed_is_not_lost() {
    let findings = found(|all| {
        all.store.events[1].fate = Fate::Listed;
        all.callbacks.retain(|one| one.sequence != 2);
    });
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn an_event_out_of_order_or_left_out_is_found() {
    only(&found(|all| all.callbacks.swap(0, 3)), "I2 ");
    only(&found(|all| all.callbacks[2].hash = 9), "I2 another body");
    only(&found(|all| all.calls.swap(1, 2)), "I2 posted to 8x8");
}

#[test]
fn an_event_8x8_did_not_sign_is_found() {
    only(
        &found(|all| all.callbacks[0].source = Some("forged".to_owned())),
        "I3 delivered, and",
    );
    only(
        &found(|all| all.callbacks[0].text = Some("other words".to_owned())),
        "I3 delivered otherwise",
    );
}

/// The last words are told as read from 8x8.
fn read_from_8x8(all: &mut Ledgers) {
    all.callbacks[3].read = true;
    all.callbacks[3].source = Some("m3".to_owned());
    all.store.events[2].source = Some("m3".to_owned());
}

#[test]
fn what_was_read_from_8x8_must_have_been_said_there_and_is_told_once() {
    assert!(found(read_from_8x8).is_empty());
    let never = |all: &mut Ledgers| {
        read_from_8x8(all);
        all.callbacks[3].text = Some("other words".to_owned());
    };
    only(&found(never), "I3 read from 8x8");
    let elsewhere = |all: &mut Ledgers| {
        read_from_8x8(all);
        all.webhooks[2].conversation = "c2".to_owned();
    };
    only(&found(elsewhere), "I3 read from 8x8");
    let twice = |all: &mut Ledgers| {
        let mut again = (all.store.events[2].clone(), all.callbacks[3].clone());
        (again.0.id, again.0.sequence) = ("evt_4".to_owned(), 4);
        (again.1.id, again.1.sequence, again.1.read) = ("evt_4".to_owned(), 4, true);
        all.store.events.push(again.0);
        all.callbacks.push(again.1);
    };
    only(&found(twice), "I5 told as two events");
}

#[test]
fn words_that_were_erased_since_are_not_lost() {
    assert!(found(|all| all.store.events.iter_mut().for_each(|event| event.text = None)).is_empty());
}

#[test]
fn a_foreign_event_is_found() {
    only(
        &found(|all| all.callbacks[0].bot = "sales".to_owned()),
        "I4 sales was told",
    );
    only(
        &found(|all| all.intents[1].bot = "sales".to_owned()),
        "I4 sales was given",
    );
}

#[test]
fn a_doubled_post_is_found() {
    let again = |all: &mut Ledgers, n: usize| all.calls.push(all.calls[n].clone());
    only(&found(|all| again(all, 0)), "I5 at 8x8 2 times");
    only(&found(|all| again(all, 2)), "I5 at 8x8 2 times");
    // What the gateway says by itself.
    assert!(found(|all| all.calls.extend([call("message", "wait"), call("message", "wait")])).is_empty());
    assert!(
        found(|all| {
            again(all, 2);
            all.calls[3].taken = false;
        })
        .is_empty()
    );
}

#[test]
fn an_answer_that_was_not_true_is_found() {
    only(&found(|all| all.calls[1].taken = false), "I5 ");
    only(&found(|all| all.calls[0].taken = false), "I5 a create was answered");
    only(
        &found(|all| all.intents[2].outcome = Outcome::Refused("x".to_owned())),
        "I5 a message was refused",
    );
    only(
        &found(|all| all.store.messages[0].status = "failed".to_owned()),
        "I5 failed and yet",
    );
    only(
        &found(|all| all.store.messages[0].status = "queued".to_owned()),
        "I5 neither",
    );
}

#[test]
fn what_is_stuck_is_found() {
    only(
        &found(|all| all.store.handovers[0].state = "queued".to_owned()),
        "stuck: ho_1",
    );
    only(&found(|all| all.held.push("c1".to_owned())), "stuck: c1");
    only(&found(|all| all.store.open_calls = 1), "stuck: 1 calls");
    only(&found(|all| all.webhooks[2].acked = false), "stuck: 8x8 could not");
}
