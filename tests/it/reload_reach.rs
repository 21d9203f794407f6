//! How far a reload reaches: limits hold at once, what was counted stays counted, and what 8x8 told a tenant that was away is
//! read from it.

use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::wait::eventually;
use crate::support::world::EIGHT;
use crate::support::world::World;

/// Milliseconds between the first and the last of the newest messages 8x8 was given.
async fn spread(world: &World, newest: usize) -> i64 {
    let calls = world.eight.calls("message").await;
    let times: Vec<i64> = calls[calls.len() - newest..]
        .iter()
        .map(|call| call["at"].as_i64().unwrap())
        .collect();
    times.last().unwrap() - times.first().unwrap()
}

#[tokio::test]
async fn another_rate_towards_8x8_holds_at_once_and_ends_at_once() {
    let mut world = World::start().await;
    let (id, _) = world.api.open(json!({})).await;
    let say = async |world: &World| {
        for n in 0..4 {
            assert_eq!(world.api.say(&id, &format!("{n}")).await["status"], "accepted");
        }
        spread(world, 4).await
    };
    world.gateway.config.set("tenants.acme.rate_limit", 1);
    world.gateway.reload().await;
    let limited = say(&world).await;
    assert!(limited >= 2_500, "four calls at one a second took {limited} ms");
    world.gateway.config.unset("tenants.acme.rate_limit");
    world.gateway.reload().await;
    let free = say(&world).await;
    assert!(free < 2_500, "four calls without a limit took {free} ms");
    world.finish().await;
}

#[tokio::test]
async fn a_bot_that_used_up_its_calls_does_not_get_them_back_by_a_reload() {
    let mut world = World::with(|setup| {
        setup.config.set("server.bot_rate_limit", 1);
    })
    .await;
    let start = Instant::now();
    let (mut passed, mut refused) = (0, 0);
    for n in 0..8 {
        world
            .gateway
            .config
            .set("bots.sales.queue_id", format!("{}", 101 + n % 2));
        world.gateway.reload().await;
        for _ in 0..4 {
            match world.api.get("/v1/handovers").await.status {
                200 => passed += 1,
                429 => refused += 1,
                other => panic!("{other}"),
            }
        }
    }
    let most = 2 + 1 + start.elapsed().as_secs();
    assert!(
        passed <= most,
        "{passed} calls passed, {most} at the most were due; {refused} were refused"
    );
    world.finish().await;
}

/// Whether a connection is served; it is kept open.
async fn connected(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = b"GET /v1/handovers HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request).await.ok()?;
    let mut first = [0; 9];
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_exact(&mut first));
    read.await.ok()?.ok().map(|_| stream)
}

#[tokio::test]
async fn a_proxy_that_is_trusted_from_now_on_has_more_than_one_share_and_tells_addresses_apart() {
    let mut world = World::with(|setup| {
        setup.config.set("server.max_connections", 40);
    })
    .await;
    let stranger = async |world: &World| {
        let call = world.api.with_key(None).call(http::Method::GET, "/v1/handovers");
        call.header("x-forwarded-for", "192.0.2.7").send().await.status
    };
    let mut tries = 0;
    while stranger(&world).await == 401 {
        tries += 1;
        assert!(tries < 1000, "never told to slow down");
    }
    let public = world.gateway.public();
    let address: SocketAddr = public.trim_start_matches("http://").parse().unwrap();
    let mut held = Vec::new();
    while let Some(stream) = connected(address).await {
        held.push(stream);
        assert!(held.len() <= 20, "one address has half of them");
    }
    world
        .gateway
        .config
        .set("server.trusted_proxies", json!(["127.0.0.0/8"]));
    world.gateway.reload().await;
    let more = connected(address).await;
    assert!(more.is_some(), "the proxy may have more connections than one address");
    assert_eq!(
        stranger(&world).await,
        401,
        "it counts as the address that the proxy names"
    );
    drop((more, held));
    world.finish().await;
}

#[tokio::test]
async fn what_8x8_told_a_tenant_that_was_away_is_read_from_it_when_it_is_back() {
    let mut world = World::with(|setup| {
        setup.options.retry_schedule = Vec::new();
        setup.config.tenant("globex", EIGHT).set("bots.sales.tenant", "globex");
    })
    .await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    let before = world.gateway.config.clone();
    world.gateway.config.unset("tenants.acme").unset("bots.support");
    world.gateway.reload().await;
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "Hello").await;
    eventually("8x8 has given up", async || {
        let mut all = world.eight.all_webhooks().await;
        all.retain(|event| event["conversationId"] == conversation && event["givenUp"] == true);
        (all.len() >= 2).then_some(())
    })
    .await;
    world.gateway.config = before;
    world.gateway.reload().await;
    let expected = [
        "handover.accepted",
        "handover.queued",
        "agent.joined",
        "message.created",
    ];
    let events = world.bots.told(&id, &expected).await;
    assert_eq!(events[3].text(), "Hello");
    assert_eq!(events[3].data()["source"]["eventType"], "RECONCILED");
    world.finish().await;
}
