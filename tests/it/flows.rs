//! Handovers from beginning to end, as bots and 8x8 see them.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::support::bot::Callback;
use crate::support::config::SALES;
use crate::support::wait::always;
use crate::support::wait::eventually;
use crate::support::world::World;

/// State and control each event shows.
fn standing(events: &[Callback]) -> Vec<(&str, &str)> {
    let text = |event: &'_ Callback, field: &str| event.data()[field].as_str().unwrap().to_owned();
    events
        .iter()
        .map(|event| (text(event, "state"), text(event, "control")))
        .map(|(state, control)| (leak(state), leak(control)))
        .collect()
}

fn leak(text: String) -> &'static str {
    text.leak()
}

const EVERY_STATE: [(&str, &str); 10] = [
    ("queued", "agent"),
    ("queued", "agent"),
    ("active", "agent"),
    ("active", "agent"),
    ("transferring", "agent"),
    ("transferring", "agent"),
    ("transferring", "agent"),
    ("active", "agent"),
    ("transferring", "agent"),
    ("ended", "bot"),
];
const EVERY_EVENT: [&str; 10] = [
    "handover.accepted",
    "handover.queued",
    "agent.joined",
    "message.created",
    "agent.left",
    "handover.transferred",
    "handover.queued",
    "agent.joined",
    "agent.left",
    "handover.ended",
];

/// Queued, served, transferred, served again and ended by the agent.
async fn goes_through_every_state(world: &World) -> (String, Vec<Callback>) {
    let fields = json!({"botSessionId": "session-1", "metadata": {"ticket": 42}});
    let (id, conversation) = world.api.open(fields).await;
    world.bots.event(&id, "handover.queued").await;
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "Hello James").await;
    world.bots.event(&id, "message.created").await;
    assert_eq!(world.api.handover(&id).await["agents"][0]["id"], "agent-1");
    world
        .eight
        .agent(&conversation, json!({"do": "transfer", "queueId": "102"}))
        .await;
    world.bots.event(&id, "handover.transferred").await;
    let grace = json!({"do": "join", "agentId": "agent-2", "agentName": "Grace Agent"});
    world.eight.agent(&conversation, grace).await;
    world.bots.told(&id, &EVERY_EVENT[..8]).await;
    world.eight.end(&conversation).await;
    let events = world.bots.told(&id, &EVERY_EVENT).await;
    assert_eq!(standing(&events), EVERY_STATE);
    for event in &events {
        assert_eq!(event.data()["handoverId"], *id);
        assert_eq!(event.data()["conversationId"], *conversation);
        assert_eq!(event.data()["botSessionId"], "session-1");
        assert_eq!(event.data()["metadata"], json!({"ticket": 42}));
    }
    assert_eq!(events[1].data()["queue"], json!({"id": "101", "name": "Support"}));
    assert_eq!(events[6].data()["queue"], json!({"id": "102", "name": "Billing"}));
    assert_eq!(events[3].text(), "Hello James");
    assert_eq!(events[3].data()["message"]["sender"]["type"], "agent");
    assert_eq!(events[3].data()["message"]["sender"]["id"], "agent-1");
    assert_eq!(events[7].data()["agent"]["id"], "agent-2");
    assert_eq!(events[8].data()["agent"]["id"], "agent-2");
    assert_eq!(
        (&events[9].data()["reason"], &events[9].data()["outcome"]),
        (&json!("agent_ended"), &json!("completed"))
    );
    let shown = world.api.handover(&id).await;
    assert_eq!((&shown["state"], &shown["control"]), (&json!("ended"), &json!("bot")));
    assert_eq!(
        (&shown["endReason"], &shown["outcome"]),
        (&json!("agent_ended"), &json!("completed"))
    );
    assert_eq!((&shown["agents"], &shown["lastSequence"]), (&json!([]), &json!(10)));
    assert!(
        shown["endedAt"].is_string() && shown["agentJoinedAt"].is_string(),
        "{shown}"
    );
    (id, events)
}

#[tokio::test]
async fn a_handover_goes_through_every_state_in_the_nested_dialect() {
    let world = World::start().await;
    let (_, events) = goes_through_every_state(&world).await;
    let sources: Vec<_> = events
        .iter()
        .map(|event| event.data()["source"]["eventType"].clone())
        .collect();
    assert_eq!(sources[1..4], ["QUEUED", "MEMBERS_CHANGED", "MESSAGE"]);
    assert!(events[3].data()["source"]["timestamp"].is_i64());
    assert!(events[3].data()["source"]["eventId"].is_string());
    world.finish().await;
}

