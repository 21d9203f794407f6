//! Conversations from creation to end.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::rig::Rig;
use crate::sandbox::{Pace, Script};

#[tokio::test]
async fn a_conversation_is_queued_joined_answered_and_left() {
    let rig = Rig::start(|_| ()).await;
    let id = rig.created().await;
    rig.agent(&id, json!({"do": "join"})).await;
    rig.agent(&id, json!({"do": "type"})).await;
    rig.agent(&id, json!({"do": "say", "text": "Hello James"})).await;
    let path = format!("/conversations/{id}/messages");
    let (status, body) = rig
        .api(Method::POST, &path, json!({"authorType": "user", "text": "Hi"}))
        .await;
    assert_eq!((status, body), (202, json!("")));
    let path = format!("/conversations/{id}/participants/user");
    assert_eq!(rig.api(Method::PATCH, &path, json!({"removed": true})).await.0, 204);
    let expected = [
        "CONVERSATION_UPDATE created",
        "CONVERSATION_UPDATE active",
        "QUEUED 101",
        "MEMBERS_CHANGED agent joined",
        "CONVERSATION_UPDATE active",
        "ACTIVITY typing",
        "MESSAGE Hello James",
        "MESSAGE Hi",
        "MEMBERS_CHANGED user left",
        "MEMBERS_CHANGED agent left",
        "CONVERSATION_UPDATE idle",
    ];
    assert_eq!(rig.told(expected.len()).await, expected);
    let (_, shown) = rig.api(Method::GET, &format!("/conversations/{id}"), Value::Null).await;
    assert_eq!(shown["state"], "idle");
    let (_, messages) = rig
        .api(Method::GET, &format!("/conversations/{id}/messages"), Value::Null)
        .await;
    assert_eq!(messages["_embedded"]["messages"][0]["text"], "Hi");
    rig.sandbox.stop().await;
}

#[tokio::test]
async fn a_refused_event_is_repeated_with_the_same_id_before_the_next_is_sent() {
    let rig = Rig::start(|_| ()).await;
    rig.receiver.answers.lock().unwrap().extend([503, 500]);
    rig.created().await;
    let told = rig.told(5).await;
    assert_eq!(told[..3], ["CONVERSATION_UPDATE created"; 3]);
    let header = |number: usize, name: &str| rig.receiver.seen.lock().unwrap()[number].0[name].clone();
    assert_eq!(header(0, "x-8x8-event-id"), header(2, "x-8x8-event-id"));
    assert_eq!(header(2, "x-8x8-retry"), "2");
    assert_ne!(header(0, "x-8x8-signature"), header(2, "x-8x8-signature"));
}

#[tokio::test]
async fn a_helpful_agent_greets_answers_transfers_and_says_goodbye() {
    let moment = Duration::from_millis(10);
    let pace = Pace {
        join: moment,
        think: moment,
        typing: moment,
    };
    let rig = Rig::start(|options| options.script = Script::Helpful(pace)).await;
    let id = rig.created().await;
    let path = format!("/conversations/{id}/messages");
    let greeted = rig.told(8).await;
    assert!(
        greeted[7].starts_with("MESSAGE Hello James Jones, this is Ada"),
        "{greeted:?}"
    );
    rig.api(
        Method::POST,
        &path,
        json!({"authorType": "user", "text": "transfer me please"}),
    )
    .await;
    let told = rig.told(21).await;
    assert_eq!(
        told[12..16],
        [
            "MEMBERS_CHANGED agent left",
            "TRANSFER",
            "CONVERSATION_UPDATE active",
            "QUEUED 102"
        ]
    );
    assert!(told[20].contains("this is Grace from Billing"), "{told:?}");
    rig.api(Method::POST, &path, json!({"authorType": "user", "text": "bye"}))
        .await;
    assert_eq!(
        rig.told(27).await[25..],
        ["MEMBERS_CHANGED agent left", "CONVERSATION_UPDATE idle"]
    );
}

#[tokio::test]
async fn calls_are_refused_in_the_shapes_of_the_documentation() {
    let rig = Rig::start(|_| ()).await;
    let id = rig.created().await;
    let (status, body) = rig
        .api(
            Method::POST,
            &format!("/conversations/{id}/messages"),
            json!({"authorType": "x"}),
        )
        .await;
    assert_eq!((status, &body["errors"]["code"]), (400, &json!("invalid_parameter")));
    let create = json!({"channelId": "sandbox-channel", "user": {}, "assignment": {"type": "queue", "id": "112"}});
    let (status, body) = rig.api(Method::POST, "/conversations", create).await;
    let expected = json!([{"code": "invalid_queue", "message": "Queue ID 112 is invalid."}]);
    assert_eq!((status, &body["errors"]), (400, &expected));
    let (status, body) = rig.api(Method::GET, "/conversations/-none", Value::Null).await;
    let expected = json!(["Resource of type conversation with id -none was not found."]);
    assert_eq!((status, &body["errors"]), (404, &expected));
    let (status, body) = rig
        .api(
            Method::POST,
            "/conversations/none/typing",
            json!({"authorType": "user"}),
        )
        .await;
    assert_eq!(
        (status, &body["errors"][0]["code"]),
        (404, &json!("resource_not_found"))
    );
    let route = json!({"type": "queue", "id": "112"});
    let (status, _) = rig
        .api(
            Method::PATCH,
            &format!("/conversations/{id}"),
            json!({"assignment": route}),
        )
        .await;
    assert_eq!(status, 202);
    assert_eq!(
        rig.api(Method::GET, "/conversations?filter=state%3D%3Didle", Value::Null)
            .await
            .0,
        400
    );
    let reply = reqwest::Client::builder().no_proxy().build().unwrap();
    let reply = reply
        .get(format!("{}/chat-gateway/v1/conversations", rig.sandbox.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), 401);
    assert_eq!(reply.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn a_webhook_is_verified_by_its_answer() {
    let rig = Rig::start(|_| ()).await;
    let (_, listed) = rig.api(Method::GET, "/webhooks", Value::Null).await;
    let verify = json!({"version": "Chat Gateway v1.0", "uri": listed["_embedded"]["webhooks"][0]["uri"]});
    assert_eq!(rig.api(Method::POST, "/webhooks/verify", verify.clone()).await.0, 204);
    assert_eq!(rig.told(1).await, ["WEB_HOOK_VERIFY"]);
    rig.receiver.answers.lock().unwrap().push(404);
    assert_eq!(rig.api(Method::POST, "/webhooks/verify", verify).await.0, 400);
}

#[tokio::test]
async fn a_load_is_acknowledged_in_order() {
    let rig = Rig::start(|_| ()).await;
    let ids = [rig.created().await, rig.created().await];
    rig.told(6).await;
    rig.receiver.answers.lock().unwrap().push(503);
    let load = json!({"conversationIds": ids, "eventsPerConversation": 10, "concurrency": 4, "repeatShare": 0.2});
    let (status, report) = rig.control("/load", load).await;
    assert_eq!(status, 200, "{report}");
    let counts = ["sent", "acked", "repeated", "failures"].map(|field| report[field].as_u64().unwrap());
    assert_eq!(counts, [20, 20, 4, 1]);
    let told = rig.told(6 + 25).await;
    for id in ids {
        let mut own: Vec<_> = told
            .iter()
            .filter(|told| told.contains(&format!("{id}#")))
            .cloned()
            .collect();
        own.dedup();
        let expected: Vec<_> = (1..=10).map(|number| format!("MESSAGE {id}#{number}")).collect();
        assert_eq!(own, expected);
    }
}
