//! A call repeated under its key is carried out once, whatever happens in between.

use http::Method;
use serde_json::Value;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::bot::CAPTURE;
use crate::support::calls::Body;
use crate::support::calls::Call;
use crate::support::calls::assert_all;
use crate::support::calls::documented;
use crate::support::calls::every;
use crate::support::client::Reply;
use crate::support::client::with_user;
use crate::support::config::SALES;
use crate::support::wait::eventually;
use crate::support::world::World;

async fn once(world: &World, path: &str, key: &str, body: &Value) -> Reply {
    world.api.call(Method::POST, path).once(key).json(body).send().await
}

fn assert_replayed(first: &Reply, again: &Reply) {
    assert_eq!((again.status, &again.body), (first.status, &first.body), "{again}");
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "{again}");
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("content-type"), first.header("content-type"));
}

#[tokio::test]
async fn a_repeated_call_is_told_the_first_answer() {
    let world = World::start().await;
    let create = with_user(json!({"metadata": {"a": 1}}));
    let first = once(&world, "/v1/handovers", "k-1", &create).await;
    let handover = first.ok(201);
    let id = handover["id"].as_str().unwrap();
    assert_eq!(first.header("location"), Some(format!("/v1/handovers/{id}").as_str()));
    let conversation = handover["conversationId"].as_str().unwrap();
    let message = (format!("/v1/handovers/{id}/messages"), json!({"text": "hello"}));
    let sent = once(&world, &message.0, "k-1", &message.1).await;
    let end = (format!("/v1/handovers/{id}/end"), json!({"reason": "user_left"}));
    let ended = once(&world, &end.0, "k-1", &end.1).await;
    // Whatever the state has become since.
    assert_replayed(&first, &once(&world, "/v1/handovers", "k-1", &create).await);
    assert_replayed(&sent, &once(&world, &message.0, "k-1", &message.1).await);
    assert_replayed(&ended, &once(&world, &end.0, "k-1", &end.1).await);
    assert_eq!(world.eight.calls("create").await.len(), 1);
    assert_eq!(world.eight.texts(conversation).await, ["hello"]);
    world.eight.calls_made("leave", 1).await;
    assert_eq!(
        world
            .bots
            .kinds(id)
            .iter()
            .filter(|kind| *kind == "handover.ended")
            .count(),
        1
    );
    world.finish().await;
}

/// Another body that is as right.
fn otherwise(call: &Call) -> Call {
    let body = match &call.body {
        Body::Json(_) if call.path.ends_with("/resend") => Body::Nothing,
        Body::Json(body) => Body::Json(match call.path.rsplit('/').next().unwrap() {
            "handovers" => with_user(json!({"metadata": {"other": true}})),
            "messages" | "reopen" => json!({"text": "something else"}),
            "typing" | "read-receipt" => json!({"authorType": "user"}),
            "thinking" => json!({"authorType": "bot"}),
            "hand-back" => json!({"maxTotalMinutes": 60}),
            "end" => json!({"reason": "user_left"}),
            "recover" => json!({"since": "2026-01-02T00:00:00Z"}),
            _ => panic!("no other body than {body} for {}", call.path),
        }),
        Body::File(_) => Body::File("another file"),
        Body::Nothing => panic!("{} has no body", call.path),
    };
    Call { body, ..call.clone() }
}

