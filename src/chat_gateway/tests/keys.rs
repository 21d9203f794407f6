//! How keys are fetched, shared, remembered and done without.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::chat_gateway::KeyError;
use crate::chat_gateway::KeyId;
use crate::chat_gateway::KeySource;
use crate::chat_gateway::KeySourceSettings;
use crate::chat_gateway::tests::server::Server;
use crate::chat_gateway::tests::server::client;
use crate::chat_gateway::tests::server::json;
use crate::clock::Clock;
use crate::domain::Timestamp;

fn jwk(kid: &str) -> String {
    let modulus = URL_SAFE_NO_PAD.encode([0xff; 256]);
    format!(r#"{{"kty":"RSA","e":"AQAB","kid":"{kid}","n":"{modulus}"}}"#)
}

fn clock() -> Clock {
    Clock::manual(Timestamp::from_millis(1_800_000_000_000))
}

fn key_source(base: &str, fallback: Option<String>, clock: &Clock) -> KeySource {
    let settings = KeySourceSettings {
        base_url: base.parse().unwrap(),
        tenant_id: None,
        jwk_fallback_url: fallback,
    };
    KeySource::new(client(), &settings, clock.clone()).unwrap()
}

fn kid(text: &str) -> KeyId {
    KeyId::parse(text).unwrap()
}

#[test]
fn key_ids_are_safe_in_an_address() {
    for wrong in ["", "..", "a/b", "a b", "a%2f", "é", &"a".repeat(65)] {
        assert_eq!(KeyId::parse(wrong), None, "{wrong}");
    }
    assert!(KeyId::parse(&"-_aZ9".repeat(12)).is_some());
}

#[tokio::test]
async fn many_who_ask_for_one_key_share_one_fetch() {
    let server = Server::start(|_| {
        std::thread::sleep(Duration::from_millis(50));
        json(200, &jwk("k1"))
    });
    let keys = key_source(&server.base, None, &clock());
    let k1 = kid("k1");
    let all = futures_util::future::join_all((0..50).map(|_| keys.key(&k1))).await;
    assert!(all.iter().all(Result::is_ok));
    keys.key(&k1).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].starts_with("GET /chat-gateway/v1/jwk/k1/public "));
    assert!(!asked[0].contains("x-api-key"));
}

#[tokio::test]
async fn a_fetch_given_up_by_its_caller_is_taken_over() {
    let server = Server::start(|_| json(200, &jwk("k1")));
    let keys = key_source(&server.base, None, &clock());
    let k1 = kid("k1");
    {
        let mut first = std::pin::pin!(keys.key(&k1));
        assert!(futures_util::poll!(first.as_mut()).is_pending());
    }
    keys.key(&k1).await.unwrap();
}

