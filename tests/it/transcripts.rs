//! What was said and what happened, read back: transcripts and timelines.

use serde_json::Value;
use serde_json::json;

use crate::support::bot::Callback;
use crate::support::config::SALES;
use crate::support::files::FileServer;
use crate::support::files::bytes;
use crate::support::reply::Reply;
use crate::support::wait::eventually;
use crate::support::world::World;

async fn transcript(world: &World, id: &str) -> Value {
    world.api.get(&format!("/v1/handovers/{id}/transcript")).await.ok(200)
}

async fn as_text(world: &World, id: &str) -> String {
    let path = format!("/v1/handovers/{id}/transcript");
    let call = world.api.call(http::Method::GET, &path).header("accept", "text/plain");
    let reply = call.send().await;
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    reply.text()
}

/// Author, text and origin of each entry.
fn said(transcript: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entries = transcript["data"].as_array().unwrap();
    entries
        .iter()
        .map(|entry| {
            (
                text(&entry["author"]["type"]),
                text(&entry["text"]),
                text(&entry["origin"]),
            )
        })
        .collect()
}

fn expected(lines: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    let own = |text: &str| text.to_owned();
    lines
        .iter()
        .map(|(author, text, origin)| (own(author), own(text), own(origin)))
        .collect()
}

async fn told(world: &World, id: &str, text: &str) {
    eventually(&format!("the bot is told `{text}`"), async || {
        let events = world.bots.events(id);
        events.iter().any(|event| event.text() == text).then_some(())
    })
    .await;
}

fn card() -> Value {
    json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": {"type": "AdaptiveCard"}})
}

/// A handover that is over, in which both sides said something; and the id of what the bot posted.
async fn told_all(world: &World) -> (String, Value) {
    let history =
        json!([{"authorType": "user", "text": "Balance?"}, {"authorType": "bot", "text": "Wait", "cards": [card()]}]);
    let (id, conversation) = world.api.open(json!({"history": {"messages": history}})).await;
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "Hello").await;
    told(world, &id, "Hello").await;
    let message = json!({"text": "Hi\nI am James", "clientMessageId": "m-1"});
    let path = format!("/v1/handovers/{id}/messages");
    let posted = world.api.post(&path, &message).await.ok(202);
    let attached = json!({"eventType": "MESSAGE", "data": {"isEcho": false, "text": "", "cards": [],
        "sender": {"id": "agent-1", "type": "agent"},
        "attachments": [{"id": "a-1", "type": "image", "fileName": "bill.png", "preSignedUrl": "https://x.invalid/s3cret"}]}});
    world.eight.event(&conversation, json!({"body": attached})).await;
    eventually("the attachment", async || {
        (world.api.events(&id).await.len() == 5).then_some(())
    })
    .await;
    world.api.end(&id).await;
    world.eight.say(&conversation, "Too late").await;
    told(world, &id, "Too late").await;
    (id, posted["messageId"].clone())
}

#[tokio::test]
async fn a_transcript_has_both_sides_in_order_and_survives_a_crash() {
    let mut world = World::start().await;
    let (id, posted) = told_all(&world).await;
    let lines = expected(&[
        ("user", "Balance?", "history"),
        ("bot", "Wait", "history"),
        ("agent", "Hello", "received"),
        ("user", "Hi\nI am James", "posted"),
        ("agent", "", "received"),
        ("agent", "Too late", "received"),
    ]);
    let before = transcript(&world, &id).await;
    assert_eq!(said(&before), lines, "{before:#}");
    assert_eq!(before["complete"], true);
    let data = before["data"].as_array().unwrap();
    assert_eq!(data[1]["cards"], json!([card()]));
    assert_eq!(
        (&data[3]["id"], &data[3]["status"], &data[3]["clientMessageId"]),
        (&posted, &json!("accepted"), &json!("m-1"))
    );
    assert_eq!(data[3]["author"], json!({"type": "user", "name": "James Jones"}));
    assert_eq!(data[2]["author"], json!({"type": "agent", "id": "agent-1"}));
    let file = &data[4]["attachments"][0];
    assert_eq!(
        (&file["id"], &file["filename"], &file["contentType"]),
        (&json!("a-1"), &json!("bill.png"), &json!("image"))
    );
    assert!(
        file["url"].as_str().unwrap().contains("/attachments/"),
        "a link of our own: {file}"
    );
    assert_eq!((&data[5]["late"], &data[2]["late"]), (&json!(true), &Value::Null));
    let joined = before["participants"].as_array().unwrap();
    assert!(
        joined
            .iter()
            .any(|one| one["id"] == "agent-1" && one["type"] == "agent")
    );
    world.kill_and_restart().await;
    assert_eq!(said(&transcript(&world, &id).await), lines);
    world.finish().await;
}

