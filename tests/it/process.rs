//! The whole program under load, and killed in the middle of it. One at a time: the name of this module puts its tests
//! into a group of their own.

use std::collections::HashMap;
use std::time::Duration;
use std::time::Instant;

use http::Method;
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::Value;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::bot::Callback;
use crate::support::client::Client;
use crate::support::client::http_client;
use crate::support::reply::Reply;
use crate::support::wait::within;
use crate::support::world::World;
use crate::support::world::show;

/// Long enough for a backlog to be worked off on a busy machine.
const DRAIN: Duration = Duration::from_mins(2);

#[expect(
    clippy::disallowed_methods,
    reason = "a test's own switch, not a setting of the gateway"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn is_long() -> bool {
    variable("HANDOVER_TEST_LONG").is_some_and(|value| value != "0")
}

/// A random one, or the one of an earlier run.
fn seed() -> u64 {
    let seed = variable("HANDOVER_TEST_SEED").map_or_else(rand::random, |text| text.parse().unwrap());
    show(&format!("HANDOVER_TEST_SEED={seed} repeats this run"));
    seed
}

/// Handovers and their conversations, opened several at a time.
async fn open_many(world: &World, count: usize) -> Vec<(String, String)> {
    let mut opened = Vec::new();
    while opened.len() < count {
        let some = (opened.len()..count).take(16).map(|_| world.api.open(json!({})));
        opened.extend(futures_util::future::join_all(some).await);
    }
    opened
}

fn conversations(handovers: &[(String, String)]) -> Vec<&String> {
    handovers.iter().map(|(_, conversation)| conversation).collect()
}

/// All callbacks so far by handover, in the order in which they came.
fn by_handover(world: &World) -> HashMap<String, Vec<Callback>> {
    let mut all: HashMap<String, Vec<Callback>> = HashMap::new();
    for callback in world.bots.callbacks() {
        all.entry(callback.handover().to_owned()).or_default().push(callback);
    }
    all
}

fn texts(events: &[&Callback]) -> Vec<String> {
    events
        .iter()
        .filter(|event| event.kind() == "message.created")
        .map(|event| event.text().to_owned())
        .collect()
}

/// Each event as it came first; fails when a repeat is anything but the same event again, or first deliveries are not in
/// the order of their numbers.
fn firsts(callbacks: &[Callback]) -> Vec<&Callback> {
    let mut seen: HashMap<&str, &Callback> = HashMap::new();
    let mut firsts = Vec::new();
    for callback in callbacks.iter().filter(|callback| !callback.is_ephemeral()) {
        match seen.get(callback.id()) {
            None => {
                seen.insert(callback.id(), callback);
                firsts.push(callback);
            }
            Some(first) => assert_eq!(first.raw, callback.raw, "a repeat is the same event"),
        }
    }
    let numbers: Vec<_> = firsts.iter().map(|callback| callback.sequence()).collect();
    let expected: Vec<_> = (1..=u64::try_from(firsts.len()).unwrap()).collect();
    assert_eq!(numbers, expected, "{}", callbacks[0].handover());
    firsts
}

/// Waits until the bot was told so many messages altogether.
async fn all_told(world: &World, count: usize) {
    let told = within(DRAIN, async || {
        let ids: std::collections::HashSet<_> = world
            .bots
            .callbacks()
            .into_iter()
            .filter(|callback| callback.kind() == "message.created" && callback.answered.is_some())
            .map(|callback| callback.id().to_owned())
            .collect();
        if ids.len() >= count {
            return Some(());
        }
        // Counting is not free: there is no hurry.
        tokio::time::sleep(Duration::from_millis(200)).await;
        None
    });
    assert!(
        told.await.is_some(),
        "not all of {count} messages were told within {DRAIN:?}"
    );
}

