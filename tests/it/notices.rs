//! An agent whose words do not reach the user is told so, once, and once more when it is over.

use std::time::Duration;

use rstest::rstest;
use serde_json::Value;
use serde_json::json;

use crate::support::bot::Callback;
use crate::support::reply::Reply;
use crate::support::wait::always;
use crate::support::wait::eventually;
use crate::support::wait::within;
use crate::support::world::Setup;
use crate::support::world::World;

const HELD_UP: &str = "The user does not receive this.";
const OVER: &str = "The user does again.";

fn attentive(setup: &mut Setup) {
    setup.options.hang_limit = Duration::from_secs(30);
    setup
        .config
        .set("delivery.notify_agent_after", "1s")
        .set("delivery.notify_agent_text", HELD_UP)
        .set("delivery.notify_agent_over_text", OVER);
}

fn is_message(callback: &Callback) -> bool {
    callback.kind() == "message.created"
}

/// A handover whose agent has said something that its bot does not take.
async fn held_up(world: &World, reply: Reply) -> (String, String) {
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    world.bots.answer(1000, reply, is_message);
    world.eight.say(&conversation, "Hello").await;
    (id, conversation)
}

async fn told(world: &World, conversation: &str, texts: &[&str]) {
    // A call whose outcome is not known is looked for, which takes its time.
    let seen = within(Duration::from_secs(30), async || {
        let there = world.eight.texts(conversation).await;
        (there.len() >= texts.len()).then_some(())
    });
    let in_time = seen.await.is_some();
    assert_eq!(world.eight.texts(conversation).await, texts, "in time: {in_time}");
}

async fn stays(world: &World, conversation: &str, texts: &[&str]) {
    always("nothing more is said", Duration::from_secs(2), async || {
        world.eight.texts(conversation).await == texts
    })
    .await;
}

/// What a transcript shows that the gateway said.
async fn noted(world: &World, id: &str) -> Vec<Value> {
    let transcript = world.api.get(&format!("/v1/handovers/{id}/transcript")).await.ok(200);
    let mut entries = transcript["data"].as_array().unwrap().clone();
    entries.retain(|entry| entry["origin"] == "notice");
    entries
}

#[tokio::test]
async fn an_agent_is_told_once_that_the_user_receives_nothing_and_once_that_it_is_over() {
    let world = World::with(attentive).await;
    let (id, conversation) = held_up(&world, Reply::status(500)).await;
    told(&world, &conversation, &[HELD_UP]).await;
    world.eight.say(&conversation, "Are you there?").await;
    stays(&world, &conversation, &[HELD_UP]).await;
    world.bots.forget_rules();
    told(&world, &conversation, &[HELD_UP, OVER]).await;
    stays(&world, &conversation, &[HELD_UP, OVER]).await;
    // They are the gateway's words: not the bot's, not the user's, and their echo is nobody's.
    let posted = world.eight.calls("message").await;
    assert!(
        posted.iter().all(|call| call["body"]["authorType"] == "bot"),
        "{posted:?}"
    );
    let kinds = [
        "handover.accepted",
        "handover.queued",
        "agent.joined",
        "message.created",
        "message.created",
    ];
    world.bots.told(&id, &kinds).await;
    let noted = noted(&world, &id).await;
    let shown: Vec<_> = noted
        .iter()
        .map(|entry| (&entry["author"]["type"], &entry["text"], &entry["status"]))
        .collect();
    let (gateway, accepted) = (json!("gateway"), json!("accepted"));
    assert_eq!(
        shown,
        [
            (&gateway, &json!(HELD_UP), &accepted),
            (&gateway, &json!(OVER), &accepted)
        ]
    );
    let metrics = world.api.at(&world.gateway.admin()).get("/metrics").await.text();
    for line in ["agent_notices_total 1", "agent_notices_over_total 1"] {
        assert!(metrics.contains(line), "{metrics}");
    }
    let log = world.finish().await;
    assert_eq!(log.with_message("the agent is told").len(), 1);
    assert!(!log.text().contains(HELD_UP) && !log.text().contains("Are you there?"));
}

