//! `tests/fixtures/signatures.json`: what is right, and each single thing that can be wrong.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use proptest::prelude::*;
use serde::Deserialize;
use tokio::runtime::Runtime;

use crate::chat_gateway::KeySource;
use crate::chat_gateway::KeySourceSettings;
use crate::chat_gateway::tests::server::Server;
use crate::chat_gateway::tests::server::client;
use crate::chat_gateway::tests::server::json;
use crate::clock::Clock;
use crate::domain::AccountId;
use crate::domain::ConversationId;
use crate::domain::Timestamp;
use crate::webhook::Signed;
use crate::webhook::Verifier;
use crate::webhook::VerifyError;
use crate::webhook::claimed_account;

#[derive(Deserialize)]
struct Vectors {
    now: i64,
    tenant: String,
    keys: Vec<serde_json::Value>,
    cases: Vec<Case>,
}

#[derive(Clone, Deserialize)]
struct Case {
    name: String,
    expect: String,
    body: String,
    headers: BTreeMap<String, String>,
}

impl Case {
    fn body(&self) -> Vec<u8> {
        STANDARD.decode(&self.body).unwrap()
    }

    fn headers(&self) -> HeaderMap {
        let pair = |(name, value): (&String, &String)| {
            let name: HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        };
        self.headers.iter().map(pair).collect()
    }
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../tests/fixtures/signatures.json")).unwrap()
}

/// A verifier and the 8x8 it asks for keys.
struct Setup {
    verifier: Verifier,
    now: Timestamp,
    runtime: Runtime,
}

impl Setup {
    fn new(vectors: &Vectors) -> Self {
        let keys: HashMap<String, String> = vectors
            .keys
            .iter()
            .map(|jwk| (jwk["kid"].as_str().unwrap().to_owned(), jwk.to_string()))
            .collect();
        let server = Server::start(move |request| {
            let kid = request.split('/').nth(4).unwrap();
            keys.get(kid).map_or_else(|| json(404, "{}"), |jwk| json(200, jwk))
        });
        Self::asking(&server.base, vectors)
    }

    fn asking(base: &str, vectors: &Vectors) -> Self {
        let now = Timestamp::from_millis(vectors.now);
        let settings = KeySourceSettings {
            base_url: base.parse().unwrap(),
            tenant_id: None,
            jwk_fallback_url: None,
        };
        let keys = KeySource::new(client(), &settings, Clock::manual(now)).unwrap();
        let accounts = vec![AccountId::new("another"), AccountId::new(&vectors.tenant)];
        Self {
            verifier: Verifier::new(Arc::new(keys), accounts, Duration::from_mins(5)),
            now,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        }
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Signed, VerifyError> {
        let body = Bytes::copy_from_slice(body);
        self.runtime.block_on(self.verifier.verify(headers, body, self.now))
    }
}

#[test]
fn only_what_8x8_signed_is_believed() {
    let vectors = vectors();
    let setup = Setup::new(&vectors);
    for case in &vectors.cases {
        let verdict = match setup.verify(&case.headers(), &case.body()) {
            Ok(_) => "ok",
            Err(VerifyError::Unproven(code)) => code,
            Err(VerifyError::Untimely(_)) => VerifyError::STALE_CODE,
            Err(VerifyError::KeysUnavailable) => "keys-unavailable",
            Err(VerifyError::TokensUnavailable) => "tokens-unavailable",
        };
        assert_eq!(verdict, case.expect, "{}", case.name);
    }
}

#[test]
fn a_proven_webhook_tells_what_was_signed() {
    let vectors = vectors();
    let case = vectors
        .cases
        .iter()
        .find(|case| case.name == "right and repeated")
        .unwrap();
    let (headers, body) = (case.headers(), case.body());
    let signed = Setup::new(&vectors).verify(&headers, &body).unwrap();
    assert_eq!(signed.account().as_str(), "acme01");
    assert_eq!(claimed_account(&headers).as_ref(), Some(signed.account()));
    assert_eq!(signed.customer(), Some("0012J000"));
    assert_eq!((signed.event_id(), signed.retry()), ("vXg39aMTRlq4xCBFaUCTlA", 3));
    assert_eq!(signed.transmission_time().as_millis(), vectors.now - 300);
    let receipt = signed.receipt(ConversationId::parse("c1"), Timestamp::from_millis(5));
    assert_eq!(receipt.body, body);
    assert_eq!(receipt.event_id, signed.event_id());
    assert_eq!(receipt.sha256, *signed.sha256());
    assert_eq!(receipt.received_at.as_millis(), 5);
}

#[test]
fn without_8x8s_keys_nothing_is_said_about_a_signature() {
    let vectors = vectors();
    let server = Server::start(|_| json(500, "{}"));
    let setup = Setup::asking(&server.base, &vectors);
    let right = &vectors.cases[0];
    assert_eq!(
        setup.verify(&right.headers(), &right.body()),
        Err(VerifyError::KeysUnavailable)
    );
    assert_eq!(server.asked().len(), 1);
    let of = |verdict: &str| vectors.cases.iter().find(|case| case.expect == verdict).unwrap();
    let other = of("other-tenant");
    assert!(setup.verify(&other.headers(), &other.body()).is_err());
    assert_eq!(server.asked().len(), 1, "the cheap questions come first");
    let stale = of("stale");
    assert_eq!(
        setup.verify(&stale.headers(), &stale.body()),
        Err(VerifyError::Unproven(VerifyError::STALE_CODE)),
        "who cannot be known is not believed about the time"
    );
}

#[test]
fn any_changed_byte_of_the_body_breaks_it() {
    let vectors = vectors();
    let setup = Setup::new(&vectors);
    let right = vectors.cases[1].clone();
    let (headers, body) = (right.headers(), right.body());
    proptest!(|(at in 0..body.len(), with in 1_u8..)| {
        let mut changed = body.clone();
        changed[at] ^= with;
        prop_assert_eq!(setup.verify(&headers, &changed), Err(VerifyError::Unproven("bad-signature")));
    });
}

#[test]
fn any_changed_byte_of_a_header_breaks_it() {
    let vectors = vectors();
    let setup = Setup::new(&vectors);
    let right = vectors.cases[0].clone();
    let (names, body): (Vec<&String>, _) = (right.headers.keys().collect(), right.body());
    assert!(setup.verify(&right.headers(), &body).is_ok());
    proptest!(|(name in 0..names.len(), at in any::<prop::sample::Index>(), with in 0x20_u8..0x7f)| {
        let mut case = right.clone();
        let value = case.headers.get_mut(names[name]).unwrap();
        let at = at.index(value.len());
        prop_assume!(value.as_bytes()[at] != with);
        value.replace_range(at..=at, std::str::from_utf8(&[with]).unwrap());
        prop_assert!(setup.verify(&case.headers(), &body).is_err());
    });
}
