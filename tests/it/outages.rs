//! Bots that are away, hostile, or have more waiting than their quota: what becomes of what is for them.

use std::collections::HashSet;
use std::time::Duration;
use std::time::Instant;

use serde_json::json;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;

use crate::support::bot::Bots;
use crate::support::bot::Callback;
use crate::support::bot::PROMPT;
use crate::support::config::SALES;
use crate::support::config::SUPPORT;
use crate::support::gate::Gate;
use crate::support::raw_bot::Raw;
use crate::support::raw_bot::RawBot;
use crate::support::reply::Reply;
use crate::support::wait::eventually;
use crate::support::wait::within;
use crate::support::world::Setup;
use crate::support::world::World;

/// Probes come five seconds apart at first, and what waited comes at a pace.
const OUTAGE: Duration = Duration::from_mins(1);

/// The bot `support` is where the gate leads.
fn at(setup: &mut Setup, url: &str) {
    setup
        .config
        .set("bots.support.callback_url", format!("{url}/{SUPPORT}"));
}

async fn with_gate(change: impl FnOnce(&mut Setup)) -> (World, Gate) {
    let bots = Bots::start().await;
    let gate = Gate::before(&bots.url()).await;
    let mut world = World::with(|setup| {
        at(setup, &gate.url());
        setup
            .config
            .set("bots.sales.callback_url", format!("{}/{SALES}", bots.url()));
        change(setup);
    })
    .await;
    world.bots = bots;
    (world, gate)
}

async fn open_with_agents(world: &World, count: usize) -> Vec<(String, String)> {
    let mut handovers = Vec::new();
    for _ in 0..count {
        let (id, conversation) = world.api.open(json!({})).await;
        world.eight.join(&conversation).await;
        world.bots.event(&id, "agent.joined").await;
        handovers.push((id, conversation));
    }
    handovers
}

async fn metric(world: &World, name: &str) -> f64 {
    let metrics = world.api.at(&world.gateway.admin()).get("/metrics").await.text();
    let value = metrics.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    value
        .unwrap_or_else(|| panic!("{name} is not in\n{metrics}"))
        .parse()
        .unwrap()
}

/// What a handover's bot was told by its agent, each as it came first.
fn texts(world: &World, id: &str) -> Vec<String> {
    let events = world.bots.events(id).into_iter();
    events
        .filter(|event| event.kind() == "message.created" && event.answered == Some(204))
        .map(|event| event.text().to_owned())
        .collect()
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("message {number}")).collect()
}

async fn all_told(world: &World, handovers: &[(String, String)], expected: &[String]) {
    let told = within(OUTAGE, async || {
        let missing = handovers.iter().any(|(id, _)| texts(world, id).len() < expected.len());
        (!missing).then_some(())
    });
    let in_time = told.await.is_some();
    for (id, _) in handovers {
        assert_eq!(texts(world, id), expected, "in time: {in_time}");
    }
}

#[tokio::test]
async fn a_bot_that_is_away_when_the_gateway_is_killed_is_told_everything_in_order_when_it_is_back() {
    // Far shorter than the outage: nothing may be given up for it.
    let (mut world, mut gate) = with_gate(|setup| {
        setup
            .config
            .set("delivery.timeout", "1s")
            .set("delivery.head_deadline", "2s")
            .set("delivery.lifecycle_deadline", "3s");
    })
    .await;
    let handovers = open_with_agents(&world, 12).await;
    gate.shut().await;
    for (_, conversation) in &handovers {
        world.eight.say(conversation, "message 0").await;
    }
    eventually("the breaker opens", async || {
        (metric(&world, "delivery_breakers_open").await > 0.5).then_some(())
    })
    .await;
    for (_, conversation) in &handovers {
        world.eight.say(conversation, "message 1").await;
    }
    world.eight.all_acknowledged().await;
    assert_eq!(world.gateway.log.with_message("bot support fails").len(), 1);
    world.kill_and_restart().await;
    let restarted = Instant::now();
    eventually("the outage goes on", async || {
        let was_away = world.gateway.log.with_message("was away when the gateway ended");
        (was_away.len() == 1 && metric(&world, "delivery_breakers_open").await > 0.5).then_some(())
    })
    .await;
    for (_, conversation) in &handovers {
        world.eight.say(conversation, "message 2").await;
    }
    world.eight.all_acknowledged().await;
    eventually("the age of the oldest shows", async || {
        let old = metric(&world, "delivery_oldest_seconds").await >= 4.0;
        (old && metric(&world, "delivery_waiting").await >= 36.0).then_some(())
    })
    .await;
    assert!(restarted.elapsed() > Duration::from_secs(1));
    gate.open();
    all_told(&world, &handovers, &numbered(3)).await;
    eventually("it has caught up", async || {
        (metric(&world, "delivery_breakers_open").await < 0.5).then_some(())
    })
    .await;
    assert!(metric(&world, "delivery_failed_total").await < 0.5);
    let log = world.finish().await;
    assert_eq!(log.with_message("bot support is back").len(), 1);
    assert_eq!(log.with_message("bot support fails").len(), 1);
    assert!(log.with_message("given up").is_empty());
}

