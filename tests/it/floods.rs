//! More than anybody honest sends: connections that drip, keys that nobody has, signatures with keys that do not exist. Those
//! who are honest must not notice. Figures are printed; only what must hold is asserted.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::Instant;

use handover_gateway::clock::Clock;

use crate::support::client::Client;
use crate::support::wait::within;
use crate::support::world::World;
use crate::support::world::show;

/// Another address of this machine than that of the honest clients.
const ATTACKER: &str = "127.0.0.2:0";
const CONNECTIONS: usize = 400;
const ATTACKS: usize = 600;

#[tokio::test]
async fn connections_that_drip_hold_their_share_for_a_while_and_nobody_else_notices() {
    let world = World::with(|setup| {
        setup
            .config
            .set("server.max_connections", CONNECTIONS)
            .set("server.request_timeout", "6s");
    })
    .await;
    // The first calls warm it up.
    p99(&world.api).await;
    let quiet = p99(&world.api).await;
    let before = world.gateway.resident();
    let address: SocketAddr = world.gateway.public().trim_start_matches("http://").parse().unwrap();
    let started = Instant::now();
    let mut attack = JoinSet::new();
    for number in 0..ATTACKS {
        attack.spawn(async move { drip(address, number).await });
    }
    let admin = Client::new(&world.gateway.admin(), "nobody");
    let refused = within(Duration::from_secs(30), async || {
        (figure(&admin, "http_connections_refused_total").await > 0.0).then_some(())
    });
    assert!(
        refused.await.is_some(),
        "one address got all the connections it asked for"
    );
    let busy = p99(&world.api).await;
    let held = figure(&admin, "http_connections").await;
    let memory = world.gateway.resident();
    world.api.open(json!({})).await;
    while let Some(cut_off) = attack.join_next().await {
        assert!(cut_off.unwrap(), "a dripping connection is still open");
    }
    show(&format!(
        "slow connections: {ATTACKS} tried, {held} open with {CONNECTIONS} allowed, all closed after {:.1} s; GET of honest \
         clients p99 {busy:?}, {quiet:?} before (ratio {:.1}); {memory} KiB resident, {before} before",
        started.elapsed().as_secs_f64(),
        busy.as_secs_f64() / quiet.as_secs_f64(),
    ));
    world.finish().await;
}

