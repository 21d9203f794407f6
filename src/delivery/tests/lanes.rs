//! Logged events: order, retries, giving up, and what the bot is sent.

use std::collections::HashSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::fake_bot::FakeBot;
use super::fake_bot::How;
use super::rig::Rig;
use super::rig::SECRET;
use super::rig::delivery;
use crate::clock::Clock;
use crate::domain::EventType;
use crate::store::Verdict;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_callback_carries_the_headers_of_the_contract_and_a_signature_others_accept() {
    let mut rig = Rig::with_clock(Clock::system()).await;
    let handover = rig.handover("support");
    rig.log(&handover, EventType::AgentJoined, 7);
    rig.settle().await;
    let received = rig.bot.received().pop().unwrap();
    let header = |name: &str| received.headers[name].to_str().unwrap().to_owned();
    standardwebhooks::Webhook::new(SECRET)
        .unwrap()
        .verify(&received.raw, &received.headers)
        .unwrap();
    assert_eq!(header("webhook-id"), received.json["id"].as_str().unwrap());
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(
        header("user-agent"),
        concat!("handover-gateway/", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(header("handover-id"), handover.handover.as_str());
    assert_eq!(header("handover-sequence"), "7");
    assert_eq!(header("handover-attempt"), "1");
    assert_eq!(header("authorization"), "Bearer token-1");
    assert_eq!(header("traceparent").len(), 55);
    assert!(!received.headers.contains_key("accept-encoding"));
}

#[tokio::test]
async fn a_lane_is_delivered_in_order_and_goes_on_by_itself() {
    let mut rig = Rig::new().await;
    let handover = rig.handover("support");
    for sequence in 1..=5 {
        rig.log(&handover, EventType::MessageCreated, sequence);
    }
    rig.settle().await;
    assert_eq!(rig.bot.sequences(), ["1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn what_nobody_woke_for_is_found_at_the_start_and_within_a_second() {
    let mut rig = Rig::new().await;
    let handover = rig.handover("support");
    rig.store.log(&handover, rig.event(EventType::MessageCreated, 1));
    rig.settle().await;
    rig.store.log(&handover, rig.event(EventType::MessageCreated, 2));
    rig.settle().await;
    assert_eq!(rig.bot.sequences(), ["1"]);
    rig.later(SECOND).await;
    assert_eq!(rig.bot.sequences(), ["1", "2"]);
}

#[tokio::test]
async fn a_refused_event_holds_its_own_lane_and_no_other() {
    let mut rig = Rig::new().await;
    let (one, other) = (rig.handover("support"), rig.handover("support"));
    rig.bot.answers(How::Status(500));
    rig.log(&one, EventType::MessageCreated, 1);
    rig.settle().await;
    rig.bot.answers(How::Status(200));
    rig.log(&one, EventType::MessageCreated, 2);
    rig.log(&other, EventType::MessageCreated, 9);
    rig.settle().await;
    assert_eq!(rig.bot.sequences(), ["1", "9"]);
    rig.later(SECOND).await;
    assert_eq!(rig.bot.sequences(), ["1", "9", "1", "2"]);
    assert_eq!(rig.bot.received()[2].headers["handover-attempt"], "2");
    assert_eq!(
        rig.bot.received()[0].headers["webhook-id"],
        rig.bot.received()[2].headers["webhook-id"]
    );
}

#[tokio::test]
async fn a_bot_that_asks_for_time_gets_it() {
    let mut rig = Rig::new().await;
    let handover = rig.handover("support");
    rig.bot.answers(How::RetryAfter(429, "60"));
    rig.log(&handover, EventType::MessageCreated, 1);
    rig.settle().await;
    rig.later(Duration::from_secs(59)).await;
    assert_eq!(rig.bot.sequences().len(), 1);
    rig.later(SECOND).await;
    assert_eq!(rig.bot.sequences().len(), 2);
}

#[tokio::test]
async fn after_five_minutes_talk_is_given_up_and_lifecycle_is_retried_beside_the_lane() {
    let mut rig = Rig::new().await;
    let handover = rig.handover("support");
    rig.bot.answers(How::Status(500));
    rig.log(&handover, EventType::MessageCreated, 1);
    rig.log(&handover, EventType::HandoverEnded, 2);
    rig.log(&handover, EventType::MessageCreated, 3);
    for _ in 0..620 {
        rig.later(SECOND).await;
    }
    rig.bot.answers(How::Status(200));
    for _ in 0..40 {
        rig.later(SECOND).await;
    }
    let verdicts: Vec<_> = rig
        .store
        .state()
        .settled
        .iter()
        .map(|s| (s.sequence, s.verdict.clone()))
        .collect();
    assert!(
        verdicts
            .iter()
            .any(|(sequence, verdict)| *sequence == 1 && matches!(verdict, Verdict::Failed { .. }))
    );
    assert!(
        verdicts
            .iter()
            .any(|(sequence, verdict)| *sequence == 2 && matches!(verdict, Verdict::Aside { .. }))
    );
    let accepted: HashSet<u64> = verdicts
        .iter()
        .filter(|(_, verdict)| *verdict == Verdict::Done)
        .map(|(sequence, _)| *sequence)
        .collect();
    assert_eq!(accepted, HashSet::from([2, 3]));
    let last_of_two = rig
        .bot
        .received()
        .into_iter()
        .rfind(|received| received.json["data"]["sequence"] == 2);
    assert_eq!(last_of_two.unwrap().json["data"]["late"], true);
}

#[tokio::test]
async fn a_bot_that_answers_gone_hears_no_more_of_the_handover() {
    let mut rig = Rig::new().await;
    let handover = rig.handover("support");
    rig.bot.answers(How::Status(410));
    rig.log(&handover, EventType::MessageCreated, 1);
    rig.settle().await;
    rig.log(&handover, EventType::MessageCreated, 2);
    rig.ephemerals
        .offer(handover.clone(), rig.event(EventType::AgentTyping, 2), None);
    rig.later(Duration::from_mins(10)).await;
    assert_eq!(rig.bot.sequences(), ["1"]);
}

#[tokio::test]
async fn redirects_are_not_followed_and_endless_answers_are_judged_by_their_status() {
    let mut rig = Rig::new().await;
    let handover = rig.handover("support");
    rig.bot.answers(How::RedirectTo("/elsewhere"));
    rig.log(&handover, EventType::MessageCreated, 1);
    rig.settle().await;
    assert_eq!(rig.store.state().settled[0].attempt.as_ref().unwrap().status, Some(302));
    assert!(matches!(rig.store.state().settled[0].verdict, Verdict::Again { .. }));
    rig.bot.answers(How::Endless);
    rig.later(SECOND).await;
    assert_eq!(rig.store.state().settled[1].verdict, Verdict::Done);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_cut_off_and_an_address_that_is_not_allowed_is_not_called() {
    let mut rig = Rig::new().await;
    let handover = rig.handover("support");
    rig.bot.answers(How::Hang);
    rig.log(&handover, EventType::MessageCreated, 1);
    let (clock, bot) = (rig.clock.clone(), rig.bot.clone());
    tokio::join!(rig.settle(), async {
        while bot.received().is_empty() {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(5));
    });
    assert_eq!(
        rig.store.state().settled[0].attempt.as_ref().unwrap().error,
        Some("timeout")
    );
    let mut strict = delivery("support", &rig.bot);
    strict.policy.allow_networks.clear();
    rig.roster.replace(vec![strict]).unwrap();
    rig.later(SECOND).await;
    assert_eq!(
        rig.store.state().settled[1].attempt.as_ref().unwrap().error,
        Some("refused-address")
    );
    assert_eq!(rig.bot.received().len(), 1);
}

#[tokio::test]
async fn events_a_bot_did_not_ask_for_are_passed_over() {
    let mut rig = Rig::new().await;
    let mut picky = delivery("support", &rig.bot);
    picky.events = Some(HashSet::from([EventType::HandoverEnded]));
    rig.roster.replace(vec![picky]).unwrap();
    let handover = rig.handover("support");
    rig.log(&handover, EventType::MessageCreated, 1);
    rig.log(&handover, EventType::HandoverEnded, 2);
    rig.settle().await;
    assert_eq!(rig.bot.sequences(), ["2"]);
    assert_eq!(rig.store.state().settled[0].attempt, None);
}

#[tokio::test]
async fn the_events_of_a_bot_without_configuration_wait_for_it() {
    let mut rig = Rig::new().await;
    let handover = rig.handover("other");
    rig.log(&handover, EventType::MessageCreated, 1);
    rig.settle().await;
    assert!(rig.store.state().settled.is_empty());
    rig.roster.replace(vec![delivery("other", &rig.bot)]).unwrap();
    rig.later(SECOND).await;
    assert_eq!(rig.bot.sequences(), ["1"]);
}

#[tokio::test]
async fn a_store_that_fails_loses_nothing() {
    let mut rig = Rig::new().await;
    let handover = rig.handover("support");
    rig.log(&handover, EventType::MessageCreated, 1);
    rig.log(&handover, EventType::MessageCreated, 2);
    rig.store.state().outage = 1;
    assert!(rig.dispatcher.step().await.is_err(), "the claim");
    assert!(rig.dispatcher.step().await.is_ok());
    rig.store.state().outage = 2;
    let mut failures = 0;
    while !rig.store.state().lanes[&handover.handover].entries.is_empty() {
        failures += usize::from(rig.dispatcher.step().await.is_err());
    }
    assert_eq!(failures, 2);
    assert_eq!(rig.bot.sequences(), ["1", "2"]);
}

#[tokio::test]
async fn a_dispatcher_that_is_stopped_settles_what_it_has_in_hand() {
    let rig = Rig::with_clock(Clock::system()).await;
    let handover = rig.handover("support");
    rig.bot.answers(How::Hold);
    for sequence in 1..=3 {
        rig.log(&handover, EventType::MessageCreated, sequence);
    }
    let stop = CancellationToken::new();
    let bot: FakeBot = rig.bot.clone();
    tokio::join!(rig.dispatcher.run(stop.clone()), async {
        while bot.received().is_empty() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        bot.answers(How::Status(200));
    });
    let state = rig.store.state();
    assert_eq!(bot.sequences(), ["1"]);
    assert_eq!(state.settled.len(), 1);
    assert!(
        state.lanes[&handover.handover]
            .entries
            .iter()
            .all(|entry| entry.held.is_none())
    );
}

#[tokio::test]
async fn an_attempt_says_in_a_word_why_no_answer_came() {
    let mut rig = Rig::new().await;
    let port = rig.bot.address.port();
    for (url, allow, word) in [
        (format!("http://localhost:{port}/"), "10.0.0.0/8", "refused-address"),
        ("http://127.0.0.1:1/".to_owned(), "127.0.0.0/8", "connect"),
        (format!("https://127.0.0.1:{port}/"), "127.0.0.0/8", "tls"),
        (format!("http://u:p@127.0.0.1:{port}/"), "127.0.0.0/8", "bad-url"),
    ] {
        let mut other = delivery("support", &rig.bot);
        other.callback_url = Some(url.parse().unwrap());
        other.policy.allow_networks = vec![allow.parse().unwrap()];
        rig.roster.replace(vec![other]).unwrap();
        let handover = rig.handover("support");
        rig.log(&handover, EventType::MessageCreated, 1);
        rig.settle().await;
        let last = rig.store.state().settled.pop().unwrap();
        assert_eq!(last.attempt.unwrap().error, Some(word), "{url}");
    }
    assert!(rig.bot.received().is_empty());
}
