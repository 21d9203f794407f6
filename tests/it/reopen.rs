//! Talking on in a conversation that is over: a new handover on it, one message, and nothing of the time before ends it.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::client::Reply;
use crate::support::config::SALES;
use crate::support::wait::always;
use crate::support::wait::eventually;
use crate::support::world::Setup;
use crate::support::world::World;

/// Longer than 8x8 is asked after.
const A_WHILE: Duration = Duration::from_millis(2500);

fn quick(setup: &mut Setup) {
    setup.options.hang_limit = Duration::from_secs(1);
    setup.config.set("tenants.acme.send_wait", "1s");
}

/// A handover an agent took and ended.
async fn served(world: &World, fields: Value) -> (String, String) {
    let (id, conversation) = world.api.open(fields).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    world.eight.end(&conversation).await;
    world.bots.event(&id, "handover.ended").await;
    (id, conversation)
}

async fn try_reopen(world: &World, id: &str, text: &str) -> Reply {
    world
        .api
        .post(&format!("/v1/handovers/{id}/reopen"), &json!({"text": text}))
        .await
}

async fn reopen(world: &World, id: &str, text: &str) -> Value {
    let reply = try_reopen(world, id, text).await;
    let handover = reply.ok(201);
    let location = format!("/v1/handovers/{}", handover["id"].as_str().unwrap());
    assert_eq!(reply.header("location"), Some(&*location));
    handover
}

fn id_of(handover: &Value) -> String {
    handover["id"].as_str().unwrap().to_owned()
}

/// How often 8x8 has a text.
async fn times_said(world: &World, conversation: &str, text: &str) -> usize {
    let texts = world.eight.texts(conversation).await;
    texts.iter().filter(|said| *said == text).count()
}

fn problem(reply: &Reply, status: u16, code: &str) -> Value {
    let problem = reply.ok(status);
    assert_eq!(problem["code"], code, "{reply}");
    problem
}

async fn transferred_and_ended(world: &World, fields: Value) -> (String, String) {
    let (old, conversation) = world.api.open(fields).await;
    world.eight.join(&conversation).await;
    world.bots.event(&old, "agent.joined").await;
    world
        .eight
        .agent(&conversation, json!({"do": "transfer", "queueId": "102"}))
        .await;
    let grace = json!({"do": "join", "agentId": "agent-2", "agentName": "Grace Agent"});
    world.eight.agent(&conversation, grace).await;
    eventually("Grace is in", async || {
        (world.api.handover(&old).await["agents"][0]["id"] == "agent-2").then_some(())
    })
    .await;
    world.eight.end(&conversation).await;
    world.bots.event(&old, "handover.ended").await;
    (old, conversation)
}

#[tokio::test]
async fn a_handover_that_is_over_goes_on_as_a_new_one_in_its_last_queue() {
    let world = World::start().await;
    let fields = json!({"botSessionId": "s-1", "metadata": {"ticket": 42}, "timers": {"idle": "1h"}});
    let (old, conversation) = transferred_and_ended(&world, fields).await;
    let before = world.api.handover(&old).await;
    let handover = reopen(&world, &old, "It has broken again").await;
    let new = id_of(&handover);
    assert_ne!(new, old);
    for field in [
        "conversationId",
        "botSessionId",
        "metadata",
        "user",
        "channelId",
        "tenant",
        "bot",
        "origin",
    ] {
        assert_eq!(handover[field], before[field], "{field}");
    }
    assert_eq!(handover["reopenedFrom"], *old);
    assert_eq!(handover["queue"]["id"], "102");
    let events = world.bots.told(&new, &["handover.accepted", "handover.queued"]).await;
    assert_eq!(events[1].data()["queue"], json!({"id": "102", "name": "Billing"}));
    assert_eq!(events[0].data()["metadata"], json!({"ticket": 42}));
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "Here I am").await;
    assert_eq!(world.bots.event(&new, "message.created").await.text(), "Here I am");
    world.api.say(&new, "Thank you").await;
    assert_eq!(
        world.eight.texts(&conversation).await,
        ["It has broken again", "Thank you"]
    );
    world.eight.end(&conversation).await;
    let ended = world.bots.event(&new, "handover.ended").await;
    assert_eq!(
        (&ended.data()["reason"], &ended.data()["outcome"]),
        (&json!("agent_ended"), &json!("completed"))
    );
    assert_eq!(
        world.api.handover(&old).await,
        before,
        "nothing came to the old one any more"
    );
    // And once more, from either of them.
    let third = reopen(&world, &old, "And again").await;
    assert_eq!(third["reopenedFrom"], *old);
    world.bots.event(&id_of(&third), "handover.queued").await;
    world.finish().await;
}

