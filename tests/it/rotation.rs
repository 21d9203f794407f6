//! Every secret is changed while webhooks and calls go through: add the new one, SIGHUP, let its holder move over, take the
//! old one out, SIGHUP. Nothing is lost and nothing is refused that should not be.

use handover_gateway::webhook::PasswordHash;
use http::Method;
use secrecy::SecretString;
use serde_json::Value;
use serde_json::json;

use crate::support::config::SECRET;
use crate::support::config::SUPPORT;
use crate::support::config::api_key;
use crate::support::config::key_hash;
use crate::support::token_endpoint::TokenEndpoint;
use crate::support::traffic::Traffic;
use crate::support::wait::eventually;
use crate::support::world::Setup;
use crate::support::world::World;

const OLD: &str = "old_secret_of_somebody_0123456789abcdef";
const NEW: &str = "new_secret_of_somebody_0123456789abcdef";
const NEW_SIGNING: &str = "whsec_bmV3MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg=";

/// Sets a key and has it taken up; the log names it and shows no value.
async fn set(world: &mut World, key: &str, value: Value) {
    world.gateway.config.set(key, value);
    let told = world.gateway.reload().await;
    assert_eq!(told["changed"], key, "{told}");
}

/// The status of a right webhook with these headers beside, or in the place of, those of the sandbox.
async fn webhook(world: &World, conversation: &str, headers: Value) -> u64 {
    let sender = json!({"id": "agent-1", "type": "agent"});
    let data = json!({"isEcho": false, "sender": sender, "text": "Hi", "attachments": [], "cards": []});
    let body = json!({"eventType": "MESSAGE", "data": data});
    let event = json!({"body": body, "wait": true, "headers": headers});
    world.eight.event(conversation, event).await["status"].as_u64().unwrap()
}