#[tokio::test]
async fn a_bot_that_cannot_be_reached_at_all_is_left_alone_and_others_do_not_notice() {
    // Its queue of connections is full, so that further ones get no answer at all.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let hole = socket.listen(1).unwrap();
    let address = hole.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        waiting.push(stream);
    }
    let world = World::with(|setup| at(setup, &format!("http://{address}"))).await;
    for _ in 0..6 {
        world.api.create(json!({})).await;
    }
    let sales = world.api.of_bot(SALES);
    let opens = within(OUTAGE, async || {
        let begun = Instant::now();
        let (id, conversation) = sales.open(json!({})).await;
        world.bots.event(&id, "handover.queued").await;
        assert!(begun.elapsed() < PROMPT, "the other bot waited {:?}", begun.elapsed());
        world.eight.end(&conversation).await;
        (metric(&world, "delivery_breakers_open").await > 0.5).then_some(())
    });
    assert!(opens.await.is_some());
    let log = world.finish().await;
    assert_eq!(log.with_message("bot support fails").len(), 1);
}

#[tokio::test]
async fn of_more_than_a_quota_allows_the_oldest_become_failed_deliveries_and_8x8_is_refused_nothing() {
    let (world, mut gate) = with_gate(|setup| {
        setup.config.set("delivery.backlog_per_bot", 30);
    })
    .await;
    let handovers = open_with_agents(&world, 10).await;
    let (other, other_conversation) = world.api.of_bot(SALES).open(json!({})).await;
    gate.shut().await;
    for number in 0..10 {
        for (_, conversation) in &handovers {
            world.eight.say(conversation, &format!("message {number}")).await;
        }
    }
    world.eight.all_acknowledged().await;
    assert!(world.eight.webhook_statuses().await.iter().all(|status| *status == 204));
    eventually("it is within its quota", async || {
        let given_up = metric(&world, "delivery_over_quota_total").await;
        (given_up >= 69.5).then_some(())
    })
    .await;
    world.eight.join(&other_conversation).await;
    eventually("the other bot is told as ever", async || {
        world
            .bots
            .callbacks()
            .iter()
            .any(|callback| callback.handover() == other)
            .then_some(())
    })
    .await;
    gate.open();
    let told = within(OUTAGE, async || {
        (metric(&world, "delivery_waiting").await < 0.5).then_some(())
    });
    assert!(told.await.is_some());
    let mut came = 0;
    for (id, _) in &handovers {
        let texts = texts(&world, id);
        came += u32::try_from(texts.len()).unwrap();
        assert_eq!(texts, numbered(10)[10 - texts.len()..], "the newest, in order");
        let log = world.api.events(id).await;
        assert_eq!(log.len(), 13, "and all are in the log");
    }
    let given_up = metric(&world, "delivery_over_quota_total").await;
    assert!(
        (given_up + f64::from(came) - 100.0).abs() < 0.5,
        "{came} came, {given_up} were given up"
    );
    assert!((20..=31).contains(&came), "{came}");
    let log = world.finish().await;
    assert_eq!(log.with_message("than its quota allows").len(), 1);
}

#[tokio::test]
async fn an_event_whose_row_is_damaged_is_set_aside_and_its_handover_goes_on() {
    let (mut world, mut gate) = with_gate(|_| ()).await;
    let handovers = open_with_agents(&world, 2).await;
    gate.shut().await;
    for text in ["first", "damaged", "last"] {
        for (_, conversation) in &handovers {
            world.eight.say(conversation, text).await;
        }
    }
    world.eight.all_acknowledged().await;
    world.gateway.kill();
    let (bad, good) = (&handovers[0].0, &handovers[1].0);
    let db = rusqlite::Connection::open(world.gateway.store()).unwrap();
    let spoil = "UPDATE event SET extra = '{\"message\":' WHERE handover = ?1 AND extra LIKE '%damaged%'";
    assert_eq!(db.execute(spoil, [bad]).unwrap(), 1);
    drop(db);
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    world.tolerate("an event cannot be read, it is a failed delivery now");
    gate.open();
    let told = within(OUTAGE, async || {
        let done = texts(&world, bad).len() >= 2 && texts(&world, good).len() >= 3;
        done.then_some(())
    });
    told.await;
    assert_eq!(texts(&world, bad), ["first", "last"]);
    assert_eq!(texts(&world, good), ["first", "damaged", "last"]);
    let log = world.finish().await;
    assert_eq!(log.with_message("an event cannot be read").len(), 1);
}

/// What a bot answers, what is written down about it, and how often the event is posted then.
type Hostile = (&'static str, Raw, &'static str, usize);

const HEAD: &str = "HTTP/1.1 200 OK\r\n";

