//! SIGHUP: settings that change while handovers are live.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::client::Client;
use crate::support::config::SUPPORT;
use crate::support::config::TENANT;
use crate::support::config::api_key;
use crate::support::config::key_hash;
use crate::support::traffic::Traffic;
use crate::support::wait::always;
use crate::support::wait::eventually;
use crate::support::world::World;

const REFUSED: &str = "the new settings cannot be used";
const HELLO: &str = "WEB_HOOK_VERIFY";

/// What 8x8's Test Connection of this tenant is answered.
async fn hello(world: &World, tenant: &str) -> u16 {
    let path = format!("/webhooks/8x8/{tenant}");
    let body = json!({"eventType": HELLO});
    world.api.with_key(None).post(&path, &body).await.status
}

/// What the audit log has of reloads, the newest first.
async fn audit(world: &World) -> Vec<Value> {
    let list = world.api.at(&world.gateway.admin()).get("/audit").await.ok(200);
    let mut entries = list["data"].as_array().unwrap().clone();
    entries.retain(|entry| entry["action"] == "settings.reload");
    entries
}

async fn list(world: &World, bot: &str) -> u16 {
    world.api.of_bot(bot).get("/v1/handovers").await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_faults_changes_nothing_and_every_fault_is_named() {
    let mut world = World::start().await;
    let traffic = Traffic::start(&world).await;
    let good = world.gateway.config.clone();
    world
        .gateway
        .config
        .set("bots.support.api_key_hashes", json!([key_hash("another key")]))
        .set("bots.sales.tenant", "nobody")
        .set("tenants.acme.transfer_grace", "soon");
    world.gateway.reload_in_vain().await;
    let faults = eventually("both faults", async || {
        let faults = world.gateway.log.with_message(REFUSED);
        (faults.len() == 2).then_some(faults)
    })
    .await;
    let named = |key: &str| {
        faults
            .iter()
            .any(|fault| fault["fault"].as_str().unwrap().contains(key))
    };
    assert!(
        named("bots.sales.tenant") && named("tenants.acme.transfer_grace"),
        "{faults:?}"
    );
    assert!(faults.iter().all(|fault| fault["level"] == "ERROR"));
    traffic.flows(&world).await;

    world.gateway.config = good.clone();
    world.gateway.config.unset("tenants").unset("bots");
    world.gateway.reload_in_vain().await;
    let last = world.gateway.log.with_message(REFUSED).pop().unwrap();
    assert_eq!(last["fault"], "no tenant is configured");
    world.gateway.config = good;
    world.gateway.reload().await;
    let entries = eventually("three entries", async || {
        Some(audit(&world).await).filter(|entries| entries.len() == 3)
    })
    .await;
    let outcomes: Vec<_> = entries.iter().map(|entry| entry["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["done", "refused", "refused"]);
    assert!(entries.iter().all(|entry| entry["actor"] == "signal"), "{entries:?}");
    traffic.flows(&world).await;
    traffic.unharmed(&world).await;
    world.tolerate(REFUSED);
    world.finish().await;
}

#[tokio::test]
async fn what_needs_a_restart_is_named_and_stays_as_it_is() {
    let mut world = World::start().await;
    let public = world.gateway.public();
    world
        .gateway
        .config
        .set("server.listen", "127.0.0.1:1")
        .set("server.max_connections", 1)
        .set("delivery.timeout", "1s")
        .set("tenants.acme.queue_id", "102");
    for _ in 0..2 {
        world.gateway.reload().await;
        let warned = world.gateway.log.with_message("need a restart").pop().unwrap();
        assert_eq!(warned["level"], "WARN");
        assert_eq!(
            warned["keys"], "delivery.timeout server.listen server.max_connections",
            "as often as they are read: {warned}"
        );
    }
    assert_eq!(world.gateway.public(), public);
    let (id, _) = world.api.open(json!({})).await;
    assert_eq!(
        world.api.handover(&id).await["queue"]["id"],
        "102",
        "the rest is taken up"
    );
    world.finish().await;
}

#[tokio::test]
async fn tenants_and_bots_come_and_go() {
    let mut world = World::start().await;
    let (eight, bots) = (world.eight.url(), world.bots.url());
    assert_eq!((hello(&world, "globex").await, list(&world, "extra").await), (404, 401));
    world
        .gateway
        .config
        .tenant("globex", &eight)
        .bot("extra", &bots)
        .set("bots.extra.tenant", "globex");
    world.gateway.reload().await;
    assert_eq!((hello(&world, "globex").await, list(&world, "extra").await), (204, 200));
    let (id, _) = world.api.of_bot("extra").open(json!({})).await;
    assert_eq!(world.api.of_bot("extra").handover(&id).await["tenant"], "globex");
    world.bots.event(&id, "handover.queued").await;
    world.gateway.config.unset("tenants.globex").unset("bots.extra");
    world.gateway.reload().await;
    assert_eq!((hello(&world, "globex").await, list(&world, "extra").await), (404, 401));
    assert_eq!((hello(&world, TENANT).await, list(&world, SUPPORT).await), (204, 200));
    let warned = eventually("its handover is told of", async || {
        world
            .gateway
            .log
            .with_message("bot extra is not configured any more")
            .pop()
    });
    assert_eq!(warned.await["live"], 1);
    world.finish().await;
}

#[tokio::test]
async fn events_of_a_bot_that_is_gone_wait_for_it_in_order() {
    let mut world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    let before = world.gateway.config.clone();
    world.gateway.config.unset("bots.support");
    world.gateway.reload().await;
    let told = world.bots.attempts(&id).len();
    for number in 0..3 {
        world.eight.say(&conversation, &format!("{number}")).await;
    }
    world.eight.all_acknowledged().await;
    assert!(world.eight.webhook_statuses().await.iter().all(|status| *status == 204));
    always("nobody is called", Duration::from_secs(1), async || {
        world.bots.attempts(&id).len() == told
    })
    .await;
    world.gateway.config = before;
    world.gateway.reload().await;
    let kinds = ["handover.accepted", "handover.queued", "agent.joined"];
    let kinds = kinds.into_iter().chain(["message.created"; 3]);
    let events = world.bots.told(&id, &kinds.collect::<Vec<_>>()).await;
    let texts: Vec<_> = events[3..].iter().map(|event| event.text().to_owned()).collect();
    assert_eq!(texts, ["0", "1", "2"]);
    world.finish().await;
}

#[tokio::test]
async fn calls_of_a_tenant_that_is_gone_wait_for_it() {
    let mut world = World::with(|setup| {
        setup
            .config
            .tenant("globex", crate::support::world::EIGHT)
            .set("bots.sales.tenant", "globex")
            .set("bots.support.queue_timeout", "2s");
    })
    .await;
    let (_, conversation) = world.api.open(json!({})).await;
    let before = world.gateway.config.clone();
    world.gateway.config.unset("tenants.acme").unset("bots.support");
    world.gateway.reload().await;
    let path = "/webhooks/8x8/globex";
    world.connect(path).await;
    eventually("the time in the queue is up", async || {
        let waits = world.gateway.log.with_message("calls to 8x8 wait for it");
        (!waits.is_empty()).then_some(())
    })
    .await;
    assert!(world.eight.calls("leave").await.is_empty());
    world.gateway.config = before;
    world.gateway.reload().await;
    let left = world.eight.calls_made("leave", 1).await;
    assert_eq!(left[0]["conversationId"], conversation.as_str(), "{left:?}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_an_unchanged_tenant_survives() {
    let mut world = World::start().await;
    let traffic = Traffic::start(&world).await;
    let asked = world.eight.calls("jwk").await.len();
    for limit in [1000, 2000, 3000] {
        world.gateway.config.set("bots.sales.queue_id", limit.to_string());
        world.gateway.reload().await;
        traffic.flows(&world).await;
    }
    // The tenant changes in what its keys do not depend on.
    world.gateway.config.set("tenants.acme.message_limit", 3999);
    world.gateway.reload().await;
    traffic.flows(&world).await;
    assert_eq!(
        world.eight.calls("jwk").await.len(),
        asked,
        "8x8's key is not fetched again"
    );
    traffic.unharmed(&world).await;
    world.finish().await;
}

async fn stream(world: &World, bot: &str) -> reqwest::Response {
    let call = world.api.of_bot(bot).call(Method::GET, "/v1/events");
    let response = call.header("accept", "text/event-stream").stream().await;
    assert_eq!(response.status(), 200);
    response
}

#[tokio::test]
async fn streams_of_a_key_that_was_taken_back_end_and_others_go_on() {
    let mut world = World::start().await;
    let (mut revoked, mut other) = (stream(&world, "support").await, stream(&world, "sales").await);
    // Adding a key ends nothing.
    let both = json!([key_hash(&api_key(SUPPORT)), key_hash("new key of support")]);
    world.gateway.config.set("bots.support.api_key_hashes", both);
    world.gateway.reload().await;
    let (id, _) = world.api.open(json!({})).await;
    let chunk = revoked.chunk().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&chunk).contains(&id));
    let only = json!([key_hash("new key of support")]);
    world.gateway.config.set("bots.support.api_key_hashes", only);
    world.gateway.reload().await;
    let ended = async { while revoked.chunk().await.unwrap().is_some() {} };
    let in_time = tokio::time::timeout(Duration::from_secs(10), ended).await;
    assert!(in_time.is_ok(), "it ends, and does not break");
    let (id, _) = world.api.of_bot("sales").open(json!({})).await;
    let chunk = other.chunk().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&chunk).contains(&id));
    world.finish().await;
}