/// The next callback of a handover that has this header.
async fn told_with(world: &World, id: &str, conversation: &str, header: &str, value: &str) {
    eventually(&format!("{header}: {value}"), async || {
        world.eight.say(conversation, "Hello").await;
        let all = world.bots.attempts(id);
        all.into_iter()
            .next_back()
            .filter(|callback| callback.header(header) == value)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bots_api_key_is_changed_without_a_call_refused() {
    let mut world = World::start().await;
    let traffic = Traffic::start(&world).await;
    let hashes = "bots.support.api_key_hashes";
    let old = api_key(SUPPORT);
    set(&mut world, hashes, json!([key_hash(&old), key_hash(NEW)])).await;
    let list = async |world: &World, key: &str| world.api.with_key(Some(key)).get("/v1/handovers").await.status;
    assert_eq!((list(&world, &old).await, list(&world, NEW).await), (200, 200));
    traffic.flows(&world).await;
    traffic.call_with(NEW);
    traffic.flows(&world).await;
    set(&mut world, hashes, json!([key_hash(NEW)])).await;
    assert_eq!((list(&world, &old).await, list(&world, NEW).await), (401, 200));
    traffic.flows(&world).await;
    traffic.unharmed(&world).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_secret_is_changed_and_no_callback_fails_its_check() {
    let mut world = World::start().await;
    let traffic = Traffic::start(&world).await;
    let secrets = "bots.support.callback_secrets";
    set(&mut world, secrets, json!([SECRET, NEW_SIGNING])).await;
    traffic.flows(&world).await;
    let last = world.bots.callbacks().pop().unwrap();
    assert_eq!(last.header("webhook-signature").split(' ').count(), 2);
    // Each callback has both, so from here on the bot may check either.
    world.bots.verify_with(SUPPORT, NEW_SIGNING);
    traffic.flows(&world).await;
    set(&mut world, secrets, json!([NEW_SIGNING])).await;
    traffic.flows(&world).await;
    let last = world.bots.callbacks().pop().unwrap();
    assert_eq!(last.header("webhook-signature").split(' ').count(), 1);
    traffic.unharmed(&world).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bots_own_bearer_token_and_app_token_change_with_the_next_callback() {
    let mut world = World::with(|setup| {
        setup
            .config
            .set("bots.support.auth.kind", "bearer")
            .set("bots.support.auth.token", OLD)
            .set("bots.support.auth.app_token", OLD);
    })
    .await;
    let traffic = Traffic::start(&world).await;
    let (id, conversation) = world.api.open(json!({})).await;
    told_with(&world, &id, &conversation, "authorization", &format!("Bearer {OLD}")).await;
    set(&mut world, "bots.support.auth.token", json!(NEW)).await;
    told_with(&world, &id, &conversation, "authorization", &format!("Bearer {NEW}")).await;
    told_with(&world, &id, &conversation, "x-app-token", OLD).await;
    set(&mut world, "bots.support.auth.app_token", json!(NEW)).await;
    told_with(&world, &id, &conversation, "x-app-token", NEW).await;
    traffic.unharmed(&world).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_at_a_bots_token_endpoint_is_changed_and_other_reloads_keep_the_token() {
    let tokens = TokenEndpoint::start().await;
    let mut world = World::with(|setup| {
        setup
            .config
            .set("bots.support.auth.kind", "oauth2")
            .set("bots.support.auth.token_url", tokens.url())
            .set("bots.support.auth.username", "gateway")
            .set("bots.support.auth.password", OLD)
            .set("bots.support.auth.client_id", "client");
    })
    .await;
    let traffic = Traffic::start(&world).await;
    set(&mut world, "bots.sales.callback_secrets", json!([SECRET, NEW_SIGNING])).await;
    traffic.flows(&world).await;
    assert_eq!(tokens.asked().len(), 1, "the token goes on being used");
    set(&mut world, "bots.support.auth.password", json!(NEW)).await;
    traffic.flows(&world).await;
    let passwords: Vec<_> = tokens
        .asked()
        .iter()
        .map(|asked| asked.form["password"].clone())
        .collect();
    assert_eq!(passwords, [OLD, NEW]);
    traffic.unharmed(&world).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_secret_is_changed_without_a_webhook_refused() {
    let path = |secret: &str| format!("/webhooks/8x8/acme/{secret}");
    let mut world = World::with(|setup| {
        setup.webhook_path = path(OLD);
        setup.config.set("tenants.acme.webhook.path_secrets", json!([OLD]));
    })
    .await;
    let traffic = Traffic::start(&world).await;
    let (secrets, key) = (
        "tenants.acme.webhook.path_secrets",
        json!({"eventType": "WEB_HOOK_VERIFY"}),
    );
    set(&mut world, secrets, json!([NEW, OLD])).await;
    for secret in [OLD, NEW] {
        assert_eq!(world.api.with_key(None).post(&path(secret), &key).await.status, 204);
    }
    traffic.flows(&world).await;
    world.connect(&path(NEW)).await;
    // A portion of the load keeps the address it began with.
    traffic.flows(&world).await;
    traffic.flows(&world).await;
    traffic.flows(&world).await;
    set(&mut world, secrets, json!([NEW])).await;
    assert_eq!(world.api.with_key(None).post(&path(OLD), &key).await.status, 404);
    assert_eq!(world.api.with_key(None).post(&path(NEW), &key).await.status, 204);
    traffic.flows(&world).await;
    traffic.unharmed(&world).await;
    world.finish().await;
}

/// Whoever adds headers on the way holds the second factor; the sandbox itself plays it, with the new one from the start.
fn guarded(setup: &mut Setup, proof: &str, header: (&str, String)) {
    setup.options.webhook_headers = vec![(header.0.to_owned(), header.1)];
    setup
        .config
        .set("tenants.acme.webhook.require", json!(["signature", proof]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_token_is_changed_without_a_webhook_refused() {
    let tokens = "tenants.acme.webhook.app_tokens";
    let mut world = World::with(|setup| {
        guarded(setup, "app_token", ("x-app-token", NEW.to_owned()));
        setup.config.set(tokens, json!([OLD, NEW]));
    })
    .await;
    let traffic = Traffic::start(&world).await;
    let (_, conversation) = world.api.open(json!({})).await;
    let with = async |world: &World, token: &str| webhook(world, &conversation, json!({"x-app-token": token})).await;
    assert_eq!((with(&world, OLD).await, with(&world, NEW).await), (204, 204));
    set(&mut world, tokens, json!([NEW])).await;
    assert_eq!((with(&world, OLD).await, with(&world, NEW).await), (401, 204));
    set(&mut world, tokens, json!([NEW, "another_app_token_0123456789abcdef"])).await;
    assert_eq!(with(&world, "another_app_token_0123456789abcdef").await, 204);
    traffic.flows(&world).await;
    traffic.unharmed(&world).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_bearer_token_is_changed_without_a_webhook_refused() {
    let hashes = "tenants.acme.webhook.bearer_hashes";
    let bearer = |token: &str| format!("Bearer {token}");
    let mut world = World::with(|setup| {
        guarded(setup, "bearer", ("authorization", bearer(NEW)));
        setup.config.set(hashes, json!([key_hash(OLD), key_hash(NEW)]));
    })
    .await;
    let traffic = Traffic::start(&world).await;
    let (_, conversation) = world.api.open(json!({})).await;
    let with =
        async |world: &World, token: &str| webhook(world, &conversation, json!({"authorization": bearer(token)})).await;
    assert_eq!((with(&world, OLD).await, with(&world, NEW).await), (204, 204));
    set(&mut world, hashes, json!([key_hash(NEW)])).await;
    assert_eq!((with(&world, OLD).await, with(&world, NEW).await), (401, 204));
    traffic.flows(&world).await;
    traffic.unharmed(&world).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_the_token_endpoint_is_changed_and_what_the_old_one_fetched_ends_with_it() {
    let client = |name: &str| {
        let hash = PasswordHash::of(&SecretString::from(name), &[7; 16]).unwrap();
        format!("{{ username = \"{name}\", password_hash = \"{hash}\" }}")
    };
    let mut world = World::with(|setup| {
        guarded(setup, "bearer", ("authorization", format!("Bearer {NEW}")));
        setup
            .config
            .set("tenants.acme.webhook.bearer_hashes", json!([key_hash(NEW)]))
            .set("tenants.acme.webhook.app_tokens", json!([OLD]))
            .set_toml("tenants.acme.webhook.clients", &format!("[{}]", client("first")));
    })
    .await;
    let traffic = Traffic::start(&world).await;
    let (_, conversation) = world.api.open(json!({})).await;
    let log_in = async |world: &World, name: &str| {
        let form = json!({"grant_type": "password", "username": name, "password": name, "clientid": OLD});
        let reply = world.api.with_key(None).post("/tenant-users/oauth2/token", &form).await;
        (reply.status == 200).then(|| reply.json()["access_token"].as_str().unwrap().to_owned())
    };
    let with = async |world: &World, token: &str| {
        let headers = json!({"authorization": format!("Bearer {token}")});
        webhook(world, &conversation, headers).await
    };
    let first = log_in(&world, "first").await.unwrap();
    assert_eq!(with(&world, &first).await, 204);
    let both = format!("[{}, {}]", client("first"), client("second"));
    world.gateway.config.set_toml("tenants.acme.webhook.clients", &both);
    world.gateway.reload().await;
    let second = log_in(&world, "second").await.unwrap();
    assert_eq!((with(&world, &first).await, with(&world, &second).await), (204, 204));
    let only = format!("[{}]", client("second"));
    world.gateway.config.set_toml("tenants.acme.webhook.clients", &only);
    world.gateway.reload().await;
    assert_eq!((with(&world, &first).await, with(&world, &second).await), (401, 204));
    assert_eq!(log_in(&world, "first").await, None);
    traffic.flows(&world).await;
    traffic.unharmed(&world).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_for_8x8_is_changed_and_calls_that_wait_go_on_with_the_new_one() {
    let key = "tenants.acme.api_key";
    let mut world = World::with(|setup| {
        setup.options.more_api_keys = vec![OLD.to_owned()];
        setup.config.set(key, OLD);
    })
    .await;
    let traffic = Traffic::start(&world).await;
    set(&mut world, key, json!("eght_sandbox")).await;
    traffic.flows(&world).await;
    traffic.unharmed(&world).await;

    // The old one was taken back before the new one was here.
    let (id, conversation) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    set(&mut world, key, json!("taken_back")).await;
    world.tolerate("upstream-unauthorized");
    world.tolerate("8x8 refused");
    let refused = world.api.post("/v1/handovers", &json!({"user": {"name": "J"}})).await;
    assert_eq!(refused.ok(502)["code"], "upstream-unauthorized");
    world.api.end(&id).await;
    let told = world.eight.calls_made("leave", 1).await;
    assert_eq!(told[0]["status"], 401, "{told:?}");
    set(&mut world, key, json!("eght_sandbox")).await;
    eventually("8x8 was told that the user left", async || {
        (world.eight.conversation(&conversation).await["status"] != "ACTIVE").then_some(())
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn the_operators_token_is_changed() {
    let mut world = World::with(|setup| {
        setup.config.set("admin.tokens", json!([OLD]));
    })
    .await;
    let admin = world.gateway.admin();
    let status = async |world: &World, token: &str| {
        let call = world.api.at(&admin).with_key(Some(token)).call(Method::GET, "/status");
        call.send().await.status
    };
    assert_eq!((status(&world, OLD).await, status(&world, NEW).await), (200, 401));
    set(&mut world, "admin.tokens", json!([OLD, NEW])).await;
    assert_eq!((status(&world, OLD).await, status(&world, NEW).await), (200, 200));
    set(&mut world, "admin.tokens", json!([NEW])).await;
    assert_eq!((status(&world, OLD).await, status(&world, NEW).await), (401, 200));
    world.finish().await;
}

#[tokio::test]
async fn credentials_of_schedules_and_statistics_are_changed() {
    let mut world = World::with(|setup| {
        for (section, field) in [("schedule", "token"), ("statistics", "token")] {
            let key = |name: &str| format!("tenants.acme.{section}.{name}");
            setup
                .config
                .set(&key("source"), "cluster")
                .set(&key("base_url"), crate::support::world::EIGHT)
                .set(&key("cache"), "0s")
                .set(&key(field), OLD);
        }
        setup.config.set("tenants.acme.schedule.schedule_id", "122");
    })
    .await;
    let ask = async |world: &World| world.api.get("/v1/availability").await.ok(200);
    let verdicts = |answer: Value| (answer["open"].clone(), answer["agents"].clone());
    let unknown = json!("unknown");
    assert_eq!(verdicts(ask(&world).await), (unknown.clone(), unknown.clone()));
    set(&mut world, "tenants.acme.schedule.token", json!("sandbox-data-token")).await;
    let (open, agents) = verdicts(ask(&world).await);
    assert!(open != unknown && agents == unknown, "{open} {agents}");
    set(&mut world, "tenants.acme.statistics.token", json!("sandbox-data-token")).await;
    let (open, agents) = verdicts(ask(&world).await);
    assert!(open != unknown && agents != unknown, "{open} {agents}");
    world.finish().await;
}

#[tokio::test]
async fn the_key_of_attachment_links_is_made_anew_when_the_operator_deletes_it() {
    let mut world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    let send = json!({"do": "say", "attachments": [{"fileName": "a.txt", "text": "a"}]});
    let link = async |world: &World, number: usize| {
        world.eight.agent(&conversation, send.clone()).await;
        let told = eventually("the file is told", async || {
            let files = world.bots.events(&id).into_iter();
            let mut files = files.filter(|event| event.kind() == "message.created");
            files.nth(number)
        });
        told.await.data()["message"]["attachments"][0]["url"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let anyone = world.api.with_key(None);
    let old = link(&world, 0).await;
    assert_eq!(anyone.get(&old).await.status, 200);
    assert!(world.gateway.stop().await.success());
    let store = rusqlite::Connection::open(world.gateway.store()).unwrap();
    assert_eq!(store.execute("DELETE FROM own_key", ()).unwrap(), 1);
    drop(store);
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    let new = link(&world, 1).await;
    assert_eq!(anyone.get(&new).await.status, 200);
    assert_ne!(anyone.get(&old).await.status, 200);
    world.finish().await;
}
