//! Conversations that begin in 8x8's own channels, with the bot, as customer, bot and agent see them.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::support::config::SALES;
use crate::support::config::SUPPORT;
use crate::support::wait::always;
use crate::support::wait::eventually;
use crate::support::world::Setup;
use crate::support::world::World;

const WHATSAPP: &str = "whatsapp-1";

/// `support` leads what customers begin on a `WhatsApp` number.
async fn with_whatsapp(change: impl FnOnce(&mut Setup)) -> World {
    let world = World::with(|setup| {
        setup
            .config
            .set(&format!("bots.{SUPPORT}.inbound_channels"), json!([WHATSAPP]));
        change(setup);
    })
    .await;
    world
        .eight
        .add_channel(json!({"id": WHATSAPP, "type": "WhatsApp"}))
        .await;
    world
}

fn writing(text: &str) -> Value {
    json!({"channelId": WHATSAPP, "msisdn": "447911123456", "text": text,
           "user": {"name": "James Jones", "language": "en", "additionalProperties": [{"key": "Tier", "value": "gold"}]}})
}

/// The newest handover on a conversation.
async fn handover_on(world: &World, conversation: &str) -> String {
    eventually("a handover on the conversation", async || {
        newest_on(world, conversation).await
    })
    .await
}

async fn newest_on(world: &World, conversation: &str) -> Option<String> {
    let list = all_on(world, conversation).await;
    Some(list.first()?["id"].as_str()?.to_owned())
}

async fn all_on(world: &World, conversation: &str) -> Vec<Value> {
    let path = format!("/v1/handovers?conversationId={conversation}");
    let list = world.api.get(&path).await.ok(200);
    list["data"].as_array().unwrap().clone()
}

async fn kinds(world: &World, id: &str, expected: &[&str]) {
    world.bots.told(id, expected).await;
}

async fn route_to(world: &World, id: &str, queue: &str) {
    let path = format!("/v1/handovers/{id}");
    world.api.patch(&path, &json!({"queueId": queue})).await.ok(202);
}

/// A customer writes, and the bot is told of the conversation and of the words.
async fn begins_with_the_bot(world: &World) -> (String, String) {
    let conversation = world.eight.customer(writing("What is my balance?")).await;
    let id = handover_on(world, &conversation).await;
    let events = world.bots.told(&id, &["conversation.started", "message.created"]).await;
    let started = events[0].data();
    assert_eq!(
        (&started["state"], &started["control"], &started["conversationId"]),
        (&json!("bot"), &json!("bot"), &json!(conversation))
    );
    assert_eq!(started["user"]["name"], "James Jones");
    assert_eq!(
        started["user"]["additionalProperties"],
        json!([{"key": "Tier", "value": "gold"}])
    );
    assert_eq!(
        (&started["channelType"], &started["msisdn"]),
        (&json!("WhatsApp"), &json!("447911123456"))
    );
    assert_eq!(events[1].text(), "What is my balance?");
    assert_eq!(events[1].data()["message"]["sender"]["type"], "user");
    let shown = world.api.handover(&id).await;
    assert_eq!(
        (&shown["origin"], &shown["state"], &shown["channelId"]),
        (&json!("channel"), &json!("bot"), &json!(WHATSAPP))
    );
    (id, conversation)
}

