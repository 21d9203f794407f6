//! Webhooks that come through somebody who adds headers, and the endpoint at which that somebody fetches bearer tokens.

use std::net::IpAddr;
use std::time::Duration;
use std::time::Instant;

use handover_gateway::webhook::PasswordHash;
use secrecy::SecretString;
use serde_json::Value;
use serde_json::json;

use crate::support::client::Reply;
use crate::support::client::http_client;
use crate::support::config::key_hash;
use crate::support::world::Setup;
use crate::support::world::World;

const TOKEN_PATH: &str = "/tenant-users/oauth2/token";
const AISERA_PATH: &str = "/v1/liveAgent/receiveMessage";
const APP_TOKEN: &str = "canary_of_the_app_token_1";
const NEW_APP_TOKEN: &str = "canary_of_the_app_token_2";
const STATIC: &str = "canary_of_the_static_bearer";
const NEW_STATIC: &str = "canary_of_the_new_static_bearer";
const USERNAME: &str = "load-balancer";
const PASSWORD: &str = "canary of the password & more";

/// All three proofs are asked for; what the sandbox sends by itself has them.
fn guarded(setup: &mut Setup) {
    AISERA_PATH.clone_into(&mut setup.webhook_path);
    setup.options.webhook_headers = vec![
        ("x-app-token".to_owned(), APP_TOKEN.to_owned()),
        ("authorization".to_owned(), format!("Bearer {STATIC}")),
    ];
    setup
        .config
        .set(
            "tenants.acme.webhook.require",
            json!(["signature", "app_token", "bearer"]),
        )
        .set("tenants.acme.webhook.app_tokens", json!([APP_TOKEN, NEW_APP_TOKEN]))
        .set(
            "tenants.acme.webhook.bearer_hashes",
            json!([key_hash(STATIC), key_hash(NEW_STATIC)]),
        );
    clients(setup, PASSWORD);
}

fn clients(setup: &mut Setup, password: &str) {
    let clients = clients_toml(password);
    setup.config.set_toml("tenants.acme.webhook.clients", &clients);
}

fn clients_toml(password: &str) -> String {
    let hash = PasswordHash::of(&SecretString::from(password), &[7; 16]).unwrap();
    format!("[{{ username = \"{USERNAME}\", password_hash = \"{hash}\" }}]")
}

async fn post(world: &World, body: &[(&str, &str)]) -> Reply {
    let form = body
        .iter()
        .fold(
            url::form_urlencoded::Serializer::new(String::new()),
            |mut form, (name, value)| {
                form.append_pair(name, value);
                form
            },
        )
        .finish();
    let call = world.api.with_key(None).call(http::Method::POST, TOKEN_PATH);
    call.header("content-type", "application/x-www-form-urlencoded")
        .raw(form)
        .send()
        .await
}

async fn log_in(world: &World) -> Value {
    let form = [
        ("grant_type", "password"),
        ("username", USERNAME),
        ("password", PASSWORD),
        ("clientid", APP_TOKEN),
    ];
    post(world, &form).await.ok(200)
}

async fn refresh(world: &World, token: &Value) -> Reply {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str().unwrap()),
        ("clientid", APP_TOKEN),
    ];
    post(world, &form).await
}

/// The status of a right webhook with these headers in the place of those of the sandbox.
async fn webhook(world: &World, conversation: &str, headers: Value) -> u64 {
    let sender = json!({"id": "agent-1", "type": "agent"});
    let data = json!({"isEcho": false, "sender": sender, "text": "Hi", "attachments": [], "cards": []});
    let body = json!({"eventType": "MESSAGE", "data": data});
    let event = json!({"body": body, "wait": true, "headers": headers});
    world.eight.event(conversation, event).await["status"].as_u64().unwrap()
}

async fn with_bearer(world: &World, conversation: &str, token: &Value) -> u64 {
    let bearer = format!("Bearer {}", token.as_str().unwrap());
    webhook(world, conversation, json!({"authorization": bearer})).await
}

fn is_clean(text: &str, secrets: &[&str]) {
    for secret in secrets {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} shows");
    }
}