#[tokio::test]
async fn a_handover_goes_through_every_state_in_the_flat_dialect() {
    let world = World::with(|setup| setup.options.webhook_version = "v2.0".to_owned()).await;
    let (_, events) = goes_through_every_state(&world).await;
    assert_eq!(events[2].data()["agent"], json!({"id": "agent-1", "name": "Ada Agent"}));
    assert_eq!(events[3].data()["message"]["sender"]["name"], "Ada Agent");
    assert_eq!(events[3].data()["source"]["eventType"], "TEXT");
    world.finish().await;
}

#[tokio::test]
async fn a_bot_ends_a_handover_and_the_agent_is_freed() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    let end = json!({"reason": "user_left", "message": "The user closed the window."});
    let ended = world.api.post(&format!("/v1/handovers/{id}/end"), &end).await.ok(202);
    assert_eq!(
        (&ended["state"], &ended["endReason"]),
        (&json!("ended"), &json!("user_left"))
    );
    let calls = world.eight.calls_made("leave", 1).await;
    assert_eq!(calls[0]["body"]["removed"], true);
    assert_eq!(calls[0]["body"]["displayMessage"], "The user closed the window.");
    eventually("8x8's conversation is over", async || {
        (world.eight.conversation(&conversation).await["state"] == "idle").then_some(())
    })
    .await;
    let told = world.bots.event(&id, "handover.ended").await;
    assert_eq!(
        (&told.data()["reason"], &told.data()["outcome"]),
        (&json!("user_left"), &json!("completed"))
    );
    let again = world
        .api
        .post(&format!("/v1/handovers/{id}/end"), &json!({}))
        .await
        .ok(409);
    assert_eq!(again["code"], "handover-ended");
    world.eight.all_acknowledged().await;
    assert_eq!(world.eight.calls("leave").await.len(), 1);
    assert_eq!(
        world
            .bots
            .kinds(&id)
            .iter()
            .filter(|kind| *kind == "handover.ended")
            .count(),
        1
    );
    world.finish().await;
}

#[tokio::test]
async fn a_handover_ended_while_it_waits_is_cancelled() {
    let world = World::start().await;
    let (id, _) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    let ended = world.api.end(&id).await;
    assert_eq!(
        (&ended["endReason"], &ended["outcome"]),
        (&json!("cancelled"), &json!("cancelled"))
    );
    let events = world
        .bots
        .told(&id, &["handover.accepted", "handover.queued", "handover.ended"])
        .await;
    assert_eq!(events[2].data()["reason"], "cancelled");
    world.eight.calls_made("leave", 1).await;
    world.finish().await;
}

#[tokio::test]
async fn a_user_who_leaves_at_8x8_ends_the_handover() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    let left = json!({"eventType": "MEMBERS_CHANGED", "data": {"memberType": "user", "change": "left", "id": "user"}});
    world.eight.event(&conversation, json!({"body": left})).await;
    let told = world.bots.event(&id, "handover.ended").await;
    assert_eq!(
        (&told.data()["reason"], &told.data()["outcome"]),
        (&json!("user_left"), &json!("completed"))
    );
    world.finish().await;
}

#[tokio::test]
async fn a_message_after_the_end_is_told_as_late() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    world.api.end(&id).await;
    world.bots.event(&id, "handover.ended").await;
    world.eight.all_acknowledged().await;
    world.eight.say(&conversation, "One more thing").await;
    let told = world.bots.event(&id, "message.created").await;
    assert_eq!((told.text(), &told.data()["late"]), ("One more thing", &json!(true)));
    assert_eq!(
        (&told.data()["state"], &told.data()["control"]),
        (&json!("ended"), &json!("bot"))
    );
    assert_eq!(world.api.handover(&id).await["state"], "ended");
    world.finish().await;
}

