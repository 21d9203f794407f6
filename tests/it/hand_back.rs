//! The bot leads again after the agents: scheduled by a call or at the create, announced one way or another.

use http::Method;
use serde_json::Value;
use serde_json::json;

use crate::support::bot::Callback;
use crate::support::client::Reply;
use crate::support::wait::eventually;
use crate::support::world::World;

async fn hand_back(world: &World, id: &str, body: Value) -> Reply {
    world.api.post(&format!("/v1/handovers/{id}/hand-back"), &body).await
}

/// A handover with an agent in it.
async fn served(world: &World, fields: Value) -> (String, String) {
    let (id, conversation) = world.api.open(fields).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    (id, conversation)
}

async fn goes_back_and_forth(world: &World) -> Vec<Callback> {
    let (id, conversation) = served(world, json!({})).await;
    let asked = json!({"maxTotalMinutes": 60, "userTimeoutMinutes": 15});
    let shown = hand_back(world, &id, asked).await.ok(201);
    assert_eq!((&shown["id"], &shown["state"]), (&json!(id), &json!("active")));
    let calls = world.eight.calls("hand-back").await;
    assert_eq!(
        calls[0]["body"],
        json!({"type": "webhook", "id": "sandbox-webhook",
               "configuration": {"notifyChannelWebhookIfExists": "false", "maxTotalMinutes": 60, "userTimeoutInMinutes": 15}})
    );
    world.eight.end(&conversation).await;
    let back = world.bots.event(&id, "handover.handed_back").await;
    assert_eq!(
        (&back.data()["state"], &back.data()["control"]),
        (&json!("bot"), &json!("bot"))
    );
    world.api.say(&id, "How was it?").await;
    let at_8x8 = world.eight.conversation(&conversation).await;
    assert_eq!(at_8x8["messages"][0]["author"], "bot");
    let path = format!("/v1/handovers/{id}");
    world.api.patch(&path, &json!({"queueId": "102"})).await.ok(202);
    eventually("it waits again", async || {
        (world.api.handover(&id).await["state"] == "queued").then_some(())
    })
    .await;
    world.eight.join(&conversation).await;
    eventually("an agent is in again", async || {
        (world.api.handover(&id).await["state"] == "active").then_some(())
    })
    .await;
    world.eight.end(&conversation).await;
    let told = [
        "handover.accepted",
        "handover.queued",
        "agent.joined",
        "agent.left",
        "handover.handed_back",
        "handover.queued",
        "agent.joined",
        "agent.left",
        "handover.ended",
    ];
    world.bots.told(&id, &told).await
}

#[tokio::test]
async fn the_bot_leads_again_queues_again_and_the_second_agent_ends_it() {
    let world = World::start().await;
    let events = goes_back_and_forth(&world).await;
    assert_eq!(events[4].data()["source"]["eventType"], "CONVERSATION_UPDATE");
    assert_eq!(events[8].data()["reason"], "agent_ended");
    world.finish().await;
}

#[tokio::test]
async fn the_flat_dialect_names_no_hand_back_and_8x8_is_asked() {
    let world = World::with(|setup| setup.options.webhook_version = "v2.0".to_owned()).await;
    let events = goes_back_and_forth(&world).await;
    assert_eq!(events[4].data()["source"], Value::Null);
    world.finish().await;
}

