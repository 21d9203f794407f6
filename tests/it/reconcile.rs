//! What 8x8's webhooks did not tell is read from 8x8: everything once, in order, whichever of the two comes first.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::support::bot::Callback;
use crate::support::wait::always;
use crate::support::wait::eventually;
use crate::support::wait::within;
use crate::support::world::World;

/// As long as a create waits for its first webhook, and a little more.
const SILENT: Duration = Duration::from_secs(45);

/// 8x8 tells each event once, and gives it up when it is not taken.
async fn world_that_is_told_once(change: impl FnOnce(&mut crate::support::world::Setup)) -> World {
    World::with(|setup| {
        setup.options.retry_schedule = Vec::new();
        change(setup);
    })
    .await
}

/// The agents' words in the order in which the bot was told them.
fn words(world: &World, id: &str) -> Vec<String> {
    let events = world.bots.events(id);
    let said = events.iter().filter(|event| event.kind() == "message.created");
    said.map(|event| event.text().to_owned()).collect()
}

fn is_read(callback: &Callback) -> bool {
    callback.data()["source"]["eventType"] == "RECONCILED"
}

async fn figures(world: &World) -> String {
    let admin = world.api.at(&world.gateway.admin());
    admin.with_key(None).get("/metrics").await.text()
}

/// 8x8 has tried to tell everything of a conversation.
async fn all_given_up(world: &World, conversation: &str) -> Vec<Value> {
    eventually("8x8 has given up", async || {
        let mut all = world.eight.all_webhooks().await;
        all.retain(|event| event["conversationId"] == conversation);
        let tried = |event: &Value| event["acked"] == true || event["givenUp"] == true;
        all.iter().all(tried).then_some(all)
    })
    .await
}

