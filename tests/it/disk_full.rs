//! A disk that gets full while the gateway runs: what is refused, what goes on, and that nothing is lost or doubled.

use std::time::Instant;

use http::Method;
use serde_json::json;

use crate::support::bot::Callback;
use crate::support::client::Reply;
use crate::support::client::http_client;
use crate::support::client::with_user;
use crate::support::disk::SmallDisk;
use crate::support::reply;
use crate::support::wait::eventually;
use crate::support::world::World;
use crate::support::world::show;

const BACKLOG: usize = 20;

async fn world_on(disk: &SmallDisk) -> World {
    let mut world = World::with(|setup| disk.under(setup)).await;
    world.tolerate("the store's disk");
    world.tolerate("store-unavailable");
    world.tolerate("deliveries could not be written down");
    world
}

async fn create(world: &World) -> Reply {
    world.api.post("/v1/handovers", &with_user(json!({}))).await
}

/// A status and what it says, without counting it as a failure.
async fn readyz(world: &World) -> (u16, String) {
    let url = format!("{}/readyz", world.gateway.admin());
    let reply = http_client().get(url).send().await.unwrap();
    (reply.status().as_u16(), reply.text().await.unwrap())
}

async fn metric(world: &World, name: &str) -> Option<i64> {
    let url = format!("{}/metrics", world.gateway.admin());
    let text = http_client().get(url).send().await.unwrap().text().await.unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name} ")).map(str::to_owned));
    line.and_then(|value| value.parse().ok())
}

async fn webhooks_refused(world: &World) {
    eventually("8x8 is told to come again", async || {
        world.eight.webhook_statuses().await.contains(&503).then_some(())
    })
    .await;
}

/// What an agent said to a handover, as often as the bot was told.
fn texts(world: &World, handover: &str) -> Vec<String> {
    let told = world.bots.attempts(handover);
    let said = told
        .iter()
        .filter(|told| told.kind() == "message.created" && told.answered == Some(204));
    said.map(|told| told.text().to_owned()).collect()
}

fn expected(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("word {number}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_almost_full_disk_refuses_what_is_new_and_delivers_what_was_accepted() {
    let disk = SmallDisk::new();
    let world = world_on(&disk).await;
    let (waiting, left_by) = world.api.open(json!({})).await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    let is_word = |callback: &Callback| callback.kind() == "message.created";
    world.bots.answer(usize::MAX, reply::Reply::status(503), is_word);
    for text in expected(BACKLOG) {
        world.eight.say(&conversation, &text).await;
    }
    world.eight.all_acknowledged().await;
    assert_eq!(metric(&world, "store_disk_level").await, Some(0));

    disk.fill_almost();
    let filled = Instant::now();
    eventually("it is not ready", async || {
        (readyz(&world).await == (503, "disk full\n".to_owned())).then_some(())
    })
    .await;
    let noticed = filled.elapsed();
    let refused = create(&world).await;
    assert_eq!(refused.status, 503, "{refused}");
    assert_eq!(refused.json()["code"], "store-unavailable");
    assert!(refused.header("retry-after").is_some(), "{refused}");
    world.eight.say(&conversation, &format!("word {}", BACKLOG + 1)).await;
    webhooks_refused(&world).await;
    assert_eq!(metric(&world, "store_disk_level").await, Some(3));
    assert_eq!(world.api.handover(&id).await["state"], "active", "reads go on");

    // Whoever leaves keeps no agent waiting.
    world.api.end(&waiting).await;
    eventually("8x8 knows that the user left", async || {
        (world.eight.conversation(&left_by).await["state"] == "idle").then_some(())
    })
    .await;

    // What was accepted is delivered and settled in the room that was kept for it.
    world.bots.forget_rules();
    eventually("the backlog is told", async || {
        (texts(&world, &id).len() >= BACKLOG).then_some(())
    })
    .await;
    disk.free();
    let freed = Instant::now();
    eventually("it is ready", async || (readyz(&world).await.0 == 200).then_some(())).await;
    let back = freed.elapsed();
    world.eight.all_acknowledged().await;
    eventually("the last word is told", async || {
        (texts(&world, &id).len() > BACKLOG).then_some(())
    })
    .await;
    assert_eq!(texts(&world, &id), expected(BACKLOG + 1), "each once, in order");
    show(&format!(
        "{}: refused after {noticed:?}, ready again {back:?} after there was room, lost 0, doubled 0",
        disk.describe()
    ));
    let log = world.finish().await;
    for part in ["almost full: nothing new is recorded", "more room again"] {
        assert_eq!(log.with_message(part).len(), 1, "{part}: said once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_filled_in_one_go_loses_nothing_that_was_acknowledged() {
    let disk = SmallDisk::new();
    let world = world_on(&disk).await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    let mut acked = Vec::new();
    let path = format!("/v1/handovers/{id}/messages");
    let mut filled = None;
    let time_to_503 = loop {
        let text = format!("message {}", acked.len());
        let call = world
            .api
            .call(Method::POST, &path)
            .json(&json!({"text": text}))
            .send()
            .await;
        match call.status {
            202 => acked.push(text),
            503 => {
                assert_eq!(call.json()["code"], "store-unavailable");
                break filled.unwrap_or_else(Instant::now).elapsed();
            }
            _ => panic!("{call}"),
        }
        if acked.len() == 20 {
            disk.fill();
            filled = Some(Instant::now());
        }
        assert!(acked.len() < 20_000, "the disk is full and everything is taken");
    };
    world.eight.say(&conversation, "said while it was full").await;
    webhooks_refused(&world).await;
    assert_eq!(world.api.handover(&id).await["state"], "active", "reads go on");
    disk.free();
    eventually("it is ready", async || (readyz(&world).await.0 == 200).then_some(())).await;
    world.eight.all_acknowledged().await;
    eventually("the word is told", async || {
        (texts(&world, &id) == ["said while it was full"]).then_some(())
    })
    .await;
    let arrived = eventually("all are at 8x8", async || {
        let texts = world.eight.texts(&conversation).await;
        (texts.len() >= acked.len()).then_some(texts)
    })
    .await;
    assert_eq!(arrived, acked, "each once, in order");
    show(&format!(
        "{}: 503 {time_to_503:?} after it was filled, {} acknowledged, lost 0, doubled 0; {:?} transactions found no room",
        disk.describe(),
        acked.len(),
        metric(&world, "store_disk_full_total").await.unwrap_or_default()
    ));
    world.finish().await;
}

#[tokio::test]
async fn the_disk_is_told_as_figures() {
    let world = World::start().await;
    world.api.open(json!({})).await;
    for name in [
        "store_disk_free_bytes",
        "store_disk_size_bytes",
        "store_file_bytes",
        "store_wal_bytes",
    ] {
        eventually(name, async || metric(&world, name).await.filter(|value| *value > 0)).await;
    }
    assert_eq!(metric(&world, "store_disk_full_total").await, Some(0));
    assert_eq!(metric(&world, "store_reads_cut_short_total").await, Some(0));
    world.finish().await;
}