#[tokio::test]
async fn tokens_are_answered_as_aisera_does_and_open_its_path() {
    let world = World::with(guarded).await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    let tokens = log_in(&world).await;
    let inner = &tokens["values"];
    for level in [&tokens, inner] {
        assert_eq!(
            (&level["token_type"], &level["expires_in"]),
            (&json!("bearer"), &json!(3600))
        );
        assert_eq!(level["access_token"], tokens["access_token"]);
        assert_eq!(level["refresh_token"], tokens["refresh_token"]);
    }
    let names = |value: &Value| value.as_object().unwrap().len();
    assert_eq!((names(&tokens), names(inner)), (5, 4));
    assert_eq!(with_bearer(&world, &conversation, &tokens["access_token"]).await, 204);
    assert_eq!(with_bearer(&world, &conversation, &tokens["refresh_token"]).await, 401);
    assert_eq!(with_bearer(&world, &conversation, &json!("hgat_nonsense")).await, 401);
    let body = json!({"grant_type": "password", "username": USERNAME, "password": PASSWORD, "clientid": NEW_APP_TOKEN});
    let reply = world.api.with_key(None).post(TOKEN_PATH, &body).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let by_json = reply.ok(200);
    assert_eq!(with_bearer(&world, &conversation, &by_json["access_token"]).await, 204);
    let metrics = http_client()
        .get(format!("{}/metrics", world.gateway.admin()))
        .send()
        .await
        .unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(
        metrics.contains("token_requests_total{outcome=\"issued\"} 2"),
        "{metrics}"
    );
    let token = tokens["access_token"].as_str().unwrap().to_owned();
    let log = world.finish().await;
    is_clean(
        &log.text(),
        &[PASSWORD, APP_TOKEN, NEW_APP_TOKEN, STATIC, &token, "$argon2id"],
    );
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_second_use_ends_the_log_in() {
    let mut world = World::with(guarded).await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    let (first, other) = (log_in(&world).await, log_in(&world).await);
    let second = refresh(&world, &first["refresh_token"]).await.ok(200);
    for tokens in [&first, &second] {
        assert_eq!(
            with_bearer(&world, &conversation, &tokens["access_token"]).await,
            204,
            "both are good"
        );
    }
    world.gateway.kill();
    world.gateway.run_again().await;
    world.connect(AISERA_PATH).await;
    assert_eq!(
        with_bearer(&world, &conversation, &second["access_token"]).await,
        204,
        "after a restart"
    );

    let again = refresh(&world, &first["refresh_token"]).await;
    assert_eq!(again.ok(400)["error"], "invalid_grant");
    for tokens in [&first, &second] {
        assert_eq!(with_bearer(&world, &conversation, &tokens["access_token"]).await, 401);
        assert_eq!(refresh(&world, &tokens["refresh_token"]).await.status, 400);
    }
    assert_eq!(
        with_bearer(&world, &conversation, &other["access_token"]).await,
        204,
        "another log-in goes on"
    );
    let log = world.finish().await;
    assert_eq!(log.with_message("a refresh token came a second time").len(), 1);
}

#[tokio::test]
async fn a_refresh_token_that_somebody_made_up_does_not_end_a_log_in() {
    let world = World::with(guarded).await;
    let (_, conversation) = world.api.open(json!({})).await;
    let tokens = log_in(&world).await;
    let good = tokens["refresh_token"].as_str().unwrap();
    // Who saw the name of a log-in, as the access token has it, can write the rest.
    let made_up = format!("{}{}", &good[..good.len() - 22], "A".repeat(22));
    let older_form = format!("{}{}", &good[..27], "A".repeat(43));
    for token in [made_up, older_form] {
        assert_eq!(refresh(&world, &json!(token)).await.status, 400, "{token}");
    }
    assert_eq!(with_bearer(&world, &conversation, &tokens["access_token"]).await, 204);
    refresh(&world, &tokens["refresh_token"]).await.ok(200);
    let log = world.finish().await;
    assert!(log.with_message("a refresh token came a second time").is_empty());
}

#[tokio::test]
async fn another_password_in_the_settings_ends_what_was_issued_for_the_old_one() {
    let mut world = World::with(guarded).await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    let tokens = log_in(&world).await;
    assert_eq!(with_bearer(&world, &conversation, &tokens["access_token"]).await, 204);
    assert!(world.gateway.stop().await.success());
    let clients = clients_toml("another password");
    world.gateway.config.set_toml("tenants.acme.webhook.clients", &clients);
    world.gateway.run_again().await;
    world.connect(AISERA_PATH).await;
    assert_eq!(with_bearer(&world, &conversation, &tokens["access_token"]).await, 401);
    assert_eq!(refresh(&world, &tokens["refresh_token"]).await.status, 400);
    world.finish().await;
}

#[tokio::test]
async fn whatever_is_wrong_about_a_log_in_gives_one_answer_in_the_same_time() {
    let world = World::with(guarded).await;
    let right = [USERNAME, PASSWORD, APP_TOKEN];
    let (mut answers, mut times) = (Vec::new(), Vec::new());
    for (wrong, place) in [("nobody", 0), ("guess", 1), ("no_such_client", 2)] {
        let mut given = right;
        given[place] = wrong;
        let [username, password, client] = given;
        let form = [
            ("grant_type", "password"),
            ("username", username),
            ("password", password),
            ("clientid", client),
        ];
        let started = Instant::now();
        let reply = post(&world, &form).await;
        times.push(started.elapsed());
        assert_eq!(reply.status, 400, "{reply}");
        answers.push(reply.text());
    }
    answers.push({
        let reply = refresh(&world, &json!("hgrt_nonsense")).await;
        assert_eq!(reply.status, 400);
        reply.text()
    });
    assert!(answers[0].contains("\"invalid_grant\""), "{}", answers[0]);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    // A password that is not checked is answered in a hundredth of the time.
    assert!(*least * 10 > *most, "{times:?}");
    for (form, error) in [
        (&[("grant_type", "client_credentials")][..], "unsupported_grant_type"),
        (&[("grant_type", "password"), ("username", "u")][..], "invalid_request"),
        (&[][..], "invalid_request"),
    ] {
        assert_eq!(post(&world, form).await.ok(400)["error"], error);
    }
    let endless = "x".repeat(20_000);
    assert_eq!(post(&world, &[("password", &endless)]).await.status, 413);
    let log = world.finish().await;
    is_clean(&log.text(), &["nobody", "guess", "no_such_client"]);
}

async fn guess(url: &str, password: &str, from: IpAddr, forwarded_for: &str) -> (u16, Option<u64>) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .local_address(from)
        .build()
        .unwrap();
    let body = json!({"grant_type": "password", "username": USERNAME, "password": password, "clientid": APP_TOKEN});
    let request = client.post(url).header("x-forwarded-for", forwarded_for);
    let response = request.body(body.to_string()).send().await.unwrap();
    let again = response
        .headers()
        .get("retry-after")
        .map(|value| value.to_str().unwrap().parse().unwrap());
    (response.status().as_u16(), again)
}

