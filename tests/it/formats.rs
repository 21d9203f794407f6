//! Callbacks in other formats than the gateway's own, and with other credentials.

use cloudevents::AttributesReader as _;
use http::Method;
use serde_json::json;
use standardwebhooks::Webhook;

use crate::support::bot::CAPTURE;
use crate::support::bot::Callback;
use crate::support::config::SECRET;
use crate::support::reply::Reply;
use crate::support::token_endpoint::TokenEndpoint;
use crate::support::wait::eventually;
use crate::support::world::Setup;
use crate::support::world::World;

const USERNAME: &str = "canary_of_the_user";
const PASSWORD: &str = "canary of the password & more";
const CLIENT: &str = "canary_of_the_client";
const APP_TOKEN: &str = "canary_of_the_app_token";

fn of_kind(world: &World, kind: &str) -> Vec<Callback> {
    let mut all = world.bots.captured();
    all.retain(|callback| callback.event["eventType"] == kind);
    all
}

async fn passed_on(world: &World, kind: &str, count: usize) -> Vec<Callback> {
    eventually(&format!("{count} {kind} passed on"), async || {
        Some(of_kind(world, kind)).filter(|all| all.len() >= count)
    })
    .await
}

fn passthrough(setup: &mut Setup) {
    let url = setup.config.text();
    let url = url
        .lines()
        .find(|line| line.starts_with("bots.support.callback_url"))
        .unwrap();
    let url = url.split('"').nth(1).unwrap().replace("support", CAPTURE);
    setup
        .config
        .set("bots.support.callback_url", url)
        .set("bots.support.format", "passthrough");
}

#[tokio::test]
async fn cloud_events_are_read_by_their_own_library_and_sort_by_their_sequence() {
    let world = World::with(|setup| {
        setup.config.set("bots.support.format", "cloudevents");
    })
    .await;
    let (id, conversation) = world.api.open(json!({"metadata": {"ticket": 42}})).await;
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "Grüße").await;
    let expected = [
        "handover.accepted",
        "handover.queued",
        "agent.joined",
        "message.created",
    ];
    let told = world.bots.told(&id, &expected).await;
    let log = world.api.events(&id).await;
    let mut sequences = Vec::new();
    for (callback, logged) in told.iter().zip(&log) {
        assert_eq!(callback.header("content-type"), "application/cloudevents+json");
        let event: cloudevents::Event = serde_json::from_slice(&callback.raw).unwrap();
        assert_eq!(event.specversion(), cloudevents::event::SpecVersion::V10);
        assert_eq!(event.id(), callback.header("webhook-id"));
        assert_eq!(event.ty(), logged["type"]);
        assert_eq!(event.source(), "urn:handover-gateway:tenant:acme");
        assert_eq!(event.subject(), Some(id.as_str()));
        assert_eq!(event.datacontenttype(), Some("application/json"));
        assert_eq!(event.time().unwrap().timestamp_millis(), millis(&logged["timestamp"]));
        let Some(cloudevents::Data::Json(data)) = event.data() else {
            panic!("{event:?}")
        };
        assert_eq!(data, &logged["data"]);
        sequences.push(event.extension("sequence").unwrap().to_string());
    }
    assert!(
        sequences.is_sorted() && sequences[3] == "00000000000000000004",
        "{sequences:?}"
    );
    world.finish().await;
}

fn millis(text: &serde_json::Value) -> i64 {
    let at: jiff::Timestamp = text.as_str().unwrap().parse().unwrap();
    at.as_millisecond()
}

