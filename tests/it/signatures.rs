//! What is believed of 8x8's webhooks, and what is not: on the wire, with real signatures.

use http::Method;
use serde_json::Value;
use serde_json::json;

use crate::support::bot::CAPTURE;
use crate::support::bot::Callback;
use crate::support::client::Client;
use crate::support::client::Reply;
use crate::support::crc::forged;
use crate::support::wait::eventually;
use crate::support::world::EIGHT;
use crate::support::world::World;

const FAMILIES: [&str; 3] = [
    "/webhooks/8x8",
    "/handover/eightByEight",
    "/v1/liveAgent/receiveMessage",
];
const SECRET: &str = "a-secret-of-the-address";
const KIND: [&str; 6] = [
    "x-8x8-signature",
    "x-8x8-transmission-time",
    "x-8x8-retry",
    "x-8x8-event-id",
    "x-8x8-tenant-id",
    "x-8x8-customer-id",
];

/// A webhook as 8x8 signed it, to be sent by the test.
#[derive(Clone, Debug)]
struct Webhook {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Webhook {
    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    fn get(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .unwrap()
    }

    fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    async fn send(&self, to: &Client, path: &str) -> Reply {
        let mut call = to
            .with_key(None)
            .call(Method::POST, path)
            .header("content-type", "application/json");
        for (name, value) in &self.headers {
            call = call.header(name, value);
        }
        call.raw(self.body.clone()).send().await
    }
}

/// A gateway with a waiting handover; from here on 8x8's webhooks are sent by the test.
struct Scene {
    world: World,
    handover: String,
    conversation: String,
}

impl Scene {
    async fn new(world: World) -> Self {
        let (handover, conversation) = world.api.open(json!({})).await;
        world.bots.event(&handover, "handover.queued").await;
        world.eight.all_acknowledged().await;
        let scene = Self {
            world,
            handover,
            conversation,
        };
        scene.capture().await;
        scene
    }

    async fn start() -> Self {
        Self::new(World::start().await).await
    }

    async fn capture(&self) {
        self.world
            .eight
            .point_at(&format!("{}/{CAPTURE}", self.world.bots.url()))
            .await;
    }

    /// Has 8x8 sign an event, rightly or otherwise.
    async fn signed(&self, event: Value) -> Webhook {
        let mut event = event;
        event["wait"] = json!(true);
        let sent = self.world.eight.event(&self.conversation, event).await;
        assert_eq!(sent["status"], 204, "{sent}");
        let captured = self.world.bots.captured().pop().unwrap();
        let header = |name: &str| {
            Some((
                name.to_owned(),
                captured.headers.get(name)?.to_str().unwrap().to_owned(),
            ))
        };
        Webhook {
            headers: KIND.into_iter().filter_map(header).collect(),
            body: captured.raw.to_vec(),
        }
    }

    async fn said(&self, text: &str) -> Webhook {
        self.signed(json!({"body": said(text)})).await
    }

    async fn send(&self, webhook: &Webhook) -> Reply {
        webhook.send(&self.world.api, "/webhooks/8x8/acme").await
    }

    async fn is_told(&self, text: &str) {
        eventually(&format!("the bot is told `{text}`"), async || {
            self.world
                .bots
                .events(&self.handover)
                .iter()
                .any(|event| event.text() == text)
                .then_some(())
        })
        .await;
    }

