//! What goes through the gateway in either direction, and that it arrives as it was.

use serde_json::Value;
use serde_json::json;

use crate::support::wait::eventually;
use crate::support::world::World;

#[tokio::test]
async fn metadata_comes_back_to_the_byte() {
    let world = World::start().await;
    let metadata = r#"{ "b" : 1.0,  "a":[1e2, "\u00e9é"], "id": 12345678901234567890.5 }"#;
    let body = format!(r#"{{"user":{{"name":"J"}},"metadata":{metadata}}}"#);
    let reply = world
        .api
        .call(http::Method::POST, "/v1/handovers")
        .body(body)
        .send()
        .await;
    let id = reply.ok(201)["id"].as_str().unwrap().to_owned();
    assert!(reply.text().contains(&format!("\"metadata\":{metadata}")), "{reply}");
    let told = world.bots.event(&id, "handover.queued").await;
    let raw = String::from_utf8(told.raw.to_vec()).unwrap();
    assert!(raw.contains(&format!("\"metadata\":{metadata}")), "{raw}");
    world.finish().await;
}

#[tokio::test]
async fn history_user_and_properties_reach_8x8() {
    let world = World::start().await;
    let card = r#"{"contentType": "application/vnd.microsoft.card.adaptive","content": {"z":1.0,  "a": [true ,null]}}"#;
    let body = format!(
        r#"{{"user":{{"name":"James Jones","userId":"u-1","language":"en-GB","additionalProperties":[{{"key":"Intent","value":"balance"}}]}},
            "assignment":{{"type":"queue","id":"102"}},
            "history":{{"messages":[{{"authorType":"user","text":"  My balance, please "}},{{"authorType":"bot","cards":[{card}]}}]}},
            "properties":{{"user":{{"customerId":"c-9"}}}}}}"#
    );
    let reply = world
        .api
        .call(http::Method::POST, "/v1/handovers")
        .body(body)
        .send()
        .await
        .ok(201);
    assert_eq!(reply["queue"]["id"], "102");
    let call = world.eight.calls("create").await.remove(0);
    assert!(call["raw"].as_str().unwrap().contains(card), "{call}");
    let sent = &call["body"];
    assert_eq!(sent["assignment"], json!({"type": "queue", "id": "102"}));
    assert_eq!(
        sent["history"]["messages"][0],
        json!({"authorType": "user", "text": "  My balance, please "})
    );
    assert_eq!(
        (&sent["user"]["language"], &sent["user"]["customerId"]),
        (&json!("en"), &json!("c-9"))
    );
    let properties = &sent["user"]["additionalProperties"];
    assert_eq!(properties[0], json!({"key": "Intent", "value": "balance"}));
    assert_eq!(properties[1], json!({"key": "handoverId", "value": reply["id"]}));
    world.finish().await;
}

#[tokio::test]
async fn a_history_that_is_too_long_keeps_its_newest_and_says_so() {
    let world = World::start().await;
    let messages: Vec<_> = (0..250)
        .map(|n| json!({"authorType": "user", "text": format!("line {n}")}))
        .collect();
    let (_, conversation) = world.api.open(json!({"history": {"messages": messages}})).await;
    let history = world.eight.conversation(&conversation).await["history"].clone();
    let history = history.as_array().unwrap();
    assert_eq!(history.len(), 200);
    assert!(history[0]["text"].as_str().unwrap().contains("51"), "{}", history[0]);
    assert_eq!(
        (&history[1]["text"], &history[199]["text"]),
        (&json!("line 51"), &json!("line 249"))
    );
    world.finish().await;
}

#[tokio::test]
async fn messages_and_cards_reach_8x8_as_they_were_and_in_order() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    let path = format!("/v1/handovers/{id}/messages");
    let card = r#"{"content": {"b":1.0,"a" : 2}, "contentType":"application/8x8.quick.replies"}"#;
    let body = format!(r#"{{"text":" Grüße 👋\n","cards":[{card}],"authorType":"bot"}}"#);
    let sent = world
        .api
        .call(http::Method::POST, &path)
        .body(body)
        .send()
        .await
        .ok(202);
    assert_eq!(sent["status"], "accepted");
    assert!(sent["messageId"].as_str().unwrap().starts_with("msg_"), "{sent}");
    for number in 0..5 {
        world.api.say(&id, &format!("message {number}")).await;
    }
    let calls = world.eight.calls("message").await;
    assert!(calls[0]["raw"].as_str().unwrap().contains(card), "{}", calls[0]);
    assert_eq!(
        (&calls[0]["body"]["text"], &calls[0]["body"]["authorType"]),
        (&json!(" Grüße 👋\n"), &json!("bot"))
    );
    let expected = [
        " Grüße 👋\n",
        "message 0",
        "message 1",
        "message 2",
        "message 3",
        "message 4",
    ];
    assert_eq!(world.eight.texts(&conversation).await, expected);
    assert_eq!(calls[1]["body"]["authorType"], "user");
    // 8x8 sends back what the bot said: that is no news.
    world.eight.all_acknowledged().await;
    world.bots.told(&id, &["handover.accepted", "handover.queued"]).await;
    world.finish().await;
}