#[tokio::test]
async fn webhooks_are_passed_on_to_the_byte_in_order_and_another_receiver_can_prove_them() {
    let world = World::with(passthrough).await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "Hello").await;
    let odd = json!({"body": {"eventType": "CONVERSATION_RATED", "data": {"stars": 5,  "x": 1.0}}});
    world.eight.event(&conversation, odd).await;
    let echo =
        json!({"isEcho": true, "sender": {"id": "u", "type": "user"}, "text": "mine", "attachments": [], "cards": []});
    world
        .eight
        .event(&conversation, json!({"body": {"eventType": "MESSAGE", "data": echo}}))
        .await;
    let hello = json!({"body": {"eventType": "WEB_HOOK_VERIFY"}, "wait": true});
    assert_eq!(world.eight.event(&conversation, hello).await["status"], 204);
    world.eight.end(&conversation).await;
    world.eight.all_acknowledged().await;
    passed_on(&world, "CONVERSATION_RATED", 1).await;
    passed_on(&world, "MESSAGE", 2).await;

    let sent = world.eight.all_webhooks().await;
    let sent: Vec<_> = sent
        .iter()
        .filter(|event| event["eventType"] != "WEB_HOOK_VERIFY")
        .map(|event| event["eventId"].as_str().unwrap().to_owned())
        .collect();
    let passed = eventually("all webhooks are passed on", async || {
        Some(world.bots.captured()).filter(|all| all.len() >= sent.len())
    })
    .await;
    let ids: Vec<_> = passed
        .iter()
        .map(|callback| callback.header("x-8x8-event-id"))
        .collect();
    assert_eq!(ids, sent, "each once, in order, and nothing of the gateway's own");
    assert!(of_kind(&world, "WEB_HOOK_VERIFY").is_empty());
    let bot = Webhook::new(SECRET).unwrap();
    for callback in &passed {
        bot.verify(&callback.raw, &callback.headers).unwrap();
        assert_eq!(callback.header("handover-id"), id);
        assert_eq!(callback.header("content-type"), "application/json");
        let mut again = world
            .api
            .with_key(None)
            .call(Method::POST, "/v1/liveAgent/receiveMessage")
            .header("content-type", "application/json");
        for (name, value) in &callback.headers {
            if name.as_str().starts_with("x-8x8-") {
                again = again.header(name.as_str(), value.to_str().unwrap());
            }
        }
        // Whoever has 8x8's key proves it by its signature; here it came before.
        let reply = again.raw(callback.raw.clone()).send().await;
        assert_eq!(reply.status, 204, "{reply}");
    }
    let log = world.finish().await;
    let signature = passed[0].header("x-8x8-signature");
    assert!(
        log.lines().iter().all(|line| !line.contains(signature)),
        "a signature in the log"
    );
}