#[tokio::test]
async fn a_transcript_reads_as_text_and_is_its_bots_own() {
    let world = World::start().await;
    let (id, _) = told_all(&world).await;
    let text = as_text(&world, &id).await;
    assert!(text.contains("] James Jones (user): Hi\n    I am James\n"), "{text}");
    assert!(text.contains("] agent-1 (agent): Hello\n"), "{text}");
    assert!(text.contains("] bot: Wait [card]\n"), "{text}");
    assert!(text.contains("] agent-1 (agent): [attachment bill.png]\n"), "{text}");
    assert!(
        !text.contains("could not be asked") && !text.contains("s3cret"),
        "{text}"
    );
    let sales = world.api.of_bot(SALES);
    for call in ["transcript", "timeline"] {
        let path = format!("/v1/handovers/{id}/{call}");
        assert_eq!(sales.get(&path).await.ok(404)["code"], "not-found");
    }
    world.finish().await;
}

/// The files an entry shows, each with whether its link opens these bytes.
async fn shown_files(world: &World, entry: &Value, bytes: &[u8]) -> Vec<(Value, Value, bool)> {
    let mut shown = Vec::new();
    for file in entry["attachments"].as_array().unwrap() {
        let opens = match file["url"].as_str() {
            Some(url) => {
                let reply = world.api.with_key(None).get(url).await;
                reply.status == 200 && reply.body == bytes
            }
            None => false,
        };
        shown.push((file["id"].clone(), file["filename"].clone(), opens));
    }
    shown
}

