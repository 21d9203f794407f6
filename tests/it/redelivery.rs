//! What a bot did not take: listed to it alone, posted again when it asks, in order and once.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::support::bot::Callback;
use crate::support::config::SALES;
use crate::support::reply::Reply;
use crate::support::wait::always;
use crate::support::wait::eventually;
use crate::support::world::Setup;
use crate::support::world::World;

const NOBODY: &str = "evt_0192f7a0b1c27d3e8f4a5b6c7d8e9f00";
const WORDS: &str = "words of an agent";

/// Events are given up after a second.
fn hasty(setup: &mut Setup) {
    setup
        .config
        .set("delivery.timeout", "1s")
        .set("delivery.head_deadline", "1s")
        .set("delivery.notify_agent_after", "0s");
}

async fn served(world: &World) -> (String, String) {
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    (id, conversation)
}

/// An agent says it, and the bot refuses it until it is given up.
async fn refused(world: &World, conversation: &str, text: &str) {
    let refused = text.to_owned();
    world
        .bots
        .answer(1000, Reply::status(400), move |callback| callback.text() == refused);
    world.eight.say(conversation, text).await;
}

async fn failed(world: &World, count: usize) -> Vec<Value> {
    eventually(&format!("{count} failed deliveries"), async || {
        let list = world.api.get("/v1/deliveries?status=failed").await.ok(200);
        let list = list["data"].as_array().unwrap().clone();
        (list.len() == count).then_some(list)
    })
    .await
}

fn replays(world: &World, handover: &str) -> Vec<Callback> {
    let mut attempts = world.bots.attempts(handover);
    attempts.retain(|callback| callback.header("handover-replay") == "1");
    attempts
}

/// The newest entry of the audit log.
async fn audited(world: &World, action: &str) -> Value {
    let client = world.api.with_key(None).at(&world.gateway.admin());
    let log = client.get("/audit").await.ok(200);
    let entries = log["data"].as_array().unwrap();
    entries.iter().find(|entry| entry["action"] == action).unwrap().clone()
}

/// Nobody but its bot knows of it.
async fn is_nobody_elses(world: &World, path: &str) {
    let sales = world.api.of_bot(SALES);
    assert_eq!(sales.get("/v1/deliveries").await.ok(200)["data"], json!([]));
    let foreign = sales.post(path, &json!({})).await.ok(404);
    let unknown = world
        .api
        .post(&format!("/v1/deliveries/{NOBODY}/resend"), &json!({}))
        .await;
    assert_eq!(foreign["detail"], unknown.ok(404)["detail"]);
    world.api.with_key(None).post(path, &json!({})).await.ok(401);
    world.api.post("/v1/deliveries/x/resend", &json!({})).await.ok(404);
}

#[tokio::test]
async fn a_failed_delivery_is_listed_without_its_words_and_comes_again_when_asked_for() {
    let world = World::with(hasty).await;
    let (id, conversation) = served(&world).await;
    refused(&world, &conversation, WORDS).await;
    let list = failed(&world, 1).await;
    let one = &list[0];
    let first = world
        .bots
        .callback("the refused event", |callback| callback.text() == WORDS)
        .await;
    assert_eq!(
        (one["id"].as_str(), one["handoverId"].as_str()),
        (Some(first.id()), Some(id.as_str()))
    );
    assert_eq!((&one["sequence"], &one["type"]), (&json!(4), &json!("message.created")));
    assert_eq!(
        (&one["status"], &one["reason"]),
        (&json!("failed"), &json!("not-accepted-in-time"))
    );
    assert!(one["attempts"].as_u64().unwrap() >= 2, "{one}");
    assert!(
        one["firstAttemptAt"].as_str().unwrap() < one["failedAt"].as_str().unwrap(),
        "{one}"
    );
    assert!(!one.to_string().contains(WORDS), "{one}");

    let path = format!("/v1/deliveries/{}/resend", first.id());
    is_nobody_elses(&world, &path).await;
    world.bots.forget_rules();
    let resent = world
        .api
        .call(http::Method::POST, &path)
        .header("x-request-id", "request-7")
        .json(&json!({}));
    let resent = resent.send().await.ok(202);
    assert_eq!(
        resent,
        json!({"id": first.id(), "handoverId": id, "sequence": 4, "resumed": false})
    );
    let again = eventually("it comes again", async || {
        replays(&world, &id).into_iter().find(|it| it.answered.is_some())
    })
    .await;
    assert_eq!((again.header("webhook-id"), again.text()), (first.id(), WORDS));
    assert_eq!(
        (&again.data()["late"], again.header("handover-attempt")),
        (&json!(true), "1")
    );
    failed(&world, 0).await;
    let entry = audited(&world, "delivery.resend").await;
    assert_eq!(
        (&entry["actor"], &entry["target"]),
        (&json!("bot:support"), &json!(first.id()))
    );
    assert_eq!(entry["requestId"], "request-7");
    let log = world.finish().await;
    assert!(!log.text().contains(WORDS));
}

