//! What people said and who they are goes when a bot asks for it, or by its age: out of every answer, out of memory and out
//! of the files. The record stays.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use serde_json::json;

use handover_gateway::clock::Clock;
use handover_gateway::domain::Timestamp;

use crate::support::bot::CAPTURE;
use crate::support::client::Client;
use crate::support::config::SALES;
use crate::support::reply::Reply;
use crate::support::wait::eventually;
use crate::support::world::Setup;
use crate::support::world::World;

/// In everything that people say here, and in nothing else.
const CANARY: &str = "canary";
/// In everything that says who they are.
const NAME: &str = "kanarie";
const ADMIN: &str = "an-admin-token-of-24-char";

fn admin(world: &World) -> Client {
    world.api.with_key(Some(ADMIN)).at(&world.gateway.admin())
}

fn with_admin(setup: &mut Setup) {
    setup.config.set("admin.tokens", json!([ADMIN]));
}

fn create(number: usize) -> Value {
    let card = json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": {"type": "AdaptiveCard", "x": CANARY}});
    json!({
        "user": {"name": format!("{NAME} {number}"), "email": "kanarie@example.com", "userId": "kanarie-7",
            "additionalProperties": [{"key": "Intent", "value": NAME}]},
        "history": {"messages": [
            {"authorType": "user", "text": format!("{CANARY} history {number}")},
            {"authorType": "bot", "text": CANARY, "cards": [card]},
        ]},
        "metadata": {"ticket": NAME}, "botSessionId": format!("session-{number}"),
    })
}

/// A handover that is over, in which everybody said something, all of it told the bot.
async fn talk(world: &World, number: usize) -> (String, String) {
    let created = world
        .api
        .call(Method::POST, "/v1/handovers")
        .once(&format!("create-{number}"))
        .json(&create(number))
        .send()
        .await
        .ok(201);
    let text = |field: &str| created[field].as_str().unwrap().to_owned();
    let (id, conversation) = (text("id"), text("conversationId"));
    world
        .eight
        .agent(&conversation, json!({"do": "join", "agentName": NAME}))
        .await;
    world
        .eight
        .say(&conversation, &format!("{CANARY} agent {}", "x".repeat(6000)))
        .await;
    let message = json!({"text": format!("{CANARY} bot {number}"), "clientMessageId": "m-1"});
    world
        .api
        .post(&format!("/v1/handovers/{id}/messages"), &message)
        .await
        .ok(202);
    for event in [
        json!({"eventType": "MESSAGE", "data": {"isEcho": false, "text": CANARY, "cards": [],
            "sender": {"id": "agent-1", "type": "agent"}, "attachments": [{"id": "a-1", "type": "image", "fileName": "canary.png"}]}}),
        json!({"eventType": "SOMETHING_NEW", "data": {"x": CANARY}}),
    ] {
        world.eight.event(&conversation, json!({"body": event})).await;
    }
    world.bots.event(&id, "event.unrecognized").await;
    let end = json!({"reason": "user_left", "message": CANARY});
    world
        .api
        .call(Method::POST, &format!("/v1/handovers/{id}/end"))
        .once("end-1")
        .json(&end)
        .send()
        .await
        .ok(202);
    world.bots.event(&id, "handover.ended").await;
    world.eight.all_acknowledged().await;
    (id, conversation)
}

async fn erase(world: &World, id: &str) {
    let erase = world
        .api
        .call(Method::DELETE, &content(id))
        .header("x-request-id", "request-of-the-erase");
    let reply = erase.send().await;
    assert_eq!((reply.status, reply.text().as_str()), (204, ""), "{reply}");
}

fn content(id: &str) -> String {
    format!("/v1/handovers/{id}/content")
}

