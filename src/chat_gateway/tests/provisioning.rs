//! Webhooks and channels over the wire: whole lists, and the two spellings of a version.

use serde_json::Value;
use serde_json::json;

use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::WebhookWrite;
use crate::chat_gateway::tests::server::Answer;
use crate::chat_gateway::tests::server::Server;
use crate::chat_gateway::tests::server::json as answer;
use crate::chat_gateway::tests::setup::chat_gateway;

fn page_of(request: &str) -> usize {
    let query = request.split_once("page=").unwrap().1;
    query.split([' ', '&']).next().unwrap().parse().unwrap()
}

fn webhooks(ids: std::ops::Range<usize>, total_pages: Option<usize>) -> Answer {
    let items: Vec<Value> = ids.map(|id| json!({"id": format!("w{id}"), "name": "x"})).collect();
    let mut body = json!({"_embedded": {"webhooks": items}});
    if let Some(pages) = total_pages {
        body["page"] = json!({"totalPages": pages});
    }
    answer(200, &body.to_string())
}

#[tokio::test]
async fn a_list_is_read_to_its_end_also_when_its_length_is_not_told() {
    let told = Server::start(|request| webhooks(page_of(request) * 2..page_of(request) * 2 + 2, Some(3)));
    let all = chat_gateway(&told.base).webhooks().await.unwrap();
    assert_eq!((all.items.len(), all.is_all, told.asked().len()), (6, true, 3));
    let untold = Server::start(|request| match page_of(request) {
        page @ 0..=1 => webhooks(page * 2..page * 2 + 2, None),
        _ => answer(200, "{}"),
    });
    let all = chat_gateway(&untold.base).webhooks().await.unwrap();
    assert_eq!((all.items.len(), all.is_all), (4, true));
    // It does not know pages, and says the same again.
    let same = Server::start(|_| webhooks(0..2, None));
    let all = chat_gateway(&same.base).webhooks().await.unwrap();
    assert_eq!((all.items.len(), all.is_all, same.asked().len()), (2, true, 2));
}

#[tokio::test]
async fn an_endless_list_is_given_up_and_says_so() {
    let server = Server::start(|request| webhooks(page_of(request)..page_of(request) + 1, None));
    let some = chat_gateway(&server.base).webhooks().await.unwrap();
    assert_eq!((some.items.len(), some.is_all), (50, false));
}

#[tokio::test]
async fn an_account_without_channels_may_be_answered_by_404_and_one_without_webhooks_may_not() {
    let server = Server::start(|_| answer(404, r#"{"message":"no channels"}"#));
    let gateway = chat_gateway(&server.base);
    assert!(gateway.channels().await.unwrap().items.is_empty());
    assert!(gateway.webhooks().await.unwrap_err().is_not_found());
    gateway.delete_channel("gone").await.unwrap();
}

#[tokio::test]
async fn the_second_spelling_of_a_version_is_tried_only_when_8x8_speaks_of_versions() {
    let write = WebhookWrite {
        name: "ours".to_owned(),
        uri: "https://h.example.com".to_owned(),
    };
    let wants_both = Server::start(|request| {
        if request.contains("notificationVersion") {
            answer(200, r#"{"id":"w1"}"#)
        } else {
            answer(
                400,
                r#"{"message":"Bad","errors":[{"code":"x","message":"notificationVersion is required"}]}"#,
            )
        }
    });
    let made = chat_gateway(&wants_both.base).create_webhook(&write).await.unwrap();
    assert_eq!((made.id.as_str(), wants_both.asked().len()), ("w1", 2));
    let taken = Server::start(|_| answer(400, r#"{"message":"the name is taken"}"#));
    let refused = chat_gateway(&taken.base).create_webhook(&write).await.unwrap_err();
    assert!(matches!(refused, ChatGatewayError::Refused(_)), "{refused}");
    assert_eq!(taken.asked().len(), 1);
}

#[tokio::test]
async fn the_other_clock_is_read_from_the_date_of_an_answer() {
    let date = "Date: Fri, 20 Nov 2026 12:02:00 GMT\r\n";
    let server = Server::start(move |_| Answer::Say(200, date, "{}".to_owned()));
    let now = || crate::domain::Timestamp::parse_rfc3339("2026-11-20T12:00:00Z").unwrap();
    let ahead = chat_gateway(&server.base).clock_ahead(now).await.unwrap();
    assert_eq!(ahead, Some(120));
    let dateless = Server::start(|_| answer(200, "{}"));
    assert_eq!(chat_gateway(&dateless.base).clock_ahead(now).await.unwrap(), None);
}

#[tokio::test]
async fn an_id_that_would_lead_elsewhere_is_asked_for_nowhere() {
    let server = Server::start(|_| answer(200, "{}"));
    let gateway = chat_gateway(&server.base);
    for id in ["", ".", ".."] {
        assert!(gateway.webhook(id).await.unwrap_err().is_not_found());
        assert!(gateway.channel(id).await.unwrap_err().is_not_found());
        assert!(gateway.delete_webhook(id).await.is_err() && gateway.delete_channel(id).await.is_err());
    }
    assert!(server.asked().is_empty());
}