#[tokio::test]
async fn a_call_under_way_ends_by_the_settings_it_began_with_and_its_key_is_still_taken() {
    let mut world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    let slow = json!({"on": "api", "operation": "message", "delay": "2s"});
    world.eight.fault(slow).await;
    let post = |api: Client, id: String| async move {
        let call = api
            .call(Method::POST, &format!("/v1/handovers/{id}/messages"))
            .once("one");
        call.json(&json!({"text": "Hello"})).send().await
    };
    let mut first = JoinSet::new();
    first.spawn(post(world.api.clone(), id.clone()));
    eventually("8x8 is asked", async || {
        world.eight.faults_left().await.is_empty().then_some(())
    })
    .await;
    let key = "new_key_of_support_0123456789abcdef";
    world
        .gateway
        .config
        .set("bots.support.api_key_hashes", json!([key_hash(key)]))
        .set("tenants.acme.api_key", "taken_back_key");
    world.gateway.reload().await;
    assert_eq!(world.api.get("/v1/handovers").await.status, 401);
    let again = post(world.api.with_key(Some(key)), id.clone()).await;
    assert_eq!(again.ok(409)["code"], "idempotency-in-progress");
    let first = first.join_next().await.unwrap().unwrap();
    assert_eq!(first.ok(202)["status"], "accepted");
    let again = post(world.api.with_key(Some(key)), id.clone()).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "{again}");
    assert_eq!(world.eight.texts(&conversation).await, ["Hello"]);
    world.finish().await;
}

