//! Callers that hang up in the middle of a call: what they asked for happens all the same, once.

use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::client::Client;
use crate::support::client::with_user;
use crate::support::config::SUPPORT;
use crate::support::config::api_key;
use crate::support::wait::eventually;
use crate::support::world::World;

/// Sends a whole request and does not wait for the answer.
async fn post(world: &World, path: &str, key: &str, body: &str) -> TcpStream {
    let base = world.gateway.public();
    let address = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nidempotency-key: {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        api_key(SUPPORT),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    stream
}

async fn slow(world: &World, operation: &str) {
    world
        .eight
        .fault(json!({"on": "api", "operation": operation, "delay": "700ms"}))
        .await;
}

/// 8x8 has the call and has not answered.
async fn under_way(world: &World) {
    eventually("8x8 has the call", async || {
        world.eight.faults_left().await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_create_whose_caller_hung_up_is_carried_out() {
    let world = World::start().await;
    slow(&world, "create").await;
    let body = with_user(json!({})).to_string();
    let stream = post(&world, "/v1/handovers", "k-1", &body).await;
    under_way(&world).await;
    drop(stream);
    let handover = eventually("the handover waits", async || {
        let list = world.api.get("/v1/handovers?state=queued").await.ok(200);
        list["data"].as_array().unwrap().first().cloned()
    })
    .await;
    world
        .bots
        .told(
            handover["id"].as_str().unwrap(),
            &["handover.accepted", "handover.queued"],
        )
        .await;
    let again = world
        .api
        .call(Method::POST, "/v1/handovers")
        .once("k-1")
        .body(body)
        .send()
        .await;
    assert_eq!(
        (&again.ok(201)["id"], again.header("idempotent-replayed")),
        (&handover["id"], Some("true"))
    );
    assert_eq!(world.eight.conversations().await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_message_whose_caller_hung_up_arrives_once() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    slow(&world, "message").await;
    let (path, body) = (
        format!("/v1/handovers/{id}/messages"),
        json!({"text": "hello"}).to_string(),
    );
    let stream = post(&world, &path, "k-1", &body).await;
    under_way(&world).await;
    drop(stream);
    eventually("8x8 has it", async || {
        (world.eight.texts(&conversation).await == ["hello"]).then_some(())
    })
    .await;
    let again = eventually("the call is over", async || {
        let again = world
            .api
            .call(Method::POST, &path)
            .once("k-1")
            .body(body.clone())
            .send()
            .await;
        (again.status != 409).then_some(again)
    })
    .await;
    assert_eq!(again.ok(202)["status"], "accepted");
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(world.eight.texts(&conversation).await, ["hello"]);
    world.finish().await;
}

#[tokio::test]
async fn an_end_whose_caller_hung_up_is_carried_out_whole_or_not_at_all() {
    let world = World::start().await;
    for number in 0..20 {
        let (id, _) = world.api.open(json!({})).await;
        world.bots.event(&id, "handover.queued").await;
        let path = format!("/v1/handovers/{id}/end");
        let stream = post(&world, &path, "k-1", "{}").await;
        tokio::time::sleep(Duration::from_micros(200 * number)).await;
        drop(stream);
        // Whether it came through or not: the repeat settles it, and it happens once.
        eventually("the end is settled", async || {
            let again = world.api.call(Method::POST, &path).once("k-1").body("{}").send().await;
            (again.status != 409).then(|| again.ok(202))
        })
        .await;
        world
            .bots
            .told(&id, &["handover.accepted", "handover.queued", "handover.ended"])
            .await;
    }
    world.eight.calls_made("leave", 20).await;
    world.eight.all_acknowledged().await;
    assert_eq!(world.eight.calls("leave").await.len(), 20);
    world.finish().await;
}

#[tokio::test]
async fn a_webhook_whose_answer_8x8_did_not_wait_for_is_told_once() {
    let world = World::with(|setup| setup.options.answer_limit = Duration::from_millis(500)).await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    world
        .eight
        .fault(json!({"on": "webhook", "operation": "MESSAGE", "drop": "after", "times": 3}))
        .await;
    world.eight.say(&conversation, "hello").await;
    world.bots.event(&id, "message.created").await;
    world.eight.all_acknowledged().await;
    world
        .bots
        .told(&id, &["handover.accepted", "handover.queued", "message.created"])
        .await;
    world.finish().await;
}

#[tokio::test]
async fn a_request_that_breaks_off_changes_nothing() {
    let world = World::start().await;
    let base = world.gateway.public();
    let mut stream = TcpStream::connect(base.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST /v1/handovers HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n\r\n{{\"user\":{{}}",
        api_key(SUPPORT)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(!String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 2"));
    assert!(world.eight.calls("create").await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn readers_who_hang_up_leave_no_connections_behind() {
    let world = World::start().await;
    let (id, _) = world.api.open(json!({})).await;
    let path = format!("/v1/handovers/{id}/events");
    let admin = Client::new(&world.gateway.admin(), "nobody");
    let open = async || {
        let metrics = admin.get("/metrics").await.text();
        let line = metrics
            .lines()
            .find(|line| line.starts_with("http_connections "))
            .unwrap()
            .to_owned();
        line.split(' ').nth(1).unwrap().parse::<usize>().unwrap()
    };
    let before = open().await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(
            world
                .api
                .call(Method::GET, &path)
                .header("accept", "text/event-stream")
                .stream()
                .await,
        );
    }
    assert!(open().await >= before + 19, "{} open, {before} before", open().await);
    drop(streams);
    eventually("they are closed", async || (open().await <= before + 2).then_some(())).await;
    world.finish().await;
}