#[tokio::test]
async fn what_happened_while_the_gateway_was_dead_is_told_once_in_order_and_late_webhooks_double_nothing() {
    let mut world = world_that_is_told_once(|_| ()).await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.bots.told(&id, &["handover.accepted", "handover.queued"]).await;
    world.gateway.kill();
    let eight = &world.eight;
    eight.join(&conversation).await;
    eight.say(&conversation, "Hello").await;
    eight.say(&conversation, "OK").await;
    eight.say(&conversation, "OK").await;
    eight.end(&conversation).await;
    let lost = all_given_up(&world, &conversation).await;
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    let expected = [
        "handover.accepted",
        "handover.queued",
        "agent.joined",
        "message.created",
        "message.created",
        "message.created",
        "agent.left",
        "handover.ended",
    ];
    let events = world.bots.told(&id, &expected).await;
    assert_eq!(words(&world, &id), ["Hello", "OK", "OK"]);
    assert!(events[2..7].iter().all(is_read) && !is_read(&events[1]));
    let said = &events[3].data()["message"];
    assert_eq!(said["sender"]["type"], "agent");
    assert!(events[3].data()["source"]["eventId"].is_string() && events[3].data()["source"]["timestamp"].is_i64());
    assert_eq!(events[7].data()["reason"], "agent_ended");
    assert_eq!(events[7].data()["outcome"], "completed");

    // 8x8 tells it after all, in any order.
    for event in lost.iter().rev().filter(|event| event["acked"] == false) {
        let late = json!({"body": event["body"], "wait": true});
        let answer = world.eight.event(&conversation, late).await;
        assert_eq!(answer["status"], 204, "{answer}");
    }
    let mut told: Vec<_> = world.api.events(&id).await;
    told.retain(|event| event["type"] != "message.status");
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    assert!(figures(&world).await.contains("late_webhooks_total 3"));
    let transcript = world.api.get(&format!("/v1/handovers/{id}/transcript")).await.ok(200);
    let said: Vec<_> = transcript["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (&entry["text"], &entry["origin"]))
        .collect();
    let read = json!("backfilled");
    assert_eq!(
        said,
        [(&json!("Hello"), &read), (&json!("OK"), &read), (&json!("OK"), &read)]
    );

    world.kill_and_restart().await;
    assert_eq!(world.api.events(&id).await.len(), expected.len());
    world.finish().await;
}

#[tokio::test]
async fn a_transfer_that_was_missed_is_told_before_the_next_agent() {
    let mut world = world_that_is_told_once(|_| ()).await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    world.gateway.kill();
    let transfer = json!({"do": "transfer", "queueId": "102"});
    world.eight.say(&conversation, "I pass you on").await;
    world.eight.agent(&conversation, transfer).await;
    let joins = json!({"do": "join", "agentId": "agent-2"});
    world.eight.agent(&conversation, joins).await;
    world
        .eight
        .agent(
            &conversation,
            json!({"do": "say", "agentId": "agent-2", "text": "How can I help?"}),
        )
        .await;
    all_given_up(&world, &conversation).await;
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    let expected = [
        "handover.accepted",
        "handover.queued",
        "agent.joined",
        "message.created",
        "agent.left",
        "handover.transferred",
        "agent.joined",
        "message.created",
    ];
    let events = world.bots.told(&id, &expected).await;
    assert_eq!(events[6].data()["agent"]["id"], "agent-2");
    assert_eq!(world.api.handover(&id).await["state"], "active");
    world.finish().await;
}

#[tokio::test]
async fn what_webhooks_do_not_tell_for_a_while_is_polled_and_nothing_is_told_twice_when_they_come() {
    let late = Duration::from_secs(8);
    let world = World::with(|setup| {
        setup.options.retry_schedule = vec![late];
        setup.config.set("tenants.acme.reconcile_after", "1s");
    })
    .await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    world.eight.all_acknowledged().await;
    // Everything behind the first waits for it.
    world
        .eight
        .fault(json!({"on": "webhook", "operation": "MESSAGE", "drop": "before"}))
        .await;
    for text in ["one", "two", "two"] {
        world.eight.say(&conversation, text).await;
    }
    eventually("the bot is told by polling", async || {
        (words(&world, &id) == ["one", "two", "two"]).then_some(())
    })
    .await;
    assert!(
        world
            .bots
            .events(&id)
            .iter()
            .filter(|event| event.kind() == "message.created")
            .all(is_read)
    );
    assert!(
        world
            .eight
            .all_webhooks()
            .await
            .iter()
            .any(|event| event["acked"] == false),
        "before 8x8 told it"
    );
    let all_told = within(late * 2, async || {
        let events = world.eight.all_webhooks().await;
        events.iter().all(|event| event["acked"] == true).then_some(())
    });
    assert!(all_told.await.is_some());
    world.eight.say(&conversation, "three").await;
    eventually("the next comes by its webhook", async || {
        (words(&world, &id).last().map(String::as_str) == Some("three")).then_some(())
    })
    .await;
    assert_eq!(words(&world, &id), ["one", "two", "two", "three"]);
    let nothing_more = || async { words(&world, &id).len() == 4 };
    always("nothing is told twice", Duration::from_secs(4), nothing_more).await;
    assert!(figures(&world).await.contains("late_webhooks_total 3"));
    world.finish().await;
}

#[tokio::test]
async fn a_create_that_no_webhook_follows_is_noticed_named_once_and_bridged_until_webhooks_come() {
    let world = world_that_is_told_once(|setup| "/webhooks/8x8/nobody".clone_into(&mut setup.webhook_path)).await;
    let (id, conversation) = world.api.open(json!({})).await;
    let (other, _) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "Anyone there?").await;
    let told = within(SILENT, async || (!words(&world, &id).is_empty()).then_some(()));
    assert!(told.await.is_some(), "bridged");
    let kinds = world.bots.kinds(&id);
    assert_eq!(kinds, ["handover.accepted", "agent.joined", "message.created"]);
    let queued = within(SILENT, async || {
        world
            .bots
            .kinds(&other)
            .contains(&"handover.queued".to_owned())
            .then_some(())
    });
    assert!(queued.await.is_some(), "and so is the other");
    let warned = world.gateway.log.with_message("no webhook came for it within 30 s");
    assert_eq!(warned.len(), 1, "once, not for each handover: {warned:?}");
    assert_eq!(warned[0]["level"], "WARN");
    assert!(
        warned[0]["webhooks.refused"]
            .as_u64()
            .is_some_and(|refused| refused > 0),
        "{warned:?}"
    );
    let text = warned[0]["message"].as_str().unwrap();
    assert!(text.contains("doctor") && text.contains("path secret") && text.contains("firewall"));
    let figures_now = figures(&world).await;
    assert!(figures_now.contains("handovers_without_webhooks 2"), "{figures_now}");
    let admin = world.api.at(&world.gateway.admin()).with_key(None);
    let status = admin.get("/status").await.ok(200);
    assert_eq!(status["tenants"][0]["handoversWithoutWebhooks"], 2, "{status}");

    world.eight.say(&conversation, "Hello?").await;
    let next = within(SILENT, async || (words(&world, &id).len() == 2).then_some(()));
    assert!(next.await.is_some(), "polling goes on");
    world.connect("/webhooks/8x8/acme").await;
    world.eight.say(&conversation, "There you are").await;
    eventually("webhooks come", async || (words(&world, &id).len() == 3).then_some(())).await;
    eventually("one of the two is silent no longer", async || {
        figures(&world)
            .await
            .contains("handovers_without_webhooks 1")
            .then_some(())
    })
    .await;
    assert_eq!(words(&world, &id), ["Anyone there?", "Hello?", "There you are"]);
    world.finish().await;
}

