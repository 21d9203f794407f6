//! Events as a list, a long poll and a stream.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

use crate::domain::AccountId;
use crate::domain::AgentRef;
use crate::domain::ConversationId;
use crate::domain::MessageSeen;
use crate::domain::Source;
use crate::domain::Timestamp;
use crate::domain::WebhookEvent;
use crate::domain::WebhookHeaders;
use crate::domain::WebhookKind;
use crate::domain::WebhookReceipt;
use crate::http::tests::fixture::Gateway;
use crate::store::PAGE_BYTES;

const STREAM: [(&str, &str); 1] = [("accept", "text/event-stream")];

/// What a message of a stream says beside its data.
fn shown(message: &str) -> Vec<&str> {
    message
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("data:"))
        .collect()
}

#[tokio::test]
async fn the_log_is_listed_after_a_number_and_across_handovers() {
    let gateway = Gateway::start().await;
    let events = format!("{}/events", gateway.opened().await);
    let log = gateway.call("GET", &events, "").await.json();
    assert_eq!(
        (&log["data"][0]["type"], &log["data"][0]["data"]["sequence"]),
        (&"handover.accepted".into(), &1.into())
    );
    let none = gateway.call("GET", &format!("{events}?after=1"), "").await;
    assert_eq!(none.text, r#"{"data":[]}"#);
    let all = gateway.call("GET", "/v1/events", "").await.json();
    assert_eq!(all["data"][0], log["data"][0]);
    let cursor = all["nextCursor"].as_str().unwrap();
    for after in [cursor, "latest"] {
        let rest = gateway
            .call("GET", &format!("/v1/events?after={after}"), "")
            .await
            .json();
        assert_eq!(
            (rest["data"].as_array().unwrap().len(), &rest["nextCursor"]),
            (0, &cursor.into())
        );
    }
}

#[tokio::test]
async fn a_long_poll_answers_as_soon_as_something_is_logged() {
    let gateway = Gateway::start().await;
    let path = gateway.opened().await;
    let now = gateway.call("GET", "/v1/events?after=latest", "").await.json();
    let feed = format!("/v1/events?after={}&wait=20s", now["nextCursor"].as_str().unwrap());
    let (poll, end) = (format!("{path}/events?after=1&wait=20"), format!("{path}/end"));
    let started = Instant::now();
    let (polled, followed, _ended) = tokio::join!(
        gateway.call("GET", &poll, ""),
        gateway.call("GET", &feed, ""),
        gateway.call("POST", &end, "{}")
    );
    assert!(started.elapsed() < Duration::from_secs(15));
    assert_eq!(polled.json()["data"][0]["type"], "handover.ended", "{}", polled.text);
    assert_eq!(
        followed.json()["data"][0]["type"],
        "handover.ended",
        "{}",
        followed.text
    );
}

#[tokio::test]
async fn a_stream_goes_on_where_it_broke_off_and_closes_after_the_end() {
    let gateway = Gateway::start().await;
    let path = gateway.opened().await;
    let events = format!("{path}/events");
    let mut stream = gateway.stream(&events).await;
    assert_eq!(
        shown(&stream.next().await.unwrap()),
        ["event: handover.accepted", "id: 1"]
    );
    gateway.call("POST", &format!("{path}/end"), "{}").await;
    assert_eq!(shown(&stream.next().await.unwrap()), ["event: handover.ended", "id: 2"]);
    assert_eq!(stream.next().await, None);
    let from = [STREAM[0], ("last-event-id", "1")];
    let rest = gateway.call_with("GET", &format!("{events}?after=0"), "", &from).await;
    assert!(rest.text.starts_with("event: handover.ended"), "{}", rest.text);
    let wrong = [STREAM[0], ("last-event-id", "x")];
    gateway
        .call_with("GET", &events, "", &wrong)
        .await
        .is_problem(422, "invalid-request");
}

#[tokio::test]
async fn streams_and_long_polls_end_when_the_process_stops() {
    let gateway = Gateway::start().await;
    let events = format!("{}/events", gateway.opened().await);
    let poll = format!("{events}?after=1&wait=20");
    let mut stream = gateway.stream("/v1/events").await;
    assert_eq!(shown(&stream.next().await.unwrap())[0], "event: handover.accepted");
    let started = Instant::now();
    let (polled, ()) = tokio::join!(gateway.call("GET", &poll, ""), async { gateway.supervisor.stop() });
    assert_eq!(stream.next().await, None);
    assert!(started.elapsed() < Duration::from_secs(15));
    assert_eq!((polled.status, polled.text.as_str()), (200, r#"{"data":[]}"#));
}

/// Something long that an agent says in the handover at this path.
async fn said_at_length(gateway: &Gateway, path: &str, n: u8) {
    let id = path.rsplit('/').next().unwrap();
    let conversation = ConversationId::parse(id).unwrap();
    let source = Source {
        event_type: "MESSAGE".to_owned(),
        event_id: n.to_string(),
        timestamp: None,
    };
    let sender = AgentRef {
        id: "a-1".to_owned(),
        name: None,
    };
    let message = MessageSeen {
        is_echo: false,
        sender_type: "agent".to_owned(),
        sender,
        text: "x".repeat(1024 * 1024),
        attachments: Vec::new(),
        cards: Vec::new(),
    };
    let receipt = WebhookReceipt {
        account: AccountId::new("acme-8x8"),
        event_id: n.to_string(),
        conversation: Some(conversation.clone()),
        sha256: [n; 32],
        body: "{}".into(),
        received_at: Timestamp::from_millis(1),
        headers: WebhookHeaders::default(),
    };
    let event = WebhookEvent {
        conversation,
        source,
        kind: WebhookKind::Message(message),
    };
    gateway.handovers.apply(event, receipt).await.unwrap();
}

fn sequences(page: &Value) -> Vec<u64> {
    let events = page["data"].as_array().unwrap();
    events
        .iter()
        .map(|event| event["data"]["sequence"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_page_of_large_events_ends_early_and_none_is_lost() {
    let gateway = Gateway::start().await;
    let path = gateway.opened().await;
    for n in 0..10 {
        said_at_length(&gateway, &path, n).await;
    }
    let (mut of_handover, mut of_bot, mut pages) = (Vec::new(), Vec::new(), 0);
    let mut cursor = "e0".to_owned();
    loop {
        let after = of_handover.last().unwrap_or(&0);
        let list = gateway.call("GET", &format!("{path}/events?after={after}"), "").await;
        let feed = gateway
            .call("GET", &format!("/v1/events?after={cursor}&limit=1000"), "")
            .await;
        assert!(list.text.len() <= PAGE_BYTES && feed.text.len() <= PAGE_BYTES);
        let (list, feed) = (list.json(), feed.json());
        cursor = feed["nextCursor"].as_str().unwrap().to_owned();
        let (list, feed) = (sequences(&list), sequences(&feed));
        if list.is_empty() && feed.is_empty() {
            break;
        }
        of_handover.extend(list);
        of_bot.extend(feed);
        pages += 1;
    }
    let all: Vec<u64> = (1..=11).collect();
    assert_eq!((&of_handover, &of_bot, pages), (&all, &all, 4));
}

#[tokio::test]
async fn a_stream_goes_on_after_a_page_that_ended_early() {
    let gateway = Gateway::start().await;
    let path = gateway.opened().await;
    for n in 0..10 {
        said_at_length(&gateway, &path, n).await;
    }
    gateway.call("POST", &format!("{path}/end"), "{}").await;
    for feed in [format!("{path}/events"), "/v1/events".to_owned()] {
        let mut stream = gateway.stream(&feed).await;
        for n in 1..=12 {
            let message = stream.next().await.unwrap();
            assert!(message.contains(&format!("\"sequence\":{n},")), "{feed} {n}");
        }
    }
    let mut stream = gateway.stream(&format!("{path}/events?after=11")).await;
    assert_eq!(shown(&stream.next().await.unwrap())[0], "event: handover.ended");
    assert_eq!(stream.next().await, None);
}