#[tokio::test]
async fn an_agent_who_leaves_a_conference_does_not_end_the_handover() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world
        .eight
        .agent(
            &conversation,
            json!({"do": "join", "agentId": "agent-2", "agentName": "Grace"}),
        )
        .await;
    world
        .eight
        .agent(&conversation, json!({"do": "leave", "agentId": "agent-1"}))
        .await;
    let left = world.bots.event(&id, "agent.left").await;
    assert_eq!(
        (&left.data()["state"], &left.data()["agent"]["id"]),
        (&json!("active"), &json!("agent-1"))
    );
    // Longer than the transfer grace.
    always("the handover is active", Duration::from_millis(800), async || {
        world.api.handover(&id).await["state"] == "active"
    })
    .await;
    let agents = world.api.handover(&id).await["agents"].clone();
    assert_eq!(agents.as_array().unwrap().len(), 1);
    assert_eq!(agents[0]["id"], "agent-2");
    world.finish().await;
}

/// A handover with a timer that runs out.
async fn ends_by_itself(timers: Value, join: bool, expected: (&str, &str)) {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({"timers": timers})).await;
    if join {
        world.eight.join(&conversation).await;
        world.bots.event(&id, "agent.joined").await;
    }
    let told = world.bots.event(&id, "handover.ended").await;
    assert_eq!(
        (&told.data()["reason"], &told.data()["outcome"]),
        (&json!(expected.0), &json!(expected.1))
    );
    let calls = world.eight.calls_made("leave", 1).await;
    assert_eq!(calls[0]["taken"], true);
    world.finish().await;
}

#[tokio::test]
async fn a_handover_nobody_takes_ends_when_its_queue_time_is_over() {
    ends_by_itself(json!({"queue": "700ms"}), false, ("queue_timeout", "cancelled")).await;
}

#[tokio::test]
async fn a_handover_in_which_nobody_speaks_ends_when_its_idle_time_is_over() {
    ends_by_itself(
        json!({"idle": "700ms", "queue": "1h"}),
        true,
        ("idle_timeout", "completed"),
    )
    .await;
}

#[tokio::test]
async fn a_handover_ends_when_it_is_too_old() {
    ends_by_itself(json!({"maxAge": "1s"}), true, ("expired", "completed")).await;
}

#[tokio::test]
async fn messages_keep_an_idle_timer_from_running_out() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({"timers": {"idle": "1500ms"}})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    let begun = tokio::time::Instant::now();
    let mut number = 0;
    while begun.elapsed() < Duration::from_millis(2500) {
        number += 1;
        world.api.say(&id, &format!("still here {number}")).await;
        always("the handover is active", Duration::from_millis(250), async || {
            world.api.handover(&id).await["state"] == "active"
        })
        .await;
    }
    assert_eq!(
        world.bots.event(&id, "handover.ended").await.data()["reason"],
        "idle_timeout"
    );
    world.finish().await;
}

#[tokio::test]
async fn events_that_come_before_the_create_is_answered_are_kept_and_told_in_order() {
    let world = World::start().await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "create", "event-before-202": true}))
        .await;
    let handover = world.api.create(json!({})).await;
    assert_eq!(handover["state"], "queued");
    let id = handover["id"].as_str().unwrap();
    let events = world.bots.told(id, &["handover.accepted", "handover.queued"]).await;
    assert_eq!(events[1].data()["queue"]["name"], "Support");
    world.finish().await;
}

#[tokio::test]
async fn flat_events_that_come_before_the_create_is_answered_are_kept_and_told_in_order() {
    // No CONVERSATION_UPDATE tells whose they are: they wait for 8x8's answer.
    let world = World::with(|setup| setup.options.webhook_version = "v2.0".to_owned()).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "create", "event-before-202": true}))
        .await;
    let (id, _) = world.api.open(json!({})).await;
    let events = world.bots.told(&id, &["handover.accepted", "handover.queued"]).await;
    assert_eq!(events[1].data()["source"]["eventType"], "QUEUED");
    world.finish().await;
}

#[tokio::test]
async fn an_event_that_comes_again_is_told_once() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    let often = json!({"on": "webhook", "operation": "MESSAGE", "duplicate": 5, "drop": "after"});
    world.eight.fault(often).await;
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "once").await;
    world.eight.say(&conversation, "twice").await;
    eventually("both were told", async || {
        let texts: Vec<_> = world
            .bots
            .events(&id)
            .iter()
            .map(|event| event.text().to_owned())
            .collect();
        texts.contains(&"twice".to_owned()).then_some(())
    })
    .await;
    world.eight.all_acknowledged().await;
    let kinds = [
        "handover.accepted",
        "handover.queued",
        "agent.joined",
        "message.created",
        "message.created",
    ];
    let events = world.bots.told(&id, &kinds).await;
    assert_eq!((events[3].text(), events[4].text()), ("once", "twice"));
    assert!(world.eight.webhook_statuses().await.len() > 6);
    world.finish().await;
}