#[tokio::test]
async fn only_a_handover_that_is_over_and_was_at_8x8_can_be_reopened() {
    let mut world = World::start().await;
    world.tolerate("POST /v1/handovers");
    world.tolerate("a bot's call failed");
    let (live, _) = world.api.open(json!({})).await;
    problem(&try_reopen(&world, &live, "hello").await, 409, "handover-not-active");
    world
        .eight
        .fault(json!({"on": "api", "operation": "create", "status": 403}))
        .await;
    let refused = world.api.post("/v1/handovers", &json!({"user": {}})).await;
    let failed = refused.json()["handoverId"].as_str().unwrap().to_owned();
    let told = problem(&try_reopen(&world, &failed, "hello").await, 409, "handover-ended");
    assert!(told["detail"].as_str().unwrap().contains("nothing to reopen"), "{told}");
    let (ended, _) = served(&world, json!({})).await;
    problem(&try_reopen(&world, &ended, " ").await, 422, "invalid-request");
    let extra = json!({"text": "x", "queueId": "102"});
    let extra = world.api.post(&format!("/v1/handovers/{ended}/reopen"), &extra).await;
    assert_eq!(
        problem(&extra, 422, "invalid-request")["errors"][0]["pointer"],
        "/queueId"
    );
    let other = world.api.of_bot(SALES);
    let theirs = other
        .post(&format!("/v1/handovers/{ended}/reopen"), &json!({"text": "x"}))
        .await;
    problem(&theirs, 404, "not-found");
    // What a user writes late does not reopen by itself.
    let late = world
        .api
        .post(&format!("/v1/handovers/{ended}/messages"), &json!({"text": "late"}))
        .await;
    problem(&late, 409, "handover-ended");
    assert_eq!(world.eight.calls("message").await.len(), 0);
    world.finish().await;
}

#[tokio::test]
async fn a_conversation_and_a_session_have_one_live_handover() {
    let world = World::start().await;
    let (old, _) = served(&world, json!({"botSessionId": "s-1"})).await;
    let first = reopen(&world, &old, "one").await;
    let second = problem(&try_reopen(&world, &old, "two").await, 409, "handover-exists");
    assert_eq!(second["handoverId"], first["id"]);
    world.api.end(&id_of(&first)).await;
    let (live, _) = world.api.open(json!({"botSessionId": "s-1"})).await;
    let third = problem(&try_reopen(&world, &old, "three").await, 409, "handover-exists");
    assert_eq!(third["handoverId"], *live);
    assert_eq!(world.eight.calls("message").await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn of_two_reopenings_at_once_one_is_made() {
    let world = World::start().await;
    let (old, conversation) = served(&world, json!({})).await;
    let (one, other) = tokio::join!(try_reopen(&world, &old, "one"), try_reopen(&world, &old, "two"));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    assert_eq!(world.eight.texts(&conversation).await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_repeated_reopening_is_told_the_first_answer() {
    let world = World::start().await;
    let (old, conversation) = served(&world, json!({})).await;
    let once = async || {
        let path = format!("/v1/handovers/{old}/reopen");
        let call = world.api.call(http::Method::POST, &path).once("r-1");
        call.json(&json!({"text": "again"})).send().await
    };
    let (first, again) = (once().await, once().await);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(world.eight.texts(&conversation).await, ["again"]);
    world.finish().await;
}

/// A reopening whose message 8x8 took without saying so is found, whatever is missing.
async fn was_taken(fault: Value) {
    let mut world = World::with(quick).await;
    world.tolerate("POST /v1/handovers");
    world.tolerate("a bot's call failed");
    let (old, conversation) = served(&world, json!({})).await;
    world
        .eight
        .fault(json!({"on": "webhook", "drop": "before", "times": 1000}))
        .await;
    world.eight.fault(fault).await;
    let call = async || {
        let path = format!("/v1/handovers/{old}/reopen");
        let call = world.api.call(http::Method::POST, &path).once("r-1");
        call.json(&json!({"text": "again"})).send().await
    };
    problem(&call().await, 504, "upstream-timeout");
    let handover = eventually("the reopening is resolved", async || {
        let reply = call().await;
        (reply.status == 201).then(|| reply.json())
    })
    .await;
    assert_eq!(handover["state"], "queued");
    assert_eq!(times_said(&world, &conversation, "again").await, 1);
    world.eight.clear_faults().await;
    world
        .bots
        .told(&id_of(&handover), &["handover.accepted", "handover.queued"])
        .await;
    world.finish().await;
}

#[tokio::test]
async fn a_reopening_taken_and_answered_500_is_found() {
    was_taken(json!({"on": "api", "operation": "message", "status": 500, "taken": true})).await;
}

#[tokio::test]
async fn a_reopening_taken_and_cut_off_is_found() {
    was_taken(json!({"on": "api", "operation": "message", "drop": "after"})).await;
}

#[tokio::test]
async fn an_event_of_8x8s_resolves_a_reopening_that_was_not_answered() {
    let mut world = World::with(quick).await;
    world.tolerate("POST /v1/handovers");
    world.tolerate("a bot's call failed");
    let (old, _) = served(&world, json!({})).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "messages", "status": 500, "times": 1000}))
        .await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "message", "drop": "after", "delay": "100ms"}))
        .await;
    // The answer depends on which of the two comes first.
    let new = match try_reopen(&world, &old, "again").await {
        reply if reply.status == 201 => id_of(&reply.json()),
        reply => problem(&reply, 504, "upstream-timeout")["handoverId"]
            .as_str()
            .unwrap()
            .to_owned(),
    };
    world.bots.told(&new, &["handover.accepted", "handover.queued"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_reopening_8x8_shows_not_to_have_fails_and_may_be_repeated() {
    let mut world = World::with(quick).await;
    world.tolerate("POST /v1/handovers");
    world.tolerate("a bot's call failed");
    let (old, conversation) = served(&world, json!({})).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "message", "drop": "before"}))
        .await;
    let refused = problem(&try_reopen(&world, &old, "again").await, 504, "upstream-timeout");
    let failed = refused["handoverId"].as_str().unwrap().to_owned();
    let told = world.bots.event(&failed, "handover.failed").await;
    assert_eq!(told.data()["problem"]["code"], "upstream-timeout");
    assert_eq!(times_said(&world, &conversation, "again").await, 0);
    let handover = reopen(&world, &old, "again").await;
    world.bots.event(&id_of(&handover), "handover.queued").await;
    assert_eq!(times_said(&world, &conversation, "again").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_reopening_8x8_refuses_fails() {
    let mut world = World::with(quick).await;
    world.tolerate("POST /v1/handovers");
    world.tolerate("a bot's call failed");
    let (old, _) = served(&world, json!({})).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "message", "status": 403}))
        .await;
    let refused = try_reopen(&world, &old, "again").await.json();
    let failed = refused["handoverId"].as_str().unwrap();
    world.bots.told(failed, &["handover.failed"]).await;
    assert_eq!(world.api.handover(failed).await["reopenedFrom"], *old);
    world.finish().await;
}