/// Every answer in which something of a handover may stand.
async fn answers(world: &World, id: &str, number: usize) -> Vec<String> {
    let mut answers = Vec::new();
    for path in [
        format!("/v1/handovers/{id}"),
        format!("/v1/handovers?botSessionId=session-{number}"),
        "/v1/handovers".to_owned(),
        format!("/v1/handovers/{id}/events"),
        "/v1/events?limit=1000".to_owned(),
        format!("/v1/handovers/{id}/transcript"),
        format!("/v1/handovers/{id}/timeline"),
    ] {
        let reply = world.api.get(&path).await;
        assert_eq!(reply.status, 200, "{reply}");
        answers.push(reply.to_string());
    }
    let text = world
        .api
        .call(Method::GET, &format!("/v1/handovers/{id}/transcript"))
        .header("accept", "text/plain");
    answers.push(text.send().await.to_string());
    let again = |path: String, key: String| world.api.call(Method::POST, &path).once(&key);
    let created = again("/v1/handovers".to_owned(), format!("create-{number}")).json(&create(number));
    let end = again(format!("/v1/handovers/{id}/end"), "end-1".to_owned());
    let end = end.json(&json!({"reason": "user_left", "message": CANARY}));
    for (reply, status) in [(created.send().await, 201), (end.send().await, 202)] {
        assert_eq!(reply.status, status, "{reply}");
        assert_eq!(reply.header("idempotent-replayed"), Some("true"), "{reply}");
        answers.push(reply.to_string());
    }
    answers
}

/// How often the word stands in the database and in the log beside it.
fn in_files(world: &World) -> usize {
    let store = world.gateway.store();
    let beside = |suffix: &str| std::path::PathBuf::from(format!("{}{suffix}", store.display()));
    let mut found = 0;
    for file in [store.clone(), beside("-wal")] {
        let bytes = std::fs::read(&file).unwrap_or_default();
        found += bytes
            .windows(CANARY.len())
            .filter(|window| *window == CANARY.as_bytes())
            .count();
    }
    found
}

fn has_words(text: &str) -> bool {
    text.contains(CANARY) || text.contains(NAME)
}