#[tokio::test]
async fn who_guesses_is_sent_away_and_the_right_one_is_let_in_from_elsewhere() {
    let world = World::with(guarded).await;
    let url = format!("{}{TOKEN_PATH}", world.gateway.public());
    let (guesser, owner): (IpAddr, IpAddr) = ("127.0.0.2".parse().unwrap(), "127.0.0.3".parse().unwrap());
    let mut sent_away = None;
    for number in 0..40 {
        // What nobody trusted says of where it comes from changes nothing.
        match guess(
            &url,
            &format!("guess {number}"),
            guesser,
            &format!("198.51.100.{number}"),
        )
        .await
        {
            (400, _) => {}
            (429, again) => {
                sent_away = again;
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(
        sent_away.is_some_and(|seconds| (1..=31).contains(&seconds)),
        "{sent_away:?}"
    );
    let crowd = futures_util::future::join_all((0..20).map(|_| guess(&url, "guess", guesser, ""))).await;
    let looked_at = crowd.iter().filter(|(status, _)| *status == 400).count();
    assert!(looked_at <= 1, "{crowd:?}");
    let started = Instant::now();
    assert_eq!(guess(&url, PASSWORD, owner, "").await.0, 200);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    world.finish().await;
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_one_it_names_is_slowed_down() {
    let world = World::with(|setup| {
        guarded(setup);
        setup.config.set("server.trusted_proxies", json!(["127.0.0.0/8"]));
    })
    .await;
    let url = format!("{}{TOKEN_PATH}", world.gateway.public());
    let proxy: IpAddr = "127.0.0.1".parse().unwrap();
    let mut status = 0;
    for _ in 0..40 {
        status = guess(&url, "guess", proxy, "6.6.6.6, 198.51.100.7").await.0;
        if status == 429 {
            break;
        }
    }
    assert_eq!(status, 429);
    assert_eq!(guess(&url, PASSWORD, proxy, "6.6.6.6, 198.51.100.8").await.0, 200);
    world.finish().await;
}

#[tokio::test]
async fn each_proof_that_is_required_is_asked_for_and_no_other() {
    let proofs = ["signature", "app_token", "bearer"];
    for chosen in 1..8_usize {
        let require: Vec<_> = (0..3).filter(|place| chosen & (1 << place) != 0).collect();
        let names: Vec<_> = require.iter().map(|place| proofs[*place]).collect();
        let world = World::with(|setup| {
            guarded(setup);
            setup.config.set("tenants.acme.webhook.require", json!(names));
        })
        .await;
        let (id, conversation) = world.api.open(json!({})).await;
        world.bots.event(&id, "handover.queued").await;
        for (app_token, bearer) in [(APP_TOKEN, STATIC), (NEW_APP_TOKEN, NEW_STATIC)] {
            let both = json!({"x-app-token": app_token, "authorization": format!("Bearer {bearer}")});
            assert_eq!(webhook(&world, &conversation, both).await, 204, "{names:?}");
        }
        let faults = [
            json!({"x-8x8-signature": "h..s"}),
            json!({"x-app-token": "another"}),
            json!({"authorization": "Bearer another"}),
        ];
        for (place, fault) in faults.into_iter().enumerate() {
            let expected = if require.contains(&place) { 401 } else { 204 };
            let what = format!("{names:?} and {fault}");
            assert_eq!(webhook(&world, &conversation, fault).await, expected, "{what}");
        }
        for (place, name) in ["x-8x8-signature", "x-app-token", "authorization"]
            .into_iter()
            .enumerate()
        {
            let expected = if require.contains(&place) { 401 } else { 204 };
            let mut without = json!({});
            without[name] = Value::Null;
            assert_eq!(
                webhook(&world, &conversation, without).await,
                expected,
                "{names:?} without {name}"
            );
        }
        world.finish().await;
    }
}
