//! Bearer tokens from 8x8's OAuth, by client credentials: one at a time, kept until shortly before it expires.

use std::time::Duration;

use http::HeaderValue;
use http::header;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use crate::availability::SourceError;
use crate::availability::UnusableAccess;
use crate::availability::access::Access;
use crate::availability::cache::Cache;
use crate::availability::cache::Fetched;
use crate::availability::cache::Got;
use crate::availability::number::number;
use crate::clock::Clock;

/// Where 8x8 does not say how long a token lives.
const USUAL_LIFE: Duration = Duration::from_mins(5);
/// A token is renewed so long before it expires, or a quarter of its life where that is shorter.
const MARGIN: Duration = Duration::from_mins(1);
/// Longer lives are not believed.
const LONGEST_LIFE: Duration = Duration::from_hours(24);
/// There is one token at a time.
const ONLY: &str = "token";

/// First parts of the analytics' path, which the token's address does not have.
const REGIONS: [&str; 4] = ["us", "eu", "au", "ca"];

#[derive(Debug)]
pub(super) struct Tokens {
    access: Access,
    cache: Cache<SecretString>,
}

impl Tokens {
    pub(super) fn new(
        client: reqwest::Client,
        base: &Url,
        (id, secret): (&str, &SecretString),
        cache: (String, Duration, Clock),
    ) -> Result<Self, UnusableAccess> {
        let (name, pause, clock) = cache;
        Ok(Self {
            access: Access::basic(client, &without_region(base), id, secret)?,
            cache: Cache::new(name, pause, clock),
        })
    }

    pub(super) async fn token(&self) -> Result<SecretString, SourceError> {
        let known = self.cache.get(ONLY, Box::pin(self.fetch())).await;
        known.value.ok_or(known.problem.unwrap_or(SourceError::Unreadable))
    }

    /// 8x8 does not take this one any more.
    pub(super) fn refused(&self, token: &SecretString) {
        let is_it = |known: &SecretString| known.expose_secret() == token.expose_secret();
        self.cache.forget(ONLY, is_it);
    }

    async fn fetch(&self) -> Fetched<SecretString> {
        let url = self.access.url(&["oauth", "v2", "token"])?;
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let request = self.access.client.post(url).header(header::CONTENT_TYPE, form);
        let answer = self.access.ask(request.body("grant_type=client_credentials")).await;
        match answer {
            Ok(answer) => token_in(&answer).ok_or(SourceError::Unreadable),
            // How 8x8's token endpoint answers wrong credentials too.
            Err(SourceError::Status(400)) => Err(SourceError::Credentials),
            Err(error) => Err(error),
        }
    }
}

fn token_in(answer: &Value) -> Option<Got<SecretString>> {
    let token = answer.get("access_token")?.as_str()?.trim();
    let visible = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let life = answer.get("expires_in").and_then(number).map_or(USUAL_LIFE, |seconds| {
        Duration::try_from_secs_f64(seconds).map_or(LONGEST_LIFE, |life| life.min(LONGEST_LIFE))
    });
    visible.then(|| Got {
        value: SecretString::from(token),
        fresh_for: life.saturating_sub(MARGIN.min(life / 4)),
        usable_for: life,
    })
}

fn without_region(base: &Url) -> Url {
    let mut url = base.clone();
    let parts: Vec<String> = base
        .path_segments()
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    if let Some((last, rest)) = parts.split_last()
        && REGIONS.contains(&last.as_str())
    {
        url.set_path(&rest.join("/"));
    }
    url
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_expires() {
        for (expires_in, renewed, life) in [
            (json!("1799"), 1739, 1799),
            (json!(3600), 3540, 3600),
            (json!("40"), 30, 40),
            (json!(null), 240, 300),
            (json!("soon"), 240, 300),
        ] {
            let answer = json!({"access_token": "abc", "token_type": "BearerToken", "expires_in": expires_in});
            let token = token_in(&answer).unwrap();
            assert_eq!((token.fresh_for.as_secs(), token.usable_for.as_secs()), (renewed, life));
            assert_eq!(token.value.expose_secret(), "abc");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_no_token() {
        for answer in [
            json!({"access_token": " "}),
            json!({"access_token": "a b"}),
            json!({"access_token": "a\nb"}),
            json!({"access_token": 5}),
            json!({"ErrorCode": "invalid_request", "Error": "Unsupported grant type"}),
        ] {
            assert!(token_in(&answer).is_none(), "{answer}");
        }
    }

    #[test]
    fn tokens_come_from_where_the_region_is_not_in_the_path() {
        for (base, root) in [
            ("https://api.8x8.com", "https://api.8x8.com/"),
            ("https://api.8x8.com/eu", "https://api.8x8.com/"),
            ("https://api.8x8.com/au/", "https://api.8x8.com/"),
            ("https://proxy.example/8x8/ca", "https://proxy.example/8x8"),
            ("https://proxy.example/8x8", "https://proxy.example/8x8"),
        ] {
            assert_eq!(without_region(&base.parse().unwrap()).as_str(), root);
        }
    }
}
