//! What is shown in passing, both ways: typing, thinking and read receipts.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::events_api::Stream;
use crate::support::bot::Callback;
use crate::support::wait::PATIENCE;
use crate::support::wait::eventually;
use crate::support::wait::within;
use crate::support::world::World;

async fn served(world: &World) -> (String, String) {
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    (id, conversation)
}

/// What 8x8 was shown.
async fn shown(world: &World, conversation: &str) -> Vec<Value> {
    let shown = world.eight.conversation(conversation).await;
    shown["signals"].as_array().unwrap().clone()
}

fn is_typing(callback: &Callback, active: bool) -> bool {
    callback.kind() == "agent.typing" && callback.data()["typing"]["active"] == active
}

fn typing(world: &World, active: bool) -> Vec<Callback> {
    let mut told = world.bots.callbacks();
    told.retain(|callback| is_typing(callback, active));
    told
}

#[tokio::test]
async fn thinking_and_read_receipts_reach_8x8_as_it_documents_them() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    let post = async |call: &str, body: Value| {
        let path = format!("/v1/handovers/{id}/{call}");
        world.api.post(&path, &body).await.ok(204)
    };
    post("thinking", json!({})).await;
    post("thinking", json!({"authorType": "bot", "maxThinkingTimeSeconds": 600})).await;
    post("read-receipt", json!({"readAt": "2026-11-20T12:00:00.123Z"})).await;
    post(
        "read-receipt",
        json!({"authorType": "bot", "readAt": 1_795_176_000_123_i64}),
    )
    .await;
    let without_a_body = world
        .api
        .call(http::Method::POST, &format!("/v1/handovers/{id}/read-receipt"));
    without_a_body.send().await.ok(204);
    let shown = shown(&world, &conversation).await;
    let bodies: Vec<_> = shown
        .iter()
        .map(|signal| (&signal["signal"], &signal["body"]))
        .collect();
    assert_eq!(bodies[0], (&json!("thinking"), &json!({"authorType": "bot"})));
    assert_eq!(
        bodies[1],
        (
            &json!("thinking"),
            &json!({"authorType": "bot", "maxThinkingTimeSeconds": 600})
        )
    );
    assert_eq!(
        bodies[2],
        (
            &json!("read-receipt"),
            &json!({"authorType": "user", "readAt": 1_795_176_000_123_i64})
        )
    );
    assert_eq!(
        bodies[3],
        (
            &json!("read-receipt"),
            &json!({"authorType": "bot", "readAt": 1_795_176_000_123_i64})
        )
    );
    let (at, read_at) = (
        shown[4]["at"].as_i64().unwrap(),
        bodies[4].1["readAt"].as_i64().unwrap(),
    );
    assert!((0..5000).contains(&(at - read_at)), "of now: {read_at} at {at}");
    assert_eq!(world.api.events(&id).await.len(), 3, "none of it is in the log");
    world.finish().await;
}

#[tokio::test]
async fn a_signal_with_a_fault_names_it_and_is_not_sent() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    for (call, body, pointer) in [
        ("thinking", json!({"authorType": "user"}), "/authorType"),
        (
            "thinking",
            json!({"maxThinkingTimeSeconds": 0}),
            "/maxThinkingTimeSeconds",
        ),
        (
            "thinking",
            json!({"maxThinkingTimeSeconds": 601}),
            "/maxThinkingTimeSeconds",
        ),
        (
            "thinking",
            json!({"maxThinkingTimeSeconds": "1"}),
            "/maxThinkingTimeSeconds",
        ),
        ("thinking", json!({"seconds": 1}), "/seconds"),
        ("read-receipt", json!({"authorType": "agent"}), "/authorType"),
        ("read-receipt", json!({"readAt": "yesterday"}), "/readAt"),
        ("read-receipt", json!({"readAt": 1_795_176_000}), "/readAt"),
    ] {
        let refused = world
            .api
            .post(&format!("/v1/handovers/{id}/{call}"), &body)
            .await
            .ok(422);
        assert_eq!(
            (&refused["code"], &refused["errors"][0]["pointer"]),
            (&json!("invalid-request"), &json!(pointer)),
            "{refused}"
        );
    }
    assert_eq!(shown(&world, &conversation).await, Vec::<Value>::new());
    world.finish().await;
}

