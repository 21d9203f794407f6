//! 8x8 refuses, is slow, breaks off: nothing is doubled, nothing is guessed, and what must reach it does.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use serde_json::json;

use crate::support::bot::CAPTURE;
use crate::support::client::Reply;
use crate::support::client::with_user;
use crate::support::wait::eventually;
use crate::support::world::Setup;
use crate::support::world::World;

/// A call that failed at 8x8 is logged as an error and answered with a 5xx on purpose.
const FAILED: [&str; 2] = ["a bot's call failed", "POST /v1/handovers"];

fn quick(setup: &mut Setup) {
    setup.options.hang_limit = Duration::from_secs(1);
    setup.config.set("tenants.acme.send_wait", "1s");
}

fn expect_failures(world: &mut World) {
    for part in FAILED {
        world.tolerate(part);
    }
}

async fn troubled() -> World {
    let mut world = World::with(quick).await;
    expect_failures(&mut world);
    world
}

async fn create_once(world: &World, key: &str) -> Reply {
    world
        .api
        .call(Method::POST, "/v1/handovers")
        .once(key)
        .json(&with_user(json!({})))
        .send()
        .await
}

fn problem(reply: &Reply, status: u16, code: &str) -> Value {
    let problem = reply.ok(status);
    assert_eq!(problem["code"], code, "{reply}");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    problem
}

/// 8x8's webhooks go elsewhere, so that only asking it tells anything.
async fn mute(world: &World) {
    world.eight.point_at(&format!("{}/{CAPTURE}", world.bots.url())).await;
}

#[tokio::test]
async fn a_queue_8x8_does_not_know_is_the_bots_fault() {
    let world = World::start().await;
    let reply = world
        .api
        .post("/v1/handovers", &with_user(json!({"queueId": "999"})))
        .await;
    let told = problem(&reply, 422, "upstream-rejected");
    assert_eq!(told["upstream"]["status"], 400);
    assert!(told["upstream"]["message"].as_str().unwrap().contains("999"), "{told}");
    let id = told["handoverId"].as_str().unwrap();
    let events = world.bots.told(id, &["handover.failed"]).await;
    assert_eq!(events[0].data()["problem"]["code"], "upstream-rejected");
    let shown = world.api.handover(id).await;
    assert_eq!(
        (&shown["state"], &shown["outcome"]),
        (&json!("failed"), &json!("error"))
    );
    let said = world
        .api
        .post(&format!("/v1/handovers/{id}/messages"), &json!({"text": "x"}))
        .await;
    problem(&said, 409, "handover-ended");
    world.finish().await;
}

#[tokio::test]
async fn credentials_8x8_does_not_take_are_the_operators_fault() {
    let mut world = World::with(|setup| {
        setup.config.set("tenants.acme.api_key", "eght_wrong");
    })
    .await;
    expect_failures(&mut world);
    let reply = world.api.post("/v1/handovers", &with_user(json!({}))).await;
    let told = problem(&reply, 502, "upstream-unauthorized");
    assert_eq!(told["upstream"]["status"], 401);
    assert!(!reply.text().contains("eght_wrong"));
    world.finish().await;
}