#[tokio::test]
async fn files_that_the_bot_posted_are_in_the_transcript_with_links_that_open() {
    let mut world = World::start().await;
    let files = FileServer::start().await;
    let history =
        json!({"messages": [{"authorType": "user", "attachments": [{"url": files.url("/size/10/before.pdf")}]}]});
    let (id, conversation) = world.api.open(json!({"history": history})).await;
    let content = bytes(10);
    let sent = world
        .api
        .upload_file(&id, "uploaded.txt", &content)
        .send()
        .await
        .ok(201);
    let path = format!("/v1/handovers/{id}/messages");
    let fetched = json!({"url": files.url("/size/10/fetched.png")});
    let named = json!({"id": sent["id"], "filename": "uploaded.txt"});
    let message = json!({"text": "see these", "attachments": [named, fetched]});
    world.api.post(&path, &message).await.ok(202);
    let lost = json!({"attachments": [{"url": files.url("/status/404"), "filename": "lost.pdf"}]});
    assert_eq!(world.api.post(&path, &lost).await.status, 422);
    let at_8x8 = world.eight.conversation(&conversation).await;
    let all = at_8x8["attachments"].as_array().unwrap();
    let fetched = all.iter().find(|file| file["filename"] == "fetched.png").unwrap();
    for restarted in [false, true] {
        if restarted {
            world.kill_and_restart().await;
        }
        let shown = transcript(&world, &id).await;
        let lines = [
            ("user", "[File: before.pdf]", "history"),
            ("user", "see these", "posted"),
            ("user", "", "posted"),
        ];
        assert_eq!(said(&shown), expected(&lines), "{shown:#}");
        let data = shown["data"].as_array().unwrap();
        let posted = [
            (sent["id"].clone(), json!("uploaded.txt"), true),
            (fetched["id"].clone(), json!("fetched.png"), true),
        ];
        assert_eq!(shown_files(&world, &data[1], &content).await, posted);
        let missing = [(Value::Null, json!("lost.pdf"), false)];
        assert_eq!(shown_files(&world, &data[2], &content).await, missing);
        assert_eq!(data[2]["status"], "failed");
    }
    let text = as_text(&world, &id).await;
    for line in [
        "] James Jones (user): [File: before.pdf]\n",
        "] James Jones (user): see these [attachment uploaded.txt] [attachment fetched.png]\n",
        "] James Jones (user): [attachment lost.pdf] (did not reach the agent)\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    world.finish().await;
}

/// 8x8 says each event once, and gives it up when it is not taken.
async fn world_that_is_told_once() -> World {
    World::with(|setup| setup.options.retry_schedule = Vec::new()).await
}

async fn says_unheard(world: &World, conversation: &str, text: &str) {
    world
        .eight
        .fault(json!({"on": "webhook", "operation": "MESSAGE", "drop": "before"}))
        .await;
    world.eight.say(conversation, text).await;
    eventually("the event is lost", async || {
        world.eight.faults_left().await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_was_said_while_the_gateway_was_away_is_read_from_8x8_and_nothing_twice() {
    let mut world = world_that_is_told_once().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    world.eight.say(&conversation, "OK").await;
    told(&world, &id, "OK").await;
    world.api.say(&id, "Thanks").await;
    // The same words again, of which nobody here was told.
    says_unheard(&world, &conversation, "OK").await;
    says_unheard(&world, &conversation, "Anything else?").await;
    world.eight.say(&conversation, "Hello?").await;
    told(&world, &id, "Hello?").await;
    let lines = [
        ("agent", "OK", "received"),
        ("user", "Thanks", "posted"),
        ("agent", "OK", "backfilled"),
        ("agent", "Anything else?", "backfilled"),
        ("agent", "Hello?", "received"),
    ];
    let shown = transcript(&world, &id).await;
    assert_eq!(said(&shown), expected(&lines), "{shown:#}");
    assert_eq!(shown["complete"], true);
    assert_eq!(shown["data"][3]["author"], json!({"type": "agent", "id": "agent-1"}));
    let logged = world.api.events(&id).await;
    assert!(
        logged
            .iter()
            .all(|event| event["data"]["message"]["text"] != "Anything else?"),
        "what is read is not an event"
    );
    assert_eq!(said(&transcript(&world, &id).await), expected(&lines), "nor is it kept");

    world
        .eight
        .fault(json!({"on": "api", "operation": "messages", "status": 500, "times": 100}))
        .await;
    let known = transcript(&world, &id).await;
    assert_eq!(known["complete"], false);
    assert_eq!(said(&known), expected(&[lines[0], lines[1], lines[4]]));
    assert!(as_text(&world, &id).await.contains("(8x8 could not be asked in full"));
    world.eight.clear_faults().await;

    // Away altogether: what an agent says then is lost to the log.
    world.gateway.kill();
    world.eight.say(&conversation, "Are you there?").await;
    eventually("8x8 has tried", async || {
        let all = world.eight.all_webhooks().await;
        all.last().unwrap()["attempts"]
            .as_array()
            .is_some_and(|tried| !tried.is_empty())
            .then_some(())
    })
    .await;
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    let after = transcript(&world, &id).await;
    assert_eq!(
        said(&after).last(),
        expected(&[("agent", "Are you there?", "backfilled")]).last()
    );
    world.finish().await;
}

#[tokio::test]
async fn what_8x8s_list_leaves_out_of_a_message_is_asked_for() {
    let world = World::with(|setup| {
        setup.options.retry_schedule = Vec::new();
        setup.options.lean_messages = true;
    })
    .await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    world
        .eight
        .fault(json!({"on": "webhook", "operation": "MESSAGE", "drop": "before"}))
        .await;
    let says = json!({"do": "say", "cards": [card()]});
    world.eight.agent(&conversation, says).await;
    eventually("the event is lost", async || {
        world.eight.faults_left().await.is_empty().then_some(())
    })
    .await;
    let shown = transcript(&world, &id).await;
    assert_eq!(
        (&shown["data"][0]["origin"], &shown["data"][0]["cards"]),
        (&json!("backfilled"), &json!([card()]))
    );
    let asked = ["message-get", "message-cards"];
    for operation in asked {
        assert_eq!(world.eight.calls(operation).await.len(), 1, "{operation}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_transcript_of_what_8x8_never_had_is_what_the_bot_gave() {
    let mut world = World::start().await;
    world.tolerate("upstream-rejected");
    let history = json!({"messages": [{"authorType": "user", "text": "Balance?"}]});
    let refused = world
        .api
        .post(
            "/v1/handovers",
            &json!({"user": {}, "queueId": "999", "history": history}),
        )
        .await
        .ok(422);
    let id = refused["handoverId"].as_str().unwrap();
    let shown = transcript(&world, id).await;
    assert_eq!(said(&shown), expected(&[("user", "Balance?", "history")]));
    assert_eq!(
        (&shown["complete"], &shown["participants"]),
        (&json!(true), &Value::Null)
    );
    let happened = world.api.get(&format!("/v1/handovers/{id}/timeline")).await.ok(200);
    let create = happened["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["kind"] == "call");
    assert_eq!(create.unwrap()["outcome"], "failed", "{happened:#}");
    assert_eq!(happened["interactions"], json!([]));
    world.finish().await;
}

/// Joined, said, answered and ended, with one callback that failed at first; the timeline once all of it is recorded.
async fn happened(world: &World) -> (String, Value) {
    let failing = |callback: &Callback| callback.kind() == "agent.joined";
    world.bots.answer(1, Reply::status(500), failing);
    let (id, conversation) = world.api.open(json!({"user": {"name": "Xerxes"}})).await;
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "a-word-of-the-agent").await;
    told(world, &id, "a-word-of-the-agent").await;
    world.api.say(&id, "a-word-of-the-user").await;
    let end = json!({"message": "a-word-of-farewell"});
    world.api.post(&format!("/v1/handovers/{id}/end"), &end).await.ok(202);
    world.bots.event(&id, "handover.ended").await;
    world.eight.calls_made("leave", 1).await;
    world.eight.all_acknowledged().await;
    let happened = eventually("8x8's answer and the last delivery are recorded", async || {
        let happened = timeline(world, &id).await;
        let left = of_kind(&happened, "call");
        let left = left
            .iter()
            .any(|line| line["call"] == "leave" && line["outcome"] == "done");
        let sequence = |line: &Value| line["sequence"].as_u64();
        let last = of_kind(&happened, "event").iter().filter_map(sequence).max();
        let tried = of_kind(&happened, "attempt").iter().any(|line| sequence(line) == last);
        (left && tried).then_some(happened)
    })
    .await;
    (id, happened)
}

async fn timeline(world: &World, id: &str) -> Value {
    world.api.get(&format!("/v1/handovers/{id}/timeline")).await.ok(200)
}

fn of_kind(timeline: &Value, kind: &str) -> Vec<Value> {
    let lines = timeline["data"].as_array().unwrap();
    lines.iter().filter(|line| line["kind"] == kind).cloned().collect()
}

fn texts(lines: &[Value], field: &str) -> Vec<String> {
    lines
        .iter()
        .map(|line| line[field].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_timeline_tells_what_happened() {
    let world = World::start().await;
    let (id, happened) = happened(&world).await;
    let states = texts(&of_kind(&happened, "state"), "to");
    assert_eq!(states, ["creating", "queued", "active", "ended"]);
    let log = texts(&world.api.events(&id).await, "type");
    assert_eq!(texts(&of_kind(&happened, "event"), "type"), log);
    let tries = of_kind(&happened, "attempt");
    let of_third: Vec<_> = tries
        .iter()
        .filter(|line| line["sequence"] == 3)
        .map(|line| (line["number"].as_u64().unwrap(), line["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(of_third, [(1, 500), (2, 204)]);
    assert!(tries.iter().all(|line| line["latencyMs"].is_u64()));
    let calls = of_kind(&happened, "call");
    assert_eq!(texts(&calls, "call"), ["create", "message", "leave"]);
    assert_eq!(texts(&calls, "outcome"), ["done", "done", "done"]);
    let message = &of_kind(&happened, "message")[0];
    assert_eq!(
        (&message["messageId"], &message["status"]),
        (&calls[1]["messageId"], &json!("accepted"))
    );
    let times = texts(happened["data"].as_array().unwrap(), "at");
    assert!(times.is_sorted(), "{happened:#}");
    assert_eq!(happened["truncated"], false);
    world.finish().await;
}

#[tokio::test]
async fn a_timeline_has_8x8s_references_and_nobodys_words() {
    let world = World::start().await;
    let (id, happened) = happened(&world).await;
    let theirs = world.eight.conversations().await[0]["interactions"].clone();
    assert_eq!(happened["interactions"][0]["id"], theirs[0]["id"]);
    assert!(happened["interactions"][0]["startedAt"].is_string());
    let text = happened.to_string();
    for word in ["a-word-of", "Xerxes", "eght_sandbox", "whsec_", "http://"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    world
        .eight
        .fault(json!({"on": "api", "operation": "interactions", "status": 503, "times": 10}))
        .await;
    let unasked = timeline(&world, &id).await;
    assert_eq!(
        (&unasked["data"], &unasked["interactions"]),
        (&happened["data"], &Value::Null)
    );
    world.finish().await;
}
