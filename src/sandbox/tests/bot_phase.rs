//! Conversations that customers begin, and what follows the agents.

use http::Method;
use serde_json::{Value, json};

use super::rig::Rig;

async fn assign(rig: &Rig, id: &str, body: Value) -> (u16, Value) {
    let path = format!("/conversations/{id}/post-agent-assignment");
    rig.api(Method::POST, &path, body).await
}

async fn does(rig: &Rig, id: &str, act: Value) {
    let (status, body) = rig.control(&format!("/conversations/{id}/customer"), act).await;
    assert_eq!(status, 204, "{body}");
}

#[tokio::test]
async fn a_customer_begins_a_conversation_that_a_bot_leads_into_a_queue() {
    let rig = Rig::start(|_| ()).await;
    let (status, channel) = rig.control("/channels", json!({"id": "wa", "type": "WhatsApp"})).await;
    assert_eq!((status, &channel["webHookId"]), (200, &json!("sandbox-webhook")));
    let open = json!({"channelId": "wa", "user": {"name": "James"}, "msisdn": "4479", "text": "Hi"});
    let (_, opened) = rig.control("/conversations", open).await;
    let id = opened["conversationId"].as_str().unwrap().to_owned();
    let (_, shown) = rig.api(Method::GET, &format!("/conversations/{id}"), Value::Null).await;
    assert_eq!((&shown["channelId"], &shown["state"]), (&json!("wa"), &json!("active")));
    assert_eq!(shown["assignment"], Value::Null);
    let say = json!({"authorType": "bot", "text": "Hello"});
    rig.api(Method::POST, &format!("/conversations/{id}/messages"), say)
        .await;
    does(
        &rig,
        &id,
        json!({"do": "quick-reply", "title": "Yes", "payload": "yes"}),
    )
    .await;
    let route = json!({"assignment": {"type": "queue", "id": "102"}});
    rig.api(Method::PATCH, &format!("/conversations/{id}"), route).await;
    let expected = [
        "CONVERSATION_UPDATE active",
        "MESSAGE Hi",
        "MESSAGE Hello",
        "ACTIVITY quickReply/action",
        "CONVERSATION_UPDATE active",
        "QUEUED 102",
    ];
    assert_eq!(rig.told(6).await, expected);
    {
        let seen = rig.receiver.seen.lock().unwrap();
        assert_eq!(
            (&seen[0].1["data"]["channel"], &seen[0].1["data"]["msisdn"]),
            (&json!("WhatsApp"), &json!("4479"))
        );
        assert_eq!(
            [&seen[1].1, &seen[2].1].map(|body| body["data"]["isEcho"].clone()),
            [json!(false), json!(true)]
        );
    }
    does(&rig, &id, json!({"do": "leave"})).await;
    does(&rig, &id, json!({"do": "say", "text": "Again"})).await;
    let told = rig.told(10).await;
    assert_eq!(
        told[6..],
        [
            "MEMBERS_CHANGED user left",
            "CONVERSATION_UPDATE idle",
            "CONVERSATION_UPDATE active",
            "MESSAGE Again"
        ]
    );
}

#[tokio::test]
async fn a_post_agent_assignment_is_validated_and_taken_once() {
    let rig = Rig::start(|_| ()).await;
    let id = rig.created().await;
    let right = json!({"type": "webhook", "id": "sandbox-webhook",
        "configuration": {"notifyChannelWebhookIfExists": "false", "maxTotalMinutes": 20, "userTimeoutInMinutes": 300}});
    let with = |name: &str, value: Value| {
        let mut body = right.clone();
        body["configuration"][name] = value;
        body
    };
    for wrong in [
        json!({"id": "sandbox-webhook"}),
        json!({"type": "queue", "id": "sandbox-webhook"}),
        json!({"type": "webhook", "id": "nowhere"}),
        with("maxTotalMinutes", json!(19)),
        with("maxTotalMinutes", json!("60")),
        with("userTimeoutInMinutes", json!(301)),
        with("notifyChannelWebhookIfExists", json!(false)),
    ] {
        let (status, body) = assign(&rig, &id, wrong.clone()).await;
        assert_eq!(
            (status, body["referenceId"].is_string()),
            (400, true),
            "{wrong}: {body}"
        );
    }
    assert_eq!(assign(&rig, "none", right.clone()).await.0, 404);
    assert_eq!(assign(&rig, &id, right.clone()).await.0, 201);
    let (status, body) = assign(&rig, &id, right.clone()).await;
    assert_eq!(status, 400);
    assert!(
        body["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("already exists"),
        "{body}"
    );
    let over = rig.created().await;
    rig.agent(&over, json!({"do": "end"})).await;
    assert_eq!(assign(&rig, &over, right).await.0, 400);
}

#[tokio::test]
async fn after_the_agents_the_conversation_goes_on_once_with_the_webhook_that_was_named() {
    let rig = Rig::start(|_| ()).await;
    let uri = rig.api(Method::GET, "/webhooks/sandbox-webhook", Value::Null).await.1["uri"].clone();
    let second = format!("{}?second", uri.as_str().unwrap());
    let webhook = json!({"name": "Survey", "uri": second, "version": "v2.0"});
    let (_, webhook) = rig.api(Method::POST, "/webhooks", webhook).await;
    let id = rig.created().await;
    rig.agent(&id, json!({"do": "join"})).await;
    assert_eq!(
        assign(&rig, &id, json!({"type": "webhook", "id": webhook["id"]}))
            .await
            .0,
        201
    );
    rig.agent(&id, json!({"do": "end"})).await;
    // Its dialect tells the two webhooks apart: it has no word for the conversation's state.
    assert_eq!(rig.told(7).await[6], "MEMBERS_CHANGED agent left");
    let (_, shown) = rig.control(&format!("/conversations/{id}"), Value::Null).await;
    assert_eq!(
        (&shown["state"], &shown["postAgent"]["used"]),
        (&json!("active"), &json!(true))
    );
    rig.agent(&id, json!({"do": "say", "text": "One more word"})).await;
    assert_eq!(rig.told(8).await[7], "TEXT");
    let route = json!({"assignment": {"type": "queue", "id": "102"}});
    rig.api(Method::PATCH, &format!("/conversations/{id}"), route).await;
    assert_eq!(rig.told(10).await[8..], ["CONVERSATION_UPDATE active", "QUEUED 102"]);
    rig.agent(&id, json!({"do": "join"})).await;
    rig.agent(&id, json!({"do": "end"})).await;
    assert_eq!(rig.told(14).await[13], "CONVERSATION_UPDATE idle");
}