async fn gone_from_files(world: &World) {
    eventually("no word is left in the files", async || {
        (in_files(world) == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_erased_handover_shows_no_word_in_any_answer_nor_in_the_files() {
    let mut world = World::with(with_admin).await;
    let mut handovers = Vec::new();
    for number in 0..6 {
        handovers.push(talk(&world, number).await.0);
    }
    for (number, id) in handovers.iter().enumerate() {
        let with_words = answers(&world, id, number).await;
        assert!(
            with_words.iter().filter(|answer| has_words(answer)).count() >= 8,
            "{with_words:?}"
        );
    }
    assert!(in_files(&world) > 100);
    for id in &handovers {
        erase(&world, id).await;
        // From memory, at once.
        let shown = world.api.handover(id).await;
        assert!(!has_words(&shown.to_string()), "{shown}");
        assert!(shown["erasedAt"].is_string() && shown["state"] == "ended", "{shown}");
    }
    for restarted in [false, true] {
        if restarted {
            world.restart().await;
        }
        for (number, id) in handovers.iter().enumerate() {
            for answer in answers(&world, id, number).await {
                assert!(!has_words(&answer), "{answer}");
            }
        }
    }
    let id = &handovers[0];
    let transcript = world.api.get(&format!("/v1/handovers/{id}/transcript")).await.ok(200);
    assert_eq!(
        transcript,
        json!({"data": [], "complete": false, "erased": true}),
        "8x8 still has it"
    );
    let events = world.api.events(id).await;
    assert!(events.iter().all(|event| event["data"]["erased"] == true), "{events:?}");
    let said = events.iter().find(|event| event["type"] == "message.created").unwrap();
    assert_eq!(said["data"]["message"]["sender"], json!({"type": "agent"}));
    let ended = events.iter().find(|event| event["type"] == "handover.ended").unwrap();
    assert_eq!(ended["data"]["reason"], "user_left");
    let file = world.api.get(&format!("/v1/handovers/{id}/attachments/a-1")).await;
    assert_eq!(file.status, 404, "{file}");
    gone_from_files(&world).await;
    let audit = admin(&world).get("/audit").await.ok(200);
    let entries = audit["data"].as_array().unwrap();
    assert_eq!(entries.len(), handovers.len(), "{audit}");
    let newest = &entries[0];
    assert_eq!(newest["action"], "content.erase");
    assert_eq!(newest["actor"], "bot:support");
    assert_eq!(newest["target"], *handovers.last().unwrap());
    assert_eq!(newest["requestId"], "request-of-the-erase");
    let log = world.finish().await;
    let line = log.with_message("audit");
    assert_eq!(line.len(), handovers.len(), "each entry is in the log too");
    assert!(!has_words(&log.text()));
}

#[tokio::test]
async fn what_goes_on_is_not_erased_and_anothers_is_not_found_and_a_repeat_does_nothing_more() {
    let world = World::with(with_admin).await;
    let (id, _) = world.api.open(json!({})).await;
    let refused = world.api.call(Method::DELETE, &content(&id)).send().await.ok(409);
    assert_eq!(refused["code"], "handover-not-active");
    assert_eq!(refused["handoverId"], id.as_str());
    assert_eq!(world.api.handover(&id).await["user"]["name"], "James Jones");
    world.api.end(&id).await;
    let other = world.api.of_bot(SALES);
    for path in [content(&id), content("ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00")] {
        assert_eq!(other.call(Method::DELETE, &path).send().await.status, 404);
    }
    assert_eq!(world.api.handover(&id).await["user"]["name"], "James Jones");
    erase(&world, &id).await;
    let first = world.api.handover(&id).await;
    erase(&world, &id).await;
    assert_eq!(world.api.handover(&id).await, first);
    let audit = admin(&world).get("/audit").await.ok(200);
    assert_eq!(audit["data"].as_array().unwrap().len(), 1, "{audit}");
    world.finish().await;
}

#[tokio::test]
async fn events_that_wait_for_the_bot_are_delivered_without_words() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    world.bots.answer(usize::MAX, Reply::status(500), |callback| {
        callback.text().contains(CANARY)
    });
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, CANARY).await;
    eventually("the bot refuses what the agent said", async || {
        world
            .bots
            .attempts(&id)
            .iter()
            .any(|callback| callback.text() == CANARY)
            .then_some(())
    })
    .await;
    world.api.end(&id).await;
    erase(&world, &id).await;
    world.bots.event(&id, "handover.ended").await;
    let attempts = world.bots.attempts(&id);
    let taken = attempts
        .iter()
        .rfind(|callback| callback.kind() == "message.created")
        .unwrap();
    assert_eq!(taken.answered, Some(204));
    assert_eq!(taken.data()["erased"], true);
    world.finish().await;
}

#[tokio::test]
async fn a_webhook_that_was_to_be_passed_on_fails_once_it_is_erased_and_holds_nothing_up() {
    let world = World::with(|setup| {
        let text = setup.config.text();
        let callback_url = text.lines().find(|line| line.starts_with("bots.support.callback_url"));
        let callback_url = callback_url.unwrap().split('"').nth(1).unwrap();
        let captured = callback_url.replace("support", CAPTURE);
        setup
            .config
            .set("bots.support.callback_url", captured)
            .set("bots.support.format", "passthrough");
    })
    .await;
    world.bots.answer(usize::MAX, Reply::status(500), |_| true);
    let (id, _) = world.api.open(json!({})).await;
    world.bots.callback("a webhook is passed on", |_| true).await;
    world.api.end(&id).await;
    erase(&world, &id).await;
    let path = format!("/v1/handovers/{id}/timeline");
    eventually("what was to be passed on failed as erased", async || {
        let timeline = world.api.get(&path).await.ok(200);
        let lines = timeline["data"].as_array().unwrap();
        lines
            .iter()
            .any(|line| line["reason"] == "erased" && line["status"] == "failed")
            .then_some(())
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn what_an_agent_says_after_the_erase_is_told_without_words_and_not_kept() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    world.api.end(&id).await;
    world.bots.event(&id, "handover.ended").await;
    erase(&world, &id).await;
    let late = json!({"eventType": "MESSAGE", "data": {"isEcho": false, "text": CANARY, "cards": [], "attachments": [],
        "sender": {"id": "agent-1", "type": "agent", "name": CANARY}}});
    world.eight.event(&conversation, json!({"body": late})).await;
    let told = world.bots.event(&id, "message.created").await;
    assert_eq!(
        (told.data()["erased"].clone(), told.data()["late"].clone()),
        (json!(true), json!(true))
    );
    assert!(!String::from_utf8_lossy(&told.raw).contains(CANARY));
    world.eight.all_acknowledged().await;
    assert_eq!(in_files(&world), 0);
    world.finish().await;
}

#[tokio::test]
async fn an_erased_handover_can_be_reopened_without_what_was_known_of_the_user() {
    let world = World::start().await;
    let (id, _) = world.api.open(json!({"metadata": {"x": CANARY}})).await;
    world.api.end(&id).await;
    erase(&world, &id).await;
    let path = format!("/v1/handovers/{id}/reopen");
    let reopened = eventually("8x8 has confirmed the end", async || {
        let reply = world.api.post(&path, &json!({"text": "Hello again"})).await;
        (reply.status == 201).then(|| reply.json())
    })
    .await;
    assert_eq!(reopened["user"], json!({}));
    assert_eq!(reopened["metadata"], json!({}));
    assert!(reopened.get("erasedAt").is_none(), "{reopened}");
    let new = reopened["id"].as_str().unwrap();
    let transcript = world.api.get(&format!("/v1/handovers/{new}/transcript")).await.ok(200);
    assert_eq!(transcript["data"][0]["text"], "Hello again");
    world.finish().await;
}

#[tokio::test]
async fn words_go_by_their_age_and_those_of_what_goes_on_or_is_not_delivered_stay() {
    let mut world = World::with(|setup| {
        with_admin(setup);
        setup.config.set("store.content_retention", "1s");
    })
    .await;
    let (old, _) = talk(&world, 1).await;
    let (live, _) = world.api.open(json!({"botSessionId": "live"})).await;
    let (waiting, _) = world.api.open(json!({"botSessionId": "waiting"})).await;
    world.bots.event(&waiting, "handover.queued").await;
    let refused = waiting.clone();
    world.bots.answer(usize::MAX, Reply::status(500), move |callback| {
        callback.handover() == refused && callback.kind() == "handover.ended"
    });
    let ended = world.api.end(&waiting).await;
    let ended = Timestamp::parse_rfc3339(ended["endedAt"].as_str().unwrap()).unwrap();
    eventually("a second has passed", async || {
        let now = Clock::system().now();
        (now.since(ended) > Duration::from_millis(1100)).then_some(())
    })
    .await;
    // The first round is at the start.
    world.restart().await;
    eventually("the old one is erased", async || {
        world.api.handover(&old).await["erasedAt"].is_string().then_some(())
    })
    .await;
    let audit = eventually("the round is in the audit log", async || {
        let audit = admin(&world).get("/audit").await.ok(200);
        audit["data"][0].is_object().then_some(audit)
    })
    .await;
    assert_eq!(audit["data"][0]["action"], "content.retention");
    assert_eq!(audit["data"][0]["counts"], json!({"handovers": 1}));
    for id in [&live, &waiting] {
        assert_eq!(world.api.handover(id).await["user"]["name"], "James Jones", "{id}");
    }
    gone_from_files(&world).await;
    world.bots.forget_rules();
    world.bots.event(&waiting, "handover.ended").await;
    world.finish().await;
}
