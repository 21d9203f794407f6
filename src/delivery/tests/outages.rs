//! Bots that are away for long, events that cannot be sent or read, and what becomes of the clocks meanwhile.

use std::collections::HashMap;
use std::time::Duration;

use super::fake_bot::How;
use super::rig::Rig;
use super::rig::delivery;
use crate::delivery::CallbackFormat;
use crate::delivery::Progress;
use crate::domain::EventContext;
use crate::domain::EventType;
use crate::domain::RawJson;
use crate::domain::WebhookHeaders;
use crate::store::KeptWebhook;
use crate::store::Verdict;

const SECOND: Duration = Duration::from_secs(1);

/// So many handovers with an event each.
fn with_events(rig: &Rig, handovers: usize) -> Vec<EventContext> {
    let all: Vec<_> = (0..handovers).map(|_| rig.handover("support")).collect();
    for handover in &all {
        rig.log(handover, EventType::MessageCreated, 1);
    }
    all
}

async fn seconds_pass(rig: &mut Rig, seconds: usize) {
    for _ in 0..seconds {
        rig.later(SECOND).await;
    }
}

fn given_up(rig: &Rig) -> usize {
    let state = rig.store.state();
    let left = |verdict: &Verdict| matches!(verdict, Verdict::Failed { .. } | Verdict::Aside { .. });
    state.settled.iter().filter(|settled| left(&settled.verdict)).count()
}

/// For each handover, the sequences of what the bot accepted, in its order.
fn accepted(rig: &Rig) -> HashMap<String, Vec<u64>> {
    let mut all: HashMap<String, Vec<u64>> = HashMap::new();
    for settled in &rig.store.state().settled {
        if settled.verdict == Verdict::Done {
            let sequences = all.entry(settled.handover.as_str().to_owned()).or_default();
            sequences.push(settled.sequence);
        }
    }
    all
}

#[tokio::test]
async fn a_bot_that_refuses_for_ten_minutes_loses_nothing_is_hardly_called_and_gets_all_in_order() {
    for how in [How::Status(500), How::Status(503), How::RetryAfter(429, "30")] {
        let mut rig = Rig::new().await;
        rig.bot.answers(how);
        let handovers = with_events(&rig, 12);
        rig.settle().await;
        seconds_pass(&mut rig, 20).await;
        let before = rig.bot.received().len();
        for minute in 0..10 {
            for handover in &handovers {
                rig.log(handover, EventType::MessageCreated, 2 + minute);
            }
            seconds_pass(&mut rig, 60).await;
        }
        let during = rig.bot.received().len() - before;
        assert!(during <= 12, "{during} calls in ten minutes of {how:?}");
        assert!(during >= 4, "{during} probes in ten minutes of {how:?}");
        rig.bot.answers(How::Status(204));
        seconds_pass(&mut rig, 300).await;
        assert_eq!(given_up(&rig), 0, "{how:?}");
        let all = accepted(&rig);
        assert_eq!(all.len(), 12);
        for sequences in all.values() {
            assert_eq!(*sequences, (1..=11).collect::<Vec<_>>(), "{how:?}");
        }
    }
}

#[tokio::test]
async fn a_bot_that_is_back_is_called_at_a_rate_that_grows() {
    let mut rig = Rig::new().await;
    rig.bot.answers(How::Status(503));
    with_events(&rig, 200);
    rig.settle().await;
    seconds_pass(&mut rig, 60).await;
    let before = rig.bot.received().len();
    rig.bot.answers(How::Status(204));
    let mut each = Vec::new();
    for _ in 0..180 {
        let so_far = rig.bot.received().len();
        for _ in 0..10 {
            rig.later(SECOND / 10).await;
        }
        each.push(rig.bot.received().len() - so_far);
    }
    assert_eq!(accepted(&rig).len(), 200);
    let peak = each.iter().max().unwrap();
    // Two hundred events in what counts as ten seconds: twenty a second.
    assert!((30..=40).contains(peak), "{each:?}");
    let first = each.iter().position(|calls| *calls > 0).unwrap();
    assert!(
        each[first] <= 2 && each[first + 1] <= 3 && each[first + 2] <= 6,
        "{each:?}"
    );
    assert!(rig.bot.received().len() - before <= 200 + 5, "hardly anything twice");
}

