//! Cards and what users do with them: passed on byte for byte, both ways.

use serde_json::Value;
use serde_json::json;

use crate::support::client::with_user;
use crate::support::world::World;

/// Contents that a JSON library would write otherwise: numbers, order, spaces, escapes.
const CONTENT: &str = r#"{"version":"1.5",  "10":1, "2":1.0,"e":1e2, "big":12345678901234567890123,"u":"\u00a3\/","body":[{"type":"TextBlock","text":"Grüße","weight":1.50}]}"#;

const TYPES: [&str; 8] = [
    "application/vnd.microsoft.card.adaptive",
    "application/8x8.quick.replies",
    "Interactive",
    "Location",
    "Template",
    "Suggestions",
    "Buttons",
    "Carousel",
];

fn card(content_type: &str) -> String {
    format!(r#"{{"contentType":"{content_type}","content":{CONTENT}}}"#)
}

#[tokio::test]
async fn every_type_of_card_reaches_8x8_byte_for_byte_in_messages_and_in_the_history() {
    let world = World::start().await;
    let history: Vec<_> = TYPES
        .iter()
        .map(|kind| format!(r#"{{"authorType":"bot","cards":[{}]}}"#, card(kind)))
        .collect();
    let body = format!(
        r#"{{"user":{{"name":"J"}},"history":{{"messages":[{}]}}}}"#,
        history.join(",")
    );
    let created = world
        .api
        .call(http::Method::POST, "/v1/handovers")
        .body(body)
        .send()
        .await
        .ok(201);
    let raw = world.eight.calls("create").await[0]["raw"].as_str().unwrap().to_owned();
    for kind in TYPES {
        assert!(raw.contains(&card(kind)), "{kind} in {raw}");
    }
    let path = format!("/v1/handovers/{}/messages", created["id"].as_str().unwrap());
    for (n, kind) in TYPES.into_iter().enumerate() {
        let body = format!(r#"{{"cards":[{}]}}"#, card(kind));
        let reply = world.api.call(http::Method::POST, &path).body(body).send().await;
        assert_eq!(reply.ok(202)["status"], "accepted", "{kind}");
        let raw = world.eight.calls("message").await[n]["raw"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(raw.contains(&card(kind)), "{kind} in {raw}");
    }
    world.finish().await;
}

#[tokio::test]
async fn two_messages_of_the_same_cards_are_told_apart_when_8x8_does_not_answer() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    let path = format!("/v1/handovers/{id}/messages");
    let message = json!({"cards": [{"content": {"body": []}}]});
    world.api.post(&path, &message).await.ok(202);
    world
        .eight
        .fault(json!({"on": "api", "operation": "message", "drop": "before"}))
        .await;
    let second = world.api.post(&path, &message).await.ok(202);
    if second["status"] != "accepted" {
        let told = world.bots.event(&id, "message.status").await;
        assert_eq!(told.data()["status"], "accepted");
    }
    let shown = world.eight.conversation(&conversation).await;
    assert_eq!(shown["messages"].as_array().unwrap().len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn every_type_of_card_reaches_the_bot_byte_for_byte() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(with_user(json!({}))).await;
    world.eight.join(&conversation).await;
    let cards: Vec<_> = TYPES.iter().map(|kind| card(kind)).collect();
    let cards = format!("[{}]", cards.join(", "));
    let raw = format!(
        r#"{{"eventType":"MESSAGE","conversationId":"{conversation}","timestamp":1713100000000,"data":{{"isEcho":false,"sender":{{"id":"agent-1","type":"agent"}},"text":"","attachments":[],"cards":{cards}}}}}"#
    );
    world
        .eight
        .event(&conversation, json!({"raw": raw, "wait": true}))
        .await;
    let event = world.bots.event(&id, "message.created").await;
    let sent = String::from_utf8(event.raw.to_vec()).unwrap();
    for kind in TYPES {
        assert!(sent.contains(&card(kind)), "{kind} in {sent}");
    }
    world.finish().await;
}

#[tokio::test]
async fn what_the_user_does_with_a_card_reaches_the_bot_as_an_action() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    let actions = [
        (
            "adaptiveCard/action",
            r#"{"type":"Action.Submit","data":{"b":1.0,  "a":"x"}}"#,
        ),
        ("quickReply/action", r#"{"type":"imBack","title":"Yes","value":"yes"}"#),
        ("whatsapp/interactive", r#"{"list_reply":{"id":"1","title":"One"}}"#),
        ("line/postback", r#""plain""#),
    ];
    for (name, value) in actions {
        let raw = format!(
            r#"{{"eventType":"ACTIVITY","conversationId":"{conversation}","timestamp":1713100000000,"data":{{"name":"{name}","value":{value}}}}}"#
        );
        world
            .eight
            .event(&conversation, json!({"raw": raw, "wait": true}))
            .await;
    }
    let mut expected = vec!["handover.accepted", "handover.queued"];
    expected.extend(["action.submitted"; 4]);
    let events = world.bots.told(&id, &expected).await;
    for (event, (name, value)) in events[2..].iter().zip(actions) {
        assert_eq!(event.data()["action"]["name"], name);
        assert_eq!(
            event.data()["action"]["value"],
            serde_json::from_str::<Value>(value).unwrap()
        );
        let sent = String::from_utf8(event.raw.to_vec()).unwrap();
        assert!(sent.contains(value), "{value} in {sent}");
    }
    world.finish().await;
}