#[tokio::test]
async fn a_customers_words_after_the_agent_tell_it_too_and_are_told() {
    let world = World::with(|setup| {
        setup.config.set("bots.support.inbound_channels", json!(["web-1"]));
        // The time in which a transfer may follow does not pass by itself.
        setup.config.set("tenants.acme.transfer_grace", "1h");
    })
    .await;
    world.eight.add_channel(json!({"id": "web-1", "type": "WebChat"})).await;
    let open = json!({"channelId": "web-1", "text": "Hello"});
    let conversation = world.eight.customer(open).await;
    let path = format!("/v1/handovers?conversationId={conversation}");
    let id = eventually("a handover", async || {
        let list = world.api.get(&path).await.ok(200);
        list["data"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    let route = json!({"queueId": "101"});
    world.api.patch(&format!("/v1/handovers/{id}"), &route).await.ok(202);
    world.bots.event(&id, "handover.queued").await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    hand_back(&world, &id, json!({})).await.ok(201);
    // Whatever 8x8 does not tell: the agent is gone and the conversation goes on.
    world
        .eight
        .fault(
            json!({"on": "webhook", "operation": "CONVERSATION_UPDATE", "status": 200, "drop": "before", "times": 1}),
        )
        .await;
    world.eight.agent(&conversation, json!({"do": "leave"})).await;
    world.bots.event(&id, "agent.left").await;
    world.eight.customer_says(&conversation, "And the invoice?").await;
    let told = [
        "conversation.started",
        "message.created",
        "handover.queued",
        "agent.joined",
        "agent.left",
        "handover.handed_back",
        "message.created",
    ];
    let events = world.bots.told(&id, &told).await;
    assert_eq!(events[6].text(), "And the invoice?");
    assert_eq!(world.api.handover(&id).await["control"], "bot");
    world.eight.clear_faults().await;
    world.finish().await;
}

#[tokio::test]
async fn a_hand_back_asked_for_at_the_create_is_scheduled_when_an_agent_joins() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({"handBack": true})).await;
    world.bots.event(&id, "handover.queued").await;
    assert!(world.eight.calls("hand-back").await.is_empty());
    world.eight.join(&conversation).await;
    world.eight.calls_made("hand-back", 1).await;
    world.eight.end(&conversation).await;
    world.bots.event(&id, "handover.handed_back").await;
    // 8x8 ends the phase by its own clock.
    world
        .eight
        .customer_does(&conversation, json!({"do": "time-out"}))
        .await;
    let ended = world.bots.event(&id, "handover.ended").await;
    assert_eq!(
        (&ended.data()["reason"], &ended.data()["outcome"]),
        (&json!("idle_timeout"), &json!("completed"))
    );
    world.finish().await;
}

#[tokio::test]
async fn one_that_fails_at_the_join_is_told_and_the_agents_end_is_the_end() {
    let world = World::start().await;
    let refusal = json!({"message": "No.", "errors": [{"code": "invalid_parameter", "message": "Not here."}]});
    let fault = json!({"on": "api", "operation": "hand-back", "status": 400, "body": refusal.to_string()});
    world.eight.fault(fault).await;
    let (id, conversation) = served(&world, json!({"handBack": true})).await;
    let failed = world.bots.event(&id, "handover.update_failed").await;
    assert_eq!(failed.data()["problem"]["code"], "upstream-rejected");
    assert_eq!(failed.data()["problem"]["upstream"]["message"], "Not here.");
    world.eight.end(&conversation).await;
    world.bots.event(&id, "handover.ended").await;
    world.finish().await;
}

#[tokio::test]
async fn one_hand_back_a_conversation() {
    let world = World::start().await;
    let (id, conversation) = served(&world, json!({})).await;
    let path = format!("/v1/handovers/{id}/hand-back");
    let keyed = async || {
        let call = world.api.call(Method::POST, &path).json(&json!({}));
        call.once("once-1").send().await
    };
    let first = keyed().await;
    assert_eq!(first.ok(201)["id"], json!(id));
    let again = keyed().await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    let second = hand_back(&world, &id, json!({})).await.ok(409);
    assert_eq!(second["code"], "handover-not-active");
    assert!(second["detail"].as_str().unwrap().contains("already"), "{second}");
    assert_eq!(world.eight.calls("hand-back").await.len(), 1);
    world.eight.end(&conversation).await;
    world.bots.event(&id, "handover.handed_back").await;
    let while_bot = hand_back(&world, &id, json!({})).await.ok(409);
    assert_eq!(while_bot["code"], "handover-not-active");
    world.api.end(&id).await;
    let over = hand_back(&world, &id, json!({})).await.ok(409);
    assert_eq!(over["code"], "handover-ended");
    world.finish().await;
}

#[tokio::test]
async fn one_that_is_there_already_at_8x8_is_not_ours() {
    let world = World::start().await;
    let (id, _) = served(&world, json!({})).await;
    let exists = "A post agent assignment already exists for conversation c and tenant t.";
    let body = json!({"message": "Invalid parameter.", "errors": [{"code": "invalid_parameter", "message": exists}]});
    let fault = json!({"on": "api", "operation": "hand-back", "status": 400, "body": body.to_string()});
    world.eight.fault(fault).await;
    let refused = hand_back(&world, &id, json!({})).await.ok(409);
    assert_eq!(refused["code"], "handover-not-active");
    assert!(refused["detail"].as_str().unwrap().contains("already"), "{refused}");
    world.finish().await;
}

#[tokio::test]
async fn an_unknown_outcome_is_resolved_by_asking_again() {
    let world = World::start().await;
    let (id, conversation) = served(&world, json!({})).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "hand-back", "drop": "after"}))
        .await;
    // The second try is told that there is one: that is ours.
    hand_back(&world, &id, json!({})).await.ok(201);
    assert_eq!(world.eight.calls("hand-back").await.len(), 2);
    world.eight.end(&conversation).await;
    world.bots.event(&id, "handover.handed_back").await;
    assert!(!world.bots.kinds(&id).contains(&"handover.update_failed".to_owned()));
    world.finish().await;
}

