//! Queues: changes that 8x8 carries out, ignores or does not tell of, and the ways from queue to queue.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::support::wait::always;
use crate::support::wait::eventually;
use crate::support::world::Setup;
use crate::support::world::World;

/// As long as a change of queue is given time to show.
const SETTLING: Duration = Duration::from_secs(1);

fn more_queues(setup: &mut Setup) {
    let more = [("103", "Returns"), ("104", "Anyone")];
    let named = more.map(|(id, name)| (id.to_owned(), name.to_owned()));
    setup.options.queues.extend(named);
}

async fn waiting(world: &World, fields: Value) -> (String, String) {
    let (id, conversation) = world.api.open(fields).await;
    world.bots.event(&id, "handover.queued").await;
    (id, conversation)
}

async fn reroute(world: &World, id: &str, queue: &str) {
    let body = json!({"queueId": queue});
    world.api.patch(&format!("/v1/handovers/{id}"), &body).await.ok(202);
}

/// 8x8 accepts the next changes and does this with them.
async fn changes_are(world: &World, effect: &str, times: u32) {
    world
        .eight
        .fault(json!({"on": "api", "operation": "patch", "effect": effect, "times": times}))
        .await;
}

/// Queues the bot was told of, in order.
fn queues_told(world: &World, id: &str) -> Vec<String> {
    let events = world.bots.events(id);
    let queued = events.iter().filter(|event| event.kind() == "handover.queued");
    queued
        .map(|event| event.data()["queue"]["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn told_of(world: &World, id: &str, queues: &[&str]) {
    eventually("the queues are told", async || {
        (queues_told(world, id) == queues).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_change_8x8_accepts_and_ignores_is_told_as_failed() {
    let world = World::start().await;
    let (id, _) = waiting(&world, json!({})).await;
    changes_are(&world, "none", 1).await;
    reroute(&world, &id, "102").await;
    let told = world.bots.event(&id, "handover.update_failed").await;
    let problem = &told.data()["problem"];
    assert_eq!(problem["code"], "upstream-rejected");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("queue 102") && detail.contains("queue 101"), "{detail}");
    let shown = world.api.handover(&id).await;
    assert_eq!(
        (&shown["state"], &shown["queue"]["id"]),
        (&json!("queued"), &json!("101"))
    );
    // A queue 8x8 does not know is accepted and ignored likewise.
    reroute(&world, &id, "999").await;
    let kinds = [
        "handover.accepted",
        "handover.queued",
        "handover.update_failed",
        "handover.update_failed",
    ];
    world.bots.told(&id, &kinds).await;
    assert_eq!(world.eight.calls("get").await.len(), 2, "8x8 is asked once a change");
    world.finish().await;
}

#[tokio::test]
async fn a_change_8x8_does_not_tell_of_is_seen_and_told_once() {
    let world = World::with(|setup| {
        setup.config.set("tenants.acme.queues.102.name", "Bills");
    })
    .await;
    let (id, conversation) = waiting(&world, json!({})).await;
    changes_are(&world, "silent", 1).await;
    reroute(&world, &id, "102").await;
    told_of(&world, &id, &["101", "102"]).await;
    let told = world.bots.events(&id)[2].clone();
    assert_eq!(told.data()["queue"], json!({"id": "102", "name": "Bills"}));
    assert_eq!(told.data().get("source"), None, "no event of 8x8's told it");
    assert_eq!(world.api.handover(&id).await["queue"]["id"], "102");
    let late = json!({"eventType": "QUEUED", "data": {"queueId": "102", "queueName": "Billing"}});
    let answer = world
        .eight
        .event(&conversation, json!({"body": late, "wait": true}))
        .await;
    assert_eq!(answer["status"], 204);
    assert_eq!(world.api.handover(&id).await["queue"]["name"], "Billing");
    world.eight.join(&conversation).await;
    let kinds = [
        "handover.accepted",
        "handover.queued",
        "handover.queued",
        "agent.joined",
    ];
    world.bots.told(&id, &kinds).await;
    world.finish().await;
}

#[tokio::test]
async fn a_change_that_cannot_be_seen_is_told_as_such() {
    let world = World::start().await;
    let (id, _) = waiting(&world, json!({})).await;
    changes_are(&world, "silent", 1).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "get", "status": 500, "times": 3}))
        .await;
    reroute(&world, &id, "102").await;
    let told = world.bots.event(&id, "handover.update_failed").await;
    assert_eq!(told.data()["problem"]["code"], "upstream-timeout");
    assert_eq!(
        world.eight.calls("get").await.len(),
        3,
        "it is asked so often and no more"
    );
    world.finish().await;
}

#[tokio::test]
async fn a_change_is_looked_for_after_a_restart() {
    let mut world = World::start().await;
    let (id, _) = waiting(&world, json!({})).await;
    changes_are(&world, "silent", 1).await;
    reroute(&world, &id, "102").await;
    world.kill_and_restart().await;
    told_of(&world, &id, &["101", "102"]).await;
    world.finish().await;
}

#[tokio::test]
async fn of_two_changes_the_newer_one_counts() {
    let world = World::with(more_queues).await;
    let (id, _) = waiting(&world, json!({})).await;
    changes_are(&world, "none", 1).await;
    reroute(&world, &id, "102").await;
    reroute(&world, &id, "103").await;
    told_of(&world, &id, &["101", "103"]).await;
    always("nothing is said of the older one", 2 * SETTLING, async || {
        world.bots.kinds(&id).len() == 3
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn an_agent_who_comes_meanwhile_makes_a_change_pointless_and_not_failed() {
    let world = World::start().await;
    let (id, conversation) = waiting(&world, json!({})).await;
    changes_are(&world, "none", 1).await;
    reroute(&world, &id, "102").await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    always("nobody is told of a failure", 2 * SETTLING, async || {
        world.bots.kinds(&id).len() == 3
    })
    .await;
    world.finish().await;
}

/// An agent was there, and the bot leads again.
async fn handed_back(world: &World) -> (String, String) {
    let (id, conversation) = waiting(world, json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    let path = format!("/v1/handovers/{id}/hand-back");
    world.api.post(&path, &json!({})).await.ok(201);
    world.eight.end(&conversation).await;
    world.bots.event(&id, "handover.handed_back").await;
    assert_eq!(world.api.handover(&id).await["state"], "bot");
    (id, conversation)
}

#[tokio::test]
async fn a_bot_hands_over_from_its_lead_and_control_goes_when_it_is_seen() {
    let world = World::start().await;
    let (id, conversation) = handed_back(&world).await;
    changes_are(&world, "none", 1).await;
    reroute(&world, &id, "102").await;
    assert_eq!(
        world.api.handover(&id).await["state"],
        "bot",
        "a yes of 8x8's is not enough"
    );
    let failed = world.bots.event(&id, "handover.update_failed").await;
    assert_eq!(
        (&failed.data()["state"], &failed.data()["control"]),
        (&json!("bot"), &json!("bot"))
    );
    reroute(&world, &id, "102").await;
    told_of(&world, &id, &["101", "102"]).await;
    let shown = world.api.handover(&id).await;
    assert_eq!(
        (&shown["state"], &shown["control"]),
        (&json!("queued"), &json!("agent"))
    );
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    world.finish().await;
}

#[tokio::test]
async fn users_go_through_the_queues_of_their_handover() {
    let world = World::with(more_queues).await;
    let queues = json!([{"id": " 102 ", "maxWait": "700ms"}, {"id": "103", "maxWait": "700ms"}]);
    let (id, conversation) = waiting(&world, json!({"queueId": "101", "queues": queues})).await;
    let events = world
        .bots
        .told(
            &id,
            &[
                "handover.accepted",
                "handover.queued",
                "handover.queued",
                "handover.queued",
                "handover.ended",
            ],
        )
        .await;
    assert_eq!(queues_told(&world, &id), ["101", "102", "103"]);
    assert_eq!(events[2].data()["queue"]["name"], "Billing");
    assert_eq!(events[4].data()["reason"], "queue_timeout");
    assert_eq!(events[4].data()["outcome"], "cancelled");
    world.eight.calls_made("leave", 1).await;
    let asked: Vec<_> = world.eight.calls("patch").await;
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0]["body"]["assignment"], json!({"type": "queue", "id": "102"}));
    eventually("8x8's conversation is over", async || {
        (world.eight.conversation(&conversation).await["state"] == "idle").then_some(())
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn the_first_of_the_queues_is_where_the_user_waits_when_none_is_named() {
    let world = World::with(more_queues).await;
    let queues = json!([{"id": "103", "maxWait": "1h"}, {"id": "102"}]);
    let handover = world.api.create(json!({"queues": queues})).await;
    assert_eq!(handover["queue"]["id"], "103");
    let calls = world.eight.calls("create").await;
    assert_eq!(calls[0]["body"]["assignment"]["id"], "103");
    world.finish().await;
}

#[tokio::test]
async fn configured_fallbacks_hold_for_handovers_without_queues_of_their_own() {
    let world = World::with(|setup| {
        more_queues(setup);
        setup
            .config
            .set("tenants.acme.queues.101.max_wait", "600ms")
            .set("tenants.acme.queues.101.fallback", "103")
            .set("tenants.acme.queues.103.max_wait", "1h");
    })
    .await;
    let (id, conversation) = waiting(&world, json!({})).await;
    told_of(&world, &id, &["101", "103"]).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    // An agent's transfer does not set the clock of a queue going again.
    world
        .eight
        .agent(&conversation, json!({"do": "transfer", "queueId": "101"}))
        .await;
    told_of(&world, &id, &["101", "103", "101"]).await;
    always("nobody is moved on", 2 * SETTLING, async || {
        world.eight.calls("patch").await.len() == 1
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn a_fallback_that_8x8_does_not_carry_out_is_passed_over() {
    let world = World::with(more_queues).await;
    let queues =
        json!([{"id": "101", "maxWait": "600ms"}, {"id": "999", "maxWait": "600ms"}, {"id": "103", "maxWait": "1h"}]);
    let (id, _) = waiting(&world, json!({"queues": queues})).await;
    let kinds = [
        "handover.accepted",
        "handover.queued",
        "handover.update_failed",
        "handover.queued",
    ];
    let events = world.bots.told(&id, &kinds).await;
    assert!(events[2].data()["problem"]["detail"].as_str().unwrap().contains("999"));
    assert_eq!(queues_told(&world, &id), ["101", "103"]);
    world.finish().await;
}

#[tokio::test]
async fn a_user_stays_where_no_fallback_can_be_had() {
    let world = World::start().await;
    let queues = json!([{"id": "101", "maxWait": "600ms"}, {"id": "102", "maxWait": "600ms"}]);
    let (id, conversation) = waiting(&world, json!({"queues": queues})).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "patch", "status": 400}))
        .await;
    world.bots.event(&id, "handover.update_failed").await;
    always("the user waits", 2 * SETTLING, async || {
        world.api.handover(&id).await["state"] == "queued"
    })
    .await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    world.finish().await;
}

#[tokio::test]
async fn a_plan_goes_on_after_a_restart() {
    let mut world = World::with(more_queues).await;
    let queues =
        json!([{"id": "101", "maxWait": "2s"}, {"id": "102", "maxWait": "2s"}, {"id": "103", "maxWait": "1h"}]);
    let (id, _) = waiting(&world, json!({"queues": queues})).await;
    world.kill_and_restart().await;
    told_of(&world, &id, &["101", "102"]).await;
    world.restart().await;
    told_of(&world, &id, &["101", "102", "103"]).await;
    world.finish().await;
}

#[tokio::test]
async fn the_time_in_queues_is_limited_over_changes_of_queue_and_restarts() {
    let mut world = World::with(more_queues).await;
    let queues = json!([{"id": "101", "maxWait": "800ms"}, {"id": "102", "maxWait": "1h"}]);
    let timers = json!({"queue": "3s"});
    let (id, _) = waiting(&world, json!({"queues": queues, "timers": timers})).await;
    told_of(&world, &id, &["101", "102"]).await;
    reroute(&world, &id, "103").await;
    told_of(&world, &id, &["101", "102", "103"]).await;
    world.kill_and_restart().await;
    let ended = world.bots.event(&id, "handover.ended").await;
    assert_eq!(ended.data()["reason"], "queue_timeout");
    world.eight.calls_made("leave", 1).await;
    world.finish().await;
}

#[tokio::test]
async fn a_bots_own_change_starts_the_clock_of_the_queue_it_names() {
    let world = World::with(|setup| {
        more_queues(setup);
        setup
            .config
            .set("tenants.acme.queues.104.max_wait", "600ms")
            .set("tenants.acme.queues.104.fallback", "102");
    })
    .await;
    let (id, _) = waiting(
        &world,
        json!({"queues": [{"id": "101", "maxWait": "1h"}, {"id": "103"}]}),
    )
    .await;
    reroute(&world, &id, "104").await;
    told_of(&world, &id, &["101", "104", "102"]).await;
    world.finish().await;
}

#[tokio::test]
async fn each_fault_of_a_list_of_queues_is_told_with_its_place() {
    let world = World::start().await;
    let eleven: Vec<_> = (0..11).map(|n| json!({"id": n.to_string(), "maxWait": "1m"})).collect();
    let faults = [
        (json!([{"id": " "}]), "/queues/0/id", "blank"),
        (
            json!([{"id": "1", "maxWait": "1m"}, {"id": "1"}]),
            "/queues/1/id",
            "already",
        ),
        (
            json!([{"id": "7"}, {"id": "101", "maxWait": "1m"}]),
            "/queues/1/id",
            "already",
        ),
        (json!([{"id": "1", "maxWait": "fast"}]), "/queues/0/maxWait", "duration"),
        (json!([{"id": "1", "maxWait": "0s"}]), "/queues/0/maxWait", "zero"),
        (json!([{"id": "1", "wait": "1m"}]), "/queues/0/wait", "unknown field"),
        (json!([{"id": "1"}, {"id": "2"}]), "/queues", "maxWait"),
        (json!(eleven), "/queues", "at most 10"),
    ];
    for (queues, pointer, words) in faults {
        let body = json!({"user": {}, "queueId": "101", "queues": queues});
        let problem = world.api.post("/v1/handovers", &body).await.ok(422);
        let error = &problem["errors"][0];
        assert_eq!(error["pointer"], pointer, "{problem}");
        assert!(error["message"].as_str().unwrap().contains(words), "{problem}");
    }
    assert_eq!(world.eight.calls("create").await, [Value::Null; 0]);
    world.finish().await;
}

#[tokio::test]
async fn where_8x8_knows_no_patch_the_change_is_put() {
    let world = World::start().await;
    let (id, conversation) = waiting(&world, json!({})).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "patch", "status": 405, "times": 1}))
        .await;
    reroute(&world, &id, "102").await;
    told_of(&world, &id, &["101", "102"]).await;
    assert_eq!(world.eight.calls_made("put", 1).await[0]["status"], 202);
    assert_eq!(world.eight.conversation(&conversation).await["queueId"], "102");
    world.finish().await;
}
