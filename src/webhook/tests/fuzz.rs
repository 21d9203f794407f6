//! Signature headers and webhooks as nobody should send them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::HeaderValue;
use serde_json::Value;

use crate::domain::AccountId;
use crate::domain::Timestamp;
use crate::domain::WebhookHeaders;
use crate::domain::WebhookReceipt;
use crate::fuzzing::fuzz;
use crate::webhook::Decoded;
use crate::webhook::DetachedJws;
use crate::webhook::claimed_account;
use crate::webhook::decode_kept;
use crate::webhook::is_hello;
use crate::webhook::passed_headers;
use crate::webhook::signed_content::Claims;

/// Everything the vectors have in a header, and headers of JOSE before they are encoded.
fn header_seeds() -> Vec<Vec<u8>> {
    let vectors: Value = serde_json::from_str(include_str!("../../../tests/fixtures/signatures.json")).unwrap();
    let mut seeds = Vec::new();
    texts(&vectors["cases"], &mut seeds);
    seeds.truncate(400);
    for jose in [
        r#"{"b64":false,"crit":["b64"],"kid":"key1","alg":"RS256"}"#,
        r#"{"alg":"none","kid":"../x","b64":true,"crit":["b64","exp"]}"#,
    ] {
        seeds.push(jose.as_bytes().to_vec());
        seeds.push(format!("{}..AAAA", URL_SAFE_NO_PAD.encode(jose)).into_bytes());
    }
    seeds
}

fn texts(value: &Value, found: &mut Vec<Vec<u8>>) {
    match value {
        Value::String(text) => found.push(text.clone().into_bytes()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn a_jose_header_that_is_taken_is_one_of_8x8s_and_no_header_breaks_the_verifier() {
    fuzz("jose header", &header_seeds(), |input| {
        if let Ok(text) = std::str::from_utf8(input) {
            is_sound(text);
            // As the header inside of a signature, so that more than the encoding is tried.
            is_sound(&format!("{}..AAAA", URL_SAFE_NO_PAD.encode(input)));
        }
        let Ok(value) = HeaderValue::from_bytes(input) else {
            return;
        };
        for name in [
            "signature",
            "transmission-time",
            "retry",
            "event-id",
            "tenant-id",
            "customer-id",
        ] {
            let mut headers = HeaderMap::new();
            for (known, usual) in [
                ("x-8x8-signature", "h..s"),
                ("x-8x8-transmission-time", "1617353093000"),
                ("x-8x8-retry", "0"),
                ("x-8x8-event-id", "e"),
                ("x-8x8-tenant-id", "t"),
                ("x-8x8-customer-id", "c"),
            ] {
                let usual = HeaderValue::from_static(usual);
                headers.insert(known, if known.ends_with(name) { value.clone() } else { usual });
            }
            assert!(passed_headers(&headers).0.len() <= 6);
            let account = claimed_account(&headers);
            if let Ok(claims) = Claims::read(&headers) {
                let signed: Value = serde_json::from_str(&claims.signed_text(b"{}")).unwrap();
                assert_eq!(
                    (&signed["tid"], &signed["eid"]),
                    (&claims.account.into(), &claims.event_id.into())
                );
                assert_eq!(account, Some(AccountId::new(claims.account)));
            }
        }
    });
}

/// What is taken says what it must, read with another reader.
fn is_sound(text: &str) {
    let Some(jws) = DetachedJws::parse(text) else { return };
    let header = text.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    assert_eq!(
        (&header["alg"], &header["b64"]),
        (&"RS256".into(), &false.into()),
        "{header}"
    );
    assert_eq!(header["crit"], serde_json::json!(["b64"]), "{header}");
    let kid = jws.key_id().as_str();
    assert_eq!(header["kid"], kid);
    assert!(
        kid.len() <= 64
            && kid
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    );
}

fn webhook_seeds() -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/webhooks");
    let mut seeds: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect();
    seeds.sort();
    assert!(seeds.len() > 20);
    seeds
}

#[test]
fn no_webhook_breaks_the_decoder_and_the_same_one_is_always_read_alike() {
    fuzz("webhook json", &webhook_seeds(), |input| {
        let receipt = WebhookReceipt {
            account: AccountId::new("acme"),
            event_id: "event-1".to_owned(),
            conversation: None,
            sha256: [0; 32],
            body: input.to_vec().into(),
            received_at: Timestamp::from_millis(0),
            headers: WebhookHeaders::default(),
        };
        let decoded = decode_kept(&receipt);
        assert_eq!(decoded, decode_kept(&receipt));
        match decoded {
            Decoded::Event(event) => {
                let whole: Value = serde_json::from_slice(input).unwrap_or_default();
                assert!(!event.conversation.as_str().trim().is_empty());
                assert!(whole.is_null() || whole.is_object(), "an event of what is no object");
                assert!(!is_hello(input), "both a hello and an event");
            }
            Decoded::Verify => assert!(is_hello(input)),
            Decoded::Unreadable(why) => assert!(!why.is_empty()),
        }
    });
}
