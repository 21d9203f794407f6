//! The program as an operator sees it: health, figures, stops, configuration, documents, and secrets that stay secret.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::client;
use crate::support::client::Client;
use crate::support::client::http_client;
use crate::support::client::with_user;
use crate::support::gateway::output;
use crate::support::reply::Reply;
use crate::support::wait::eventually;
use crate::support::world::Setup;
use crate::support::world::World;

fn admin(world: &World) -> Client {
    world.api.of_bot("nobody").at(&world.gateway.admin())
}

#[tokio::test]
async fn health_and_figures_are_told_on_the_operators_port_only() {
    let world = World::start().await;
    let (id, _) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    world.eight.all_acknowledged().await;
    let admin = admin(&world).with_key(None);
    assert_eq!(admin.get("/livez").await.status, 200);
    assert_eq!(admin.get("/readyz").await.status, 200);
    let plain = admin.get("/metrics").await;
    assert!(
        plain.header("content-type").unwrap().starts_with("text/plain"),
        "{plain}"
    );
    assert!(plain.text().contains("webhooks_total{outcome=\"recorded\"}"), "{plain}");
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    let reply = admin
        .call(Method::GET, "/metrics")
        .header("accept", accept)
        .send()
        .await;
    let kind = reply.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{reply}");
    let metrics = reply.text();
    for line in [
        "http_requests_total{method=\"POST\",route=\"/v1/handovers\",status=\"201\"} 1",
        "webhooks_total{outcome=\"recorded\"}",
        "delivery_attempts_total{outcome=\"accepted\"}",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.contains(&id), "an id is no label");
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(world.api.get(path).await.status, 404, "{path}");
    }
    assert_eq!(admin.get("/v1/handovers").await.status, 404);
    world.finish().await;
}

#[tokio::test]
async fn a_web_page_cannot_ask_the_operators_port_for_anything() {
    let world = World::start().await;
    let admin = admin(&world).with_key(None);
    for (method, path) in [
        (Method::POST, "/tenants/look"),
        (Method::POST, "/reload"),
        (Method::GET, "/status"),
        (Method::GET, "/audit"),
    ] {
        // In the second case the page's own name leads to this machine, and its browser sees nothing foreign.
        for (header, value) in [
            ("origin", "https://evil.example.com"),
            ("host", "evil.example.com:9090"),
        ] {
            // As no token is asked for, any would do.
            for key in [None, Some("whatever")] {
                let page = admin.with_key(key).call(method.clone(), path).header(header, value);
                assert_eq!(page.send().await.status, 401, "{path} with {header}");
            }
        }
        assert!(admin.call(method, path).send().await.status < 300, "{path}");
    }
    world.finish().await;
}

#[tokio::test]
async fn healthcheck_says_by_its_exit_code_whether_the_gateway_is_ready() {
    let mut world = World::start().await;
    let address = world.gateway.admin().trim_start_matches("http://").to_owned();
    let healthy = output(&["healthcheck", "--address", &address]).await;
    assert!(healthy.status.success(), "{healthy:?}");
    world.gateway.kill();
    let dead = output(&["healthcheck", "--address", &address]).await;
    assert_eq!(dead.status.code(), Some(1), "{dead:?}");
    world.gateway.run_again().await;
    world.finish().await;
}

#[tokio::test]
async fn a_stop_is_announced_before_it_comes_and_streams_end_cleanly() {
    let mut world = World::with(|setup| {
        setup.config.set("server.drain_delay", "2s");
    })
    .await;
    let (id, _) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    let path = format!("/v1/handovers/{id}/events");
    let mut stream = world
        .api
        .call(Method::GET, &path)
        .header("accept", "text/event-stream")
        .stream()
        .await;
    let mut polling = JoinSet::new();
    polling.spawn(world.api.call(Method::GET, &format!("{path}?after=2&wait=30")).send());
    let mut read = String::new();
    while read.matches("\n\n").count() < 2 {
        read.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
    }
    let admin = admin(&world);
    world.gateway.ask_to_stop();
    eventually("it is not ready", async || {
        // Not `get`: a 503 is right here.
        let reply = http_client()
            .get(format!("{}/readyz", admin.base()))
            .send()
            .await
            .unwrap();
        (reply.status() == 503).then_some(())
    })
    .await;
    assert_eq!(world.api.handover(&id).await["state"], "queued");
    assert_eq!(world.api.say(&id, "still served").await["status"], "accepted");
    assert_eq!(
        stream.chunk().await.unwrap(),
        None,
        "the stream ends, it does not break"
    );
    assert_eq!(polling.join_next().await.unwrap().unwrap().ok(200)["data"], json!([]));
    let status = world.gateway.exited().await;
    assert!(status.success(), "{status}");
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    world.finish().await;
}