/// Answers without end, or that claim to be huge.
fn floods() -> Vec<Hostile> {
    let zeros = || vec![b'0'; 64 * 1024];
    let flood = |head: &str, endless| Raw {
        once: format!("{HEAD}{head}").into_bytes(),
        endless,
    };
    let chunk = [b"10000\r\n", &zeros()[..], b"\r\n"].concat();
    let packed = "content-encoding: gzip\r\ncontent-length: 10737418240\r\n\r\n";
    let header = b"x-more: 0123456789012345678901234567890123456789\r\n".to_vec();
    vec![
        ("10 GB", flood("content-length: 10737418240\r\n\r\n", zeros()), "200", 1),
        ("no end", flood("transfer-encoding: chunked\r\n\r\n", chunk), "200", 1),
        ("packed", flood(packed, zeros()), "200", 1),
        ("headers without end", flood("", header), "cut", 2),
        ("a header without end", flood("x-long: ", zeros()), "cut", 2),
    ]
}

/// Answers that are none, or lead astray.
fn oddities(elsewhere: &str) -> Vec<Hostile> {
    let status = |line: &str, header: &str| Raw {
        once: format!("HTTP/1.1 {line}\r\n{header}\r\ncontent-length: 0\r\n\r\n").into_bytes(),
        endless: Vec::new(),
    };
    let raw = |text: &str| Raw {
        once: text.as_bytes().to_vec(),
        endless: Vec::new(),
    };
    let gone_by = "retry-after: Fri, 20 Nov 2020 11:00:00 GMT";
    let metadata = "location: http://169.254.169.254/latest/";
    let short = format!("{HEAD}content-length: 10\r\n\r\n12345");
    let astray = format!("location: {elsewhere}/");
    vec![
        ("no HTTP", raw("220 smtp.example.com ESMTP\r\n\r\n"), "cut", 2),
        ("half a head", raw(HEAD), "cut", 2),
        ("less than it says", raw(&short), "cut", 2),
        ("the cloud", status("302 Found", metadata), "302", 2),
        ("elsewhere", status("307 Found", &astray), "307", 2),
        ("wait what", status("503 Busy", "retry-after: whenever"), "503", 2),
        ("wait negative", status("429 Busy", "retry-after: -17"), "429", 2),
        ("wait a date gone by", status("503 Busy", gone_by), "503", 2),
    ]
}

#[tokio::test]
async fn whatever_a_bot_answers_takes_little_time_and_memory_and_no_other_address_is_called() {
    let (bot, elsewhere) = (RawBot::start().await, RawBot::start().await);
    let world = World::with(|setup| {
        at(setup, &bot.url());
        setup.config.set("delivery.timeout", "2s");
    })
    .await;
    let (id, conversation) = world.api.open(json!({})).await;
    let table = [floods(), oddities(&elsewhere.url())].concat();
    let before = world.gateway.memory();
    for (text, answer, _, _) in &table {
        bot.answer(&format!("\"{text}\""), answer.clone());
        world.eight.say(&conversation, text).await;
    }
    world.eight.say(&conversation, "the end").await;
    let told = within(OUTAGE, async || (bot.calls("\"the end\"") > 0).then_some(()));
    assert!(told.await.is_some(), "{}", world.gateway.log.tail(20));
    let timeline = world.api.get(&format!("/v1/handovers/{id}/timeline?limit=200")).await;
    let timeline = timeline.ok(200).to_string();
    for (text, _, word, calls) in &table {
        assert_eq!(bot.calls(&format!("\"{text}\"")), *calls, "{text}");
        assert!(timeline.contains(word), "{text}: {word} is not in {timeline}");
    }
    assert_eq!(elsewhere.calls(""), 0);
    let grown = world.gateway.memory().saturating_sub(before);
    assert!(grown < 48 * 1024 * 1024, "it grew by {grown} bytes");
    assert!(bot.written() < 64 * 1024 * 1024, "{} bytes were taken", bot.written());
    world.finish().await;
}

#[tokio::test]
async fn one_handover_that_always_fails_is_no_outage() {
    let world = World::with(|setup| {
        setup.config.set("delivery.head_deadline", "12s");
    })
    .await;
    let handovers = open_with_agents(&world, 2).await;
    let bad = handovers[0].0.clone();
    let is_bad = move |callback: &Callback| callback.handover() == bad;
    world.bots.answer(1000, Reply::status(500), is_bad);
    for number in 0..10 {
        world.eight.say(&handovers[0].1, &format!("message {number}")).await;
    }
    let (good, conversation) = &handovers[1];
    for number in 0..10 {
        let begun = Instant::now();
        world.eight.say(conversation, &format!("message {number}")).await;
        eventually("it is told", async || {
            (texts(&world, good).len() > number).then_some(())
        })
        .await;
        assert!(begun.elapsed() < PROMPT);
    }
    let seen: HashSet<_> = world
        .bots
        .attempts(&handovers[0].0)
        .iter()
        .map(|callback| callback.id().to_owned())
        .collect();
    assert!(seen.len() >= 4, "its first event is tried");
    let log = world.finish().await;
    assert!(log.with_message("bot support fails").is_empty());
}
