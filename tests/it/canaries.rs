//! Secrets of everything the gateway calls and is called by, and people's words and files: none shows where it does not
//! belong, not even at the most talkative level.

use std::time::Duration;

use handover_gateway::webhook::PasswordHash;
use http::Method;
use secrecy::SecretString;
use serde_json::Value;
use serde_json::json;

use crate::support::bot::Bots;
use crate::support::client::Client;
use crate::support::client::Reply;
use crate::support::config::SALES;
use crate::support::config::key_hash;
use crate::support::files::FileServer;
use crate::support::token_endpoint::TokenEndpoint;
use crate::support::wait::eventually;
use crate::support::world::EIGHT;
use crate::support::world::Setup;
use crate::support::world::World;

const SECRET_OF_8X8: &str = "canary-of-the-client-secret";
const PATH: &str = "canary_of_the_path_secret";
const SCHEDULE_TOKEN: &str = "canary-of-the-schedule-token";
const STATISTICS_SECRET: &str = "canary-of-the-statistics-secret";
const SCHEDULE_KEY: &str = "canary-of-the-schedule-key";
const STATISTICS_TOKEN: &str = "canary-of-the-statistics-token";
const PASSWORD: &str = "canary-of-the-bots-password";
const CLIENT: &str = "canary-of-the-bots-client-id";
const BOTS_APP_TOKEN: &str = "canary-of-the-bots-app-token";
const COPILOT: &str = "canary-of-the-copilot-token";
const APP_TOKEN: &str = "canary_of_the_app_token";
const LOG_IN: &str = "canary-of-the-log-in";
const STATIC: &str = "canary_of_the_static_bearer";
const ADMIN: &str = "canary-of-the-admin-token";

const USER: &str = "canary of the user";
const HISTORY: &str = "canary of the history";
const MESSAGE: &str = "canary of the message";
const AGENT: &str = "canary of the agent";
const FILE_NAME: &str = "canary-of-the-file-name";
const CONTENTS: &str = "canary of the contents";
const FETCHED: &str = "canary-of-the-fetched-file";
const CARD: &str = "canary of the card";
/// A value that cannot be: whoever sent it is told so.
const ODD: &str = "canary of the odd value";
const METADATA: &str = "canary of the metadata";
const PROPERTY: &str = "canary of the property";

const SECRETS: [&str; 14] = [
    SECRET_OF_8X8,
    PATH,
    SCHEDULE_TOKEN,
    STATISTICS_SECRET,
    SCHEDULE_KEY,
    STATISTICS_TOKEN,
    PASSWORD,
    CLIENT,
    BOTS_APP_TOKEN,
    COPILOT,
    APP_TOKEN,
    LOG_IN,
    STATIC,
    ADMIN,
];
const WORDS: [&str; 10] = [
    USER, HISTORY, MESSAGE, AGENT, FILE_NAME, CONTENTS, FETCHED, CARD, METADATA, PROPERTY,
];

/// The tenant `acme` has no key of 8x8; `beta` is the same account with other sources.
fn tenants(setup: &mut Setup, tokens: &TokenEndpoint) {
    setup.options.bearer_tokens = vec!["access-1".to_owned()];
    SCHEDULE_TOKEN.clone_into(&mut setup.options.data_token);
    STATISTICS_SECRET.clone_into(&mut setup.options.analytics_secret);
    setup.options.hang_limit = Duration::from_millis(500);
    setup.options.webhook_headers = vec![
        ("x-app-token".to_owned(), APP_TOKEN.to_owned()),
        ("authorization".to_owned(), format!("Bearer {STATIC}")),
    ];
    setup.webhook_path = format!("/webhooks/8x8/acme/{PATH}");
    let hash = PasswordHash::of(&SecretString::from(LOG_IN), &[7; 16]).unwrap();
    let clients = format!("[{{ username = \"lb\", password_hash = \"{hash}\" }}]");
    setup.config.tenant("beta", EIGHT);
    setup.config.unset("tenants.acme.api_key");
    for (key, value) in [
        ("acme.auth", json!("oauth2")),
        ("acme.client_id", json!("eght_key")),
        ("acme.client_secret", json!(SECRET_OF_8X8)),
        ("acme.token_url", json!(tokens.url())),
        ("acme.send_wait", json!("500ms")),
        ("acme.schedule.source", json!("cluster")),
        ("acme.schedule.base_url", json!(EIGHT)),
        ("acme.schedule.token", json!(SCHEDULE_TOKEN)),
        ("acme.schedule.schedule_id", json!("122")),
        ("acme.schedule.cache", json!("0s")),
        ("acme.statistics.source", json!("analytics_v5")),
        ("acme.statistics.client_id", json!("eght_sandbox_analytics")),
        ("acme.statistics.client_secret", json!(STATISTICS_SECRET)),
        ("acme.statistics.cache", json!("0s")),
        // Both are wrong.
        ("beta.schedule.source", json!("cc_v1")),
        ("beta.schedule.api_key", json!(SCHEDULE_KEY)),
        ("beta.schedule.schedule_id", json!("122")),
        ("beta.statistics.source", json!("cluster")),
        ("beta.statistics.base_url", json!(EIGHT)),
        ("beta.statistics.token", json!(STATISTICS_TOKEN)),
    ] {
        setup.config.set(&format!("tenants.{key}"), value);
    }
    for tenant in ["acme", "beta"] {
        let key = |field: &str| format!("tenants.{tenant}.webhook.{field}");
        setup
            .config
            .set(&key("require"), json!(["signature", "app_token", "bearer"]))
            .set(&key("path_secrets"), json!([PATH]))
            .set(&key("app_tokens"), json!([APP_TOKEN]))
            .set(&key("bearer_hashes"), json!([key_hash(STATIC)]));
    }
    setup.config.set_toml("tenants.acme.webhook.clients", &clients);
}