/// What the load made 8x8 send to one conversation.
fn expected(conversation: &str, count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("{conversation}#{number}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_repeated_and_concurrent_events_reach_the_bot_complete_and_in_order() {
    let each = if is_long() { 200 } else { 20 };
    let world = World::start().await;
    let handovers = open_many(&world, 500).await;
    world.eight.all_acknowledged().await;
    let load = json!({"conversationIds": conversations(&handovers), "eventsPerConversation": each, "concurrency": 64, "repeatShare": 0.1});
    let report = world.eight.load(load).await;
    let sent = handovers.len() * each;
    assert_eq!(
        (&report["sent"], &report["acked"]),
        (&json!(sent), &json!(sent)),
        "{report}"
    );
    assert_eq!(
        (&report["repeated"], &report["failures"]),
        (&json!(sent / 10), &json!(0)),
        "{report}"
    );
    show(&format!("8x8 saw {report}"));
    all_told(&world, sent).await;
    let told = by_handover(&world);
    for (id, conversation) in &handovers {
        let firsts = firsts(&told[id]);
        assert_eq!(texts(&firsts), expected(conversation, each));
        assert_eq!(firsts.len(), told[id].len(), "nothing was told twice");
    }
    world.finish().await;
}

/// Posts numbered messages one after the other, each repeated under its key until it is taken.
async fn post_through_everything(api: Client, id: String, stop: CancellationToken) -> Vec<String> {
    let mut taken = Vec::new();
    while !stop.is_cancelled() {
        let (text, key) = (format!("message {}", taken.len()), format!("key-{}", taken.len()));
        loop {
            let call = api
                .call(Method::POST, &format!("/v1/handovers/{id}/messages"))
                .once(&key);
            match call.json(&json!({"text": text})).try_send().await {
                Ok(reply) if reply.status == 202 => break,
                Ok(reply) => assert!([409, 429, 503].contains(&reply.status), "{reply}"),
                Err(_gone) => {}
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        taken.push(text);
        // As fast as a user writes who writes fast.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_at_random_loses_nothing_and_keeps_the_order() {
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    let (kills, rate) = if is_long() { (100, 300) } else { (10, 300) };
    let mut world = World::start().await;
    let handovers = open_many(&world, 100).await;
    world.eight.all_acknowledged().await;
    let stop = CancellationToken::new();
    let mut posting = JoinSet::new();
    for (id, conversation) in handovers.iter().take(5).cloned() {
        let (api, stop) = (world.api.clone(), stop.clone());
        posting.spawn(async move { (conversation, post_through_everything(api, id, stop).await) });
    }
    // As many events as go by while it is killed.
    let each = kills * rate * 2 / handovers.len();
    let load = json!({"conversationIds": conversations(&handovers), "eventsPerConversation": each, "concurrency": 32, "rate": rate, "repeatShare": 0.05});
    let kill_it = async {
        for _ in 0..kills {
            let wait = Duration::from_millis(random.random_range(100..1800));
            tokio::time::sleep(wait).await;
            world.gateway.kill();
            world.gateway.run_again().await;
            let address = world.gateway.public();
            world.api.move_to(&address);
            world.eight.point_at(&format!("{address}/webhooks/8x8/acme")).await;
        }
    };
    let (report, ()) = tokio::join!(world.eight.load(load), kill_it);
    let sent = handovers.len() * each;
    assert_eq!(
        (&report["sent"], &report["acked"]),
        (&json!(sent), &json!(sent)),
        "{report}"
    );
    show(&format!("8x8 saw {report}"));
    stop.cancel();
    let taken = posting.join_all().await;
    all_told(&world, sent).await;
    let again = check_what_was_told(&world, &handovers, each).await;
    show(&format!("{again} callbacks were made again"));
    check_what_was_posted(&world, taken).await;
    world.finish().await;
}

async fn load_of(sandbox: String, load: Value) -> Value {
    let call = http_client().post(format!("{sandbox}/sandbox/load")).json(&load);
    let report = call.timeout(Duration::from_mins(10)).send().await.unwrap();
    report.json().await.unwrap()
}

/// Reads a stream to its end, which must be one.
async fn read_to_the_end(mut stream: reqwest::Response) {
    // It ends at a stop, and does not break.
    while stream.chunk().await.unwrap().is_some() {}
}

/// One orderly stop in the middle of everything, and the next start; how long the stop took.
async fn stop_and_start(world: &mut World) -> Duration {
    let told = world.bots.callbacks().len();
    within(DRAIN, async || {
        (world.bots.callbacks().len() > told + 150).then_some(())
    })
    .await
    .unwrap();
    let mut reading = JoinSet::new();
    for _ in 0..5 {
        let call = world.api.call(Method::GET, "/v1/events");
        reading.spawn(read_to_the_end(
            call.header("accept", "text/event-stream").stream().await,
        ));
    }
    let begun = Instant::now();
    let ready = format!("{}/readyz", world.gateway.admin());
    world.gateway.ask_to_stop();
    let withdrawn = within(DRAIN, async || {
        let reply = http_client().get(&ready).send().await.unwrap();
        (reply.status() == 503).then_some(())
    });
    withdrawn.await.unwrap();
    let served = world.api.get("/v1/handovers?limit=1").await;
    assert_eq!(served.status, 200, "not ready, and serving: {served}");
    let status = world.gateway.exited().await;
    assert!(status.success(), "{status}\n{}", world.gateway.log.tail(20));
    let took = begun.elapsed();
    reading.join_all().await;
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_and_started_again_under_load_it_loses_nothing_and_tells_nothing_twice() {
    let (stops, rate) = if is_long() { (50, 300) } else { (5, 300) };
    let mut world = World::with(|setup| {
        setup.config.set("server.drain_delay", "300ms");
    })
    .await;
    let handovers = open_many(&world, 60).await;
    world.eight.all_acknowledged().await;
    // Some are always in flight.
    let slow = Reply::status(204).after(Duration::from_millis(400));
    let third = |callback: &Callback| callback.handover().ends_with(['0', '1', '2', '3', '4']);
    world.bots.answer(usize::MAX, slow, third);
    let stop = CancellationToken::new();
    let mut posting = JoinSet::new();
    for (id, conversation) in handovers.iter().take(5).cloned() {
        let (api, stop) = (world.api.clone(), stop.clone());
        posting.spawn(async move { (conversation, post_through_everything(api, id, stop).await) });
    }
    let each = stops * rate * 2 / handovers.len();
    let load = json!({"conversationIds": conversations(&handovers), "eventsPerConversation": each, "concurrency": 32, "rate": rate, "repeatShare": 0.05});
    let loading = load_of(world.eight.url(), load);
    let stopping = async {
        let mut took = Vec::new();
        for _ in 0..stops {
            took.push(stop_and_start(&mut world).await);
        }
        took
    };
    let (report, took) = tokio::join!(loading, stopping);
    let sent = handovers.len() * each;
    assert_eq!(
        (&report["sent"], &report["acked"]),
        (&json!(sent), &json!(sent)),
        "{report}"
    );
    show(&format!("8x8 saw {report}\nstops took {took:?}"));
    stop.cancel();
    let taken = posting.join_all().await;
    all_told(&world, sent).await;
    assert_eq!(
        check_what_was_told(&world, &handovers, each).await,
        0,
        "nothing was told twice"
    );
    check_what_was_posted(&world, taken).await;
    world.finish().await;
}

/// How many callbacks were made again.
async fn check_what_was_told(world: &World, handovers: &[(String, String)], each: usize) -> usize {
    let told = by_handover(world);
    let mut again = 0;
    for (id, conversation) in handovers {
        let firsts = firsts(&told[id]);
        assert_eq!(texts(&firsts), expected(conversation, each));
        let log = world.api.events(id).await;
        let logged: Vec<_> = log.iter().map(|event| event["id"].as_str().unwrap()).collect();
        let first: Vec<_> = firsts.iter().map(|callback| callback.id()).collect();
        assert_eq!(first, logged[..first.len()], "what is told is what is logged");
        again += told[id].len() - firsts.len();
    }
    again
}

/// Everything the bot was told was taken is at 8x8 once, in the order in which it was posted.
async fn check_what_was_posted(world: &World, taken: Vec<(String, Vec<String>)>) {
    for (conversation, taken) in taken {
        assert!(!taken.is_empty());
        let arrived = within(DRAIN, async || {
            let texts = world.eight.texts(&conversation).await;
            (texts.len() >= taken.len()).then_some(texts)
        });
        assert_eq!(arrived.await.unwrap_or_default(), taken);
    }
}