/// Says something every half second and never enough; whether the other side ends it.
async fn drip(address: SocketAddr, number: usize) -> bool {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(ATTACKER.parse().unwrap()).unwrap();
    let Ok(stream) = socket.connect(address).await else {
        return true;
    };
    let (mut reading, mut writing) = stream.into_split();
    let head = match number % 3 {
        0 => "",
        1 => "POST /webhooks/8x8/acme HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        _ => "POST /webhooks/8x8/acme HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
    };
    let write = async {
        let mut next = head.as_bytes().to_vec();
        while writing.write_all(&next).await.is_ok() {
            next = if number.is_multiple_of(3) {
                Vec::new()
            } else {
                b"x".to_vec()
            };
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let read = async {
        let mut buffer = [0; 1024];
        while reading.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    };
    let ended = async {
        tokio::select! { () = write => {} () = read => {} }
    };
    tokio::time::timeout(Duration::from_mins(1), ended).await.is_ok()
}

async fn p99(api: &Client) -> Duration {
    let mut times = Vec::new();
    for _ in 0..100 {
        let started = Instant::now();
        api.get("/v1/handovers?limit=1").await.ok(200);
        times.push(started.elapsed());
    }
    times.sort_unstable();
    times[98]
}

async fn figure(admin: &Client, name: &str) -> f64 {
    let metrics = admin.get("/metrics").await.text();
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .unwrap_or_else(|| panic!("no {name} in\n{metrics}"))
        .parse()
        .unwrap()
}

/// A webhook that is right in all but its signature; what it is answered.
async fn with_unknown_key(api: &Client, number: u32) -> u16 {
    let jose = format!(r#"{{"b64":false,"crit":["b64"],"kid":"unknown-{number}","alg":"RS256"}}"#);
    let signature = format!("{}..{}", URL_SAFE_NO_PAD.encode(jose), URL_SAFE_NO_PAD.encode([7; 256]));
    let now = Clock::system().now().as_millis();
    let call = api
        .call(Method::POST, "/webhooks/8x8/acme")
        .header("x-8x8-signature", &signature)
        .header("x-8x8-transmission-time", &now.to_string())
        .header("x-8x8-retry", "0")
        .header("x-8x8-event-id", &format!("event-{number}"))
        .header("x-8x8-tenant-id", "sandbox-tenant")
        .header("x-8x8-customer-id", "sandbox-customer");
    call.json(&json!({"eventType": "MESSAGE"})).send().await.status
}

#[tokio::test]
async fn a_flood_of_signatures_with_unknown_keys_costs_few_fetches_and_refuses_no_honest_webhook() {
    let flood: u32 = if std::env::var_os("HANDOVER_TEST_LONG").is_some() {
        10_000
    } else {
        2_000
    };
    let mut world = World::start().await;
    world.tolerate("keys could not be fetched");
    let (_, conversation) = world.api.open(json!({})).await;
    world.eight.all_acknowledged().await;
    world
        .eight
        .fault(json!({"on": "jwk", "status": 404, "times": 1_000_000}))
        .await;
    let started = Instant::now();
    let mut calls = JoinSet::new();
    for number in 0..flood {
        let api = world.api.with_key(None);
        calls.spawn(async move { with_unknown_key(&api, number).await });
        if calls.len() >= 32 {
            let status = calls.join_next().await.unwrap().unwrap();
            assert!([401, 503].contains(&status), "{status}");
        }
        if number % 200 == 0 {
            world.eight.say(&conversation, &format!("honest {number}")).await;
        }
    }
    while let Some(status) = calls.join_next().await {
        assert!([401, 503].contains(&status.unwrap()));
    }
    let took = started.elapsed();
    let left = world.eight.faults_left().await[0]["times"].as_u64().unwrap();
    let fetches = 1_000_000 - left;
    // What an address has at once, and what it gets meanwhile.
    assert!(fetches <= 6 + took.as_secs() / 5, "{fetches} fetches in {took:?}");
    world.eight.all_acknowledged().await;
    let statuses = world.eight.webhook_statuses().await;
    assert!(statuses.iter().all(|status| *status == 204), "{statuses:?}");
    let lines = world.gateway.log.with_message("not proven to be 8x8's").len();
    assert!(
        lines <= 3 + usize::try_from(took.as_secs()).unwrap() / 5,
        "{lines} lines of log"
    );
    show(&format!(
        "unknown keys: {flood} signatures in {took:.1?} ({:.0} us each), {fetches} fetches, {lines} lines of log",
        took.as_secs_f64() * 1e6 / f64::from(flood)
    ));
    world.finish().await;
}

#[tokio::test]
async fn a_flood_of_wrong_keys_is_told_to_slow_down_and_a_right_key_passes_all_the_time() {
    let world = World::start().await;
    let stranger = world.api.with_key(Some("hg_test_somebody_else"));
    let mut statuses = Vec::new();
    for number in 0..500 {
        let reply = stranger.get("/v1/handovers").await;
        if reply.status == 429 {
            assert!(reply.header("retry-after").is_some());
            assert_eq!(reply.json()["code"], "rate-limited");
        }
        statuses.push(reply.status);
        if number % 10 == 0 {
            world.api.get("/v1/handovers").await.ok(200);
        }
    }
    assert!(statuses[..200].iter().all(|status| *status == 401), "{statuses:?}");
    assert!(
        statuses.iter().filter(|status| **status == 429).count() > 100,
        "{statuses:?}"
    );
    let log = world.finish().await;
    assert!(log.with_message("without a key of any bot").len() <= 5);
}

#[tokio::test]
async fn a_bot_that_calls_too_often_is_told_so_and_another_bot_does_not_notice() {
    let world = World::with(|setup| {
        setup.config.set("server.bot_rate_limit", 5);
    })
    .await;
    let other = world.api.of_bot(crate::support::config::SALES);
    let mut refused = 0;
    for _ in 0..60 {
        let reply = world.api.get("/v1/handovers").await;
        if reply.status == 429 {
            refused += 1;
            assert_eq!(reply.json()["code"], "rate-limited");
            assert!(reply.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
        }
    }
    assert!(refused >= 10, "{refused}");
    other.get("/v1/handovers").await.ok(200);
    let back = within(Duration::from_secs(10), async || {
        (world.api.get("/v1/handovers").await.status == 200).then_some(())
    });
    assert!(back.await.is_some());
    world.finish().await;
}

#[tokio::test]
async fn a_bot_has_its_share_of_streams_and_calls_go_on_beside_them() {
    let world = World::with(|setup| {
        setup.config.set("server.max_connections", 100);
    })
    .await;
    let stream = || {
        world
            .api
            .call(Method::GET, "/v1/events")
            .header("accept", "text/event-stream")
            .stream()
    };
    let mut open = Vec::new();
    for _ in 0..25 {
        let response = stream().await;
        assert_eq!(response.status(), 200);
        open.push(response);
    }
    assert_eq!(stream().await.status(), 429);
    world.api.open(json!({})).await;
    open.pop();
    let again = within(Duration::from_secs(10), async || {
        (stream().await.status() == 200).then_some(())
    });
    assert!(again.await.is_some(), "a stream that ended gives its place back");
    drop(open);
    world.finish().await;
}