    async fn events(&self) -> usize {
        self.world.api.events(&self.handover).await.len()
    }
}

fn said(text: &str) -> Value {
    let sender = json!({"id": "agent-1", "type": "agent"});
    json!({"eventType": "MESSAGE", "data": {"isEcho": false, "sender": sender, "text": text, "attachments": [], "cards": []}})
}

fn unproven(reply: &Reply, code: &str, what: &str) {
    let problem = reply.ok(401);
    assert_eq!(problem["code"], code, "{what}: {reply}");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
}

fn recorded(reply: &Reply) {
    assert_eq!((reply.status, reply.body.len()), (204, 0), "{reply}");
}

fn now_ms() -> i64 {
    i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

#[tokio::test]
async fn a_right_webhook_is_recorded_at_every_address() {
    let scene = Scene::start().await;
    for (number, family) in FAMILIES.into_iter().enumerate() {
        for path in [family.to_owned(), format!("{family}/acme")] {
            let text = format!("{number} {path}");
            let webhook = scene.said(&text).await;
            recorded(&webhook.send(&scene.world.api, &path).await);
            scene.is_told(&text).await;
        }
    }
    scene.world.finish().await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn whatever_is_altered_after_signing_is_not_believed() {
    let scene = Scene::start().await;
    let right = scene.said("right").await;
    let before = scene.events().await;
    let time: i64 = right.get("x-8x8-transmission-time").parse().unwrap();
    let (protected, signature) = right.get("x-8x8-signature").split_once("..").unwrap();
    let other = scene.said("other").await;
    let (_, other_signature) = other.get("x-8x8-signature").split_once("..").unwrap();
    let mut flipped = right.body.clone();
    let last = flipped.len() - 3;
    flipped[last] ^= 1;
    let altered = [
        (
            "the event's id",
            right.clone().header("x-8x8-event-id", "another"),
            "bad-signature",
        ),
        (
            "the customer",
            right.clone().header("x-8x8-customer-id", "another"),
            "bad-signature",
        ),
        ("the retry", right.clone().header("x-8x8-retry", "1"), "bad-signature"),
        (
            "the time",
            right.clone().header("x-8x8-transmission-time", &(time + 1).to_string()),
            "bad-signature",
        ),
        (
            "the tenant",
            right.clone().header("x-8x8-tenant-id", "another"),
            "other-tenant",
        ),
        ("the body", right.clone().body(other.body.clone()), "bad-signature"),
        (
            "a space in the body",
            right.clone().body([&right.body[..], b" "].concat()),
            "bad-signature",
        ),
        ("an empty object", right.clone().body("{}"), "bad-signature"),
        (
            "the signature",
            right
                .clone()
                .header("x-8x8-signature", &format!("{protected}..{other_signature}")),
            "bad-signature",
        ),
        (
            "a payload within",
            right
                .clone()
                .header("x-8x8-signature", &format!("{protected}.e30.{signature}")),
            "malformed-signature",
        ),
        (
            "no signature",
            right.clone().header("x-8x8-signature", &format!("{protected}..")),
            "malformed-signature",
        ),
        (
            "two parts",
            right
                .clone()
                .header("x-8x8-signature", &format!("{protected}.{signature}")),
            "malformed-signature",
        ),
        (
            "nonsense",
            right.clone().header("x-8x8-signature", "nonsense"),
            "malformed-signature",
        ),
        (
            "a retry in words",
            right.clone().header("x-8x8-retry", "once"),
            "malformed-header",
        ),
        (
            "a time in words",
            right.clone().header("x-8x8-transmission-time", "now"),
            "malformed-header",
        ),
    ];
    for (what, webhook, code) in altered {
        unproven(&scene.send(&webhook).await, code, what);
    }
    for name in KIND {
        unproven(&scene.send(&right.clone().without(name)).await, "missing-header", name);
    }
    for name in KIND {
        let mut twice = right.clone();
        twice.headers.push((name.to_owned(), right.get(name).to_owned()));
        let reply = scene.send(&twice).await;
        assert_eq!(reply.status, 401, "{name} twice: {reply}");
    }
    let not_json = scene.send(&right.clone().body(flipped)).await;
    assert!([400, 401].contains(&not_json.status), "{not_json}");
    assert_eq!(scene.events().await, before);
    // None of it used up the event.
    recorded(&scene.send(&right).await);
    scene.is_told("right").await;
    scene.world.finish().await;
}

#[tokio::test]
async fn a_signature_of_another_form_is_not_believed() {
    let scene = Scene::start().await;
    let before = scene.events().await;
    let old = now_ms() - 6 * 60_000;
    let future = now_ms() + 2 * 60_000;
    for (what, sign, code) in [
        ("no algorithm", json!({"alg": "none"}), "malformed-signature"),
        ("a shared secret", json!({"alg": "HS256"}), "malformed-signature"),
        ("another padding", json!({"alg": "PS256"}), "malformed-signature"),
        ("an encoded payload", json!({"b64": true}), "malformed-signature"),
        ("b64 as a word", json!({"b64": "false"}), "malformed-signature"),
        ("nothing critical", json!({"crit": []}), "malformed-signature"),
        (
            "more that is critical",
            json!({"crit": ["b64", "exp"]}),
            "malformed-signature",
        ),
        ("a key nobody has", json!({"kid": "nobody"}), "unknown-key"),
        (
            "a key that is a path",
            json!({"kid": "../../webhooks"}),
            "malformed-signature",
        ),
        ("an endless key", json!({"kid": "k".repeat(65)}), "malformed-signature"),
        ("an old one", json!({"tt": old}), "stale"),
        ("one of the future", json!({"tt": future}), "stale"),
        ("seconds for milliseconds", json!({"tt": now_ms() / 1000}), "stale"),
        ("another tenant's", json!({"tid": "another"}), "other-tenant"),
    ] {
        let webhook = scene.signed(json!({"body": said("wrong"), "sign": sign})).await;
        unproven(&scene.send(&webhook).await, code, what);
    }
    assert_eq!(scene.events().await, before);
    // Within the window a time may be off.
    for off in [-4 * 60_000, 30_000] {
        let sign = json!({"tt": now_ms() + off});
        recorded(
            &scene
                .send(&scene.signed(json!({"body": said("in time"), "sign": sign})).await)
                .await,
        );
    }
    scene.is_told("in time").await;
    scene.world.finish().await;
}

#[tokio::test]
async fn a_signature_by_another_key_under_a_known_name_is_not_believed() {
    let scene = Scene::start().await;
    let first = scene.said("first").await;
    recorded(&scene.send(&first).await);
    let protected = first.get("x-8x8-signature").split('.').next().unwrap().to_owned();
    let decoded = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, protected).unwrap();
    let header: Value = serde_json::from_slice(&decoded).unwrap();
    scene.world.eight.rotate_keys().await;
    let forged = json!({"body": said("forged"), "sign": {"kid": header["kid"]}});
    unproven(
        &scene.send(&scene.signed(forged).await).await,
        "bad-signature",
        "another key",
    );
    scene.world.finish().await;
}

#[tokio::test]
async fn new_keys_are_found_and_old_ones_go_on() {
    let scene = Scene::start().await;
    let old = scene.said("by the old key").await;
    scene.world.eight.rotate_keys().await;
    recorded(&scene.send(&scene.said("by the new key").await).await);
    recorded(&scene.send(&old).await);
    scene.is_told("by the new key").await;
    scene.is_told("by the old key").await;
    let keys = scene.world.eight.calls("jwk").await;
    assert_eq!(keys.len(), 2, "each key is fetched once");
    scene.world.finish().await;
}

#[tokio::test]
async fn the_bytes_are_signed_and_not_what_they_mean() {
    let scene = Scene::start().await;
    let (conversation, text) = (&scene.conversation, "odd but right");
    let raw = format!(
        "{{ \"data\" : {{\"text\":\"{text}\", \"weight\":1.0, \"10\":1, \"9\":2,\n\"sender\":{{\"type\":\"agent\",\"id\":\"agent-1\"}} }},\t\"conversationId\":\"{conversation}\",\"eventType\":\"MESSAGE\",\"timestamp\":{} }}\n",
        now_ms()
    );
    let webhook = scene.signed(json!({"raw": raw})).await;
    let compact: Value = serde_json::from_slice(&webhook.body).unwrap();
    unproven(
        &scene.send(&webhook.clone().body(compact.to_string())).await,
        "bad-signature",
        "the same JSON",
    );
    recorded(&scene.send(&webhook).await);
    scene.is_told(text).await;
    scene.world.finish().await;
}

#[tokio::test]
async fn a_test_of_the_connection_succeeds_at_a_right_address_only() {
    let scene = Scene::start().await;
    let hello = json!({"notificationVersion": "Chat Gateway v1.0", "eventType": "WEB_HOOK_VERIFY"});
    let unsigned = Webhook {
        headers: Vec::new(),
        body: hello.to_string().into_bytes(),
    };
    let signed = scene.signed(json!({"raw": hello.to_string()})).await;
    let broken = signed.clone().header("x-8x8-retry", "7");
    for webhook in [&unsigned, &signed, &broken] {
        for family in FAMILIES {
            recorded(&webhook.send(&scene.world.api, family).await);
            recorded(&webhook.send(&scene.world.api, &format!("{family}/acme")).await);
            for wrong in ["/nobody", "/acme/secret", "/acme/", "/ACME"] {
                let reply = webhook.send(&scene.world.api, &format!("{family}{wrong}")).await;
                assert_eq!(reply.status, 404, "{reply}");
            }
        }
    }
    assert_eq!(scene.events().await, 2);
    scene.world.finish().await;
}

#[tokio::test]
async fn once_an_address_is_secret_every_other_is_refused() {
    let world = World::with(|setup| {
        setup.config.set(
            "tenants.acme.webhook.path_secrets",
            json!([SECRET, "the-next-secret-of-it"]),
        );
        setup.webhook_path = format!("/webhooks/8x8/acme/{SECRET}");
    })
    .await;
    let scene = Scene::new(world).await;
    let webhook = scene.said("at the secret address").await;
    let hello = Webhook {
        headers: Vec::new(),
        body: br#"{"eventType":"WEB_HOOK_VERIFY"}"#.to_vec(),
    };
    for family in FAMILIES {
        for wrong in [
            "",
            "/acme",
            "/acme/wrong-secret-of-it",
            &format!("/acme/{SECRET}x"),
            &format!("/other/{SECRET}"),
        ] {
            for sent in [&webhook, &hello] {
                let reply = sent.send(&scene.world.api, &format!("{family}{wrong}")).await;
                assert_eq!(reply.status, 404, "{reply}");
            }
        }
        for right in [SECRET, "the-next-secret-of-it"] {
            let path = format!("{family}/acme/{right}");
            recorded(&hello.send(&scene.world.api, &path).await);
            recorded(&webhook.send(&scene.world.api, &path).await);
            let unsigned = Webhook {
                headers: Vec::new(),
                body: webhook.body.clone(),
            };
            unproven(
                &unsigned.send(&scene.world.api, &path).await,
                "missing-header",
                "a secret is no signature",
            );
        }
    }
    scene.is_told("at the secret address").await;
    assert!(!scene.world.finish().await.text().contains(SECRET));
}

#[tokio::test]
async fn while_keys_cannot_be_fetched_8x8_is_asked_to_come_again() {
    let mut scene = Scene::start().await;
    scene.world.tolerate("POST /webhooks/8x8/acme -> 503");
    let known = scene.said("by a known key").await;
    scene.world.eight.rotate_keys().await;
    let unknown = scene.said("by a new key").await;
    scene
        .world
        .eight
        .fault(json!({"on": "jwk", "status": 500, "times": 1000}))
        .await;
    let reply = scene.send(&unknown).await;
    assert_eq!(
        (reply.status, reply.header("retry-after").is_some()),
        (503, true),
        "{reply}"
    );
    recorded(&scene.send(&known).await);
    scene.is_told("by a known key").await;
    scene.world.eight.clear_faults().await;
    eventually("the key is fetched in the end", async || {
        (scene.send(&unknown).await.status == 204).then_some(())
    })
    .await;
    scene.is_told("by a new key").await;
    scene.world.finish().await;
}

#[tokio::test]
async fn a_flood_of_unknown_keys_does_not_reach_the_key_endpoint() {
    let mut scene = Scene::start().await;
    scene.world.tolerate("POST /webhooks/8x8/acme -> 503");
    let before = scene.world.eight.calls("jwk").await.len();
    for number in 0..100 {
        let sign = json!({"kid": format!("nobody-{number}")});
        let reply = scene
            .send(&scene.signed(json!({"body": said("x"), "sign": sign})).await)
            .await;
        assert!([401, 503].contains(&reply.status), "{reply}");
    }
    let fetched = scene.world.eight.calls("jwk").await.len() - before;
    assert!(fetched <= 50, "{fetched} fetches for 100 unknown keys");
    recorded(&scene.send(&scene.said("still heard").await).await);
    scene.world.finish().await;
}

#[tokio::test]
async fn what_is_not_json_is_refused_unless_it_is_proven() {
    let mut scene = Scene::start().await;
    scene.world.tolerate("a proven webhook cannot be read");
    let unsigned = Webhook {
        headers: Vec::new(),
        body: b"hello".to_vec(),
    };
    assert_eq!(scene.send(&unsigned).await.status, 400);
    let right = scene.said("x").await;
    assert_eq!(scene.send(&right.body("not json")).await.status, 400);
    let before = scene.events().await;
    for raw in [
        "not json",
        "[]",
        "{}",
        r#"{"eventType":"MESSAGE"}"#,
        r#"{"eventType":7,"conversationId":"c"}"#,
    ] {
        recorded(&scene.send(&scene.signed(json!({"raw": raw})).await).await);
    }
    assert_eq!(scene.events().await, before);
    scene.world.finish().await;
}

#[tokio::test]
async fn a_webhook_that_is_too_large_is_not_taken() {
    let world = World::with(|setup| {
        setup.config.set("server.body_limit", "64 KiB");
    })
    .await;
    let scene = Scene::new(world).await;
    let webhook = scene.said(&"x".repeat(70 * 1024)).await;
    let reply = scene.send(&webhook).await;
    assert_eq!(reply.status, 413, "{reply}");
    recorded(&scene.send(&scene.said("small").await).await);
    scene.world.finish().await;
}

#[tokio::test]
async fn another_body_under_a_known_id_is_dropped_and_raises_an_alarm() {
    let mut scene = Scene::start().await;
    scene.world.tolerate("another body");
    let first = scene.signed(json!({"body": said("first"), "eventId": "event-1"})).await;
    let second = scene
        .signed(json!({"body": said("second"), "eventId": "event-1"}))
        .await;
    recorded(&scene.send(&first).await);
    recorded(&scene.send(&first).await);
    recorded(&scene.send(&second).await);
    scene.is_told("first").await;
    let texts: Vec<_> = scene.world.api.events(&scene.handover).await;
    assert!(texts.iter().all(|event| event["data"]["message"]["text"] != "second"));
    let alarm = eventually("an alarm", async || {
        scene.world.gateway.log.with_message("another body").into_iter().next()
    })
    .await;
    assert_eq!(alarm["level"], "ERROR");
    let admin = Client::new(&scene.world.gateway.admin(), "nobody");
    let metrics = admin.get("/metrics").await.text();
    for line in [
        "webhooks_total{outcome=\"conflicting\"} 1",
        "webhooks_total{outcome=\"repeated\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    scene.world.finish().await;
}

#[tokio::test]
async fn a_forged_body_with_the_same_checksum_is_never_delivered_beside_the_true_one() {
    for forged_first in [false, true] {
        let mut scene = Scene::start().await;
        scene.world.tolerate("another body");
        let right = scene.said("what the agent said").await;
        let with_text = |text: &str| {
            let mut body: Value = serde_json::from_slice(&right.body).unwrap();
            body["data"]["text"] = text.into();
            body.to_string().into_bytes()
        };
        let body = forged(with_text, crc32fast::hash(&right.body));
        let forged: Value = serde_json::from_slice(&body).unwrap();
        let forged_text = forged["data"]["text"].as_str().unwrap().to_owned();
        let wrong = right.clone().body(body);
        let (first, second) = if forged_first {
            (&wrong, &right)
        } else {
            (&right, &wrong)
        };
        for webhook in [first, second, first, second] {
            recorded(&scene.send(webhook).await);
        }
        let told = if forged_first {
            &forged_text
        } else {
            "what the agent said"
        };
        scene.is_told(told).await;
        recorded(&scene.send(&scene.said("the end").await).await);
        scene.is_told("the end").await;
        let events = scene.world.bots.events(&scene.handover);
        let texts: Vec<_> = events
            .iter()
            .filter(|event| event.kind() == "message.created")
            .map(Callback::text)
            .collect();
        assert_eq!(texts, [told, "the end"], "forged first: {forged_first}");
        let alarms = eventually("an alarm for each time", async || {
            let alarms = scene.world.gateway.log.with_message("another body");
            (alarms.len() == 2).then_some(alarms)
        })
        .await;
        assert!(alarms.iter().all(|alarm| alarm["level"] == "ERROR"));
        let admin = Client::new(&scene.world.gateway.admin(), "nobody");
        let metrics = admin.get("/metrics").await.text();
        assert!(
            metrics.contains("webhooks_total{outcome=\"conflicting\"} 2"),
            "{metrics}"
        );
        scene.world.finish().await;
    }
}

#[tokio::test]
async fn when_most_well_signed_webhooks_are_of_another_time_it_is_our_clock_and_8x8_is_to_repeat_them() {
    let mut scene = Scene::start().await;
    scene.world.tolerate("clock");
    let mut statuses = Vec::new();
    for n in 0..12 {
        let an_hour_ago = now_ms() - 3_600_000 - n;
        let webhook = scene
            .signed(json!({"body": said("late"), "sign": {"tt": an_hour_ago}}))
            .await;
        let reply = scene.send(&webhook).await;
        statuses.push(reply.status);
        if reply.status == 503 {
            assert!(reply.header("retry-after").is_some());
            break;
        }
        unproven(&reply, "stale", "one is no proof");
    }
    assert!(statuses.len() >= 4 && statuses.ends_with(&[503]), "{statuses:?}");
    // Whoever cannot sign is not believed about the time either.
    let forged = scene
        .said("forged")
        .await
        .header("x-8x8-transmission-time", "1617353093000");
    unproven(&scene.send(&forged).await, "stale", "not signed");
    let alarm = eventually("an alarm", async || {
        scene
            .world
            .gateway
            .log
            .with_message("the clock of this machine")
            .into_iter()
            .next()
    })
    .await;
    assert_eq!(alarm["level"], "ERROR");
    let admin = Client::new(&scene.world.gateway.admin(), "nobody");
    let metrics = admin.get("/metrics").await.text();
    let skew = metrics
        .lines()
        .find_map(|line| line.strip_prefix("webhook_clock_skew_seconds "));
    let skew: f64 = skew.unwrap().parse().unwrap();
    assert!((3590.0..3700.0).contains(&skew), "{skew}");
    assert!(metrics.contains("webhooks_total{outcome=\"clock_off\"} 1"), "{metrics}");
    recorded(&scene.send(&scene.said("of now").await).await);
    scene.is_told("of now").await;
    scene.world.finish().await;
}

#[tokio::test]
async fn a_tenant_may_ask_for_more_than_a_signature() {
    let world = World::with(|setup| {
        setup
            .config
            .set("tenants.acme.webhook.require", json!(["signature", "app_token"]))
            .set("tenants.acme.webhook.app_tokens", json!(["the-token-of-the-app"]));
        setup.webhook_path = "/webhooks/8x8/acme".to_owned();
    })
    .await;
    let (id, conversation) = world.api.open(json!({})).await;
    let scene = Scene {
        world,
        handover: id,
        conversation,
    };
    scene.capture().await;
    let webhook = scene.said("with both").await;
    unproven(&scene.send(&webhook).await, "app-token", "no token");
    unproven(
        &scene.send(&webhook.clone().header("x-app-token", "wrong")).await,
        "app-token",
        "a wrong token",
    );
    let token = "the-token-of-the-app";
    let unsigned = webhook.clone().header("x-app-token", token).without("x-8x8-signature");
    unproven(&scene.send(&unsigned).await, "missing-header", "no signature");
    recorded(&scene.send(&webhook.header("x-app-token", token)).await);
    scene.is_told("with both").await;
    assert!(!scene.world.finish().await.text().contains(token));
}

#[tokio::test]
async fn a_tenants_webhook_is_not_taken_at_anothers_address() {
    let world = World::with(|setup| {
        setup
            .config
            .tenant("globex", EIGHT)
            .set("tenants.globex.tenant_id", "globex-tenant");
    })
    .await;
    let scene = Scene::new(world).await;
    let webhook = scene.said("for acme").await;
    unproven(
        &webhook.send(&scene.world.api, "/webhooks/8x8/globex").await,
        "other-tenant",
        "another's address",
    );
    let of_globex = scene
        .signed(json!({"body": said("of globex"), "sign": {"tid": "globex-tenant"}}))
        .await;
    let of_globex = of_globex.header("x-8x8-tenant-id", "globex-tenant");
    unproven(
        &of_globex.send(&scene.world.api, "/webhooks/8x8/acme").await,
        "other-tenant",
        "another's webhook",
    );
    // At its own address it is kept: globex has no such conversation, whoever else has.
    recorded(&of_globex.send(&scene.world.api, "/webhooks/8x8/globex").await);
    recorded(&of_globex.send(&scene.world.api, "/webhooks/8x8").await);
    recorded(&webhook.send(&scene.world.api, "/webhooks/8x8").await);
    scene.is_told("for acme").await;
    let log = scene.world.api.events(&scene.handover).await;
    assert!(log.iter().all(|event| event["data"]["message"]["text"] != "of globex"));
    scene.world.finish().await;
}