#[tokio::test]
async fn a_keyed_signal_is_shown_once_and_8x8s_refusal_is_told() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    for call in ["typing", "thinking", "read-receipt"] {
        let path = format!("/v1/handovers/{id}/{call}");
        let once = || world.api.call(http::Method::POST, &path).json(&json!({})).once(call);
        once().send().await.ok(204);
        let again = once().send().await;
        again.ok(204);
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{call}");
    }
    assert_eq!(shown(&world, &conversation).await.len(), 3);
    // As 8x8 refuses a user's receipt where the channel is not a Chat API one.
    let body = json!({"message": "Bad request", "referenceId": "ref-7", "errors":
        [{"code": "invalid_parameter", "message": "authorType user is only allowed for CHAT_API channels."}]});
    world
        .eight
        .fault(json!({"on": "api", "operation": "read-receipt", "status": 400, "body": body.to_string()}))
        .await;
    let refused = world
        .api
        .post(&format!("/v1/handovers/{id}/read-receipt"), &json!({}))
        .await
        .ok(422);
    assert_eq!(
        (&refused["code"], &refused["handoverId"]),
        (&json!("upstream-rejected"), &json!(id))
    );
    assert_eq!(refused["upstream"]["referenceId"], "ref-7");
    assert_eq!(
        refused["upstream"]["message"],
        "authorType user is only allowed for CHAT_API channels."
    );
    world.finish().await;
}

#[tokio::test]
async fn signals_of_what_is_still_to_be_said_do_not_overtake_it() {
    let mut world = World::with(|setup| {
        setup.config.set("tenants.acme.send_wait", "50ms");
    })
    .await;
    world.tolerate("upstream-unavailable");
    let (id, conversation) = served(&world).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "message", "delay": "1s"}))
        .await;
    assert_eq!(world.api.say(&id, "first").await["status"], "queued");
    for call in ["typing", "thinking", "read-receipt"] {
        world
            .api
            .post(&format!("/v1/handovers/{id}/{call}"), &json!({}))
            .await
            .ok(204);
    }
    let told = shown(&world, &conversation).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["signal"], "read-receipt", "what was read stays read");
    eventually("the message arrives", async || {
        (world.eight.texts(&conversation).await == ["first"]).then_some(())
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn signals_have_the_states_of_messages() {
    let world = World::start().await;
    let (id, _) = world.api.open(json!({})).await;
    for call in ["thinking", "read-receipt"] {
        world
            .api
            .post(&format!("/v1/handovers/{id}/{call}"), &json!({}))
            .await
            .ok(204);
    }
    world.api.end(&id).await;
    for call in ["typing", "thinking", "read-receipt"] {
        let path = format!("/v1/handovers/{id}/{call}");
        assert_eq!(
            world.api.post(&path, &json!({})).await.ok(409)["code"],
            "handover-ended"
        );
        let sales = world.api.of_bot("sales");
        assert_eq!(sales.post(&path, &json!({})).await.ok(404)["code"], "not-found");
    }
    world.finish().await;
}

#[tokio::test]
async fn an_agent_who_is_not_heard_of_types_no_more_after_ten_seconds() {
    let world = World::start().await;
    let (_, conversation) = served(&world).await;
    world.eight.agent(&conversation, json!({"do": "type"})).await;
    world
        .bots
        .callback("typing", |callback| is_typing(callback, true))
        .await;
    let stopped = within(PATIENCE, async || typing(&world, false).pop()).await.unwrap();
    let began = typing(&world, true).pop().unwrap();
    assert!(stopped.at - began.at >= Duration::from_millis(9_500));
    assert_eq!(stopped.data()["typing"], json!({"active": false, "users": []}));
    assert_eq!(stopped.data()["ephemeral"], true);
    world.finish().await;
}

#[tokio::test]
async fn an_agent_who_wrote_or_left_types_no_more() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    let path = format!("/v1/handovers/{id}/events");
    let mut stream = Stream::open(&world.api, &path, None).await;
    let mut next_typing = async || loop {
        let event = stream.next().await.unwrap();
        if event.kind == "agent.typing" {
            return event.data["data"]["typing"].clone();
        }
    };
    world.eight.agent(&conversation, json!({"do": "type"})).await;
    assert_eq!(next_typing().await["active"], true);
    world.eight.say(&conversation, "Hello").await;
    assert_eq!(next_typing().await, json!({"active": false, "users": []}));
    world.eight.agent(&conversation, json!({"do": "type"})).await;
    assert_eq!(next_typing().await["active"], true);
    world
        .eight
        .agent(&conversation, json!({"do": "join", "agentId": "agent-2"}))
        .await;
    world.eight.agent(&conversation, json!({"do": "leave"})).await;
    assert_eq!(next_typing().await, json!({"active": false, "users": []}));
    world.finish().await;
}
