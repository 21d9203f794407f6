//! What goes over the wire, and how answers are read.

use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::Coverage;
use crate::chat_gateway::Fault;
use crate::chat_gateway::NewestConversations;
use crate::chat_gateway::tests::server::Answer;
use crate::chat_gateway::tests::server::Server;
use crate::chat_gateway::tests::server::json;
use crate::chat_gateway::tests::setup::body;
use crate::chat_gateway::tests::setup::chat_gateway;
use crate::chat_gateway::tests::setup::conversation;
use crate::chat_gateway::tests::setup::handover;
use crate::domain::AuthorType;
use crate::domain::ConversationId;
use crate::domain::RawJson;
use crate::domain::Timestamp;
use crate::domain::User;

#[tokio::test]
async fn a_call_carries_key_tenant_and_types_and_reads_the_answer() {
    let server = Server::start(|_| json(202, r#"{"conversationId":"abc","createdAt":"2026-11-20T12:00:00Z"}"#));
    let created = chat_gateway(&format!("{}/stage", server.base))
        .create(&body())
        .await
        .unwrap();
    assert_eq!(created.id.as_str(), "abc");
    assert_eq!(created.created_at, Timestamp::parse_rfc3339("2026-11-20T12:00:00Z"));
    let request = server.asked().remove(0);
    assert!(
        request.starts_with("POST /stage/chat-gateway/v1/conversations HTTP/1.1\r\n"),
        "{request}"
    );
    for header in [
        "x-api-key: eght_secret",
        "x-8x8-tenant: acme01",
        "accept: application/hal+json",
        "content-type: application/json",
    ] {
        assert!(request.contains(header), "{request}");
    }
}

#[tokio::test]
async fn any_2xx_takes_a_message_and_cards_keep_their_bytes() {
    let server = Server::start(|_| Answer::Say(202, "", "not JSON".to_owned()));
    let cards = [RawJson::parse(r#"{"content": {"b":1.0, "a":2}}"#).unwrap()];
    chat_gateway(&server.base)
        .post(&conversation(), AuthorType::User, Some("hi"), &cards)
        .await
        .unwrap();
    let request = server.asked().remove(0);
    assert!(
        request.starts_with("POST /chat-gateway/v1/conversations/c%2F1/messages "),
        "{request}"
    );
    assert!(
        request.ends_with(r#"{"authorType":"user","text":"hi","cards":[{"content": {"b":1.0, "a":2}}]}"#),
        "{request}"
    );
}

#[tokio::test]
async fn a_conversation_is_read_leniently() {
    let server = Server::start(|_| {
        json(
            200,
            r#"{"id":17,"state":"active","assignment":{"type":"agent","id":"ag1"},"user":{"additionalProperties":[
                {"key":"Intent","value":"x"},{"key":"handoverId","value":"ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00"}]}}"#,
        )
    });
    let view = chat_gateway(&server.base).get(&conversation()).await.unwrap();
    insta::assert_debug_snapshot!(view, @r#"
    ConversationView {
        id: ConversationId(
            "17",
        ),
        state: Some(
            Active,
        ),
        channel_id: None,
        assignment: Some(
            AssignmentView {
                kind: "agent",
                id: Some(
                    "ag1",
                ),
            },
        ),
        handover: Some(
            HandoverId(
                "ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00",
            ),
        ),
        user: User {
            name: None,
            user_id: None,
            customer_id: None,
            email: None,
            phone: None,
            company: None,
            case_id: None,
            language: None,
            ipaddress: None,
            timezone_offset: None,
            additional_properties: [
                Property {
                    key: "Intent",
                    value: "x",
                },
            ],
        },
    }
    "#);
}

#[tokio::test]
async fn an_id_that_would_change_the_path_is_not_asked_for() {
    let error = chat_gateway("http://127.0.0.1:9")
        .get(&ConversationId::parse("..").unwrap())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ChatGatewayError::Refused(refusal) if refusal.fault == Fault::NotFound),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_update_names_only_what_changes_and_keeps_our_property() {
    let server = Server::start(|_| json(202, "{}"));
    let gateway = chat_gateway(&server.base);
    let user = User {
        phone: Some("1".to_owned()),
        ..User::default()
    };
    gateway
        .update(&conversation(), &handover(), Some("124"), None)
        .await
        .unwrap();
    gateway
        .update(&conversation(), &handover(), None, Some(&user))
        .await
        .unwrap();
    let bodies: Vec<_> = server
        .asked()
        .iter()
        .map(|request| request.rsplit("\r\n").next().unwrap().to_owned())
        .collect();
    insta::assert_debug_snapshot!(bodies, @r#"
    [
        "{\"assignment\":{\"type\":\"queue\",\"id\":\"124\"}}",
        "{\"user\":{\"phone\":\"1\",\"additionalProperties\":[{\"key\":\"handoverId\",\"value\":\"ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00\"}]}}",
    ]
    "#);
}

#[tokio::test]
async fn the_newest_conversations_are_found_even_where_8x8_cannot_sort() {
    let server = Server::start(|request| {
        let page = |ids: &str| {
            json(
                200,
                &format!(r#"{{"_embedded":{{"conversations":[{ids}]}},"page":{{"totalPages":5}}}}"#),
            )
        };
        if request.contains("sort=") {
            json(400, r#"{"message":"no"}"#)
        } else if request.contains("page=0") {
            page(r#"{"id":"a"}"#)
        } else if request.contains("page=4") {
            page(r#"{"id":"e"},{"no":"id"}"#)
        } else {
            page(r#"{"id":"d"}"#)
        }
    });
    let newest = chat_gateway(&server.base).newest(50).await.unwrap();
    let ids: Vec<_> = newest.conversations.iter().map(|view| view.id.as_str()).collect();
    assert_eq!((ids, newest.coverage), (vec!["a", "e", "d"], Coverage::Part));
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn a_sorted_list_says_whether_it_is_complete() {
    for (body, expected) in [
        (r#"{"page":{"totalPages":1}}"#, Coverage::All),
        (r#"{"page":{"totalPages":"0"}}"#, Coverage::All),
        (r#"{"page":{"totalPages":9}}"#, Coverage::Newest),
        // An empty list may leave out everything.
        ("{}", Coverage::All),
    ] {
        let server = Server::start(move |_| json(200, body));
        let newest = chat_gateway(&server.base).newest(50).await.unwrap();
        assert_eq!((newest.conversations.len(), newest.coverage), (0, expected), "{body}");
        assert!(server.asked()[0].contains("?size=50&page=0&sort=createdAt%3Adesc "));
    }
}

/// Three pages of two, of which the second begins with what was pushed there from the first.
fn paged(request: &str) -> Answer {
    let page = |ids: [&str; 2]| {
        let ids = ids.map(|id| format!(r#"{{"id":"{id}"}}"#)).join(",");
        json(
            200,
            &format!(r#"{{"_embedded":{{"conversations":[{ids}]}},"page":{{"totalPages":3}}}}"#),
        )
    };
    if request.contains("page=0") {
        page(["e", "d"])
    } else if request.contains("page=1") {
        page(["d", "c"])
    } else {
        page(["b", "a"])
    }
}

#[tokio::test]
async fn newer_conversations_are_looked_through_page_by_page_until_it_is_enough() {
    let shown = async |pages, enough: &'static str| {
        let server = Server::start(paged);
        let is_enough = |found: &NewestConversations| found.conversations.iter().any(|one| one.id.as_str() == enough);
        let found = chat_gateway(&server.base)
            .newest_until(2, pages, is_enough)
            .await
            .unwrap();
        let ids: Vec<String> = found.conversations.iter().map(|one| one.id.to_string()).collect();
        assert_eq!(found.pages as usize, server.asked().len());
        (ids.concat(), found.coverage)
    };
    assert_eq!(shown(9, "d").await, ("ed".to_owned(), Coverage::Newest));
    assert_eq!(shown(9, "c").await, ("edc".to_owned(), Coverage::Newest));
    assert_eq!(shown(9, "none").await, ("edcba".to_owned(), Coverage::All));
    assert_eq!(shown(2, "none").await, ("edc".to_owned(), Coverage::Newest));
}

#[tokio::test]
async fn a_list_with_something_unreadable_on_it_is_never_complete() {
    let body = r#"{"_embedded":{"conversations":[{"id":"a"},{"no":"id"}]},"page":{"totalPages":1}}"#;
    let server = Server::start(move |_| json(200, body));
    let newest = chat_gateway(&server.base).newest(50).await.unwrap();
    assert_eq!((newest.conversations.len(), newest.coverage), (1, Coverage::Part));
}

#[tokio::test]
async fn the_user_leaves_even_where_the_message_is_refused() {
    let server = Server::start(|request| {
        if request.contains("displayMessage") {
            json(400, "{}")
        } else {
            json(204, "")
        }
    });
    chat_gateway(&server.base)
        .user_leaves(&conversation(), Some("bye"))
        .await
        .unwrap();
    let asked = server.asked();
    assert!(asked[0].starts_with("PATCH /chat-gateway/v1/conversations/c%2F1/participants/user "));
    assert!(asked[0].ends_with(r#"{"removed":true,"displayMessage":"bye"}"#));
    assert!(asked[1].ends_with(r#"{"removed":true}"#));
}

#[tokio::test]
async fn messages_come_newest_first() {
    let server = Server::start(|_| {
        json(
            200,
            r#"{"_embedded":{"messages":[
                {"id":"1","text":" a ","author":{"type":"user"},"createdAt":"2026-11-20T12:00:00Z"},
                {"id":"2","text":"b","author":{"type":"agent"},"createdAt":"2026-11-20T12:00:05.5Z"}]}}"#,
        )
    });
    let messages = chat_gateway(&server.base)
        .list_newest(&conversation(), 20)
        .await
        .unwrap();
    assert!(!messages.is_all, "nothing was said of other pages");
    let seen: Vec<_> = messages
        .messages
        .iter()
        .map(|m| (m.author_type.as_str(), m.text.as_str()))
        .collect();
    assert_eq!(seen, [("agent", "b"), ("user", " a ")]);
}

#[tokio::test]
async fn clones_follow_to_another_place_and_key() {
    let (old, new) = (
        Server::start(|_| json(200, r#"{"id":"c/1"}"#)),
        Server::start(|_| json(200, r#"{"id":"c/1"}"#)),
    );
    let gateway = chat_gateway(&old.base);
    let held_by_others = gateway.clone();
    gateway.follow(&chat_gateway(&new.base));
    drop(held_by_others.get(&conversation()).await);
    drop(gateway.get(&conversation()).await);
    assert_eq!((old.asked().len(), new.asked().len()), (0, 2));
}