#[tokio::test]
async fn a_throttled_reopening_is_repeated_and_made_once() {
    let world = World::start().await;
    let (old, conversation) = served(&world, json!({})).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "message", "status": 429, "times": 2}))
        .await;
    reopen(&world, &old, "again").await;
    assert_eq!(times_said(&world, &conversation, "again").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_reopening_in_doubt_when_the_process_dies_is_made_once() {
    for (fault, said) in [("after", 1), ("before", 0)] {
        let mut world = World::with(quick).await;
        let (old, conversation) = served(&world, json!({})).await;
        world
            .eight
            .fault(json!({"on": "webhook", "drop": "before", "times": 1000}))
            .await;
        world
            .eight
            .fault(json!({"on": "api", "operation": "message", "hang": fault}))
            .await;
        let api = world.api.clone();
        let path = format!("/v1/handovers/{old}/reopen");
        let mut waiting = JoinSet::new();
        waiting.spawn(async move {
            let call = api.call(http::Method::POST, &path).once("r-1");
            drop(call.json(&json!({"text": "again"})).try_send().await);
        });
        eventually("8x8 is being asked", async || {
            let left = world.eight.faults_left().await;
            (left.len() == 1).then_some(())
        })
        .await;
        world.kill_and_restart().await;
        waiting.join_all().await;
        let listed = world.api.get("/v1/handovers?limit=1").await.ok(200);
        let new = id_of(&listed["data"][0]);
        world.eight.clear_faults().await;
        let outcome = if said == 1 {
            "handover.queued"
        } else {
            "handover.failed"
        };
        world.bots.event(&new, outcome).await;
        assert_eq!(times_said(&world, &conversation, "again").await, said, "{fault}");
        world.finish().await;
    }
}

#[tokio::test]
async fn the_end_of_the_handover_before_is_confirmed_first() {
    let world = World::start().await;
    let (old, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&old, "agent.joined").await;
    // Long enough apart that nobody would wait for the next by itself.
    world
        .eight
        .fault(json!({"on": "api", "operation": "leave", "status": 500, "times": 5}))
        .await;
    world.api.end(&old).await;
    world.eight.calls_made("leave", 5).await;
    let new = id_of(&reopen(&world, &old, "again").await);
    let calls = world.eight.calls("leave").await;
    assert_eq!((calls.len(), &calls[5]["taken"]), (6, &json!(true)));
    world.bots.event(&new, "handover.queued").await;
    always("the new one goes on", A_WHILE, async || {
        world.api.handover(&new).await["state"] == "queued"
    })
    .await;
    assert_eq!(world.eight.calls("leave").await.len(), 6);
    assert_eq!(world.eight.conversation(&conversation).await["state"], "active");
    world.finish().await;
}

#[tokio::test]
async fn what_is_still_on_its_way_to_8x8_comes_before_the_words_that_reopen() {
    let world = World::start().await;
    let (old, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&old, "agent.joined").await;
    let slow = json!({"on": "api", "operation": "message", "delay": "2s", "times": 1});
    world.eight.fault(slow).await;
    let path = format!("/v1/handovers/{old}/messages");
    let says = json!({"text": "first"});
    let then = async {
        eventually("the message is on its way", async || {
            world.eight.faults_left().await.is_empty().then_some(())
        })
        .await;
        world.eight.end(&conversation).await;
        world.bots.event(&old, "handover.ended").await;
        reopen(&world, &old, "again").await
    };
    let (said, _) = tokio::join!(world.api.post(&path, &says), then);
    said.ok(202);
    let texts = eventually("8x8 has both", async || {
        let texts = world.eight.texts(&conversation).await;
        (texts.len() == 2).then_some(texts)
    })
    .await;
    assert_eq!(texts, ["first", "again"]);
    world.finish().await;
}

#[tokio::test]
async fn nothing_is_reopened_while_8x8_does_not_confirm_the_end_before() {
    let mut world = World::with(quick).await;
    world.tolerate("POST /v1/handovers");
    world.tolerate("a bot's call failed");
    let (old, conversation) = world.api.open(json!({})).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "leave", "hang": "before", "times": 3}))
        .await;
    world.api.end(&old).await;
    let refused = try_reopen(&world, &old, "again").await;
    problem(&refused, 503, "upstream-unavailable");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(times_said(&world, &conversation, "again").await, 0);
    // The open call outlives the process, and still comes first.
    world.kill_and_restart().await;
    let handover = eventually("it is reopened once 8x8 has confirmed", async || {
        let reply = try_reopen(&world, &old, "again").await;
        (reply.status == 201).then(|| reply.json())
    })
    .await;
    world.bots.event(&id_of(&handover), "handover.queued").await;
    assert_eq!(times_said(&world, &conversation, "again").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn what_8x8_tells_late_of_the_time_before_does_not_end_the_new_handover() {
    let world = World::start().await;
    let (old, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&old, "agent.joined").await;
    world.api.end(&old).await;
    world.eight.calls_made("leave", 1).await;
    world.eight.all_acknowledged().await;
    let new = id_of(&reopen(&world, &old, "again").await);
    world.bots.event(&new, "handover.queued").await;
    for late in [
        json!({"eventType": "MEMBERS_CHANGED", "data": {"memberType": "user", "change": "left", "id": "user"}}),
        json!({"eventType": "MEMBERS_CHANGED", "data": {"memberType": "agent", "change": "left", "id": "agent-1"}}),
        json!({"eventType": "CONVERSATION_UPDATE", "data": {"state": "idle", "channel": "ChatAPI", "user": {}}}),
    ] {
        let answer = world
            .eight
            .event(&conversation, json!({"body": late, "wait": true}))
            .await;
        assert_eq!(answer["status"], 204);
    }
    always("the new one goes on", A_WHILE, async || {
        world.api.handover(&new).await["state"] == "queued"
    })
    .await;
    assert!(!world.eight.calls("get").await.is_empty(), "8x8 was asked");
    world.bots.told(&new, &["handover.accepted", "handover.queued"]).await;
    // A user who really leaves ends it.
    world.eight.end(&conversation).await;
    world.bots.event(&new, "handover.ended").await;
    world.finish().await;
}

#[tokio::test]
async fn a_long_text_reopens_with_its_beginning_and_goes_on_in_order() {
    let world = World::with(|setup| {
        setup.config.set("tenants.acme.message_limit", 100);
    })
    .await;
    let (old, conversation) = served(&world, json!({})).await;
    let words: Vec<_> = (0..60).map(|n| format!("word{n}")).collect();
    let new = id_of(&reopen(&world, &old, &words.join(" ")).await);
    let told = world.bots.event(&new, "message.status").await;
    assert_eq!(told.data()["status"], "accepted");
    let texts = world.eight.texts(&conversation).await;
    assert!(texts.len() > 3, "{texts:?}");
    let all: Vec<_> = texts.iter().flat_map(|text| text.split_whitespace()).collect();
    assert_eq!(all, words);
    world.finish().await;
}