#[tokio::test]
async fn a_create_8x8_refuses_for_another_reason_is_a_bad_gateway() {
    let world = troubled().await;
    for status in [403, 404, 409] {
        world
            .eight
            .fault(json!({"on": "api", "operation": "create", "status": status}))
            .await;
        let reply = world.api.post("/v1/handovers", &with_user(json!({}))).await;
        assert_eq!(reply.status, 502, "{reply}");
        assert_eq!(reply.json()["upstream"]["status"], status);
    }
    assert!(world.eight.conversations().await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn a_throttled_create_is_repeated_and_made_once() {
    let world = World::start().await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "create", "status": 429, "times": 2}))
        .await;
    let (id, _) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    assert_eq!(world.eight.calls("create").await.len(), 3);
    assert_eq!(world.eight.conversations().await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_create_throttled_for_long_may_be_repeated_under_its_key() {
    let world = troubled().await;
    let busy = json!({"on": "api", "operation": "create", "status": 429, "times": 1000, "retryAfter": "4"});
    world.eight.fault(busy).await;
    let reply = create_once(&world, "k-1").await;
    problem(&reply, 503, "upstream-unavailable");
    let seconds: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=4).contains(&seconds), "{seconds}");
    assert!(world.eight.conversations().await.is_empty());
    world.eight.clear_faults().await;
    let again = eventually("8x8 is asked again after the time it wanted", async || {
        let again = create_once(&world, "k-1").await;
        (again.status != 503).then_some(again)
    })
    .await;
    again.ok(201);
    assert_eq!(again.header("idempotent-replayed"), None);
    assert_eq!(world.eight.conversations().await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_create_that_cannot_be_sent_is_answered_503_and_may_be_repeated() {
    let mut world = World::with(|setup| {
        quick(setup);
        setup.config.set("tenants.acme.base_url", "http://127.0.0.1:1");
    })
    .await;
    expect_failures(&mut world);
    let reply = create_once(&world, "k-1").await;
    let told = problem(&reply, 503, "upstream-unavailable");
    assert!(reply.header("retry-after").is_some());
    assert!(!reply.text().contains("127.0.0.1"), "{reply}");
    let failed = world.api.handover(told["handoverId"].as_str().unwrap()).await;
    assert_eq!(failed["state"], "failed");
    world.finish().await;
}

/// A create 8x8 took without saying so: found by asking, told under its key.
async fn a_create_was_taken(fault: Value) {
    let world = troubled().await;
    mute(&world).await;
    world.eight.fault(fault).await;
    let reply = create_once(&world, "k-1").await;
    let told = problem(&reply, 504, "upstream-timeout");
    let id = told["handoverId"].as_str().unwrap().to_owned();
    eventually("it is found", async || {
        (world.api.handover(&id).await["state"] == "queued").then_some(())
    })
    .await;
    let again = create_once(&world, "k-1").await;
    assert_eq!(
        (again.status, again.header("idempotent-replayed")),
        (201, Some("true")),
        "{again}"
    );
    assert_eq!(again.json()["id"], *id);
    let conversations = world.eight.conversations().await;
    assert_eq!(conversations.len(), 1);
    assert_eq!(again.json()["conversationId"], conversations[0]["id"]);
    assert_eq!(world.eight.calls("create").await.len(), 1);
    assert_eq!(world.api.say(&id, "hello").await["status"], "accepted");
    world.finish().await;
}

#[tokio::test]
async fn a_create_taken_and_answered_500_is_found() {
    a_create_was_taken(json!({"on": "api", "operation": "create", "status": 500, "taken": true})).await;
}

#[tokio::test]
async fn a_create_taken_and_cut_off_is_found() {
    a_create_was_taken(json!({"on": "api", "operation": "create", "drop": "after"})).await;
}

#[tokio::test]
async fn a_create_taken_and_never_answered_is_found() {
    a_create_was_taken(json!({"on": "api", "operation": "create", "hang": "after"})).await;
}

/// A create 8x8 did not take and did not say so: not repeated before that is proven, then it may run anew under its key.
async fn a_create_was_not_taken(fault: Value) {
    let world = troubled().await;
    world.eight.fault(fault).await;
    let told = problem(&create_once(&world, "k-1").await, 504, "upstream-timeout");
    let id = told["handoverId"].as_str().unwrap().to_owned();
    problem(&create_once(&world, "k-1").await, 504, "upstream-timeout");
    assert_eq!(world.eight.calls("create").await.len(), 1);
    let event = world.bots.event(&id, "handover.failed").await;
    assert_eq!(event.data()["problem"]["code"], "upstream-timeout");
    assert_eq!(world.api.handover(&id).await["state"], "failed");
    assert!(world.eight.conversations().await.is_empty());
    let again = create_once(&world, "k-1").await.ok(201);
    assert_ne!(again["id"], *id);
    assert_eq!(world.eight.conversations().await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_create_answered_500_and_not_taken_fails() {
    a_create_was_not_taken(json!({"on": "api", "operation": "create", "status": 500})).await;
}

#[tokio::test]
async fn a_create_cut_off_and_not_taken_fails() {
    a_create_was_not_taken(json!({"on": "api", "operation": "create", "drop": "before"})).await;
}

#[tokio::test]
async fn an_event_of_8x8s_resolves_a_create_that_was_not_answered() {
    let world = troubled().await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "create", "hang": "after"}))
        .await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "list", "status": 500, "times": 1000}))
        .await;
    let reply = create_once(&world, "k-1").await;
    assert!([201, 504].contains(&reply.status), "{reply}");
    let again = create_once(&world, "k-1").await.ok(201);
    world
        .bots
        .told(again["id"].as_str().unwrap(), &["handover.accepted", "handover.queued"])
        .await;
    assert_eq!(world.eight.conversations().await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn an_end_while_the_create_is_in_doubt_is_carried_out() {
    let world = troubled().await;
    mute(&world).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "create", "drop": "after"}))
        .await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "list", "status": 500, "times": 2}))
        .await;
    let told = problem(&create_once(&world, "k-1").await, 504, "upstream-timeout");
    let id = told["handoverId"].as_str().unwrap().to_owned();
    world.api.end(&id).await;
    world.eight.calls_made("leave", 1).await;
    let ended = world.bots.event(&id, "handover.ended").await;
    assert_eq!(ended.data()["reason"], "cancelled");
    assert_eq!(world.eight.conversations().await[0]["state"], "idle");
    world.finish().await;
}