#[tokio::test]
async fn a_handover_that_webhooks_come_for_is_not_polled() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "Hello").await;
    world.bots.event(&id, "message.created").await;
    let not_asked =
        || async { world.eight.calls("messages").await.is_empty() && world.eight.calls("get").await.is_empty() };
    always("8x8 is not asked", Duration::from_secs(5), not_asked).await;
    world.finish().await;
}

#[tokio::test]
async fn after_a_restart_all_are_compared_and_8x8_is_asked_at_a_bounded_pace() {
    const HANDOVERS: usize = 20;
    let mut world = World::start().await;
    let opened = futures_util::future::join_all((0..HANDOVERS).map(|_| world.api.open(json!({})))).await;
    world.eight.all_acknowledged().await;
    world.kill_and_restart().await;
    let asked = within(Duration::from_secs(40), async || {
        let calls = world.eight.calls("get").await;
        (calls.len() >= HANDOVERS).then_some(calls)
    });
    let asked = asked.await.unwrap();
    let times: Vec<_> = asked.iter().map(|call| call["at"].as_i64().unwrap()).collect();
    for several in times.windows(6) {
        assert!(
            several[5] - several[0] >= 2000,
            "five comparisons take three seconds: {times:?}"
        );
    }
    let mut of_each: Vec<_> = asked
        .iter()
        .map(|call| call["conversationId"].as_str().unwrap())
        .collect();
    of_each.sort_unstable();
    of_each.dedup();
    assert_eq!(of_each.len(), opened.len(), "each once");
    world.finish().await;
}

#[tokio::test]
async fn an_8x8_that_fails_ends_nothing_and_what_was_missed_is_told_when_it_answers() {
    let mut world = world_that_is_told_once(|_| ()).await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    world.gateway.kill();
    world.eight.say(&conversation, "Hello").await;
    all_given_up(&world, &conversation).await;
    let failing = json!({"on": "api", "operation": "get", "status": 404, "times": 1});
    world.eight.fault(failing).await;
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    eventually("8x8 was asked", async || {
        world.eight.faults_left().await.is_empty().then_some(())
    })
    .await;
    assert_eq!(
        world.api.handover(&id).await["state"],
        "active",
        "one answer is no proof"
    );
    let told = within(SILENT, async || (!words(&world, &id).is_empty()).then_some(()));
    assert!(told.await.is_some(), "it is asked again");
    assert_eq!(words(&world, &id), ["Hello"]);
    world.finish().await;
}

#[tokio::test]
async fn nobody_is_timed_out_after_a_restart_before_8x8_said_whether_an_agent_came() {
    let mut world = world_that_is_told_once(|_| ()).await;
    let (id, conversation) = world.api.open(json!({"timers": {"queue": "15s"}})).await;
    world.bots.event(&id, "handover.queued").await;
    world.gateway.kill();
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "Hello").await;
    all_given_up(&world, &conversation).await;
    // The comparison comes later than what waits for a moment after a restart.
    let failing = json!({"on": "api", "operation": "get", "status": 503, "times": 2});
    world.eight.fault(failing).await;
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    let told = within(SILENT, async || (!words(&world, &id).is_empty()).then_some(()));
    assert!(told.await.is_some(), "{:?}", world.bots.kinds(&id));
    assert_eq!(world.api.handover(&id).await["state"], "active");
    world.finish().await;
}

#[tokio::test]
async fn what_was_missed_of_a_create_that_an_earlier_process_left_open_is_told_when_it_is_found() {
    let mut world = world_that_is_told_once(|_| ()).await;
    world.tolerate("upstream-timeout");
    world.tolerate("a bot's call failed");
    for fault in [
        json!({"on": "webhook", "operation": "CONVERSATION_UPDATE", "drop": "before", "times": 20}),
        json!({"on": "webhook", "operation": "QUEUED", "drop": "before", "times": 20}),
        json!({"on": "api", "operation": "create", "drop": "after"}),
        json!({"on": "api", "operation": "list", "status": 503, "times": 1}),
    ] {
        world.eight.fault(fault).await;
    }
    let create = world.api.post("/v1/handovers", &json!({"user": {"name": "Own"}})).await;
    let id = create.ok(504)["handoverId"].as_str().unwrap().to_owned();
    world.gateway.kill();
    world.eight.clear_faults().await;
    let conversation = world.eight.conversations().await[0]["id"].as_str().unwrap().to_owned();
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "Hello").await;
    all_given_up(&world, &conversation).await;
    // Compared while nobody knows yet whether 8x8 took it.
    world
        .eight
        .fault(json!({"on": "api", "operation": "list", "status": 503, "times": 3}))
        .await;
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    let told = within(SILENT, async || (!words(&world, &id).is_empty()).then_some(()));
    assert!(told.await.is_some(), "{:?}", world.bots.kinds(&id));
    assert_eq!(words(&world, &id), ["Hello"]);
    world.finish().await;
}