#[tokio::test]
async fn a_probe_is_one_event_and_what_was_not_tried_yet_goes_first() {
    let mut rig = Rig::new().await;
    rig.bot.answers(How::Status(503));
    with_events(&rig, 10);
    rig.settle().await;
    assert_eq!(rig.bot.received().len(), 10);
    let new = rig.handover("support");
    rig.log(&new, EventType::MessageCreated, 7);
    rig.later(SECOND * 4).await;
    assert_eq!(rig.bot.received().len(), 10, "left alone");
    rig.later(SECOND * 2).await;
    assert_eq!(rig.bot.sequences()[10..], ["7"]);
}

#[tokio::test]
async fn an_outage_goes_on_over_a_restart_and_no_clock_runs_meanwhile() {
    let mut rig = Rig::new().await;
    rig.bot.answers(How::Status(503));
    let handovers = with_events(&rig, 10);
    rig.log(&handovers[0], EventType::HandoverEnded, 2);
    rig.settle().await;
    rig.later(SECOND).await;
    let outage = rig.store.state().outages[0].clone();
    assert_eq!((outage.bot.as_str(), outage.until), ("support", None));
    let called = rig.bot.received().len();
    // The process ends, and for two days nobody starts it.
    rig.restart();
    rig.clock.advance(Duration::from_hours(48));
    rig.settle().await;
    assert_eq!(rig.bot.received().len(), called + 1, "one probe, at once");
    seconds_pass(&mut rig, 300).await;
    assert!(rig.bot.received().len() <= called + 8);
    assert_eq!(given_up(&rig), 0);
    assert_eq!(rig.store.state().outages, [outage], "the same outage");
    rig.bot.answers(How::Status(204));
    seconds_pass(&mut rig, 200).await;
    assert_eq!(given_up(&rig), 0);
    assert_eq!(accepted(&rig).values().map(Vec::len).sum::<usize>(), 11);
    let ended = rig.store.state().outages[0].until;
    assert!(ended.is_some(), "and it is over");
}

#[tokio::test]
async fn after_an_outage_the_clocks_go_on_where_they_stood() {
    let mut rig = Rig::new().await;
    rig.bot.answers(How::Status(503));
    with_events(&rig, 10);
    rig.settle().await;
    seconds_pass(&mut rig, 3600).await;
    assert_eq!(given_up(&rig), 0);
    rig.bot.answers(How::Status(204));
    let poison = rig.handover("support");
    seconds_pass(&mut rig, 200).await;
    rig.bot.answers(How::Status(400));
    rig.log(&poison, EventType::MessageCreated, 1);
    seconds_pass(&mut rig, 290).await;
    assert_eq!(given_up(&rig), 0);
    seconds_pass(&mut rig, 30).await;
    assert_eq!(given_up(&rig), 1, "one event of one handover is no outage");
}

