//! What is wrong with a request is told as a problem.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::http::tests::fixture::Gateway;

const HANDOVERS: &str = "/v1/handovers";
const NOBODY: &str = "/v1/handovers/ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00";

#[tokio::test]
async fn a_call_without_a_known_key_is_401() {
    let gateway = Gateway::start().await;
    for value in ["Bearer nobody", "Basic a2V5LXN1cHBvcnQ=", ""] {
        let answer = gateway
            .call_with("GET", HANDOVERS, "", &[("authorization", value)])
            .await;
        answer.is_problem(401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.json()["instance"], HANDOVERS);
    }
}

#[tokio::test]
async fn unknown_paths_ids_and_methods_are_told_apart() {
    let gateway = Gateway::start().await;
    gateway
        .call("GET", "/v1/nothing", "")
        .await
        .is_problem(404, "not-found");
    gateway
        .call("GET", "/v1/handovers/x%FFy", "")
        .await
        .is_problem(404, "not-found");
    gateway.call("GET", NOBODY, "").await.is_problem(404, "not-found");
    gateway
        .call("POST", &format!("{NOBODY}/messages"), r#"{"text":"x"}"#)
        .await
        .is_problem(404, "not-found");
    let answer = gateway.call("DELETE", HANDOVERS, "").await;
    answer.is_problem(405, "not-found");
    assert!(
        answer.header("allow").is_some_and(|allow| allow.contains("POST")),
        "{:?}",
        answer.headers
    );
    assert!(answer.header("x-request-id").is_some());
}

#[tokio::test]
async fn a_body_must_be_json_of_the_right_size_and_shape() {
    let gateway = Gateway::start().await;
    let typed = [("content-type", "text/plain")];
    gateway
        .call_with("POST", HANDOVERS, "{}", &typed)
        .await
        .is_problem(415, "unsupported-media-type");
    gateway
        .call("POST", HANDOVERS, "{")
        .await
        .is_problem(400, "invalid-request");
    gateway
        .call("POST", HANDOVERS, &" ".repeat(20_000))
        .await
        .is_problem(413, "payload-too-large");
    let answer = gateway.call("POST", HANDOVERS, r#"{"user":{},"colour":1}"#).await;
    answer.is_problem(422, "invalid-request");
    assert_eq!(answer.json()["errors"][0]["pointer"], "/colour");
}

#[tokio::test]
async fn all_faults_of_a_create_are_told_at_once() {
    let gateway = Gateway::start().await;
    let metadata = "x".repeat(4096);
    let body = format!(
        r#"{{"user":{{"email":"nobody"}},"queueId":" ","assignment":{{"type":"agent","id":"7"}},"callbackUrl":"https://evil.example.com",
            "metadata":{{"m":"{metadata}"}},"properties":[],"availability":"require","timers":{{"queue":"10","idle":"0s"}},
            "queues":[{{"id":" ","maxWait":"0s"}}],"handBack":true}}"#
    );
    let answer = gateway.call("POST", HANDOVERS, &body).await;
    answer.is_problem(422, "invalid-request");
    let json = answer.json();
    let mut pointers: Vec<_> = json["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    pointers.sort_unstable();
    assert_eq!(
        pointers,
        [
            "/assignment/id",
            "/assignment/type",
            "/availability",
            "/callbackUrl",
            "/handBack",
            "/metadata",
            "/properties",
            "/queueId",
            "/queues/0/id",
            "/queues/0/maxWait",
            "/timers/idle",
            "/timers/queue",
            "/user/email"
        ]
    );
}

#[tokio::test]
async fn a_wrong_query_names_its_parameter() {
    let gateway = Gateway::start().await;
    for (path, pointer) in [
        ("/v1/handovers?limit=201", "/query/limit"),
        ("/v1/handovers?state=gone", "/query/state"),
        ("/v1/handovers?cursor=x", "/query/cursor"),
        ("/v1/events?after=x", "/query/after"),
        ("/v1/events?wait=31", "/query/wait"),
    ] {
        let answer = gateway.call("GET", path, "").await;
        answer.is_problem(422, "invalid-request");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer);
    }
}