fn with_canaries(setup: &mut Setup, of_8x8: &TokenEndpoint, tokens: &TokenEndpoint) {
    tenants(setup, of_8x8);
    let copilot = format!("https://copilot.example.com/?userId={{userId}}&URLToken={COPILOT}");
    setup
        .config
        .set("telemetry.level", "debug,handover_gateway=trace")
        .set("server.public_url", "https://gateway.example.com")
        .set("admin.tokens", json!([ADMIN]))
        .set("bots.sales.tenant", "beta")
        .set("bots.support.copilot_url", copilot)
        .set("bots.support.auth.kind", "oauth2")
        .set("bots.support.auth.token_url", tokens.url())
        .set("bots.support.auth.username", "gateway")
        .set("bots.support.auth.password", PASSWORD)
        .set("bots.support.auth.client_id", CLIENT)
        .set("bots.support.auth.app_token", BOTS_APP_TOKEN);
}

/// Keeps what is told of errors; an answer without one may well say what its caller said.
#[derive(Default)]
struct Told(String);

impl Told {
    fn note(&mut self, reply: &Reply) {
        if reply.status >= 400 {
            self.0.push_str(&reply.text());
        }
    }
}

async fn files(world: &World, bots_files: &FileServer, id: &str, told: &mut Told) -> Value {
    let name = format!("{FILE_NAME}.txt");
    let sent = world
        .api
        .upload_file(id, &name, CONTENTS.as_bytes())
        .send()
        .await
        .ok(201);
    for fault in [
        json!({"status": 500}),
        json!({"status": 400, "body": CONTENTS}),
        json!({"drop": "after"}),
    ] {
        let mut fault = fault;
        fault["on"] = json!("api");
        fault["operation"] = json!("attachment");
        world.eight.fault(fault).await;
        told.note(&world.api.upload_file(id, &name, CONTENTS.as_bytes()).send().await);
    }
    world.eight.clear_faults().await;
    let messages = format!("/v1/handovers/{id}/messages");
    for url in [
        bots_files.url(&format!("/size/10/{FETCHED}.txt")),
        bots_files.url(&format!("/status/404/{FETCHED}")),
        bots_files.url(&format!("/to/{FETCHED}")),
        bots_files.url(&format!("/close/{FETCHED}")),
        format!("https://10.0.0.1/{FETCHED}"),
        format!("https://user:{FETCHED}@files.example.com/x"),
    ] {
        let message = json!({"text": MESSAGE, "attachments": [{"url": url}]});
        told.note(&world.api.post(&messages, &message).await);
    }
    let path = format!("/v1/handovers/{id}/attachments/{}", sent["id"].as_str().unwrap());
    assert_eq!(world.api.get(&path).await.body, CONTENTS.as_bytes());
    sent
}