#[tokio::test]
async fn an_unknown_key_is_remembered_for_a_short_time() {
    let server = Server::start(|_| json(404, "{}"));
    let clock = clock();
    let keys = key_source(&server.base, None, &clock);
    for _ in 0..3 {
        assert_eq!(keys.key(&kid("k1")).await.unwrap_err(), KeyError::Unknown);
    }
    assert_eq!(server.asked().len(), 1);
    clock.advance(Duration::from_mins(1));
    assert_eq!(keys.key(&kid("k1")).await.unwrap_err(), KeyError::Unknown);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_flood_of_unknown_ids_does_not_become_a_flood_of_fetches() {
    let server = Server::start(|request| {
        if request.contains("/good/") {
            json(200, &jwk("good"))
        } else {
            json(404, "{}")
        }
    });
    let clock = clock();
    let keys = key_source(&server.base, None, &clock);
    keys.key(&kid("good")).await.unwrap();
    let mut unavailable = 0;
    for number in 0..50 {
        if keys.key(&kid(&format!("k{number}"))).await.unwrap_err() == KeyError::Unavailable {
            unavailable += 1;
        }
    }
    assert_eq!((unavailable, server.asked().len()), (41, 10));
    keys.key(&kid("good")).await.unwrap();
    clock.advance(Duration::from_secs(2));
    for (name, expected) in [
        ("a", KeyError::Unknown),
        ("b", KeyError::Unknown),
        ("c", KeyError::Unavailable),
    ] {
        assert_eq!(keys.key(&kid(name)).await.unwrap_err(), expected, "{name}");
    }
}

#[tokio::test]
async fn ten_thousand_unknown_ids_within_a_minute_cost_70_fetches_and_little_memory() {
    let server = Server::start(|_| json(404, "{}"));
    let clock = clock();
    let keys = key_source(&server.base, None, &clock);
    for number in 0..10_000_u32 {
        if number % 166 == 0 {
            clock.advance(Duration::from_secs(1));
        }
        keys.key(&kid(&format!("k{number}"))).await.unwrap_err();
    }
    let fetches = server.asked().len();
    assert!(fetches <= 71, "{fetches} fetches");
    assert!(format!("{keys:?}").len() < 10_000, "what is remembered is bounded");
}

#[tokio::test]
async fn who_may_not_have_8x8_asked_gets_known_keys_all_the_same() {
    let server = Server::start(|_| json(200, &jwk("k1")));
    let keys = key_source(&server.base, None, &clock());
    assert_eq!(
        keys.key_for(&kid("k1"), &|| false).await.unwrap_err(),
        KeyError::Unavailable
    );
    assert_eq!(server.asked().len(), 0);
    keys.key(&kid("k1")).await.unwrap();
    keys.key_for(&kid("k1"), &|| false).await.unwrap();
}

#[tokio::test]
async fn an_old_key_goes_on_while_8x8_is_down_and_ends_when_8x8_says_so() {
    let status = Arc::new(Mutex::new(200));
    let answer = Arc::clone(&status);
    let server = Server::start(move |_| json(*answer.lock().unwrap(), &jwk("k1")));
    let clock = clock();
    let keys = key_source(&server.base, None, &clock);
    keys.key(&kid("k1")).await.unwrap();

    *status.lock().unwrap() = 500;
    clock.advance(Duration::from_hours(7));
    keys.key(&kid("k1")).await.unwrap();
    keys.key(&kid("k1")).await.unwrap();
    assert_eq!(server.asked().len(), 2);

    *status.lock().unwrap() = 404;
    clock.advance(Duration::from_mins(2));
    assert_eq!(keys.key(&kid("k1")).await.unwrap_err(), KeyError::Unknown);
}

#[tokio::test]
async fn an_answer_without_a_usable_key_is_no_verdict() {
    let long = format!("{}{}", jwk("k1"), " ".repeat(17_000));
    for (status, body) in [
        (200, "<html></html>".to_owned()),
        (200, jwk("another")),
        (200, long),
        (302, String::new()),
        (401, String::new()),
        (500, jwk("k1")),
    ] {
        let server = Server::start(move |_| json(status, &body));
        let keys = key_source(&server.base, None, &clock());
        assert_eq!(
            keys.key(&kid("k1")).await.unwrap_err(),
            KeyError::Unavailable,
            "{status}"
        );
    }
}

#[tokio::test]
async fn the_second_place_is_asked_when_the_first_has_no_key() {
    for (first, second, expected) in [
        (404, 200, Ok(())),
        (500, 200, Ok(())),
        (404, 404, Err(KeyError::Unknown)),
        (500, 404, Err(KeyError::Unavailable)),
        (404, 500, Err(KeyError::Unavailable)),
    ] {
        let server = Server::start(move |request| {
            let status = if request.contains("/old/k1") { second } else { first };
            json(status, &jwk("k1"))
        });
        let keys = key_source(&server.base, Some(format!("{}/old/{{kid}}", server.base)), &clock());
        assert_eq!(keys.key(&kid("k1")).await.map(|_| ()), expected, "{first} {second}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let keys = |fallback: &str| {
        let settings = KeySourceSettings {
            base_url: "https://api.8x8.com".parse().unwrap(),
            tenant_id: None,
            jwk_fallback_url: Some(fallback.to_owned()),
        };
        KeySource::new(client(), &settings, clock()).map(|_| ())
    };
    assert!(keys("https://api.8x8.com/vcc/us/chat/v2/jwk/{kid}/public").is_ok());
    assert!(keys("https://api.8x8.com/vcc/us/chat/v2/jwk/public").is_err());
    assert!(keys("{kid}").is_err());
}