#[tokio::test]
async fn the_operators_port_reloads_too_and_answers_what_came_of_it() {
    let token = "token_of_the_operator_0123456789";
    let mut world = World::with(|setup| {
        setup.config.set("admin.tokens", json!([token]));
    })
    .await;
    let admin = world.api.at(&world.gateway.admin()).with_key(Some(token));
    let ask = async |admin: &Client| admin.call(Method::POST, "/reload").send().await;
    assert_eq!(ask(&admin.with_key(None)).await.status, 401);
    world
        .gateway
        .config
        .set("tenants.acme.queue_id", "102")
        .set("server.max_connections", 7);
    world.gateway.write_config();
    let expected = json!({"changed": ["tenants.acme.queue_id"], "needRestart": ["server.max_connections"]});
    assert_eq!(ask(&admin).await.ok(200), expected);
    world.gateway.config.set("bots.support.tenant", "nobody");
    world.gateway.write_config();
    let refused = ask(&admin).await.ok(422);
    assert!(
        refused["detail"].as_str().unwrap().contains("bots.support.tenant"),
        "{refused}"
    );
    let (id, _) = world.api.open(json!({})).await;
    assert_eq!(world.api.handover(&id).await["queue"]["id"], "102");
    assert_eq!(
        world.api.call(Method::POST, "/reload").send().await.status,
        404,
        "not on the public port"
    );
    let list = admin.get("/audit").await.ok(200);
    assert_eq!(list["data"][0]["actor"], "operator", "{list}");
    world.tolerate(REFUSED);
    world.finish().await;
}