#[tokio::test]
async fn a_customer_is_led_by_the_bot_then_by_an_agent_to_the_end() {
    let world = with_whatsapp(|_| ()).await;
    let (id, conversation) = begins_with_the_bot(&world).await;
    world.api.say(&id, "It is 12 pounds. More?").await;
    let at_8x8 = world.eight.conversation(&conversation).await;
    assert_eq!(at_8x8["messages"][1]["author"], "bot");
    world.eight.customer_says(&conversation, "An agent, please").await;
    world
        .bots
        .told(&id, &["conversation.started", "message.created", "message.created"])
        .await;
    route_to(&world, &id, "102").await;
    let queued = world.bots.event(&id, "handover.queued").await;
    assert_eq!(queued.data()["queue"], json!({"id": "102", "name": "Billing"}));
    assert_eq!(
        (&queued.data()["state"], &queued.data()["control"]),
        (&json!("queued"), &json!("agent"))
    );
    world.eight.customer_says(&conversation, "Hurry up").await;
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "Hello James").await;
    world.eight.customer_says(&conversation, "Hello Ada").await;
    world.eight.end(&conversation).await;
    let told = [
        "conversation.started",
        "message.created",
        "message.created",
        "handover.queued",
        "agent.joined",
        "message.created",
        "agent.left",
        "handover.ended",
    ];
    let events = world.bots.told(&id, &told).await;
    assert_eq!(
        events[5].text(),
        "Hello James",
        "the agent has the user's words, not the bot"
    );
    assert_eq!(events[7].data()["reason"], "agent_ended");
    world.eight.all_acknowledged().await;
    assert_eq!(world.eight.conversations().await.len(), 1, "no second conversation");
    assert!(world.eight.calls("create").await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn a_bot_may_speak_first_only_where_it_is_configured_so() {
    for accepts in [true, false] {
        let world = with_whatsapp(|setup| {
            setup
                .config
                .set(&format!("bots.{SUPPORT}.accept_conversation_active"), accepts);
        })
        .await;
        let conversation = world.eight.customer(json!({"channelId": WHATSAPP})).await;
        world.eight.all_acknowledged().await;
        if accepts {
            let id = handover_on(&world, &conversation).await;
            kinds(&world, &id, &["conversation.started"]).await;
            world.api.say(&id, "Welcome!").await;
            world.eight.customer_says(&conversation, "Hi").await;
            kinds(&world, &id, &["conversation.started", "message.created"]).await;
        } else {
            always(
                "no handover before the user writes",
                Duration::from_millis(500),
                async || newest_on(&world, &conversation).await.is_none(),
            )
            .await;
            world.eight.customer_says(&conversation, "Hi").await;
            let id = handover_on(&world, &conversation).await;
            kinds(&world, &id, &["conversation.started", "message.created"]).await;
        }
        assert_eq!(all_on(&world, &conversation).await.len(), 1);
        world.finish().await;
    }
}

#[tokio::test]
async fn each_channel_has_its_bot_and_an_unknown_one_none() {
    let world = with_whatsapp(|setup| {
        setup
            .config
            .set(&format!("bots.{SALES}.inbound_channels"), json!(["web-1"]));
    })
    .await;
    for channel in ["web-1", "stranger-1"] {
        world.eight.add_channel(json!({"id": channel, "type": "WebChat"})).await;
    }
    let support = world.eight.customer(writing("Hello support")).await;
    let sales = json!({"channelId": "web-1", "text": "Hello sales"});
    let sales = world.eight.customer(sales).await;
    let nobodys = json!({"channelId": "stranger-1", "text": "Anyone?"});
    let nobodys = world.eight.customer(nobodys).await;
    handover_on(&world, &support).await;
    let of_sales = world.api.of_bot(SALES);
    let path = format!("/v1/handovers?conversationId={sales}");
    let shown = eventually("the other bot has its own", async || {
        of_sales.get(&path).await.ok(200)["data"].get(0).cloned()
    })
    .await;
    assert_eq!((&shown["bot"], &shown["state"]), (&json!(SALES), &json!("bot")));
    assert!(all_on(&world, &sales).await.is_empty(), "another bot's is not seen");
    // Looked up once, however much its customer writes.
    let asked = async || {
        let calls = world.eight.calls("get").await;
        calls
            .iter()
            .filter(|call| call["conversationId"] == json!(nobodys))
            .count()
    };
    eventually("8x8 is asked about the unknown channel's conversation", async || {
        (asked().await == 1).then_some(())
    })
    .await;
    for number in 0..5 {
        world.eight.customer_says(&nobodys, &format!("Anyone? {number}")).await;
    }
    world.eight.all_acknowledged().await;
    always("it is not asked for again", Duration::from_millis(600), async || {
        asked().await == 1 && newest_on(&world, &nobodys).await.is_none()
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn a_crash_between_keeping_the_first_words_and_opening_loses_none() {
    let mut world = with_whatsapp(|_| ()).await;
    // 8x8 cannot be asked before the crash.
    world
        .eight
        .fault(json!({"on": "api", "operation": "get", "status": 503, "times": 1000}))
        .await;
    let conversation = world.eight.customer(writing("First")).await;
    world.eight.customer_says(&conversation, "Second").await;
    world.eight.all_acknowledged().await;
    world.eight.calls_made("get", 1).await;
    assert_eq!(newest_on(&world, &conversation).await, None);
    world.gateway.kill();
    world.eight.clear_faults().await;
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    let id = handover_on(&world, &conversation).await;
    let told = ["conversation.started", "message.created", "message.created"];
    let events = world.bots.told(&id, &told).await;
    assert_eq!((events[1].text(), events[2].text()), ("First", "Second"));
    world.finish().await;
}

#[tokio::test]
async fn an_unanswered_create_delays_the_opening_of_what_may_be_its_own() {
    let mut world = with_whatsapp(|_| ()).await;
    world.tolerate("upstream-timeout");
    world.tolerate("a bot's call failed");
    let no_list = json!({"on": "api", "operation": "list", "status": 503, "times": 1000});
    // The create is taken and never answered, its events do not arrive, and 8x8 cannot list conversations.
    for fault in [
        json!({"on": "api", "operation": "create", "drop": "after"}),
        json!({"on": "webhook", "operation": "CONVERSATION_UPDATE", "drop": "before", "times": 20}),
        no_list,
    ] {
        world.eight.fault(fault).await;
    }
    let create = json!({"user": {"name": "Own"}, "channelId": WHATSAPP});
    let create = world.api.post("/v1/handovers", &create).await;
    let own = create.ok(504)["handoverId"].as_str().unwrap().to_owned();
    let taken = world.eight.conversations().await[0]["id"].clone();
    let kept_back = json!({"on": "webhook", "conversationId": taken, "drop": "before", "times": 10_000});
    world.eight.fault(kept_back).await;
    eventually("only what concerns the create is kept back", async || {
        (world.eight.faults_left().await.len() == 2).then_some(())
    })
    .await;
    let conversation = world.eight.customer(writing("Hello")).await;
    eventually("the customer's words are kept", async || {
        let events = world.eight.all_webhooks().await;
        let mut said = events.iter().filter(|event| event["eventType"] == "MESSAGE");
        said.any(|event| event["acked"] == true).then_some(())
    })
    .await;
    always("nothing opens meanwhile", Duration::from_millis(800), async || {
        newest_on(&world, &conversation).await.is_none()
    })
    .await;
    assert_eq!(world.api.handover(&own).await["state"], "creating");
    world.eight.clear_faults().await;
    let id = handover_on(&world, &conversation).await;
    kinds(&world, &id, &["conversation.started", "message.created"]).await;
    assert_eq!(world.api.handover(&own).await["conversationId"], taken);
    assert_eq!(all_on(&world, &conversation).await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn an_unanswered_create_in_another_channel_delays_nobody() {
    let mut world = with_whatsapp(|_| ()).await;
    world.tolerate("upstream-timeout");
    world.tolerate("a bot's call failed");
    for fault in [
        json!({"on": "api", "operation": "create", "drop": "before"}),
        json!({"on": "api", "operation": "list", "status": 503, "times": 1000}),
    ] {
        world.eight.fault(fault).await;
    }
    let create = world.api.post("/v1/handovers", &json!({"user": {"name": "Own"}})).await;
    let own = create.ok(504)["handoverId"].as_str().unwrap().to_owned();
    let (_, conversation) = begins_with_the_bot(&world).await;
    assert_eq!(all_on(&world, &conversation).await.len(), 1);
    assert_eq!(world.api.handover(&own).await["state"], "creating");
    world.eight.clear_faults().await;
    world.bots.event(&own, "handover.failed").await;
    world.finish().await;
}

#[tokio::test]
async fn early_events_of_a_bots_own_create_open_nothing() {
    let world = World::with(|setup| {
        // Even where the bot's own channel is one that conversations begin in.
        setup
            .config
            .set(&format!("bots.{SUPPORT}.inbound_channels"), json!(["sandbox-channel"]))
            .set(&format!("bots.{SUPPORT}.accept_conversation_active"), true);
    })
    .await;
    for dropped in [false, true] {
        let mut early = json!({"on": "api", "operation": "create", "event-before-202": true, "delay": "100ms"});
        if dropped {
            // Without the one event that carries the key.
            let body = json!({"on": "webhook", "operation": "CONVERSATION_UPDATE", "drop": "before", "times": 6});
            world.eight.fault(body).await;
            early["event-before-202"] = json!(false);
        }
        world.eight.fault(early).await;
        let (id, conversation) = world.api.open(json!({})).await;
        world.bots.event(&id, "handover.queued").await;
        world.eight.all_acknowledged().await;
        let all = all_on(&world, &conversation).await;
        assert_eq!((all.len(), &all[0]["origin"]), (1, &json!("bot")), "{all:?}");
        kinds(&world, &id, &["handover.accepted", "handover.queued"]).await;
        world.api.end(&id).await;
    }
    world.finish().await;
}

#[tokio::test]
async fn answers_to_quick_replies_and_cards_are_told_and_restart_nothing() {
    let world = with_whatsapp(|_| ()).await;
    let conversation = world.eight.customer(json!({"channelId": WHATSAPP})).await;
    let reply = json!({"do": "quick-reply", "title": "Yes", "payload": "yes"});
    world.eight.customer_does(&conversation, reply.clone()).await;
    world.eight.all_acknowledged().await;
    always("an answer opens nothing", Duration::from_millis(400), async || {
        newest_on(&world, &conversation).await.is_none()
    })
    .await;
    world.eight.customer_says(&conversation, "Hello").await;
    let id = handover_on(&world, &conversation).await;
    world.bots.event(&id, "message.created").await;
    world.eight.customer_does(&conversation, reply.clone()).await;
    world
        .eight
        .customer_does(&conversation, json!({"do": "card", "data": {"choice": 2}}))
        .await;
    world.eight.customer_does(&conversation, json!({"do": "type"})).await;
    let told = [
        "conversation.started",
        "action.submitted",
        "message.created",
        "action.submitted",
        "action.submitted",
    ];
    let events = world.bots.told(&id, &told).await;
    let yes =
        json!({"name": "quickReply/action", "value": {"type": "postback", "data": {"title": "Yes", "payload": "yes"}}});
    assert_eq!(events[3].data()["action"], yes);
    assert_eq!(events[4].data()["action"]["value"]["data"], json!({"choice": 2}));
    assert_eq!(world.api.handover(&id).await["state"], "bot");
    world.api.end(&id).await;
    world.bots.event(&id, "handover.ended").await;
    world.eight.all_acknowledged().await;
    world.eight.customer_does(&conversation, reply).await;
    world.eight.all_acknowledged().await;
    let late = eventually("the late answer is told", async || {
        let events = world.bots.events(&id);
        events.into_iter().nth(6)
    })
    .await;
    assert_eq!((late.kind(), &late.data()["late"]), ("action.submitted", &json!(true)));
    assert_eq!(all_on(&world, &conversation).await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_bot_that_ends_it_has_8x8_told_and_a_customer_who_writes_again_begins_anew() {
    let world = with_whatsapp(|_| ()).await;
    let conversation = world.eight.customer(writing("Hello")).await;
    let first = handover_on(&world, &conversation).await;
    world.bots.event(&first, "message.created").await;
    // The key of the handover gets into the conversation with what the bot tells of the user.
    let path = format!("/v1/handovers/{first}");
    world
        .api
        .patch(&path, &json!({"user": {"caseId": "4711"}}))
        .await
        .ok(202);
    let ended = world.api.end(&first).await;
    assert_eq!(
        (&ended["state"], &ended["endReason"]),
        (&json!("ended"), &json!("bot_ended"))
    );
    world.eight.calls_made("leave", 1).await;
    eventually("8x8's conversation is over", async || {
        (world.eight.conversation(&conversation).await["state"] == "idle").then_some(())
    })
    .await;
    world.eight.all_acknowledged().await;
    let told = [
        "conversation.started",
        "message.created",
        "conversation.updated",
        "handover.ended",
    ];
    // Leaving and idle came after the end: they opened nothing.
    kinds(&world, &first, &told).await;
    assert_eq!(all_on(&world, &conversation).await.len(), 1);
    world.eight.customer_says(&conversation, "One more thing").await;
    let second = eventually("a new handover", async || {
        newest_on(&world, &conversation).await.filter(|id| *id != first)
    })
    .await;
    let events = world
        .bots
        .told(&second, &["conversation.started", "message.created"])
        .await;
    assert_eq!(events[1].text(), "One more thing");
    let shown = world.api.handover(&second).await;
    assert_eq!(
        (&shown["reopenedFrom"], &shown["state"]),
        (&json!(first), &json!("bot"))
    );
    assert_eq!(world.api.handover(&first).await["state"], "ended");
    world.finish().await;
}

#[tokio::test]
async fn a_customer_who_writes_again_after_a_restart_begins_anew() {
    let mut world = with_whatsapp(|_| ()).await;
    let conversation = world.eight.customer(writing("Hello")).await;
    let first = handover_on(&world, &conversation).await;
    world.eight.customer_does(&conversation, json!({"do": "leave"})).await;
    let ended = world.bots.event(&first, "handover.ended").await;
    assert_eq!(ended.data()["reason"], "user_left");
    world.eight.all_acknowledged().await;
    world.kill_and_restart().await;
    world.eight.customer_says(&conversation, "Back again").await;
    let second = eventually("a new handover", async || {
        newest_on(&world, &conversation).await.filter(|id| *id != first)
    })
    .await;
    kinds(&world, &second, &["conversation.started", "message.created"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_silent_customer_is_timed_out_also_across_a_restart() {
    let mut world = with_whatsapp(|setup| {
        setup.config.set(&format!("bots.{SUPPORT}.idle_timeout"), "2s");
    })
    .await;
    let conversation = world.eight.customer(writing("Hello")).await;
    let id = handover_on(&world, &conversation).await;
    world.bots.event(&id, "message.created").await;
    world.restart().await;
    assert_eq!(world.api.handover(&id).await["state"], "bot");
    let ended = world.bots.event(&id, "handover.ended").await;
    assert_eq!(
        (&ended.data()["reason"], &ended.data()["outcome"]),
        (&json!("idle_timeout"), &json!("cancelled"))
    );
    world.eight.calls_made("leave", 1).await;
    world.finish().await;
}

#[tokio::test]
async fn what_is_posted_as_the_user_does_not_come_back() {
    let world = with_whatsapp(|_| ()).await;
    let conversation = world.eight.customer(writing("Hello")).await;
    let id = handover_on(&world, &conversation).await;
    world.bots.event(&id, "message.created").await;
    let path = format!("/v1/handovers/{id}/messages");
    for author in ["user", "bot"] {
        let said = json!({"text": format!("as {author}"), "authorType": author});
        world.api.post(&path, &said).await.ok(202);
    }
    world.eight.customer_says(&conversation, "as myself").await;
    let told = ["conversation.started", "message.created", "message.created"];
    let events = world.bots.told(&id, &told).await;
    assert_eq!(events[2].text(), "as myself");
    world.finish().await;
}

#[tokio::test]
async fn a_customer_who_writes_while_8x8_is_still_to_be_told_of_the_end_is_not_cut_off() {
    let world = with_whatsapp(|_| ()).await;
    let conversation = world.eight.customer(writing("Hello")).await;
    let first = handover_on(&world, &conversation).await;
    world.bots.event(&first, "message.created").await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "leave", "status": 503, "times": 1000}))
        .await;
    world.api.end(&first).await;
    world.eight.calls_made("leave", 1).await;
    world.eight.customer_says(&conversation, "Wait, one more thing").await;
    world.eight.all_acknowledged().await;
    always(
        "the new one waits for the end of the old one",
        Duration::from_millis(600),
        async || all_on(&world, &conversation).await.len() == 1,
    )
    .await;
    world.eight.clear_faults().await;
    let second = eventually("a new handover", async || {
        newest_on(&world, &conversation).await.filter(|id| *id != first)
    })
    .await;
    let events = world.bots.event(&second, "message.created").await;
    assert_eq!(events.text(), "Wait, one more thing");
    world.eight.all_acknowledged().await;
    assert_eq!(world.api.handover(&second).await["state"], "bot");
    world.finish().await;
}

#[tokio::test]
async fn what_opens_the_next_handover_is_not_of_the_one_before() {
    let mut world = with_whatsapp(|_| ()).await;
    world.tolerate("a conversation that began at 8x8 has no bot yet");
    let conversation = world.eight.customer(writing("Hello")).await;
    let first = handover_on(&world, &conversation).await;
    world.bots.event(&first, "message.created").await;
    world.api.end(&first).await;
    world.eight.calls_made("leave", 1).await;
    world.eight.all_acknowledged().await;
    // Its bot is found more than two seconds later only.
    let fault = json!({"on": "api", "operation": "get", "status": 503, "times": 4});
    world.eight.fault(fault).await;
    world.eight.customer_says(&conversation, "One more thing").await;
    let second = eventually("a new handover", async || {
        newest_on(&world, &conversation).await.filter(|id| *id != first)
    })
    .await;
    world.bots.event(&second, "message.created").await;
    for (id, text) in [(first, "Hello"), (second, "One more thing")] {
        let transcript = world.api.get(&format!("/v1/handovers/{id}/transcript")).await.ok(200);
        let entries = transcript["data"].as_array().unwrap();
        let texts: Vec<_> = entries.iter().map(|entry| entry["text"].clone()).collect();
        assert_eq!(texts, [text], "{transcript}");
    }
    world.finish().await;
}

/// A customer whom the bot put into a queue, and ended it there.
async fn ended_in_a_queue(world: &World) -> (String, String) {
    let (first, conversation) = begins_with_the_bot(world).await;
    route_to(world, &first, "102").await;
    world.bots.event(&first, "handover.queued").await;
    world.api.end(&first).await;
    world.eight.calls_made("leave", 1).await;
    world.eight.all_acknowledged().await;
    (first, conversation)
}

async fn reopen(world: &World, id: &str) -> String {
    let path = format!("/v1/handovers/{id}/reopen");
    let reopened = world.api.post(&path, &json!({"text": "Once more"})).await.ok(201);
    reopened["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_its_bot_reopens_is_not_told_as_begun_by_the_customer() {
    let world = with_whatsapp(|_| ()).await;
    let (first, conversation) = ended_in_a_queue(&world).await;
    let second = reopen(&world, &first).await;
    world.eight.all_acknowledged().await;
    kinds(&world, &second, &["handover.accepted"]).await;
    assert_eq!(all_on(&world, &conversation).await.len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn words_that_reopened_and_come_back_after_the_end_open_nothing() {
    let world = with_whatsapp(|_| ()).await;
    let (first, conversation) = ended_in_a_queue(&world).await;
    let late = json!({"on": "webhook", "operation": "MESSAGE", "drop": "before", "times": 1000});
    world.eight.fault(late).await;
    let second = reopen(&world, &first).await;
    world.api.end(&second).await;
    world.eight.calls_made("leave", 2).await;
    world.eight.clear_faults().await;
    world.eight.all_acknowledged().await;
    always("nothing opens", Duration::from_millis(800), async || {
        all_on(&world, &conversation).await.len() == 2
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn what_a_customer_writes_while_a_reopening_fails_is_heard_at_once() {
    let mut world = with_whatsapp(|setup| {
        setup.options.hang_limit = Duration::from_secs(1);
        setup.config.set("tenants.acme.send_wait", "1s");
    })
    .await;
    world.tolerate("upstream-timeout");
    world.tolerate("a bot's call failed");
    let (first, conversation) = ended_in_a_queue(&world).await;
    for fault in [
        json!({"on": "api", "operation": "message", "drop": "before"}),
        json!({"on": "api", "operation": "messages", "status": 503, "times": 1000}),
    ] {
        world.eight.fault(fault).await;
    }
    let path = format!("/v1/handovers/{first}/reopen");
    let reply = world.api.post(&path, &json!({"text": "Once more"})).await;
    let in_doubt = reply.ok(504)["handoverId"].as_str().unwrap().to_owned();
    world.eight.customer_says(&conversation, "Is anyone there?").await;
    world.eight.all_acknowledged().await;
    assert_eq!(
        all_on(&world, &conversation).await.len(),
        2,
        "whose words they are is not known yet"
    );
    world.eight.clear_faults().await;
    world.bots.event(&in_doubt, "handover.failed").await;
    let third = eventually("a handover of its own", async || {
        newest_on(&world, &conversation)
            .await
            .filter(|newest| *newest != in_doubt)
    })
    .await;
    let heard = world.bots.event(&third, "message.created").await;
    assert_eq!(heard.text(), "Is anyone there?");
    world.finish().await;
}

#[tokio::test]
async fn what_its_bot_reopens_and_8x8_does_not_queue_again_ends_soon_and_the_customer_is_heard() {
    let world = with_whatsapp(|_| ()).await;
    let (first, conversation) = ended_in_a_queue(&world).await;
    let second = reopen(&world, &first).await;
    world.bots.event(&second, "handover.ended").await;
    world.eight.customer_says(&conversation, "Hello again").await;
    let third = eventually("a handover of its own", async || {
        newest_on(&world, &conversation)
            .await
            .filter(|newest| *newest != second)
    })
    .await;
    assert_eq!(world.bots.event(&third, "message.created").await.text(), "Hello again");
    world.finish().await;
}

#[tokio::test]
async fn a_reopening_in_doubt_delays_nobody_else() {
    let mut world = with_whatsapp(|setup| {
        setup.options.hang_limit = Duration::from_secs(1);
        setup.config.set("tenants.acme.send_wait", "1s");
    })
    .await;
    world.tolerate("upstream-timeout");
    world.tolerate("a bot's call failed");
    let (first, _) = world.api.open(json!({})).await;
    world.api.end(&first).await;
    world.eight.calls_made("leave", 1).await;
    for fault in [
        json!({"on": "api", "operation": "message", "drop": "before"}),
        json!({"on": "api", "operation": "messages", "status": 503, "times": 1000}),
    ] {
        world.eight.fault(fault).await;
    }
    let path = format!("/v1/handovers/{first}/reopen");
    let reply = world.api.post(&path, &json!({"text": "Once more"})).await;
    let in_doubt = reply.ok(504)["handoverId"].as_str().unwrap().to_owned();
    begins_with_the_bot(&world).await;
    assert_eq!(world.api.handover(&in_doubt).await["state"], "creating");
    world.eight.clear_faults().await;
    world.bots.event(&in_doubt, "handover.failed").await;
    world.finish().await;
}
