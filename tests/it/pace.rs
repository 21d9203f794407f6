//! How fast 8x8 is called: what matters goes first, nothing is doubled, and a complaint of 8x8's slows the account down.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::config::SALES;
use crate::support::wait::always;
use crate::support::wait::within;
use crate::support::world::World;

const MESSAGES: usize = 10;

/// Calls a second that the test below allows, as configured.
const RATE: usize = 5;

#[tokio::test]
async fn a_create_and_an_end_overtake_a_flood_of_messages_and_typing() {
    let mut world = World::with(|setup| {
        setup
            .config
            .set("tenants.acme.rate_limit", RATE)
            .set("tenants.acme.send_wait", "1s");
    })
    .await;
    world.tolerate("upstream-unavailable");
    let sales = world.api.of_bot(SALES);
    let (ended, _) = world.api.open(json!({})).await;
    let mut talks = Vec::new();
    for api in [&world.api, &world.api, &sales, &sales] {
        talks.push((api.clone(), api.open(json!({})).await));
    }
    let mut flood = JoinSet::new();
    for (api, (id, _)) in talks.clone() {
        flood.spawn(async move {
            for n in 0..MESSAGES {
                api.say(&id, &format!("message {n}")).await;
            }
        });
    }
    let (api, idle) = (world.api.clone(), ended.clone());
    flood.spawn(async move {
        for _ in 0..300 {
            let path = format!("/v1/handovers/{idle}/typing");
            if api.post(&path, &json!({})).await.status != 204 {
                break;
            }
        }
    });
    world.eight.calls_made("message", 6).await;
    let before = world.eight.calls("message").await.len();
    let created = world.api.create(json!({})).await;
    assert_eq!(created["state"], "queued", "{created}");
    world.api.end(&ended).await;
    world.eight.calls_made("leave", 1).await;
    let meanwhile = world.eight.calls("message").await.len() - before;
    let all = talks.len() * MESSAGES;
    assert!(
        before + meanwhile < all,
        "the flood was over before: {before} + {meanwhile}"
    );
    assert!(
        meanwhile <= 4,
        "{meanwhile} messages went before two calls that matter more"
    );
    while let Some(done) = flood.join_next().await {
        done.unwrap();
    }
    let conversations = talks.iter().map(|(_, (_, conversation))| conversation.as_str());
    in_order(&world, conversations).await;
    let calls = world.eight.calls("message").await.len();
    assert_eq!(calls, all, "no message was posted twice");
    at_most_per_second(&all_calls(&world).await);
    world.finish().await;
}

async fn in_order(world: &World, conversations: impl Iterator<Item = &str>) {
    for conversation in conversations {
        let expected: Vec<String> = (0..MESSAGES).map(|n| format!("message {n}")).collect();
        let texts = within(Duration::from_mins(1), async || {
            let texts = world.eight.texts(conversation).await;
            (texts.len() >= MESSAGES).then_some(texts)
        });
        assert_eq!(texts.await.as_ref(), Some(&expected), "in order, each once");
    }
}

/// The burst of one second, and one second's worth.
fn at_most_per_second(calls: &[i64]) {
    for start in calls {
        let within_a_second = calls.iter().filter(|at| (*start..start + 1000).contains(*at)).count();
        assert!(within_a_second <= 2 * RATE + 1, "{within_a_second} calls in one second");
    }
}

async fn all_calls(world: &World) -> Vec<i64> {
    let mut calls = Vec::new();
    for operation in ["create", "message", "leave", "typing", "get", "list", "messages"] {
        let of_operation = world.eight.calls(operation).await;
        calls.extend(of_operation.iter().map(|call| call["at"].as_i64().unwrap()));
    }
    calls.sort_unstable();
    calls
}

#[tokio::test]
async fn a_complaint_of_8x8s_slows_down_all_handovers_of_the_account_and_doubles_nothing() {
    let world = World::with(|setup| {
        setup.config.set("tenants.acme.send_wait", "200ms");
        let twin = ["base_url", "tenant_id", "api_key", "channel_id", "queue_id"];
        for (field, value) in twin.into_iter().zip([
            crate::support::world::EIGHT,
            "sandbox-tenant",
            "eght_sandbox",
            "sandbox-channel",
            "101",
        ]) {
            setup.config.set(&format!("tenants.twin.{field}"), value);
        }
        setup
            .config
            .set("tenants.twin.send_wait", "200ms")
            .set("bots.sales.tenant", "twin");
    })
    .await;
    let sales = world.api.of_bot(SALES);
    let (slow, first) = world.api.open(json!({})).await;
    let (other, second) = sales.open(json!({})).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "message", "status": 429, "retryAfter": "3"}))
        .await;
    assert_eq!(world.api.say(&slow, "one").await["status"], "queued");
    assert_eq!(
        sales.say(&other, "two").await["status"],
        "queued",
        "the other tenant is the same account"
    );
    always(
        "nothing is sent while 8x8 wants none",
        Duration::from_secs(1),
        async || world.eight.calls("message").await.len() == 1,
    )
    .await;
    let arrived = within(Duration::from_secs(20), async || {
        let texts = (world.eight.texts(&first).await, world.eight.texts(&second).await);
        (texts == (vec!["one".to_owned()], vec!["two".to_owned()])).then_some(())
    });
    assert!(arrived.await.is_some());
    let calls: Vec<Value> = world.eight.calls("message").await;
    assert_eq!(calls.len(), 3, "{calls:?}");
    let log = world.finish().await;
    assert_eq!(
        log.lines()
            .iter()
            .filter(|line| line.contains("8x8 asks to slow down: nothing"))
            .count(),
        1
    );
}
