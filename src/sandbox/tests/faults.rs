//! Faults and injected events, as their rules say.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::rig::Rig;

fn create() -> Value {
    json!({"channelId": "sandbox-channel", "user": {"name": "James Jones"}})
}

async fn rig_with(rule: Value) -> Rig {
    let rig = Rig::start(|options| options.hang_limit = Duration::from_millis(100)).await;
    assert_eq!(rig.control("/faults", rule).await.0, 204);
    rig
}

#[tokio::test]
async fn a_call_dropped_before_is_not_taken_and_one_dropped_after_is() {
    for (stage, taken) in [("before", false), ("after", true)] {
        let rig = rig_with(json!({"on": "api", "operation": "create", "drop": stage})).await;
        assert!(
            rig.call(Method::POST, "/chat-gateway/v1/conversations", create())
                .await
                .is_err()
        );
        let (_, calls) = rig.control("/calls?operation=create", Value::Null).await;
        assert_eq!(
            (&calls["data"][0]["status"], &calls["data"][0]["taken"]),
            (&json!("dropped"), &json!(taken))
        );
        let (_, all) = rig.control("/conversations", Value::Null).await;
        assert_eq!(all["data"].as_array().unwrap().len(), usize::from(taken));
        rig.created().await;
    }
}

#[tokio::test]
async fn a_hung_call_ends_without_an_answer() {
    let rig = rig_with(json!({"on": "api", "operation": "create", "hang": "after"})).await;
    assert!(
        rig.call(Method::POST, "/chat-gateway/v1/conversations", create())
            .await
            .is_err()
    );
    assert_eq!(rig.told(3).await[2], "QUEUED 101");
}

#[tokio::test]
async fn a_forced_status_can_hide_that_the_call_was_taken() {
    let rig =
        rig_with(json!({"on": "api", "operation": "create", "status": 502, "taken": true, "body": "<html>"})).await;
    let answer = rig.api(Method::POST, "/conversations", create()).await;
    assert_eq!(answer, (502, json!("<html>")));
    rig.told(3).await;
}

#[tokio::test]
async fn the_first_events_can_come_before_the_answer() {
    let rig = rig_with(json!({"on": "api", "operation": "create", "event-before-202": true})).await;
    rig.created().await;
    assert_eq!(rig.receiver.seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn events_can_be_swapped_and_doubled() {
    let rig = rig_with(json!({"on": "webhook", "operation": "CONVERSATION_UPDATE", "reorder": true})).await;
    let doubled = json!({"on": "webhook", "operation": "QUEUED", "duplicate": 2});
    assert_eq!(rig.control("/faults", doubled).await.0, 204);
    rig.created().await;
    let told = rig.told(5).await;
    assert_eq!(told[..2], ["CONVERSATION_UPDATE active", "CONVERSATION_UPDATE created"]);
    assert_eq!(told[2..], ["QUEUED 101"; 3]);
}

#[tokio::test]
async fn a_change_can_be_accepted_and_ignored_or_carried_out_in_silence() {
    for (effect, queue) in [("none", "101"), ("silent", "102")] {
        let rig = rig_with(json!({"on": "api", "operation": "patch", "effect": effect})).await;
        let id = rig.created().await;
        let path = format!("/conversations/{id}");
        let change = json!({"assignment": {"type": "queue", "id": "102"}});
        assert_eq!(rig.api(Method::PATCH, &path, change.clone()).await.0, 202);
        let (_, shown) = rig.api(Method::GET, &path, Value::Null).await;
        assert_eq!(shown["assignment"]["id"], queue);
        rig.agent(&id, json!({"do": "join"})).await;
        assert_eq!(rig.told(4).await[3], "MEMBERS_CHANGED agent joined", "{effect}");
    }
}

#[tokio::test]
async fn an_injected_event_can_be_tampered_with() {
    let rig = Rig::start(|_| ()).await;
    let send = json!({"raw": "{not json", "wait": true, "eventId": "mine", "sign": {"kid": "other"},
        "headers": {"x-8x8-tenant-id": null, "X-8x8-Retry": "7"}});
    let (status, answer) = rig.control("/conversations/unknown/events", send).await;
    assert_eq!(
        (status, &answer["status"], &answer["eventId"]),
        (200, &json!(204), &json!("mine"))
    );
    let (headers, body) = rig.receiver.seen.lock().unwrap()[0].clone();
    assert_eq!(body, "{not json");
    assert_eq!(headers["x-8x8-retry"], "7");
    assert!(!headers.contains_key("x-8x8-tenant-id"));
}

#[tokio::test]
async fn a_call_is_carried_out_although_its_caller_hung_up() {
    let rig = rig_with(json!({"on": "api", "operation": "create", "delay": "100ms"})).await;
    let call = rig.call(Method::POST, "/chat-gateway/v1/conversations", create());
    assert!(tokio::time::timeout(Duration::from_millis(50), call).await.is_err());
    assert_eq!(rig.told(3).await[2], "QUEUED 101");
}

#[tokio::test]
async fn throttling_names_a_time() {
    let rig = rig_with(json!({"on": "api", "operation": "list", "status": 429, "retryAfter": "2"})).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/chat-gateway/v1/conversations", rig.sandbox.url());
    let answer = http.get(url).header("x-api-key", "eght_sandbox").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (429, &"2".parse().unwrap())
    );
}
