//! Ends and what only looks like one: 8x8 promises no order, and an agent who leaves may have handed on.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::support::wait::always;
use crate::support::wait::eventually;
use crate::support::world::World;

/// Longer than a transfer may take to show.
const A_WHILE: Duration = Duration::from_millis(1500);

async fn served(world: &World) -> (String, String) {
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    (id, conversation)
}

/// 8x8 sends this, and nothing is done that would make it true.
async fn tell(world: &World, conversation: &str, event: Value) {
    let answer = world
        .eight
        .event(conversation, json!({"body": event, "wait": true}))
        .await;
    assert_eq!(answer["status"], 204, "{answer}");
}

fn idle() -> Value {
    json!({"eventType": "CONVERSATION_UPDATE", "data": {"state": "idle", "channel": "ChatAPI", "user": {}}})
}

fn transfer() -> Value {
    json!({"eventType": "TRANSFER"})
}

fn grace() -> Value {
    json!({"do": "join", "agentId": "agent-2", "agentName": "Grace Agent"})
}

#[tokio::test]
async fn a_transfer_is_one_whether_it_is_told_before_or_after_the_agent_left() {
    for transfer_first in [true, false] {
        let world = World::start().await;
        let (id, conversation) = served(&world).await;
        if transfer_first {
            tell(&world, &conversation, transfer()).await;
        }
        world.eight.agent(&conversation, json!({"do": "leave"})).await;
        world.bots.event(&id, "agent.left").await;
        if !transfer_first {
            tell(&world, &conversation, transfer()).await;
        }
        always("the next agent is waited for", A_WHILE, async || {
            world.api.handover(&id).await["state"] == "transferring"
        })
        .await;
        world.eight.agent(&conversation, grace()).await;
        let (gone, told) = ("agent.left", "handover.transferred");
        let between = if transfer_first { [told, gone] } else { [gone, told] };
        let kinds = [
            "handover.accepted",
            "handover.queued",
            "agent.joined",
            between[0],
            between[1],
            "agent.joined",
        ];
        world.bots.told(&id, &kinds).await;
        assert_eq!(world.api.handover(&id).await["state"], "active");
        world.finish().await;
    }
}

#[tokio::test]
async fn the_next_agent_may_come_before_the_last_has_left() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    tell(&world, &conversation, transfer()).await;
    world.eight.agent(&conversation, grace()).await;
    world.eight.agent(&conversation, json!({"do": "leave"})).await;
    let kinds = [
        "handover.accepted",
        "handover.queued",
        "agent.joined",
        "handover.transferred",
        "agent.joined",
        "agent.left",
    ];
    let events = world.bots.told(&id, &kinds).await;
    assert!(events[2..].iter().all(|event| event.data()["state"] == "active"));
    always("she is in", A_WHILE, async || {
        world.api.handover(&id).await["agents"][0]["id"] == "agent-2"
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn an_end_is_told_once_when_idle_comes_before_the_agents_leaving() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    tell(&world, &conversation, idle()).await;
    world.eight.end(&conversation).await;
    let kinds = [
        "handover.accepted",
        "handover.queued",
        "agent.joined",
        "handover.ended",
        "agent.left",
    ];
    let events = world.bots.told(&id, &kinds).await;
    assert_eq!(events[3].data()["reason"], "agent_ended");
    assert_eq!(
        (&events[4].data()["late"], &events[4].data()["state"]),
        (&json!(true), &json!("ended"))
    );
    world.finish().await;
}

#[tokio::test]
async fn silence_ends_a_handover_after_a_restart_too() {
    let mut world = World::start().await;
    let (id, conversation) = world.api.open(json!({"timers": {"idle": "3s"}})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    world.kill_and_restart().await;
    let ended = world.bots.event(&id, "handover.ended").await;
    assert_eq!(ended.data()["reason"], "idle_timeout");
    world.eight.calls_made("leave", 1).await;
    world.finish().await;
}

/// As a message that 8x8 throttled until its agent had ended the conversation: 8x8 begins anew for it.
#[tokio::test]
async fn words_that_reach_8x8_after_the_end_hold_no_agent_there() {
    let world = World::start().await;
    let (id, conversation) = served(&world).await;
    world.eight.end(&conversation).await;
    world.bots.event(&id, "handover.ended").await;
    world.eight.posts_late(&conversation, "are you still there?").await;
    eventually("8x8 is told that nobody is there", async || {
        let leaves = world.eight.calls("leave").await;
        (leaves.len() == 1 && world.eight.conversation(&conversation).await["state"] == "idle").then_some(())
    })
    .await;
    assert_eq!(world.api.handover(&id).await["state"], "ended");
    world.finish().await;
}