#[tokio::test]
async fn an_event_the_bot_took_can_be_had_again_and_not_twice_at_a_time() {
    let world = World::with(hasty).await;
    let (id, _) = served(&world).await;
    let joined = world.bots.event(&id, "agent.joined").await;
    let path = format!("/v1/deliveries/{}/resend", joined.id());
    let slow = Reply::status(204).after(Duration::from_millis(700));
    world
        .bots
        .answer(1, slow, |callback| callback.header("handover-replay") == "1");
    for _ in 0..5 {
        world.api.post(&path, &json!({})).await.ok(202);
    }
    eventually("it is under way", async || {
        (!replays(&world, &id).is_empty()).then_some(())
    })
    .await;
    world.api.post(&path, &json!({})).await.ok(202);
    eventually("it was answered", async || replays(&world, &id)[0].answered).await;
    always("it comes once", Duration::from_millis(1500), async || {
        replays(&world, &id).len() == 1
    })
    .await;
    // What is over can be had as well.
    world.api.end(&id).await;
    world.bots.event(&id, "handover.ended").await;
    world.api.post(&path, &json!({})).await.ok(202);
    eventually("and once more", async || {
        (replays(&world, &id).len() == 2).then_some(())
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn a_handover_the_bot_stopped_goes_on_from_there_when_its_event_is_resent() {
    let world = World::with(hasty).await;
    let (id, conversation) = served(&world).await;
    world
        .bots
        .answer(1, Reply::status(410), |callback| callback.text() == "one");
    for text in ["one", "two", "three"] {
        world.eight.say(&conversation, text).await;
    }
    let list = failed(&world, 1).await;
    assert_eq!((&list[0]["reason"], &list[0]["sequence"]), (&json!("gone"), &json!(4)));
    world.eight.all_acknowledged().await;
    let stopped = world.bots.attempts(&id).len();
    always("nothing comes", Duration::from_millis(1200), async || {
        world.bots.attempts(&id).len() == stopped
    })
    .await;
    let path = format!("/v1/deliveries/{}/resend", list[0]["id"].as_str().unwrap());
    let resent = world.api.post(&path, &json!({})).await.ok(202);
    assert_eq!(resent["resumed"], true);
    let said = [
        "handover.accepted",
        "handover.queued",
        "agent.joined",
        "message.created",
        "message.created",
        "message.created",
    ];
    world.bots.told(&id, &said).await;
    let texts: Vec<_> = world.bots.attempts(&id)[stopped..]
        .iter()
        .map(|it| it.text().to_owned())
        .collect();
    assert_eq!(texts, ["one", "two", "three"]);
    assert!(replays(&world, &id).is_empty(), "they come in their turn");
    failed(&world, 0).await;
    world.finish().await;
}

/// Of four.
async fn comes_in_pages(world: &World) {
    let page = world.api.get("/v1/deliveries?limit=3").await.ok(200);
    let cursor = page["nextCursor"].as_str().unwrap();
    let rest = world
        .api
        .get(&format!("/v1/deliveries?limit=3&cursor={cursor}"))
        .await
        .ok(200);
    assert_eq!(
        (rest["data"].as_array().unwrap().len(), rest.get("nextCursor")),
        (1, None)
    );
}

#[tokio::test]
async fn everything_that_failed_is_recovered_in_order_also_through_a_kill() {
    let mut world = World::with(hasty).await;
    let (id, conversation) = served(&world).await;
    let (other, other_conversation) = served(&world).await;
    for number in 1..=3 {
        refused(&world, &conversation, &format!("bad {number}")).await;
    }
    world
        .bots
        .answer(1, Reply::status(410), |callback| callback.text() == "gone");
    world.eight.say(&other_conversation, "gone").await;
    failed(&world, 4).await;
    comes_in_pages(&world).await;
    let all = json!({"since": "2026-01-01T00:00:00Z"});
    let sales = world.api.of_bot(SALES).post("/v1/recover", &all).await.ok(202);
    assert_eq!(sales, json!({"deliveries": 0, "resumed": 0}));
    world.bots.forget_rules();
    // Slow enough that the process dies with some of them not told yet.
    let slow = Reply::status(204).after(Duration::from_millis(400));
    world
        .bots
        .answer(1000, slow, |callback| callback.header("handover-replay") == "1");
    let recovered = world.api.post("/v1/recover", &all).await.ok(202);
    assert_eq!(recovered, json!({"deliveries": 4, "resumed": 1}));
    eventually("the first comes", async || {
        (!replays(&world, &id).is_empty()).then_some(())
    })
    .await;
    world.kill_and_restart().await;
    let done = eventually("the last comes", async || {
        let all = replays(&world, &id);
        let last = all
            .last()
            .is_some_and(|it| it.text() == "bad 3" && it.answered.is_some());
        last.then_some(all)
    })
    .await;
    let mut texts: Vec<_> = done.iter().map(|it| it.text().to_owned()).collect();
    texts.dedup();
    assert_eq!(
        texts,
        ["bad 1", "bad 2", "bad 3"],
        "one may come twice, none overtakes another"
    );
    eventually("the stopped one goes on", async || {
        let attempts = world.bots.attempts(&other);
        attempts
            .iter()
            .any(|it| it.text() == "gone" && it.answered == Some(204))
            .then_some(())
    })
    .await;
    assert_eq!(world.api.post("/v1/recover", &all).await.ok(202)["deliveries"], 0);
    let entry = audited(&world, "delivery.recover").await;
    assert_eq!(
        (&entry["actor"], &entry["outcome"]),
        (&json!("bot:support"), &json!("done"))
    );
    failed(&world, 0).await;
    world.finish().await;
}

#[tokio::test]
async fn a_recovery_begins_at_a_time_that_was() {
    let world = World::start().await;
    for wrong in [json!("yesterday"), json!("2999-01-01T00:00:00Z"), json!(7)] {
        let told = world.api.post("/v1/recover", &json!({ "since": wrong })).await.ok(422);
        assert_eq!(told["errors"][0]["pointer"], "/since", "{told}");
    }
    let now = json!({"since": "2026-01-01T00:00:00+01:00"});
    world.api.post("/v1/recover", &now).await.ok(202);
    world.finish().await;
}