/// One message meets a fault, another follows: both arrive once, in order.
async fn a_message_meets(fault: Value) {
    let world = troubled().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.fault(fault).await;
    let first = world.api.say(&id, "first").await;
    let second = world.api.say(&id, "second").await;
    for (sent, text) in [(&first, "first"), (&second, "second")] {
        if sent["status"] != "accepted" {
            eventually(&format!("the bot is told of `{text}`"), async || {
                world.bots.events(&id).into_iter().find(|event| {
                    event.kind() == "message.status"
                        && event.data()["messageId"] == sent["messageId"]
                        && event.data()["status"] == "accepted"
                })
            })
            .await;
        }
    }
    assert_eq!(world.eight.texts(&conversation).await, ["first", "second"]);
    world.finish().await;
}

#[tokio::test]
async fn a_throttled_message_arrives_once() {
    a_message_meets(json!({"on": "api", "operation": "message", "status": 429, "times": 3})).await;
}

#[tokio::test]
async fn a_message_answered_500_and_not_taken_arrives_once() {
    a_message_meets(json!({"on": "api", "operation": "message", "status": 500})).await;
}

#[tokio::test]
async fn a_message_answered_500_and_taken_arrives_once() {
    a_message_meets(json!({"on": "api", "operation": "message", "status": 500, "taken": true})).await;
}

#[tokio::test]
async fn a_message_cut_off_before_it_was_taken_arrives_once() {
    a_message_meets(json!({"on": "api", "operation": "message", "drop": "before"})).await;
}

#[tokio::test]
async fn a_message_cut_off_after_it_was_taken_arrives_once() {
    a_message_meets(json!({"on": "api", "operation": "message", "drop": "after"})).await;
}

#[tokio::test]
async fn a_message_that_hangs_before_it_is_taken_arrives_once() {
    a_message_meets(json!({"on": "api", "operation": "message", "hang": "before"})).await;
}

#[tokio::test]
async fn a_message_that_hangs_after_it_was_taken_arrives_once() {
    a_message_meets(json!({"on": "api", "operation": "message", "hang": "after"})).await;
}

#[tokio::test]
async fn the_same_text_twice_arrives_twice_though_one_was_in_doubt() {
    let world = troubled().await;
    let (id, conversation) = world.api.open(json!({})).await;
    assert_eq!(world.api.say(&id, "yes").await["status"], "accepted");
    world
        .eight
        .fault(json!({"on": "api", "operation": "message", "drop": "before"}))
        .await;
    world.api.say(&id, "yes").await;
    eventually("8x8 has both", async || {
        (world.eight.texts(&conversation).await == ["yes", "yes"]).then_some(())
    })
    .await;
    world.bots.event(&id, "message.status").await;
    assert_eq!(world.eight.texts(&conversation).await, ["yes", "yes"]);
    world.finish().await;
}