#[tokio::test]
async fn a_stop_right_after_the_start_is_an_orderly_one() {
    let mut world = World::start().await;
    for _ in 0..10 {
        world.restart().await;
    }
    world.finish().await;
}

/// Posts numbered messages until the gateway is gone; says which were taken.
async fn post_until_gone(api: Client, id: String) -> Vec<String> {
    let mut taken = Vec::new();
    for number in 0.. {
        let text = format!("message {number}");
        let call = api
            .call(Method::POST, &format!("/v1/handovers/{id}/messages"))
            .json(&json!({"text": text}));
        match call.try_send().await {
            Ok(reply) if reply.status == 202 => {
                taken.push(text);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok(reply) => assert_eq!(reply.status, 503, "{reply}"),
            Err(_gone) => break,
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_traffic_loses_nothing() {
    let mut world = World::start().await;
    let mut handovers = Vec::new();
    for _ in 0..10 {
        handovers.push(world.api.open(json!({})).await);
    }
    world.eight.all_acknowledged().await;
    let mut posting = JoinSet::new();
    for (id, _) in &handovers {
        let id = id.clone();
        let api = world.api.clone();
        posting.spawn(async move { (id.clone(), post_until_gone(api, id).await) });
    }
    let conversations: Vec<_> = handovers.iter().map(|(_, conversation)| conversation.clone()).collect();
    let load = json!({"conversationIds": conversations, "eventsPerConversation": 100, "concurrency": 16, "rate": 300});
    let stop_in_the_middle = async {
        eventually("traffic flows", async || {
            (world.bots.callbacks().len() > 300).then_some(())
        })
        .await;
        let status = world.gateway.stop().await;
        assert!(status.success(), "{status}\n{}", world.gateway.log.tail(20));
        world.gateway.run_again().await;
        // The client stays where it was: those who post see that the gateway is gone.
        world
            .eight
            .point_at(&format!("{}/webhooks/8x8/acme", world.gateway.public()))
            .await;
    };
    let (report, ()) = tokio::join!(world.eight.load(load), stop_in_the_middle);
    assert_eq!(
        (&report["sent"], &report["acked"]),
        (&json!(1000), &json!(1000)),
        "{report}"
    );
    let taken = posting.join_all().await;
    world.api.move_to(&world.gateway.public());
    for (id, conversation) in &handovers {
        let (_, taken) = taken.iter().find(|(of, _)| of == id).unwrap();
        everything_arrived(&world, id, conversation, taken).await;
    }
    world.finish().await;
}

/// What an agent said is told in order, what the bot posted is at 8x8 once.
async fn everything_arrived(world: &World, id: &str, conversation: &str, taken: &[String]) {
    let expected: Vec<_> = (1..=100).map(|number| format!("{conversation}#{number}")).collect();
    let told = || -> Vec<String> {
        let events = world.bots.events(id).into_iter();
        let said = events.filter(|event| event.kind() == "message.created");
        said.map(|event| event.text().to_owned()).collect()
    };
    eventually(&format!("{id} is told everything"), async || {
        (told().len() == 100).then_some(())
    })
    .await;
    assert_eq!(told(), expected);
    assert!(!taken.is_empty());
    let all = eventually("8x8 has all that was taken", async || {
        let texts = world.eight.texts(conversation).await;
        taken.iter().all(|text| texts.contains(text)).then_some(texts)
    })
    .await;
    let mut once = all.clone();
    once.dedup();
    assert_eq!(once, all, "nothing is posted twice");
}

#[tokio::test]
async fn two_processes_do_not_share_a_store() {
    let mut world = World::start().await;
    let (id, _) = world.api.open(json!({})).await;
    let config = world.gateway.write_config();
    let second = output(&["serve", "--config", config.to_str().unwrap()]).await;
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(told.contains("handover.db"), "{told}");
    assert_eq!(world.api.handover(&id).await["state"], "queued");
    world.kill_and_restart().await;
    assert_eq!(world.api.handover(&id).await["state"], "queued");
    world.finish().await;
}

#[tokio::test]
async fn a_configuration_with_faults_does_not_start_and_names_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.toml");
    let text = r#"
        server.listn = "0.0.0.0:80"
        server.request_timeout = "soon"
        tenants.acme.tenant_id = "acme"
        bots.support.tenant = "nobody"
        bots.support.api_key_hashes = ["md5:1"]
    "#;
    std::fs::write(&file, text).unwrap();
    let refused = output(&["serve", "--config", file.to_str().unwrap()]).await;
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    let keys = [
        "server.listn",
        "server.request_timeout",
        "tenants.acme.api_key",
        "bots.support.tenant",
        "api_key_hashes",
    ];
    for key in keys {
        assert!(told.contains(key), "{key} is not in:\n{told}");
    }
    let missing = output(&["serve", "--config", "/nowhere/at/all.toml"]).await;
    assert_eq!(missing.status.code(), Some(2), "{missing:?}");
    let nothing = output(&["serve"]).await;
    assert_eq!(nothing.status.code(), Some(2), "{nothing:?}");
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("demo"), "{nothing:?}");
    let wrong = output(&["no-such-command"]).await;
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

#[tokio::test]
async fn the_openapi_document_is_the_same_wherever_it_is_asked_for() {
    let world = World::start().await;
    let printed = output(&["openapi"]).await;
    assert!(printed.status.success());
    let printed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let served = world.api.with_key(None).get("/openapi.json").await.ok(200);
    assert_eq!(printed, served);
    for (path, methods) in [
        ("/v1/handovers", &["get", "post"][..]),
        ("/v1/handovers/{id}", &["get", "patch"][..]),
        ("/v1/handovers/{id}/messages", &["post"][..]),
        ("/v1/handovers/{id}/typing", &["post"][..]),
        ("/v1/handovers/{id}/end", &["post"][..]),
        ("/v1/handovers/{id}/events", &["get"][..]),
        ("/v1/events", &["get"][..]),
        ("/webhooks/8x8/{tenant}", &["post"][..]),
    ] {
        for method in methods {
            assert!(served["paths"][path][method].is_object(), "{method} {path}");
        }
    }
    world.finish().await;
}

#[tokio::test]
async fn the_documentation_loads_from_the_gateway_alone() {
    let world = World::start().await;
    let anyone = world.api.with_key(None);
    let page = anyone.get("/docs/").await;
    assert_eq!(page.status, 200, "{page}");
    let html = page.text();
    let mut loaded = 0;
    for attribute in ["src=\"", "href=\""] {
        for part in html.split(attribute).skip(1) {
            let link = part.split('"').next().unwrap();
            if link.starts_with("data:") {
                continue;
            }
            assert!(!link.contains("//"), "{link} is elsewhere");
            let path = format!("/docs/{}", link.trim_start_matches("./"));
            let reply = anyone.get(&path).await;
            assert_eq!((reply.status, reply.body.is_empty()), (200, false), "{path}");
            loaded += 1;
        }
    }
    assert!(loaded >= 3, "{html}");
    world.finish().await;
}

/// Everything that must not be seen where it does not belong.
const CANARIES: [&str; 9] = [
    "canary_of_the_8x8_key",
    "canary_of_the_path",
    "canary_of_the_app_token",
    "canary_of_the_bearer",
    "canary_of_the_callback_url",
    "Y2FuYXJ5IG9mIHRoZSBjYWxsYmFjayBzZWNyZXQhISE=",
    "canary of the user",
    "canary of the message",
    "canary of the agent",
];

/// A canary in every place for a secret.
fn with_canaries(setup: &mut Setup) {
    CANARIES[0].clone_into(&mut setup.options.api_key);
    setup.options.hang_limit = Duration::from_millis(500);
    let address = format!("http://127.0.0.1:1/?token={}", CANARIES[4]);
    setup
        .config
        .set("telemetry.level", "debug,handover_gateway=trace")
        .set("tenants.acme.api_key", CANARIES[0])
        .set("tenants.acme.send_wait", "500ms")
        .set("tenants.acme.webhook.path_secrets", json!([CANARIES[1]]))
        .set("tenants.acme.webhook.app_tokens", json!([CANARIES[2]]))
        .set(
            "bots.support.callback_secrets",
            json!([format!("whsec_{}", CANARIES[5])]),
        )
        .set("bots.support.auth.kind", "bearer")
        .set("bots.support.auth.token", CANARIES[3])
        .set("bots.sales.callback_url", address);
    setup.webhook_path = format!("/webhooks/8x8/acme/{}", CANARIES[1]);
}

/// A conversation with everything in it that goes wrong at 8x8's end.
async fn a_troubled_conversation(world: &World, user: &Value) -> String {
    let (id, conversation) = world.api.open(user.clone()).await;
    world.eight.join(&conversation).await;
    world
        .bots
        .answer(1, Reply::status(500), |callback| callback.text() == CANARIES[8]);
    world.eight.say(&conversation, CANARIES[8]).await;
    world
        .eight
        .event(
            &conversation,
            json!({"raw": format!("not json: {}", CANARIES[8]), "wait": true}),
        )
        .await;
    let odd = json!({"eventType": "ODD", "data": {"text": CANARIES[8]}});
    world
        .eight
        .event(&conversation, json!({"body": odd, "wait": true, "sign": {"retry": 3}}))
        .await;
    world
        .eight
        .event(
            &conversation,
            json!({"body": odd, "wait": true, "headers": {"x-8x8-retry": "9"}}),
        )
        .await;
    world.bots.event(&id, "message.created").await;
    id
}

/// A problem as it is told; an answer without one may well say what its caller said.
fn of_problem(reply: &client::Reply) -> String {
    if reply.status < 400 {
        String::new()
    } else {
        reply.text()
    }
}

/// What a bot is told of everything that can go wrong with its calls.
async fn told_of_errors(world: &World, id: &str, user: &Value) -> String {
    let mut errors = String::new();
    let messages = format!("/v1/handovers/{id}/messages");
    for fault in [
        json!({"status": 500, "body": CANARIES[7]}),
        json!({"drop": "after"}),
        json!({"status": 400}),
    ] {
        let mut fault = fault;
        fault["on"] = json!("api");
        fault["operation"] = json!("create");
        world.eight.fault(fault.clone()).await;
        errors.push_str(&of_problem(
            &world.api.post("/v1/handovers", &with_user(user.clone())).await,
        ));
        fault["operation"] = json!("message");
        world.eight.fault(fault).await;
        errors.push_str(&of_problem(
            &world.api.post(&messages, &json!({"text": CANARIES[7]})).await,
        ));
    }
    for wrong in [
        json!({"text": CANARIES[7], "cards": [CANARIES[7]]}),
        json!({"text": CANARIES[7], "x": CANARIES[7]}),
    ] {
        errors.push_str(&of_problem(&world.api.post(&messages, &wrong).await));
    }
    let key = world.api.with_key(Some(CANARIES[3]));
    errors.push_str(&of_problem(&key.get("/v1/handovers").await));
    let wrong = format!("/webhooks/8x8/acme/{}x", CANARIES[1]);
    errors.push_str(&of_problem(
        &world.api.post(&wrong, &json!({"text": CANARIES[8]})).await,
    ));
    errors
}

#[tokio::test]
async fn no_secret_and_no_word_of_a_conversation_shows_in_logs_figures_or_errors() {
    let mut world = World::with(with_canaries).await;
    world.bots.verify_with("support", &format!("whsec_{}", CANARIES[5]));
    for part in [
        "a bot's call failed",
        "POST /v1/handovers",
        "a proven webhook cannot be read",
    ] {
        world.tolerate(part);
    }
    let user = json!({"user": {"name": CANARIES[6], "email": "canary of the user@example.com"}});
    let id = a_troubled_conversation(&world, &user).await;
    let errors = told_of_errors(&world, &id, &user).await;
    // A bot that cannot be reached, under an address that is a secret.
    world.api.of_bot("sales").create(user).await;
    let admin = admin(&world);
    let metrics = eventually("the bot was tried", async || {
        let metrics = admin.get("/metrics").await.text();
        metrics
            .contains("delivery_attempts_total{outcome=\"silent\"}")
            .then_some(metrics)
    })
    .await;
    let log = world.finish().await.text();
    assert!(
        log.contains("TRACE") || log.contains("DEBUG"),
        "the log says enough to give something away"
    );
    for canary in CANARIES {
        assert!(!metrics.contains(canary), "{canary} in the metrics");
        let line = log.lines().find(|line| line.contains(canary));
        assert_eq!(line, None, "{canary} in the log");
        // Where a path is wrong the problem repeats the path; whoever sent it knows it.
        let told = errors.contains(canary) && ![CANARIES[1], CANARIES[7]].contains(&canary);
        assert!(!told, "{canary} in {errors}");
    }
}

#[tokio::test]
async fn the_audit_log_is_read_on_the_operators_port_with_an_admin_token() {
    let world = World::with(|setup| {
        setup.config.set("admin.tokens", json!(["an-admin-token-of-24-char"]));
    })
    .await;
    let admin = admin(&world);
    assert_eq!(admin.get("/audit").await.status, 401);
    assert_eq!(world.api.get("/audit").await.status, 404, "not on the public port");
    let operator = admin.with_key(Some("an-admin-token-of-24-char"));
    assert_eq!(operator.get("/audit").await.ok(200), json!({"data": []}));
    assert_eq!(operator.get("/audit?limit=1").await.status, 200);
    assert_eq!(operator.get("/audit?limit=many").await.status, 422);
    world.finish().await;
}