#[tokio::test]
async fn an_old_event_is_told_and_does_not_take_the_state_back() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    let old = json!({"eventType": "QUEUED", "timestamp": 1_000, "data": {"queueId": "102", "queueName": "Billing"}});
    world.eight.event(&conversation, json!({"body": old})).await;
    let kinds = [
        "handover.accepted",
        "handover.queued",
        "agent.joined",
        "handover.queued",
    ];
    let events = world.bots.told(&id, &kinds).await;
    assert_eq!(events[3].data()["state"], "active");
    assert_eq!(events[3].data()["source"]["timestamp"], 1_000);
    let shown = world.api.handover(&id).await;
    assert_eq!(
        (&shown["state"], &shown["queue"]["id"]),
        (&json!("active"), &json!("101"))
    );
    world.finish().await;
}

#[tokio::test]
async fn a_restart_in_the_middle_forgets_nothing() {
    let mut world = World::start().await;
    let (id, conversation) = world
        .api
        .open(json!({"botSessionId": "s-1", "metadata": {"k": "v"}}))
        .await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    let before = world.api.handover(&id).await;
    world.restart().await;
    assert_eq!(world.api.handover(&id).await, before);
    world.eight.say(&conversation, "after the stop").await;
    assert_eq!(world.bots.event(&id, "message.created").await.text(), "after the stop");
    assert_eq!(world.api.say(&id, "heard").await["status"], "accepted");
    world.kill_and_restart().await;
    world.eight.end(&conversation).await;
    let kinds = [
        "handover.accepted",
        "handover.queued",
        "agent.joined",
        "message.created",
        "agent.left",
        "handover.ended",
    ];
    let events = world.bots.told(&id, &kinds).await;
    assert_eq!(events[5].data()["metadata"], json!({"k": "v"}));
    assert_eq!(world.eight.texts(&conversation).await, ["heard"]);
    world.finish().await;
}

/// What a second create with the session of a live handover is answered.
async fn second_create(duplicate: &str) -> (World, String, u16, Value) {
    let world = World::with(|setup| {
        setup.config.set("bots.support.duplicate", duplicate);
    })
    .await;
    let (first, _) = world.api.open(json!({"botSessionId": "s-1"})).await;
    let body = json!({"botSessionId": "s-1", "user": {"name": "James"}});
    let reply = world.api.post("/v1/handovers", &body).await;
    (world, first, reply.status, reply.json())
}

#[tokio::test]
async fn a_second_live_handover_of_a_session_is_rejected() {
    let (world, first, status, body) = second_create("reject").await;
    assert_eq!((status, &body["code"]), (409, &json!("handover-exists")));
    assert_eq!(body["handoverId"], *first);
    assert_eq!(world.eight.calls("create").await.len(), 1);
    // Another bot's sessions are its own.
    world.api.of_bot(SALES).create(json!({"botSessionId": "s-1"})).await;
    // Once the first is over the session is free.
    world.api.end(&first).await;
    world.api.create(json!({"botSessionId": "s-1"})).await;
    world.finish().await;
}