#[tokio::test]
async fn a_message_8x8_refuses_is_refused_and_the_next_is_taken() {
    let world = troubled().await;
    let (id, conversation) = world.api.open(json!({})).await;
    let path = format!("/v1/handovers/{id}/messages");
    world
        .eight
        .fault(json!({"on": "api", "operation": "message", "status": 400}))
        .await;
    problem(
        &world.api.post(&path, &json!({"text": "bad"})).await,
        422,
        "upstream-rejected",
    );
    world
        .eight
        .fault(json!({"on": "api", "operation": "message", "status": 404}))
        .await;
    problem(
        &world.api.post(&path, &json!({"text": "gone"})).await,
        502,
        "upstream-rejected",
    );
    world
        .eight
        .fault(json!({"on": "api", "operation": "message", "status": 401}))
        .await;
    problem(
        &world.api.post(&path, &json!({"text": "who"})).await,
        502,
        "upstream-unauthorized",
    );
    assert_eq!(world.api.say(&id, "good").await["status"], "accepted");
    assert_eq!(world.eight.texts(&conversation).await, ["good"]);
    world.finish().await;
}

#[tokio::test]
async fn a_message_that_does_not_reach_8x8_in_time_is_told_as_failed() {
    let world = World::with(|setup| {
        quick(setup);
        setup.config.set("tenants.acme.message_deadline", "3s");
    })
    .await;
    let (id, conversation) = world.api.open(json!({})).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "message", "status": 429, "times": 1000}))
        .await;
    let body = json!({"text": "hello", "clientMessageId": "m-1"});
    let sent = world
        .api
        .post(&format!("/v1/handovers/{id}/messages"), &body)
        .await
        .ok(202);
    assert_eq!(sent["status"], "queued");
    let told = world.bots.event(&id, "message.status").await;
    assert_eq!(
        (&told.data()["messageId"], &told.data()["status"]),
        (&sent["messageId"], &json!("failed"))
    );
    assert_eq!(told.data()["clientMessageId"], "m-1");
    assert!(world.eight.texts(&conversation).await.is_empty());
    world.eight.clear_faults().await;
    world.finish().await;
}

#[tokio::test]
async fn a_message_in_doubt_when_the_process_dies_arrives_once() {
    for fault in ["before", "after"] {
        let mut world = troubled().await;
        let (id, conversation) = world.api.open(json!({})).await;
        world
            .eight
            .fault(json!({"on": "api", "operation": "message", "hang": fault}))
            .await;
        let (api, sender) = (world.api.clone(), id.clone());
        let mut sending = tokio::task::JoinSet::new();
        sending.spawn(async move {
            let path = format!("/v1/handovers/{sender}/messages");
            api.call(Method::POST, &path)
                .json(&json!({"text": "once"}))
                .try_send()
                .await
        });
        eventually("8x8 has the call", async || {
            world.eight.faults_left().await.is_empty().then_some(())
        })
        .await;
        world.kill_and_restart().await;
        assert!(sending.join_next().await.unwrap().unwrap().is_err());
        let told = world.bots.event(&id, "message.status").await;
        assert_eq!(told.data()["status"], "accepted", "{fault}");
        assert_eq!(world.eight.texts(&conversation).await, ["once"], "{fault}");
        world.finish().await;
    }
}

#[tokio::test]
async fn an_end_is_repeated_until_8x8_confirms_it() {
    let mut world = World::with(quick).await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "leave", "status": 500}))
        .await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "leave", "drop": "before"}))
        .await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "leave", "status": 429}))
        .await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "leave", "status": 500, "times": 2}))
        .await;
    assert_eq!(world.api.end(&id).await["state"], "ended");
    world.bots.event(&id, "handover.ended").await;
    world.eight.calls_made("leave", 2).await;
    world.kill_and_restart().await;
    let calls = world.eight.calls_made("leave", 6).await;
    assert_eq!(calls[5]["taken"], true);
    eventually("the agent is freed", async || {
        (world.eight.conversation(&conversation).await["state"] == "idle").then_some(())
    })
    .await;
    world.eight.all_acknowledged().await;
    assert_eq!(
        world
            .bots
            .kinds(&id)
            .iter()
            .filter(|kind| *kind == "handover.ended")
            .count(),
        1
    );
    world.finish().await;
}