#[tokio::test]
async fn signals_in_a_row_end_with_the_last_file() {
    let mut world = World::start().await;
    for queue in ["101", "102"].repeat(10) {
        world.gateway.config.set("tenants.acme.queue_id", queue);
        world.gateway.write_config();
        world.gateway.hang_up();
    }
    eventually("the last file is in force", async || {
        let entries = world.gateway.log.with_message("settings reloaded");
        (!entries.is_empty()).then_some(())
    })
    .await;
    eventually("handovers go to the last queue", async || {
        let (id, _) = world.api.open(json!({})).await;
        (world.api.handover(&id).await["queue"]["id"] == "102").then_some(())
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn a_signal_during_the_stop_does_no_harm() {
    let mut world = World::with(|setup| {
        setup.config.set("server.drain_delay", "1s");
    })
    .await;
    let (id, _) = world.api.open(json!({})).await;
    world.gateway.hang_up();
    world.gateway.ask_to_stop();
    world.gateway.hang_up();
    assert_eq!(world.api.handover(&id).await["state"], "queued");
    world.gateway.hang_up();
    let status = world.gateway.exited().await;
    assert!(status.success(), "{status}");
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    assert_eq!(world.api.handover(&id).await["state"], "queued");
    world.finish().await;
}

#[tokio::test]
async fn another_callback_address_is_called_from_the_next_event_on() {
    let mut world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    let elsewhere = format!("{}/elsewhere", world.bots.url());
    world.gateway.config.set("bots.support.callback_url", elsewhere);
    world.gateway.reload().await;
    world.eight.join(&conversation).await;
    let joined = world.bots.event(&id, "agent.joined").await;
    assert_eq!(joined.bot, "elsewhere");
    world.finish().await;
}

#[tokio::test]
async fn a_bot_that_leads_a_channel_from_now_on_is_given_its_conversations() {
    let mut world = World::start().await;
    let open = json!({"channelId": "sandbox-channel", "text": "Hello"});
    let early = world.eight.customer(open.clone()).await;
    world.eight.all_acknowledged().await;
    world
        .gateway
        .config
        .set("bots.support.inbound_channels", json!(["sandbox-channel"]));
    world.gateway.reload().await;
    let later = world.eight.customer(open).await;
    let started = |conversation: &str| {
        let callbacks = world.bots.callbacks().into_iter();
        let mut of_it = callbacks.filter(|callback| callback.data()["conversationId"] == conversation);
        of_it
            .any(|callback| callback.kind() == "conversation.started")
            .then_some(())
    };
    eventually("a new conversation has its bot", async || started(&later)).await;
    world.eight.customer_says(&early, "Still here").await;
    eventually("one of before has it with its next event", async || started(&early)).await;
    world.finish().await;
}