#[tokio::test]
async fn a_second_create_of_a_session_returns_the_live_handover_where_it_is_configured() {
    let (world, first, status, body) = second_create("return").await;
    assert_eq!((status, &body["id"]), (200, &json!(first)));
    assert_eq!(world.eight.calls("create").await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_session_has_several_live_handovers_where_it_is_configured() {
    let (world, first, status, body) = second_create("allow").await;
    assert_eq!(status, 201);
    assert_ne!(body["id"], *first);
    assert_eq!(world.eight.calls("create").await.len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn a_waiting_handover_moves_to_another_queue() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    world
        .api
        .patch(&format!("/v1/handovers/{id}"), &json!({"queueId": "102"}))
        .await
        .ok(202);
    let events = world
        .bots
        .told(&id, &["handover.accepted", "handover.queued", "handover.queued"])
        .await;
    assert_eq!(events[2].data()["queue"], json!({"id": "102", "name": "Billing"}));
    assert_eq!(world.eight.conversation(&conversation).await["queueId"], "102");
    assert_eq!(world.api.handover(&id).await["queue"]["id"], "102");
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    let refused = world
        .api
        .patch(&format!("/v1/handovers/{id}"), &json!({"queueId": "101"}))
        .await
        .ok(409);
    assert_eq!(refused["code"], "handover-not-active");
    world.finish().await;
}

#[tokio::test]
async fn what_a_bot_learns_of_its_user_reaches_8x8_beside_what_was_known() {
    let world = World::start().await;
    let user = json!({"name": "James", "additionalProperties": [{"key": "Intent", "value": "balance"}]});
    let (id, conversation) = world.api.open(json!({"user": user})).await;
    let more =
        json!({"user": {"email": "james@example.com", "additionalProperties": [{"key": "Tier", "value": "gold"}]}});
    let shown = world.api.patch(&format!("/v1/handovers/{id}"), &more).await.ok(202);
    assert_eq!(
        (&shown["user"]["name"], &shown["user"]["email"]),
        (&json!("James"), &json!("james@example.com"))
    );
    let user = world.eight.conversation(&conversation).await["user"].clone();
    assert_eq!(
        (&user["name"], &user["email"]),
        (&json!("James"), &json!("james@example.com"))
    );
    let properties = user["additionalProperties"].as_array().unwrap();
    let value = |key: &str| {
        properties
            .iter()
            .find(|property| property["key"] == key)
            .map(|property| &property["value"])
    };
    assert_eq!(value("Intent"), Some(&json!("balance")));
    assert_eq!(value("Tier"), Some(&json!("gold")));
    assert_eq!(value("handoverId"), Some(&json!(id)));
    world.finish().await;
}

#[tokio::test]
async fn a_queue_has_its_configured_name_until_8x8_says_another() {
    let world = World::with(|setup| {
        setup.config.set("tenants.acme.queues.101.name", "Front desk");
    })
    .await;
    let handover = world.api.create(json!({"queueId": "101"})).await;
    assert_eq!(handover["queue"], json!({"id": "101", "name": "Front desk"}));
    world.finish().await;
}

#[tokio::test]
async fn a_create_with_all_it_may_hold_is_taken_and_told_back() {
    let world = World::start().await;
    let body = json!({
        "user": {"name": "James Jones", "email": "user@example.com", "phone": "07917846011", "language": "en",
            "userId": "u-1", "company": "Jones Ltd", "caseId": "c-1",
            "additionalProperties": [{"key": "Intent", "value": "balance"}]},
        "history": {"messages": [{"authorType": "user", "text": "I would like my balance please"},
            {"authorType": "bot", "text": "One moment", "cards": [], "attachments": []}]},
        "queueId": "101", "channelId": "sandbox-channel",
        "callbackUrl": format!("{}/support", world.bots.url()), "botSessionId": "session-17738489",
        "metadata": {"at most": "4 KiB, echoed in every event"},
        "properties": {"any": "JSON merged into the 8x8 create body"}, "availability": "ignore", "timers": {"queue": "10m", "idle": "30m", "maxAge": "24h"},
        "queues": [{"id": "102", "maxWait": "3m"}], "handBack": false
    });
    let reply = world.api.post("/v1/handovers", &body).await;
    let handover = reply.ok(201);
    let id = handover["id"].as_str().unwrap();
    assert_eq!(reply.header("location"), Some(format!("/v1/handovers/{id}").as_str()));
    for (field, expected) in [
        ("state", json!("queued")),
        ("control", json!("agent")),
        ("origin", json!("bot")),
        ("tenant", json!("acme")),
        ("bot", json!("support")),
        ("channelId", json!("sandbox-channel")),
        ("agents", json!([])),
        ("user", body["user"].clone()),
        ("metadata", body["metadata"].clone()),
        ("botSessionId", json!("session-17738489")),
        ("lastSequence", json!(1)),
    ] {
        assert_eq!(handover[field], expected, "{field}");
    }
    assert_eq!(handover["queue"]["id"], "101");
    let queued = world.bots.event(id, "handover.queued").await;
    assert_eq!(queued.data()["metadata"], body["metadata"]);
    world.finish().await;
}
