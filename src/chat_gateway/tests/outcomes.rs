//! What each way of failing is called.

use std::net::TcpListener;
use std::time::Duration;

use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::Fault;
use crate::chat_gateway::Silence;
use crate::chat_gateway::tests::server::Answer;
use crate::chat_gateway::tests::server::Server;
use crate::chat_gateway::tests::server::json;
use crate::chat_gateway::tests::setup::body;
use crate::chat_gateway::tests::setup::chat_gateway;

async fn create(answer: impl Fn(&str) -> Answer + Send + 'static) -> ChatGatewayError {
    let server = Server::start(answer);
    chat_gateway(&server.base).create(&body()).await.unwrap_err()
}

#[tokio::test]
async fn a_refused_connection_was_not_sent() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let error = chat_gateway(&base).create(&body()).await.unwrap_err();
    assert!(matches!(error, ChatGatewayError::NotSent(_)), "{error:?}");
}

#[tokio::test]
async fn a_name_that_does_not_exist_was_not_sent() {
    let error = chat_gateway("http://no-such-host.invalid")
        .create(&body())
        .await
        .unwrap_err();
    assert!(matches!(error, ChatGatewayError::NotSent(_)), "{error:?}");
}

#[tokio::test]
async fn a_failed_tls_handshake_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || drop(listener.accept()));
    let error = chat_gateway(&base).create(&body()).await.unwrap_err();
    assert!(matches!(error, ChatGatewayError::NotSent(_)), "{error:?}");
}

#[tokio::test]
async fn silence_after_sending_is_unanswered() {
    let error = create(|_| Answer::Hang).await;
    assert!(
        matches!(error, ChatGatewayError::Unanswered(Silence::TimedOut)),
        "{error:?}"
    );
    let error = create(|_| Answer::Cut).await;
    assert!(
        matches!(error, ChatGatewayError::Unanswered(Silence::Broken(_))),
        "{error:?}"
    );
    let error = create(|_| {
        Answer::Say(
            502,
            "Content-Type: text/html\r\n",
            "<html>bad gateway</html>".to_owned(),
        )
    })
    .await;
    assert!(
        matches!(error, ChatGatewayError::Unanswered(Silence::Status(502))),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_created_conversation_without_its_id_is_unanswered() {
    for answer in ["<html></html>".to_owned(), "{}".to_owned(), "x".repeat(1_100_000)] {
        let error = create(move |_| Answer::Say(202, "", answer.clone())).await;
        assert!(
            matches!(error, ChatGatewayError::Unanswered(Silence::Unreadable)),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn too_many_requests_say_when_to_come_back() {
    let error = create(|_| Answer::Say(429, "Retry-After: 7\r\n", String::new())).await;
    assert!(
        matches!(error, ChatGatewayError::Throttled { after: Some(after) } if after == Duration::from_secs(7)),
        "{error:?}"
    );
    let error = create(|_| json(429, "{}")).await;
    assert!(
        matches!(error, ChatGatewayError::Throttled { after: None }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_refusal_says_whose_fault_it_is_and_prints_no_word_of_8x8s() {
    for (status, expected) in [
        (302, Fault::Other),
        (400, Fault::BotData),
        (401, Fault::Credentials),
        (403, Fault::Credentials),
        (404, Fault::NotFound),
        (405, Fault::Other),
    ] {
        let error = create(move |_| {
            json(
                status,
                r#"{"message":"m","errors":[{"code":"invalid_queue","message":"Queue ID 112 is invalid."}],"referenceId":"r1"}"#,
            )
        })
        .await;
        assert!(!error.to_string().contains("112"), "{error}");
        let ChatGatewayError::Refused(refusal) = error else {
            panic!("{error:?}");
        };
        assert_eq!((refusal.status, refusal.fault), (status, expected));
        assert_eq!(refusal.code.as_deref(), Some("invalid_queue"));
        assert_eq!(refusal.message.as_deref(), Some("Queue ID 112 is invalid."));
        assert_eq!(refusal.reference_id.as_deref(), Some("r1"));
    }
}