#[tokio::test]
async fn every_post_takes_a_key_for_one_body() {
    let world = World::start().await;
    let mut all = documented(&world.api, "/v1").await;
    all.retain(|call| call.starts_with("POST "));
    let posts: Vec<_> = every().into_iter().filter(|call| call.method == Method::POST).collect();
    assert_all(&all, &posts);
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    let told = world.bots.event(&id, "agent.joined").await;
    for call in &posts {
        let keyed = async |call: &Call| call.of(&world.api, &id, told.id()).once("k-1").send().await;
        let first = keyed(call).await;
        assert!((200..300).contains(&first.status), "{first}");
        assert_replayed(&first, &keyed(call).await);
        let other = keyed(&otherwise(call)).await;
        assert_eq!(other.ok(422)["code"], "idempotency-mismatch", "{other}");
        assert_replayed(&first, &keyed(call).await);
    }
    // The handover of the create, this one, and the one made by reopening it: each call reached 8x8 once.
    for (operation, times) in [("create", 2), ("message", 2), ("attachment", 1), ("hand-back", 1)] {
        assert_eq!(world.eight.calls(operation).await.len(), times, "{operation}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_key_stands_for_one_body_to_the_byte() {
    let world = World::start().await;
    let create = |body: &'static str| {
        world
            .api
            .call(Method::POST, "/v1/handovers")
            .once("k-1")
            .body(body)
            .send()
    };
    create(r#"{"user":{"name":"James"}}"#).await.ok(201);
    for other in [r#"{"user":{"name":"Eve"}}"#, r#"{"user": {"name":"James"}}"#] {
        assert_eq!(create(other).await.ok(422)["code"], "idempotency-mismatch");
    }
    assert_eq!(world.eight.calls("create").await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_key_is_one_bots_and_one_paths() {
    let world = World::start().await;
    let body = with_user(json!({}));
    once(&world, "/v1/handovers", "k-1", &body).await.ok(201);
    let sales = world.api.of_bot(SALES);
    let other = sales
        .call(Method::POST, "/v1/handovers")
        .once("k-1")
        .json(&body)
        .send()
        .await;
    assert_eq!((other.status, other.header("idempotent-replayed")), (201, None));
    let other = once(&world, "/v1/handovers", "k-2", &body).await;
    assert_eq!((other.status, other.header("idempotent-replayed")), (201, None));
    assert_eq!(world.eight.calls("create").await.len(), 3);
    world.finish().await;
}

#[tokio::test]
async fn a_key_whose_call_is_still_running_is_refused() {
    let world = World::start().await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "create", "delay": "2s"}))
        .await;
    let body = with_user(json!({}));
    let mut running = JoinSet::new();
    let first = world.api.call(Method::POST, "/v1/handovers").once("k-1").json(&body);
    running.spawn(first.send());
    eventually("8x8 has the call", async || {
        world.eight.faults_left().await.is_empty().then_some(())
    })
    .await;
    let again = once(&world, "/v1/handovers", "k-1", &body).await.ok(409);
    assert_eq!(again["code"], "idempotency-in-progress");
    let other = once(&world, "/v1/handovers", "k-1", &with_user(json!({"queueId": "102"})))
        .await
        .ok(422);
    assert_eq!(other["code"], "idempotency-mismatch");
    let first = running.join_next().await.unwrap().unwrap();
    first.ok(201);
    assert_replayed(&first, &once(&world, "/v1/handovers", "k-1", &body).await);
    assert_eq!(world.eight.calls("create").await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn calls_made_at_once_under_one_key_are_carried_out_once() {
    let world = World::start().await;
    let body = with_user(json!({}));
    let calls = (0..10).map(|_| once(&world, "/v1/handovers", "k-1", &body));
    let replies = futures_util::future::join_all(calls).await;
    assert!(
        replies.iter().all(|reply| [201, 409].contains(&reply.status)),
        "{replies:?}"
    );
    assert!(replies.iter().any(|reply| reply.header("location").is_some()));
    assert_eq!(world.eight.calls("create").await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_key_outlives_the_process() {
    let mut world = World::start().await;
    let body = with_user(json!({}));
    let first = once(&world, "/v1/handovers", "k-1", &body).await;
    let id = first.ok(201)["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/handovers/{id}/messages");
    let sent = once(&world, &path, "m-1", &json!({"text": "hello"})).await;
    world.kill_and_restart().await;
    assert_replayed(&first, &once(&world, "/v1/handovers", "k-1", &body).await);
    assert_replayed(&sent, &once(&world, &path, "m-1", &json!({"text": "hello"})).await);
    let other = once(&world, "/v1/handovers", "k-1", &with_user(json!({"queueId": "102"}))).await;
    assert_eq!(other.ok(422)["code"], "idempotency-mismatch");
    assert_eq!(world.eight.calls("create").await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_create_that_was_running_when_the_process_died_is_resolved_under_its_key() {
    let mut world = World::start().await;
    world.tolerate("POST /v1/handovers");
    world.tolerate("a bot's call failed");
    world.eight.point_at(&format!("{}/{CAPTURE}", world.bots.url())).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "create", "hang": "after"}))
        .await;
    let body = with_user(json!({}));
    let mut running = JoinSet::new();
    running.spawn(
        world
            .api
            .call(Method::POST, "/v1/handovers")
            .once("k-1")
            .json(&body)
            .try_send(),
    );
    eventually("8x8 took it", async || {
        (world.eight.conversations().await.len() == 1).then_some(())
    })
    .await;
    world.kill_and_restart().await;
    assert!(running.join_next().await.unwrap().unwrap().is_err());
    let resolved = eventually("it is resolved", async || {
        let reply = once(&world, "/v1/handovers", "k-1", &body).await;
        (reply.status == 201).then_some(reply)
    })
    .await;
    assert_eq!(resolved.header("idempotent-replayed"), Some("true"));
    let conversations = world.eight.conversations().await;
    assert_eq!(conversations.len(), 1);
    assert_eq!(resolved.json()["conversationId"], conversations[0]["id"]);
    assert_eq!(world.eight.calls("create").await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_message_is_posted_once_under_its_own_name() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    let path = format!("/v1/handovers/{id}/messages");
    let body = json!({"text": "hello", "clientMessageId": "m-1"});
    let first = world.api.post(&path, &body).await.ok(202);
    let again = world.api.post(&path, &body).await;
    assert_eq!(again.ok(202), first);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = world
        .api
        .post(&path, &json!({"text": "other", "clientMessageId": "m-1"}))
        .await
        .ok(422);
    assert_eq!(other["code"], "idempotency-mismatch");
    world
        .api
        .post(&path, &json!({"text": "hello", "clientMessageId": "m-2"}))
        .await
        .ok(202);
    let (second, _) = world.api.open(json!({})).await;
    let elsewhere = world.api.post(&format!("/v1/handovers/{second}/messages"), &body).await;
    assert_ne!(elsewhere.ok(202)["messageId"], first["messageId"]);
    assert_eq!(world.eight.texts(&conversation).await, ["hello", "hello"]);
    world.finish().await;
}

#[tokio::test]
async fn a_call_that_was_never_right_leaves_its_key_free() {
    let world = World::start().await;
    let wrong = once(&world, "/v1/handovers", "k-1", &json!({"user": 1})).await;
    assert_eq!(wrong.status, 422);
    let stranger = world
        .api
        .with_key(None)
        .call(Method::POST, "/v1/handovers")
        .once("k-1")
        .json(&json!({}));
    assert_eq!(stranger.send().await.status, 401);
    let right = once(&world, "/v1/handovers", "k-1", &with_user(json!({}))).await;
    assert_eq!((right.status, right.header("idempotent-replayed")), (201, None));
    world.finish().await;
}

#[tokio::test]
async fn a_definite_refusal_is_told_again() {
    let world = World::start().await;
    let body = with_user(json!({"queueId": "999"}));
    let first = once(&world, "/v1/handovers", "k-1", &body).await;
    assert_eq!(first.status, 422);
    assert_replayed(&first, &once(&world, "/v1/handovers", "k-1", &body).await);
    assert_eq!(world.eight.calls("create").await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_key_is_1_to_255_visible_characters() {
    let world = World::start().await;
    let body = with_user(json!({}));
    let longest = "x".repeat(255);
    for key in ["", "with space", "tab\there", &format!("{longest}x")] {
        let reply = once(&world, "/v1/handovers", key, &body).await;
        assert_eq!(
            reply.ok(422)["errors"][0]["pointer"],
            "/headers/Idempotency-Key",
            "{key}"
        );
    }
    let twice = world
        .api
        .call(Method::POST, "/v1/handovers")
        .once("a")
        .once("b")
        .json(&body)
        .send()
        .await;
    assert_eq!(twice.status, 422);
    once(&world, "/v1/handovers", &longest, &body).await.ok(201);
    once(&world, "/v1/handovers", "!#$%&'()*+,-./:;<=>?@[]^_`{|}~\"\\", &body)
        .await
        .ok(201);
    world.finish().await;
}
