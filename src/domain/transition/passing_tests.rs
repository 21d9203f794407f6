//! What is logged for a bot that gets 8x8's webhooks as they came.

use crate::domain::transition::tests::Walk;
use crate::domain::transition::tests::joined;
use crate::domain::transition::tests::message;
use crate::domain::transition::tests::webhook;
use crate::domain::transition::*;
use crate::domain::*;

fn passed(input: Input) -> Input {
    match input {
        Input::Webhook(event) => Input::Passed(event),
        other => panic!("a webhook is passed, not {other:?}"),
    }
}

#[test]
fn a_webhook_is_logged_before_what_it_means_and_does_the_same() {
    let plain = Walk::to(State::Queued).and(joined("ada", 5));
    let walk = Walk::to(State::Queued).and(passed(joined("ada", 5)));
    assert_eq!(walk.told(), ["handover.accepted", "webhook.received", "agent.joined"]);
    assert_eq!(walk.state(), plain.state());
    assert!(walk.events[1].extra.as_str().contains("\"eventId\":\"e\""));
}

#[test]
fn a_webhook_that_means_nothing_is_logged_too_also_after_the_end() {
    let walk = Walk::to(State::Active).and(passed(message("user", true, 5)));
    assert_eq!(walk.told().last(), Some(&"webhook.received"));
    let walk = Walk::to(State::Active).and(passed(joined("ada", 1)));
    assert_eq!(walk.told().last(), Some(&"webhook.received"), "a repeated join");
    let over = Walk::to(State::Ended).and(passed(webhook(WebhookKind::UserLeft, 9)));
    assert_eq!(over.told().last(), Some(&"webhook.received"));
    assert!(over.events.last().unwrap().late);
}

#[test]
fn typing_is_told_and_not_logged() {
    let before = Walk::to(State::Active);
    let logged = before.told().len();
    let walk = before.and(passed(webhook(WebhookKind::OwnTyping, 5)));
    assert_eq!(walk.told().len(), logged);
    let kinds: Vec<_> = walk.ephemeral.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventType::WebhookTyping]);
}