#[tokio::test]
async fn messages_sent_at_once_all_arrive_once() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    let sends = (0..20).map(|number| {
        let (api, id) = (world.api.clone(), id.clone());
        async move { api.say(&id, &format!("message {number}")).await }
    });
    futures_util::future::join_all(sends).await;
    let mut texts = world.eight.texts(&conversation).await;
    texts.sort();
    let mut expected: Vec<_> = (0..20).map(|number| format!("message {number}")).collect();
    expected.sort();
    assert_eq!(texts, expected);
    world.finish().await;
}

#[tokio::test]
async fn a_long_text_is_split_between_words_under_one_message() {
    let world = World::with(|setup| {
        setup.config.set("tenants.acme.message_limit", 100);
    })
    .await;
    let (id, conversation) = world.api.open(json!({})).await;
    let words: Vec<_> = (0..60).map(|n| format!("word{n:02}")).collect();
    let text = words.join(" ");
    let sent = world.api.say(&id, &text).await;
    assert_eq!(sent["status"], "accepted");
    let parts = world.eight.texts(&conversation).await;
    assert!(
        parts.len() > 4 && parts.iter().all(|part| part.chars().count() <= 100),
        "{parts:?}"
    );
    assert_eq!(parts.join(" "), text);
    world.finish().await;
}

#[tokio::test]
async fn typing_goes_both_ways() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    let joined = world.bots.event(&id, "agent.joined").await;
    world
        .api
        .post(&format!("/v1/handovers/{id}/typing"), &json!({}))
        .await
        .ok(204);
    let signal = eventually("8x8 is told", async || {
        world.eight.conversation(&conversation).await["signals"]
            .as_array()
            .unwrap()
            .first()
            .cloned()
    })
    .await;
    assert_eq!(
        (&signal["signal"], &signal["body"]["authorType"]),
        (&json!("typing"), &json!("user"))
    );
    world.eight.agent(&conversation, json!({"do": "type"})).await;
    let told = world
        .bots
        .callback("the bot is told", |callback| callback.kind() == "agent.typing")
        .await;
    assert_eq!(
        (&told.data()["ephemeral"], told.sequence()),
        (&json!(true), joined.sequence())
    );
    assert_eq!(told.data()["typing"]["active"], true);
    assert_eq!(
        told.data()["typing"]["users"],
        json!([{"id": "agent-1", "type": "agent"}])
    );
    world.eight.agent(&conversation, json!({"do": "stop-typing"})).await;
    world
        .bots
        .callback("the bot is told of the end", |callback| {
            callback.kind() == "agent.typing" && callback.data()["typing"]["active"] == false
        })
        .await;
    let logged = world.api.events(&id).await;
    assert!(logged.iter().all(|event| event["type"] != "agent.typing"));
    world.finish().await;
}

#[tokio::test]
async fn what_an_agent_says_arrives_with_its_cards() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    let raw = format!(
        r#"{{"eventType":"MESSAGE","conversationId":"{conversation}","timestamp":1713100000000,"data":{{"isEcho":false,
            "sender":{{"id":"agent-1","type":"agent"}},"text":" Grüße 👋 ","attachments":[{{"id":"att-1","type":"image","preSignedUrl":"https://x.invalid/secret","fileName":"a.png"}}],
            "cards":[{{"contentType":"application/vnd.microsoft.card.adaptive","content":{{"b":1.0,  "a":2}}}}]}}}}"#
    );
    world.eight.event(&conversation, json!({"raw": raw})).await;
    let told = world.bots.event(&id, "message.created").await;
    let message = &told.data()["message"];
    assert_eq!(message["text"], " Grüße 👋 ");
    assert_eq!(
        (&message["attachments"][0]["id"], &message["attachments"][0]["filename"]),
        (&json!("att-1"), &json!("a.png"))
    );
    let body = String::from_utf8(told.raw.to_vec()).unwrap();
    assert!(body.contains(r#"{"b":1.0,  "a":2}"#), "{body}");
    assert!(
        !body.contains("x.invalid"),
        "a link that expires is not passed on: {body}"
    );
    world.finish().await;
}

/// An event of 8x8's as the bot is told of it.
async fn told_as(event: Value, kind: &str) -> (World, Value) {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    world.eight.event(&conversation, json!({"body": event})).await;
    let told = world.bots.event(&id, kind).await.data().clone();
    (world, told)
}

#[tokio::test]
async fn an_answer_to_a_card_is_told() {
    let value = json!({"type": "postback", "data": {"title": "Yes", "payload": "yes"}});
    let event = json!({"eventType": "ACTIVITY", "data": {"name": "quickReply/action", "value": value}});
    let (world, told) = told_as(event, "action.submitted").await;
    assert_eq!(told["action"], json!({"name": "quickReply/action", "value": value}));
    world.finish().await;
}

#[tokio::test]
async fn an_event_nobody_knows_is_told_as_it_came() {
    let event = json!({"eventType": "SURVEY_DONE", "data": {"score": 9}});
    let (world, told) = told_as(event, "event.unrecognized").await;
    assert_eq!(
        (&told["raw"]["eventType"], &told["raw"]["data"]["score"]),
        (&json!("SURVEY_DONE"), &json!(9))
    );
    world.finish().await;
}

#[tokio::test]
async fn a_change_of_the_user_at_8x8_is_told() {
    let data = json!({"state": "active", "user": {"name": "James Bond"}, "channel": "ChatAPI"});
    let event = json!({"eventType": "CONVERSATION_UPDATE", "data": data});
    let (world, told) = told_as(event, "conversation.updated").await;
    assert_eq!(told["conversation"]["user"]["name"], "James Bond");
    world.finish().await;
}