#[tokio::test]
async fn a_call_that_8x8_does_not_answer_in_time_is_told_by_its_key_later() {
    let mut world = World::with(|setup| {
        setup.config.set("tenants.acme.send_wait", "300ms");
    })
    .await;
    world.tolerate("upstream-timeout");
    world.tolerate("a bot's call failed");
    let (id, _) = served(&world, json!({})).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "hand-back", "status": 502, "taken": true, "times": 2}))
        .await;
    let path = format!("/v1/handovers/{id}/hand-back");
    let keyed = async || {
        let call = world.api.call(Method::POST, &path).json(&json!({}));
        call.once("once-1").send().await
    };
    assert_eq!(keyed().await.ok(504)["code"], "upstream-timeout");
    let resolved = eventually("the outcome is known", async || {
        Some(keyed().await).filter(|reply| reply.status != 504)
    })
    .await;
    assert_eq!(
        (resolved.status, resolved.header("idempotent-replayed")),
        (201, Some("true"))
    );
    world.finish().await;
}

#[tokio::test]
async fn a_restart_takes_up_a_hand_back_that_may_have_been_sent() {
    let mut world = World::start().await;
    let (id, conversation) = world.api.open(json!({"handBack": true})).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "hand-back", "status": 503, "taken": true, "times": 1000}))
        .await;
    world.eight.join(&conversation).await;
    world.eight.calls_made("hand-back", 1).await;
    world.gateway.kill();
    world.eight.clear_faults().await;
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    world.eight.end(&conversation).await;
    world.bots.event(&id, "handover.handed_back").await;
    assert!(!world.bots.kinds(&id).contains(&"handover.update_failed".to_owned()));
    world.finish().await;
}

#[tokio::test]
async fn a_transfer_is_not_a_hand_back() {
    let world = World::start().await;
    let (id, conversation) = served(&world, json!({})).await;
    hand_back(&world, &id, json!({})).await.ok(201);
    world
        .eight
        .agent(&conversation, json!({"do": "transfer", "queueId": "102"}))
        .await;
    world.bots.event(&id, "handover.transferred").await;
    let grace = json!({"do": "join", "agentId": "agent-2"});
    world.eight.agent(&conversation, grace).await;
    world.eight.all_acknowledged().await;
    eventually("the next agent is in", async || {
        (world.api.handover(&id).await["agents"][0]["id"] == "agent-2").then_some(())
    })
    .await;
    assert!(!world.bots.kinds(&id).contains(&"handover.handed_back".to_owned()));
    world.finish().await;
}

#[tokio::test]
async fn limits_are_told_with_their_fields_and_a_webhook_must_exist() {
    let world = World::start().await;
    let (id, _) = served(&world, json!({})).await;
    let body = json!({"maxTotalMinutes": 19, "userTimeoutMinutes": 301, "webhookId": " "});
    let refused = hand_back(&world, &id, body).await.ok(422);
    let pointers: Vec<_> = refused["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers, ["/webhookId", "/maxTotalMinutes", "/userTimeoutMinutes"]);
    let text = hand_back(&world, &id, json!({"maxTotalMinutes": "60"})).await.ok(422);
    assert_eq!(text["errors"][0]["pointer"], "/maxTotalMinutes");
    let unknown = hand_back(&world, &id, json!({"webhookId": "nowhere"})).await.ok(422);
    assert_eq!(unknown["code"], "upstream-rejected");
    // What was refused can be asked for again, rightly.
    hand_back(&world, &id, json!({"webhookId": "sandbox-webhook"}))
        .await
        .ok(201);
    let stranger = world.api.of_bot("sales");
    let path = format!("/v1/handovers/{id}/hand-back");
    assert_eq!(stranger.post(&path, &json!({})).await.status, 404);
    world.finish().await;
}

#[tokio::test]
async fn a_channel_without_a_webhook_is_the_operators_to_set_up() {
    let world = World::start().await;
    let (id, _) = served(&world, json!({})).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "channel-get", "status": 404}))
        .await;
    let refused = hand_back(&world, &id, json!({})).await.ok(409);
    assert_eq!(refused["code"], "tenant-not-provisioned");
    assert!(refused["detail"].as_str().unwrap().contains("webhookId"), "{refused}");
    world.finish().await;
}

#[tokio::test]
async fn one_that_was_not_used_is_still_there_after_a_reopening() {
    let world = World::start().await;
    let (old, conversation) = served(&world, json!({})).await;
    hand_back(&world, &old, json!({})).await.ok(201);
    world.api.end(&old).await;
    let path = format!("/v1/handovers/{old}/reopen");
    let reopened = world.api.post(&path, &json!({"text": "Once more"})).await.ok(201);
    let new = reopened["id"].as_str().unwrap();
    world.eight.join(&conversation).await;
    world.bots.event(new, "agent.joined").await;
    world.eight.end(&conversation).await;
    world.bots.event(new, "handover.handed_back").await;
    assert_eq!(world.api.handover(new).await["state"], "bot");
    world.finish().await;
}