#[tokio::test]
async fn a_change_8x8_does_not_carry_out_is_told() {
    let world = World::with(quick).await;
    let (id, _) = world.api.open(json!({})).await;
    let path = format!("/v1/handovers/{id}");
    world
        .eight
        .fault(json!({"on": "api", "operation": "patch", "status": 400}))
        .await;
    problem(
        &world.api.patch(&path, &json!({"queueId": "102"})).await,
        422,
        "upstream-rejected",
    );
    // The answer comes before 8x8 has made up its mind.
    let busy = json!({"on": "api", "operation": "patch", "status": 429, "retryAfter": "2"});
    world.eight.fault(busy).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "patch", "status": 400}))
        .await;
    world.api.patch(&path, &json!({"queueId": "102"})).await.ok(202);
    let told = world.bots.event(&id, "handover.update_failed").await;
    assert_eq!(told.data()["problem"]["code"], "upstream-rejected");
    world.finish().await;
}

#[tokio::test]
async fn an_agent_who_left_while_8x8_could_not_be_asked_ends_the_handover_in_the_end() {
    let world = World::with(|setup| setup.options.webhook_version = "v2.0".to_owned()).await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "get", "status": 500, "times": 2}))
        .await;
    world.eight.end(&conversation).await;
    assert_eq!(
        world.bots.event(&id, "agent.left").await.data()["state"],
        "transferring"
    );
    let ended = world.bots.event(&id, "handover.ended").await;
    assert_eq!(ended.data()["reason"], "agent_ended");
    assert!(world.eight.calls("get").await.len() >= 3);
    world.finish().await;
}

/// An earlier run may have sent any of them; how long 8x8 takes to show what it took is waited for once.
#[tokio::test]
async fn messages_left_by_a_killed_process_wait_together_and_not_one_after_the_other() {
    let mut world = troubled().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "message", "status": 429, "times": 1000}))
        .await;
    let texts = ["one", "two", "three", "four"];
    for text in texts {
        let said = world.api.say(&id, text).await;
        assert_eq!(said["status"], "queued");
    }
    world.gateway.kill();
    world.eight.clear_faults().await;
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    eventually("all are posted, in order", async || {
        (world.eight.texts(&conversation).await == texts).then_some(())
    })
    .await;
    world.finish().await;
}

/// The create of a bot, which 8x8 did not take.
async fn never_taken(world: &World) -> String {
    let drop = json!({"on": "api", "operation": "create", "drop": "before"});
    world.eight.fault(drop).await;
    let reply = create_once(world, "k-1").await;
    problem(&reply, 504, "upstream-timeout")["handoverId"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_create_is_known_as_never_taken_where_more_began_since_than_a_page_shows() {
    let world = troubled().await;
    world.api.open(json!({})).await;
    world.eight.add_channel(json!({"id": "sms", "type": "SMS"})).await;
    let id = never_taken(&world).await;
    for _ in 0..210 {
        world.eight.customer(json!({"channelId": "sms", "text": "Hello"})).await;
    }
    let failed = world.bots.event(&id, "handover.failed").await;
    let detail = failed.data()["problem"]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("has no conversation of it"), "{detail}");
    world.finish().await;
}

#[tokio::test]
async fn a_create_is_known_as_never_taken_in_an_account_that_has_none_of_ours() {
    let world = troubled().await;
    world.eight.add_channel(json!({"id": "sms", "type": "SMS"})).await;
    world.eight.customer(json!({"channelId": "sms", "text": "Hello"})).await;
    let id = never_taken(&world).await;
    let failed = world.bots.event(&id, "handover.failed").await;
    let detail = failed.data()["problem"]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("has no conversation of it"), "{detail}");
    world.finish().await;
}
