//! Which address takes a webhook, and what is told of one that is not proven.

use std::time::Duration;

use crate::http::tests::fixture::Gateway;

const HELLO: &str = r#"{"eventType":"WEB_HOOK_VERIFY"}"#;
const EVENT: &str = r#"{"eventType":"MESSAGE"}"#;

#[tokio::test]
async fn a_hello_tells_right_addresses_from_wrong_ones() {
    let gateway = Gateway::start().await;
    for family in [
        "/webhooks/8x8",
        "/handover/eightByEight",
        "/v1/liveAgent/receiveMessage",
    ] {
        for (path, status) in [
            ("", 204),
            ("/acme", 204),
            ("/acme/s3cret", 404),
            ("/nobody", 404),
            ("/globex", 404),
            ("/globex/wrong", 404),
            ("/globex/s3cret", 204),
        ] {
            let answer = gateway.call("POST", &format!("{family}{path}"), HELLO).await;
            assert_eq!(answer.status, status, "{family}{path}");
        }
    }
}

#[tokio::test]
async fn the_shared_address_looks_at_the_tenant_named() {
    let gateway = Gateway::start().await;
    for (account, hello, event) in [("acme-8x8", 204, 401), ("globex-8x8", 404, 404), ("nobody", 404, 401)] {
        let headers = [("x-8x8-tenant-id", account)];
        assert_eq!(
            gateway.call_with("POST", "/webhooks/8x8", HELLO, &headers).await.status,
            hello,
            "{account}"
        );
        assert_eq!(
            gateway.call_with("POST", "/webhooks/8x8", EVENT, &headers).await.status,
            event,
            "{account}"
        );
    }
}

#[tokio::test]
async fn what_is_not_proven_is_401_or_400_where_it_is_not_json() {
    let gateway = Gateway::start().await;
    let answer = gateway.call("POST", "/webhooks/8x8/acme", EVENT).await;
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (401, Some("missing-header"))
    );
    let json = answer.json();
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(
        (&json["type"], &json["status"], &json["instance"]),
        (
            &"urn:handover-gateway:problem:unauthorized".into(),
            &401.into(),
            &"/webhooks/8x8/acme".into()
        )
    );
    assert!(json["detail"].as_str().unwrap().contains("`x-8x8-*`"), "{json}");
    gateway
        .call("POST", "/webhooks/8x8/acme", "nonsense")
        .await
        .is_problem(400, "invalid-request");
    gateway
        .call("POST", "/webhooks/8x8/acme", &" ".repeat(20_000))
        .await
        .is_problem(413, "payload-too-large");
}

#[tokio::test]
async fn at_a_wrong_address_nobody_waits_for_a_body() {
    let gateway = Gateway::start().await;
    for path in ["/globex/wrong", "/globex", "/nobody"] {
        let path = format!("/webhooks/8x8{path}");
        let answer = tokio::time::timeout(Duration::from_secs(10), gateway.call_endlessly("POST", &path)).await;
        assert_eq!(answer.ok().map(|answer| answer.status), Some(404), "{path}");
    }
}

#[tokio::test]
async fn no_answer_repeats_a_path_secret() {
    let gateway = Gateway::start().await;
    for family in [
        "/webhooks/8x8",
        "/handover/eightByEight",
        "/v1/liveAgent/receiveMessage",
    ] {
        for (method, before, path, body) in [
            ("POST", "", "/globex/s3cret", EVENT),
            ("POST", "", "/globex/s3cret", "nonsense"),
            ("GET", "", "/globex/s3cret", ""),
            ("POST", "", "/globex/s3cret2", EVENT),
            ("POST", "", "/acme/s3cret", EVENT),
            ("POST", "", "/globex/s3cret/", EVENT),
            ("POST", "", "/globex/s3cret/more", EVENT),
            ("POST", "/gateway", "/globex/s3cret", EVENT),
        ] {
            let path = format!("{before}{family}{path}");
            let answer = gateway.call(method, &path, body).await;
            assert!(answer.status >= 400, "{method} {path}");
            assert!(!answer.text.contains("s3cret"), "{method} {path}: {}", answer.text);
        }
        let answer = gateway.call("POST", &format!("{family}/globex/s3cret2"), EVENT).await;
        assert_eq!(answer.json()["instance"], format!("{family}/{{tenant}}/{{pathSecret}}"));
        let answer = gateway.call("POST", &format!("{family}/nobody"), EVENT).await;
        assert_eq!(answer.json()["instance"], format!("{family}/nobody"));
    }
}