#[tokio::test]
async fn an_event_that_cannot_be_put_into_a_request_is_a_failed_delivery_after_three_tries() {
    let mut rig = Rig::new().await;
    let mut passing = delivery("support", &rig.bot);
    passing.format = CallbackFormat::Passthrough;
    rig.roster.replace(vec![passing]).unwrap();
    let handover = rig.handover("support");
    for (sequence, id) in [(1, "lost"), (2, "kept")] {
        let mut webhook = rig.event(EventType::WebhookReceived, sequence);
        webhook.extra = RawJson::parse(&format!(r#"{{"source":{{"eventId":"{id}"}}}}"#)).unwrap();
        rig.store.log(&handover, webhook);
    }
    let kept = KeptWebhook {
        body: r#"{"data":{"sequence":2}}"#.into(),
        headers: WebhookHeaders::default(),
    };
    rig.store.state().webhooks.insert("kept".to_owned(), kept);
    rig.settle().await;
    seconds_pass(&mut rig, 3).await;
    assert_eq!(rig.bot.sequences(), ["2"]);
    let verdicts: Vec<_> = rig
        .store
        .state()
        .settled
        .iter()
        .map(|settled| settled.verdict.clone())
        .collect();
    assert_eq!(verdicts.len(), 4);
    assert_eq!(verdicts[2], Verdict::Failed { reason: "unsendable" });
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_set_aside_and_holds_up_nobody() {
    let mut rig = Rig::new().await;
    let (bad, good) = (rig.handover("support"), rig.handover("support"));
    rig.store.state().unreadable.insert(3);
    for sequence in 2..=4 {
        rig.log(&bad, EventType::MessageCreated, sequence);
    }
    rig.log(&good, EventType::MessageCreated, 10);
    rig.settle().await;
    assert_eq!(rig.bot.sequences().len(), 2);
    seconds_pass(&mut rig, 4).await;
    let mut came = rig.bot.sequences();
    came.sort();
    assert_eq!(came, ["10", "2", "4"]);
    assert_eq!(rig.store.state().given_up, [3]);
}

#[tokio::test]
async fn a_webhook_that_cannot_be_read_now_is_not_given_up_for_it() {
    let mut rig = Rig::new().await;
    let mut passing = delivery("support", &rig.bot);
    passing.format = CallbackFormat::Passthrough;
    rig.roster.replace(vec![passing]).unwrap();
    let handover = rig.handover("support");
    let mut webhook = rig.event(EventType::WebhookReceived, 1);
    webhook.extra = RawJson::parse(r#"{"source":{"eventId":"e-1"}}"#).unwrap();
    rig.store.state().reads_fail = true;
    rig.store.log(&handover, webhook);
    rig.settle().await;
    seconds_pass(&mut rig, 60).await;
    assert!(rig.store.state().settled.len() > 3);
    assert_eq!(given_up(&rig), 0);
}

#[tokio::test]
async fn an_outage_that_cannot_be_written_down_is_written_down_later() {
    let mut rig = Rig::new().await;
    rig.bot.answers(How::Status(503));
    with_events(&rig, 10);
    rig.store.state().outages_fail = true;
    while rig.dispatcher.step().await.is_ok() {}
    assert_eq!(rig.bot.received().len(), 10);
    for _ in 0..5 {
        assert!(rig.dispatcher.step().await.is_err());
    }
    assert!(rig.store.state().outages.is_empty());
    rig.store.state().outages_fail = false;
    while rig.dispatcher.step().await.unwrap() == Progress::Worked {}
    assert_eq!(rig.store.state().outages.len(), 1);
}

#[tokio::test]
async fn typing_is_not_sent_to_a_bot_that_is_away_and_is_no_reason_to_leave_it_alone() {
    let mut rig = Rig::new().await;
    rig.bot.answers(How::Status(404));
    let handovers: Vec<_> = (0..30).map(|_| rig.handover("support")).collect();
    rig.settle().await;
    for handover in &handovers {
        let typing = rig.event(EventType::AgentTyping, 0);
        rig.ephemerals.offer(handover.clone(), typing, None);
    }
    rig.settle().await;
    assert_eq!(rig.bot.received().len(), 30);
    assert!(rig.store.state().outages.is_empty(), "it does not care for typing");
    rig.bot.answers(How::Status(503));
    with_events(&rig, 10);
    rig.settle().await;
    assert_eq!(rig.store.state().outages.len(), 1);
    let typing = rig.event(EventType::AgentTyping, 0);
    rig.ephemerals.offer(handovers[0].clone(), typing, None);
    rig.settle().await;
    assert_eq!(rig.bot.received().len(), 40);
}

#[tokio::test]
async fn handovers_that_were_stopped_are_no_outage() {
    let mut rig = Rig::new().await;
    rig.bot.answers(How::Status(410));
    with_events(&rig, 40);
    rig.settle().await;
    assert_eq!(rig.bot.received().len(), 40);
    assert!(rig.store.state().outages.is_empty());
}