/// What an agent's link carries; it opened its file, and did not when it was changed.
async fn link(world: &World, id: &str, conversation: &str, told: &mut Told) -> String {
    let attachments = json!([{"fileName": format!("{FILE_NAME}.txt"), "text": CONTENTS}]);
    let say = json!({"do": "say", "text": AGENT, "attachments": attachments});
    world.eight.agent(conversation, say).await;
    let event = world.bots.event(id, "message.created").await;
    let url = event.data()["message"]["attachments"][0]["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = url.strip_prefix("https://gateway.example.com").unwrap();
    let anyone = world.api.with_key(None);
    assert_eq!(anyone.get(path).await.body, CONTENTS.as_bytes());
    told.note(&anyone.get(&path.replace("expires=1", "expires=2")).await);
    url.split_once("signature=").unwrap().1.to_owned()
}

/// The tokens the gateway itself gives out.
async fn tokens_given(world: &World, told: &mut Told) -> Vec<String> {
    let anyone = world.api.with_key(None);
    let path = "/tenant-users/oauth2/token";
    let mut ask = json!({"grant_type": "password", "username": "lb", "password": LOG_IN, "clientid": APP_TOKEN});
    let first = anyone.post(path, &ask).await.ok(200);
    ask["clientid"] = json!(format!("{APP_TOKEN}x"));
    told.note(&anyone.post(path, &ask).await);
    let refresh =
        json!({"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "clientid": APP_TOKEN});
    let second = anyone.post(path, &refresh).await.ok(200);
    told.note(&anyone.post(path, &refresh).await);
    told.note(&anyone.post(path, &json!({"grant_type": LOG_IN})).await);
    told.note(&anyone.post(path, &json!({"grant_type": [LOG_IN]})).await);
    let fields = ["access_token", "refresh_token"];
    let of = |tokens: &Value| fields.map(|field| tokens[field].as_str().unwrap().to_owned());
    [of(&first), of(&second)].concat()
}

/// Answers that go wrong in what was said before and what is read back.
async fn reads(world: &World, id: &str, told: &mut Told) {
    let at = |part: &str| format!("/v1/handovers/{id}/{part}");
    let transcript = world.api.get(&at("transcript")).await.text();
    for word in [HISTORY, MESSAGE, AGENT, CARD] {
        assert!(
            transcript.contains(word),
            "{word}: it was said, and is not in {transcript}"
        );
    }
    world
        .api
        .call(Method::GET, &at("transcript"))
        .header("accept", "text/plain")
        .send()
        .await;
    world.api.get(&at("timeline")).await.ok(200);
    told.note(&world.api.post(&at("typing"), &json!({"authorType": ODD})).await);
    told.note(
        &world
            .api
            .post(&at("hand-back"), &json!({"webhookId": 1, "x": ODD}))
            .await,
    );
    let end = json!({"reason": "user_left", "message": MESSAGE});
    world.api.post(&at("end"), &end).await.ok(202);
    told.note(&world.api.post(&at("reopen"), &json!({"text": [ODD]})).await);
    world.api.post(&at("reopen"), &json!({"text": MESSAGE})).await.ok(201);
}

async fn status(admin: &Client) -> String {
    let with_token = admin.with_key(Some(ADMIN));
    with_token.post("/tenants/look", &json!({})).await;
    assert_eq!(admin.with_key(Some("canary")).get("/status").await.status, 401);
    with_token.get("/status").await.text()
}

#[tokio::test]
async fn no_secret_and_no_file_shows_in_logs_figures_status_or_errors() {
    let (of_8x8, tokens) = (TokenEndpoint::start().await, TokenEndpoint::start().await);
    let bots_files = FileServer::start().await;
    let mut world = World::with(|setup| with_canaries(setup, &of_8x8, &tokens)).await;
    for part in ["a bot's call failed", "POST /v1/handovers", "GET /v1/handovers"] {
        world.tolerate(part);
    }
    let mut told = Told::default();
    let card = json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": {"type": "AdaptiveCard", "x": CARD}});
    let history = json!({"messages": [{"authorType": "user", "text": HISTORY}, {"authorType": "bot", "text": HISTORY, "cards": [card]}]});
    let user = json!({"name": USER, "userId": "u-1", "additionalProperties": [{"key": "a", "value": PROPERTY}]});
    let body = json!({"user": user, "history": history, "metadata": {"x": METADATA}, "availability": "require"});
    let (id, conversation) = world.api.open(body.clone()).await;
    world.eight.join(&conversation).await;
    world.api.say(&id, MESSAGE).await;
    files(&world, &bots_files, &id, &mut told).await;
    let signature = link(&world, &id, &conversation, &mut told).await;
    let mut given = tokens_given(&world, &mut told).await;
    given.push(signature);
    reads(&world, &id, &mut told).await;
    let seen = world.api.get("/v1/availability").await.ok(200);
    assert_eq!(seen["open"], "yes", "{seen}");
    let refused = world.api.of_bot(SALES).get("/v1/availability").await.text();
    assert!(refused.contains("8x8 refused the credentials"), "{refused}");
    world.eight.centre(json!({"schedules": {"122": "closed"}})).await;
    let closed = world.api.post("/v1/handovers", &body).await;
    assert_eq!(closed.json()["code"], "agents-unavailable", "{closed}");
    told.note(&closed);

    let admin = world.api.of_bot("nobody").at(&world.gateway.admin());
    let figures = admin.with_key(None).get("/metrics").await.text() + &status(&admin).await;
    eventually("callbacks came with a fetched token", async || {
        proven(&world.bots).then_some(())
    })
    .await;
    let log = world.finish().await.text();
    assert!(
        log.contains("TRACE") || log.contains("DEBUG"),
        "the log says enough to give something away"
    );
    let fetched = (1..=4).flat_map(|number| [format!("access-{number}"), format!("refresh-{number}")]);
    let secrets = SECRETS.into_iter().map(str::to_owned).chain(given).chain(fetched);
    let words = WORDS.into_iter().chain([ODD]).map(str::to_owned);
    for canary in secrets.chain(words) {
        let line = log.lines().find(|line| line.contains(&canary));
        assert_eq!(line, None, "{canary} in the log");
        assert!(!figures.contains(&canary), "{canary} in {figures}");
        assert!(canary == ODD || !told.0.contains(&canary), "{canary} in {}", told.0);
    }
}

fn proven(bots: &Bots) -> bool {
    let callbacks = bots.callbacks();
    let of_support = callbacks.iter().find(|callback| callback.bot == "support");
    of_support.is_some_and(|callback| callback.header("authorization").starts_with("Bearer access-"))
}
