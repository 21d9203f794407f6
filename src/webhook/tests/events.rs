//! What stands around an event, and what is no event.

use bytes::Bytes;

use crate::domain::AccountId;
use crate::domain::RawJson;
use crate::domain::Timestamp;
use crate::domain::WebhookKind;
use crate::webhook::Decoded;
use crate::webhook::Signed;
use crate::webhook::decode;
use crate::webhook::decode_kept;
use crate::webhook::is_hello;

fn decoded(body: &[u8]) -> Decoded {
    let now = Timestamp::from_millis(1_800_000_000_000);
    let signed = Signed::vouched(AccountId::new("acme01"), Some("e1"), Bytes::copy_from_slice(body), now);
    let decoded = decode(&signed);
    assert_eq!(decode_kept(&signed.receipt(None, now)), decoded);
    assert_eq!(is_hello(body), decoded == Decoded::Verify);
    decoded
}

/// The event on one line; what stands around its kind is looked at once.
pub(super) fn seen(body: &str) -> String {
    match decoded(body.as_bytes()) {
        Decoded::Event(event) => format!("{} {:?}", event.conversation, event.kind),
        other => format!("{other:?}"),
    }
}

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/webhooks/", $name, ".json"))
    };
}

pub(super) use fixture;

#[test]
fn type_id_and_time_of_an_event_are_kept() {
    for body in [fixture!("gateway_queued"), fixture!("flat_queued")] {
        let Decoded::Event(event) = decoded(body.as_bytes()) else {
            panic!("{body}");
        };
        assert_eq!(
            (event.source.event_type.as_str(), event.source.event_id.as_str()),
            ("QUEUED", "e1")
        );
        assert!(event.source.timestamp.unwrap() > 1_600_000_000_000);
    }
}

#[test]
fn what_is_not_recognized_is_kept_whole() {
    let body = fixture!("unknown_event");
    let Decoded::Event(event) = decoded(body.as_bytes()) else {
        panic!("{body}");
    };
    let raw = RawJson::parse(body).unwrap();
    assert_eq!(raw.as_str(), body.trim_end());
    assert_eq!(event.kind, WebhookKind::Unrecognized { raw });
}

#[test]
fn what_is_no_event_is_unreadable() {
    for body in [
        &b""[..],
        b"x",
        b"[]",
        b"null",
        b"\"WEB_HOOK_VERIFY\"",
        b"{\"eventType\":\"TEXT\"",
        b"{}",
        b"{\"conversationId\":\" \"}",
        b"\xff",
    ] {
        assert!(matches!(decoded(body), Decoded::Unreadable(_)), "{body:?}");
    }
}

#[test]
fn depth_and_odd_types_do_no_harm() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for kind in [
        "CONVERSATION_UPDATE",
        "QUEUED",
        "MEMBERS_CHANGED",
        "AGENT_JOINED",
        "TRANSFER",
        "MESSAGE",
        "TEXT",
        "ACTIVITY",
        "",
        "x",
    ] {
        for data in [
            "null",
            "1",
            "[]",
            "{}",
            "\"x\"",
            &deep,
            &format!(r#"{{"user":{deep},"value":{deep},"name":"a/b","sender":[],"cards":[{deep}]}}"#),
        ] {
            let body = format!(r#"{{"eventType":"{kind}","conversationId":"c","timestamp":{{}},"data":{data}}}"#);
            assert!(matches!(decoded(body.as_bytes()), Decoded::Event(_)), "{kind}");
        }
    }
}