#[tokio::test]
async fn a_webhook_that_is_not_taken_is_passed_on_again_before_the_next() {
    let world = World::with(passthrough).await;
    let is_message = |callback: &Callback| callback.event["eventType"] == "MESSAGE";
    world.bots.answer(2, Reply::status(503), is_message);
    let (_, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "one").await;
    world.eight.say(&conversation, "two").await;
    let messages = passed_on(&world, "MESSAGE", 4).await;
    let texts: Vec<_> = messages
        .iter()
        .map(|m| m.event["data"]["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["one", "one", "one", "two"]);
    let attempts: Vec<_> = messages.iter().map(|m| m.header("handover-attempt")).collect();
    assert_eq!(attempts, ["1", "2", "3", "1"]);
    assert_eq!(messages[0].header("webhook-id"), messages[2].header("webhook-id"));
    assert_eq!(
        messages[0].header("x-8x8-signature"),
        messages[2].header("x-8x8-signature")
    );
    world.finish().await;
}

#[tokio::test]
async fn what_waits_to_be_passed_on_outlives_the_process() {
    let mut world = World::with(passthrough).await;
    world.bots.answer(usize::MAX, Reply::status(503), |callback| {
        callback.event["eventType"] == "MESSAGE"
    });
    let (_, conversation) = world.api.open(json!({})).await;
    world.eight.say(&conversation, "kept").await;
    let first = passed_on(&world, "MESSAGE", 1).await.remove(0);
    world.kill_and_restart().await;
    world.bots.forget_rules();
    let again = eventually("it is passed on by the next process", async || {
        of_kind(&world, "MESSAGE")
            .into_iter()
            .find(|callback| callback.answered == Some(204))
    })
    .await;
    assert_eq!(
        (&again.raw, again.header("x-8x8-signature")),
        (&first.raw, first.header("x-8x8-signature"))
    );
    world.finish().await;
}

#[tokio::test]
async fn typing_is_passed_on_once_and_leaves_no_entry() {
    let world = World::with(passthrough).await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    passed_on(&world, "MEMBERS_CHANGED", 1).await;
    world.bots.answer(usize::MAX, Reply::status(503), |callback| {
        callback.event["eventType"] == "ACTIVITY"
    });
    let own = json!({"users": [{"id": "user", "type": "user"}]});
    let typing = json!({"body": {"eventType": "ACTIVITY", "data": {"name": "typing", "value": own}}});
    let before = world.api.events(&id).await.len();
    eventually("typing is passed on", async || {
        // One that finds anything else waiting is dropped, as it should be.
        world.eight.event(&conversation, typing.clone()).await;
        of_kind(&world, "ACTIVITY").pop()
    })
    .await;
    let typed = of_kind(&world, "ACTIVITY");
    let mut attempts: Vec<_> = typed.iter().map(|callback| callback.header("webhook-id")).collect();
    attempts.sort_unstable();
    attempts.dedup();
    assert_eq!(attempts.len(), typed.len(), "none was tried twice");
    assert!(
        typed
            .iter()
            .all(|callback| !callback.header("x-8x8-signature").is_empty())
    );
    assert_eq!(world.api.events(&id).await.len(), before);
    world.finish().await;
}

fn oauth2(setup: &mut Setup, tokens: &TokenEndpoint) {
    setup
        .config
        .set("bots.support.auth.kind", "oauth2")
        .set("bots.support.auth.token_url", tokens.url())
        .set("bots.support.auth.username", USERNAME)
        .set("bots.support.auth.password", PASSWORD)
        .set("bots.support.auth.client_id", CLIENT)
        .set("bots.support.auth.app_token", APP_TOKEN);
}

#[tokio::test]
async fn a_token_is_fetched_for_a_password_once_and_goes_with_every_callback() {
    let tokens = TokenEndpoint::start().await;
    let world = World::with(|setup| oauth2(setup, &tokens)).await;
    let (id, _) = world.api.open(json!({})).await;
    let told = world.bots.told(&id, &["handover.accepted", "handover.queued"]).await;
    let (other, _) = world.api.open(json!({})).await;
    world.bots.told(&other, &["handover.accepted", "handover.queued"]).await;
    for callback in told.iter().chain(&world.bots.events(&other)) {
        assert_eq!(callback.header("authorization"), "Bearer access-1");
        assert_eq!(callback.header("x-app-token"), APP_TOKEN);
    }
    let asked = tokens.asked();
    assert_eq!(asked.len(), 1, "{:?}", tokens.grants());
    assert_eq!(asked[0].content_type, "application/x-www-form-urlencoded");
    let expected = [
        ("clientid", CLIENT),
        ("grant_type", "password"),
        ("password", PASSWORD),
        ("username", USERNAME),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(asked[0].form, expected.into());
    let log = world.finish().await;
    for secret in [PASSWORD, CLIENT, APP_TOKEN, "access-1", "refresh-1"] {
        let line = log.lines().into_iter().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} in the log");
    }
}

#[tokio::test]
async fn a_token_is_renewed_with_its_refresh_token_before_it_expires() {
    let tokens = TokenEndpoint::start().await;
    tokens.expires_in(json!("2"));
    let world = World::with(|setup| oauth2(setup, &tokens)).await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    eventually("the second token is used", async || {
        world.eight.say(&conversation, "Hello").await;
        let all = world.bots.events(&id);
        all.into_iter()
            .find(|callback| callback.header("authorization") == "Bearer access-2")
    })
    .await;
    let asked = tokens.asked();
    let expected = [
        ("clientid", CLIENT),
        ("grant_type", "refresh_token"),
        ("refresh_token", "refresh-1"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(asked[1].form, expected.into());
    // A refresh token that is not taken any more: the password is.
    tokens.refuse(400);
    eventually("the fourth token is used", async || {
        world.eight.say(&conversation, "Hello").await;
        let all = world.bots.events(&id);
        all.into_iter()
            .find(|callback| callback.header("authorization") == "Bearer access-4")
    })
    .await;
    assert_eq!(
        tokens.grants()[..4],
        ["password", "refresh_token", "refresh_token", "password"]
    );
    world.finish().await;
}

#[tokio::test]
async fn a_callback_answered_401_is_made_once_more_at_once_with_a_new_token() {
    let tokens = TokenEndpoint::start().await;
    let world = World::with(|setup| oauth2(setup, &tokens)).await;
    let is_old = |callback: &Callback| callback.header("authorization") == "Bearer access-1";
    world.bots.answer(usize::MAX, Reply::status(401), is_old);
    let (id, _) = world.api.open(json!({})).await;
    world.bots.told(&id, &["handover.accepted", "handover.queued"]).await;
    let attempts = world.bots.attempts(&id);
    let seen: Vec<_> = attempts
        .iter()
        .map(|callback| (callback.header("authorization"), callback.header("handover-attempt")))
        .collect();
    assert_eq!(
        seen,
        [
            ("Bearer access-1", "1"),
            ("Bearer access-2", "1"),
            ("Bearer access-2", "1")
        ]
    );
    world.finish().await;
}

#[tokio::test]
async fn without_a_token_the_attempt_fails_and_the_event_waits() {
    let tokens = TokenEndpoint::start().await;
    for _ in 0..2 {
        tokens.refuse(500);
    }
    let world = World::with(|setup| oauth2(setup, &tokens)).await;
    let (id, _) = world.api.open(json!({})).await;
    let told = world.bots.told(&id, &["handover.accepted", "handover.queued"]).await;
    assert_ne!(told[0].header("handover-attempt"), "1");
    let log = world.finish().await;
    let failed = log.with_message("bot did not accept event 1");
    assert!(failed.iter().any(|line| line["error"] == "token"), "{failed:?}");
}

#[tokio::test]
async fn an_app_token_goes_without_a_bearer_token_too() {
    let world = World::with(|setup| {
        setup.config.set("bots.support.auth.app_token", APP_TOKEN);
    })
    .await;
    let (id, _) = world.api.open(json!({})).await;
    for callback in world.bots.told(&id, &["handover.accepted", "handover.queued"]).await {
        assert_eq!(
            (callback.header("x-app-token"), callback.header("authorization")),
            (APP_TOKEN, "")
        );
    }
    world.finish().await;
}