#[tokio::test]
async fn a_handover_the_bot_stopped_is_trouble_until_it_goes_on() {
    let world = World::with(attentive).await;
    let (_, conversation) = held_up(&world, Reply::status(410)).await;
    told(&world, &conversation, &[HELD_UP]).await;
    world.bots.forget_rules();
    stays(&world, &conversation, &[HELD_UP]).await;
    let list = world.api.get("/v1/deliveries").await.ok(200);
    let event = list["data"][0]["id"].as_str().unwrap();
    world
        .api
        .post(&format!("/v1/deliveries/{event}/resend"), &json!({}))
        .await
        .ok(202);
    told(&world, &conversation, &[HELD_UP, OVER]).await;
    world.finish().await;
}

/// How many notices are recorded.
fn recorded(world: &World) -> i64 {
    let store = rusqlite::Connection::open(world.gateway.store()).unwrap();
    let count = "SELECT count(*) FROM command WHERE body LIKE '%\"notice\":true%'";
    store.query_row(count, [], |row| row.get(0)).unwrap()
}

#[rstest]
#[case::before_8x8_had_it("before")]
#[case::after_8x8_took_it("after")]
#[tokio::test]
async fn a_notice_is_told_once_though_the_process_is_killed_between_the_mark_and_the_answer(#[case] stage: &str) {
    let mut world = World::with(attentive).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "message", "hang": stage}))
        .await;
    let (id, conversation) = held_up(&world, Reply::status(500)).await;
    eventually("it is with 8x8 when the process dies", async || {
        (world.eight.faults_left().await.is_empty() && recorded(&world) == 1).then_some(())
    })
    .await;
    world.kill_and_restart().await;
    told(&world, &conversation, &[HELD_UP]).await;
    stays(&world, &conversation, &[HELD_UP]).await;
    assert_eq!(recorded(&world), 1);
    world.bots.forget_rules();
    told(&world, &conversation, &[HELD_UP, OVER]).await;
    let noted = eventually("its fate is known", async || {
        let noted = noted(&world, &id).await;
        noted.iter().all(|entry| entry["status"] == "accepted").then_some(noted)
    })
    .await;
    assert_eq!(noted.len(), 2);
    assert!(!world.bots.kinds(&id).contains(&"message.status".to_owned()));
    world.finish().await;
}

#[tokio::test]
async fn agents_are_told_nothing_where_that_is_turned_off() {
    let world = World::with(|setup| {
        attentive(setup);
        setup.config.set("delivery.notify_agent_after", "0s");
    })
    .await;
    let (id, conversation) = held_up(&world, Reply::status(500)).await;
    eventually("the bot refuses for a while", async || {
        (world
            .bots
            .attempts(&id)
            .iter()
            .filter(|callback| is_message(callback))
            .count()
            >= 4)
            .then_some(())
    })
    .await;
    assert!(world.eight.texts(&conversation).await.is_empty(), "it is turned off");
    world.bots.forget_rules();
    world.finish().await;
}

#[tokio::test]
async fn a_bot_that_wants_no_messages_is_in_no_trouble_with_them() {
    let world = World::with(|setup| {
        attentive(setup);
        let wanted = json!(["handover.accepted", "agent.joined", "agent.left"]);
        setup.config.set("bots.support.events", wanted);
    })
    .await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.accepted").await;
    world
        .bots
        .answer(1000, Reply::status(500), |callback| callback.kind() == "agent.joined");
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "Hello").await;
    eventually("the bot refuses for a while", async || {
        (world.bots.attempts(&id).len() >= 5).then_some(())
    })
    .await;
    assert!(world.eight.texts(&conversation).await.is_empty());
    world.bots.forget_rules();
    world.finish().await;
}
