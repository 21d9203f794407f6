//! A handover's calls from create to end, and their repeats.

use crate::http::tests::fixture::Gateway;

const HANDOVERS: &str = "/v1/handovers";
const CREATE: &str = r#"{"user":{"name":"James"},"botSessionId":"s-1","metadata":{ "kept":  1.0 }}"#;

#[tokio::test]
async fn a_handover_is_made_shown_and_listed() {
    let gateway = Gateway::start().await;
    let made = gateway.call("POST", HANDOVERS, CREATE).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(made.text.contains(r#""metadata":{ "kept":  1.0 }"#), "{}", made.text);
    let json = made.json();
    assert_eq!(
        (&json["state"], &json["control"], &json["tenant"], &json["bot"]),
        (&"queued".into(), &"agent".into(), &"acme".into(), &"support".into())
    );
    let location = made.header("location").unwrap();
    assert_eq!(location, format!("/v1/handovers/{}", json["id"].as_str().unwrap()));
    assert_eq!(gateway.call("GET", location, "").await.json()["id"], json["id"]);
    for query in [
        "",
        "?state=live",
        "?state=queued&botSessionId=s-1",
        "?conversationId=&limit=1",
    ] {
        let list = gateway.call("GET", &format!("{HANDOVERS}{query}"), "").await.json();
        assert_eq!(list["data"][0]["id"], json["id"], "{query}");
        assert!(list.get("nextCursor").is_none());
    }
    let other = [("authorization", "Bearer key-other")];
    gateway
        .call_with("GET", location, "", &other)
        .await
        .is_problem(404, "not-found");
    let again = gateway.call("POST", HANDOVERS, CREATE).await;
    again.is_problem(409, "handover-exists");
    assert_eq!(again.json()["handoverId"], json["id"]);
}

#[tokio::test]
async fn a_list_goes_on_at_its_cursor() {
    let gateway = Gateway::start().await;
    let (older, newer) = (gateway.opened().await, gateway.opened().await);
    let first = gateway.call("GET", "/v1/handovers?limit=1", "").await.json();
    assert!(newer.ends_with(first["data"][0]["id"].as_str().unwrap()));
    let cursor = first["nextCursor"].as_str().unwrap();
    let next = gateway
        .call("GET", &format!("/v1/handovers?limit=1&cursor={cursor}"), "")
        .await
        .json();
    assert!(older.ends_with(next["data"][0]["id"].as_str().unwrap()));
}

#[tokio::test]
async fn a_keyed_call_runs_once_and_its_key_is_for_one_body() {
    let gateway = Gateway::start().await;
    let key = [("idempotency-key", "k-1")];
    let made = gateway.call_with("POST", HANDOVERS, CREATE, &key).await;
    assert!(made.header("idempotent-replayed").is_none());
    let again = gateway.call_with("POST", HANDOVERS, CREATE, &key).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(
        (&again.text, again.header("location")),
        (&made.text, made.header("location"))
    );
    let other = r#"{"user":{"name":"Eve"}}"#;
    gateway
        .call_with("POST", HANDOVERS, other, &key)
        .await
        .is_problem(422, "idempotency-mismatch");
    gateway
        .call_with("POST", HANDOVERS, other, &[("idempotency-key", "a b")])
        .await
        .is_problem(422, "invalid-request");
}

#[tokio::test]
async fn a_message_is_posted_once_under_its_key_or_its_own_name() {
    let gateway = Gateway::start().await;
    let messages = format!("{}/messages", gateway.opened().await);
    let (body, key) = (r#"{"text":"hi","clientMessageId":"m-1"}"#, [("idempotency-key", "k-1")]);
    let sent = gateway.call_with("POST", &messages, body, &key).await;
    assert_eq!(
        (sent.status, sent.json()["status"].as_str()),
        (202, Some("accepted")),
        "{}",
        sent.text
    );
    for headers in [&key[..], &[]] {
        let again = gateway.call_with("POST", &messages, body, headers).await;
        assert_eq!(again.json()["messageId"], sent.json()["messageId"]);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
    }
    let other = r#"{"text":"ho","clientMessageId":"m-1"}"#;
    gateway
        .call("POST", &messages, other)
        .await
        .is_problem(422, "idempotency-mismatch");
}

#[tokio::test]
async fn typing_and_end_take_no_body_and_what_is_over_is_told() {
    let gateway = Gateway::start().await;
    let path = gateway.opened().await;
    let plain = [("content-type", "")];
    assert_eq!(
        gateway
            .call_with("POST", &format!("{path}/typing"), "", &plain)
            .await
            .status,
        204
    );
    let key = [("idempotency-key", "k-1")];
    for replayed in [None, Some("true")] {
        let typed = gateway.call_with("POST", &format!("{path}/typing"), "{}", &key).await;
        assert_eq!((typed.status, typed.header("idempotent-replayed")), (204, replayed));
        let ended = gateway.call_with("POST", &format!("{path}/end"), "", &key).await;
        assert_eq!(
            (ended.status, ended.header("idempotent-replayed")),
            (202, replayed),
            "{}",
            ended.text
        );
        assert_eq!(
            (&ended.json()["state"], &ended.json()["endReason"]),
            (&"ended".into(), &"cancelled".into())
        );
    }
    for replayed in [None, Some("true")] {
        let refused = gateway
            .call_with("POST", &format!("{path}/messages"), r#"{"text":"x"}"#, &key)
            .await;
        refused.is_problem(409, "handover-ended");
        assert!(path.ends_with(refused.json()["handoverId"].as_str().unwrap()));
        assert_eq!(refused.header("idempotent-replayed"), replayed);
    }
}

#[tokio::test]
async fn an_update_needs_something_to_change() {
    let gateway = Gateway::start().await;
    let path = gateway.opened().await;
    gateway
        .call("PATCH", &path, "{}")
        .await
        .is_problem(422, "invalid-request");
    let updated = gateway.call("PATCH", &path, r#"{"user":{"phone":"1"}}"#).await;
    assert_eq!(
        (updated.status, updated.json()["user"]["phone"].as_str()),
        (202, Some("1")),
        "{}",
        updated.text
    );
}

#[tokio::test]
async fn the_documents_are_served_without_a_key_and_without_the_network() {
    let gateway = Gateway::start().await;
    let nobody = [("authorization", "")];
    let document = gateway.call_with("GET", "/openapi.json", "", &nobody).await;
    assert_eq!(
        (document.status, document.json()["openapi"].as_str()),
        (200, Some("3.1.0"))
    );
    let page = gateway.call_with("GET", "/docs/", "", &nobody).await;
    assert_eq!(page.status, 200);
    assert!(!page.text.contains("src=\"http"), "{}", page.text);
    assert_eq!(
        gateway.call_with("GET", "/docs", "", &nobody).await.header("location"),
        Some("/docs/")
    );
}