#[tokio::test]
async fn what_8x8_refuses_is_told_and_kept_under_its_key() {
    let gateway = Gateway::start().await;
    let key = [("idempotency-key", "k-1")];
    let body = r#"{"user":{},"queueId":"unknown"}"#;
    let first = gateway.call_with("POST", HANDOVERS, body, &key).await;
    first.is_problem(422, "upstream-rejected");
    assert!(first.json()["handoverId"].is_string());
    assert_eq!(first.json()["upstream"]["status"], 400);
    let again = gateway.call_with("POST", HANDOVERS, body, &key).await;
    assert_eq!(
        (again.text, again.headers.contains_key("idempotent-replayed")),
        (first.text, true)
    );
}

#[tokio::test]
async fn properties_may_not_overwrite_what_the_gateway_sets() {
    let gateway = Gateway::start().await;
    let answer = gateway
        .call(
            "POST",
            HANDOVERS,
            r#"{"user":{"name":"J"},"properties":{"user":{"name":"Eve"}}}"#,
        )
        .await;
    answer.is_problem(422, "invalid-request");
    assert_eq!(answer.json()["errors"][0]["pointer"], "/properties/user/name");
}

#[tokio::test]
async fn what_takes_too_long_is_told_by_what_it_may_have_done() {
    let gateway = Gateway::answering_within(Duration::ZERO).await;
    for path in [
        "/webhooks/8x8",
        "/webhooks/8x8/acme",
        "/handover/eightByEight/globex/s3cret",
    ] {
        let webhook = gateway.call_endlessly("POST", path).await;
        webhook.is_problem(503, "store-unavailable");
        assert!(webhook.header("retry-after").is_some());
    }
    let posted = gateway.call_endlessly("POST", HANDOVERS).await;
    posted.is_problem(504, "upstream-timeout");
    assert!(posted.text.contains("Idempotency-Key"), "{}", posted.text);
    let patched = gateway.call_endlessly("PATCH", NOBODY).await;
    patched.is_problem(504, "upstream-timeout");
    assert!(!patched.text.contains("Idempotency-Key"), "{}", patched.text);
}

fn numbered(keys: std::ops::Range<usize>) -> Value {
    keys.map(|n| json!({"key": format!("k{n}"), "value": "v"})).collect()
}

#[tokio::test]
async fn what_properties_add_counts_against_8x8s_30() {
    let gateway = Gateway::start().await;
    let create = |added| {
        json!({
            "user": {"additionalProperties": numbered(0..20)},
            "properties": {"user": {"additionalProperties": numbered(20..added)}},
        })
    };
    let made = gateway.call("POST", HANDOVERS, &create(29).to_string()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let refused = gateway.call("POST", HANDOVERS, &create(30).to_string()).await;
    refused.is_problem(422, "invalid-request");
    let error = &refused.json()["errors"][0];
    assert_eq!(error["pointer"], "/properties/user/additionalProperties");
    assert!(error["message"].as_str().unwrap().ends_with("at most 29"), "{error}");
}

#[tokio::test]
async fn what_a_change_adds_counts_against_8x8s_30() {
    let gateway = Gateway::start().await;
    let path = gateway.opened().await;
    let with = |keys| json!({"user": {"additionalProperties": numbered(keys)}}).to_string();
    for keys in [0..20, 0..29, 10..29] {
        let changed = gateway.call("PATCH", &path, &with(keys)).await;
        assert_eq!(changed.status, 202, "{}", changed.text);
    }
    let refused = gateway.call("PATCH", &path, &with(29..30)).await;
    refused.is_problem(422, "invalid-request");
    let error = &refused.json()["errors"][0];
    assert_eq!(error["pointer"], "/user/additionalProperties");
    assert!(error["message"].as_str().unwrap().ends_with("at most 29"), "{error}");
}
