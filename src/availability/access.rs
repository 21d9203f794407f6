//! Asks one of 8x8's APIs for something, within a base address, with what proves who asks.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use bytes::BytesMut;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use crate::availability::SourceError;
use crate::availability::UnusableAccess;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const TENANT: HeaderName = HeaderName::from_static("x-8x8-tenant");
/// The analytics' own name for it.
const TENANT_INFO: HeaderName = HeaderName::from_static("x-tenant-info");

const ANSWER_LIMIT: usize = 1024 * 1024;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) client: reqwest::Client,
    base: Url,
    headers: HeaderMap,
}

impl Access {
    fn new(client: reqwest::Client, base: &Url) -> Result<Self, UnusableAccess> {
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(UnusableAccess::BaseUrl);
        }
        let accept = (header::ACCEPT, HeaderValue::from_static("application/json"));
        Ok(Self {
            client,
            base: base.clone(),
            headers: HeaderMap::from_iter([accept]),
        })
    }

    /// As the Chat Gateway: a key, and the tenant it is for.
    pub(super) fn by_key(
        client: reqwest::Client,
        base: &Url,
        key: &SecretString,
        tenant: &str,
    ) -> Result<Self, UnusableAccess> {
        if key.expose_secret().is_empty() {
            return Err(UnusableAccess::Credentials);
        }
        let access = Self::new(client, base)?.with(API_KEY, key.expose_secret())?;
        access.with(TENANT, tenant)
    }

    pub(super) fn basic(
        client: reqwest::Client,
        base: &Url,
        user: &str,
        password: &SecretString,
    ) -> Result<Self, UnusableAccess> {
        let pair = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
        Self::new(client, base)?.with(header::AUTHORIZATION, &format!("Basic {pair}"))
    }

    /// As the analytics: the tenant under another name; a token comes with each call.
    pub(super) fn by_token(client: reqwest::Client, base: &Url, tenant: &str) -> Result<Self, UnusableAccess> {
        Self::new(client, base)?.with(TENANT_INFO, tenant)
    }

    fn with(mut self, name: HeaderName, value: &str) -> Result<Self, UnusableAccess> {
        let mut value = HeaderValue::from_str(value).map_err(|_not_visible| UnusableAccess::Credentials)?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    /// With these segments percent-encoded behind the base's own path.
    pub(super) fn url(&self, segments: &[&str]) -> Result<Url, SourceError> {
        if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(SourceError::NotFound);
        }
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Ok(url)
    }

    pub(super) async fn get(&self, url: Url) -> Result<Value, SourceError> {
        self.ask(self.client.get(url)).await
    }

    pub(super) async fn ask(&self, request: reqwest::RequestBuilder) -> Result<Value, SourceError> {
        let sent = request.headers(self.headers.clone()).send().await;
        let response = sent.map_err(|_shows_the_address| SourceError::Unreachable)?;
        if let Some(error) = refusal(response.status(), response.headers()) {
            return Err(error);
        }
        let body = read(response).await.ok_or(SourceError::Unreadable)?;
        serde_json::from_slice(&body).map_err(|_not_json| SourceError::Unreadable)
    }
}

fn refusal(status: StatusCode, headers: &HeaderMap) -> Option<SourceError> {
    match status {
        status if status.is_success() => None,
        StatusCode::UNAUTHORIZED => Some(SourceError::Credentials),
        StatusCode::FORBIDDEN => Some(SourceError::Forbidden),
        StatusCode::NOT_FOUND => Some(SourceError::NotFound),
        StatusCode::TOO_MANY_REQUESTS => {
            let after = headers.get(header::RETRY_AFTER).and_then(|after| after.to_str().ok());
            let seconds = after.and_then(|after| after.trim().parse().ok());
            Some(SourceError::Throttled {
                after: seconds.map(Duration::from_secs),
            })
        }
        status => Some(SourceError::Status(status.as_u16())),
    }
}

async fn read(mut response: reqwest::Response) -> Option<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(base: &str) -> Access {
        let base = base.parse().unwrap();
        let client = crate::availability::tests::client();
        Access::basic(client, &base, "acme", &"token".into()).unwrap()
    }

    #[test]
    fn a_schedule_may_be_named_with_spaces_and_the_base_may_have_a_path() {
        for base in ["https://vcc-eu5.8x8.com/proxy", "https://vcc-eu5.8x8.com/proxy/"] {
            let url = access(base).url(&["api", "Default Schedule", "status.json"]).unwrap();
            assert_eq!(
                url.as_str(),
                "https://vcc-eu5.8x8.com/proxy/api/Default%20Schedule/status.json"
            );
        }
    }

    #[test]
    fn an_id_cannot_lead_elsewhere() {
        for id in ["", ".", ".."] {
            assert_eq!(
                access("https://a.example").url(&["api", id]),
                Err(SourceError::NotFound)
            );
        }
        let url = access("https://a.example").url(&["../x?y#z"]).unwrap();
        assert_eq!(url.as_str(), "https://a.example/..%2Fx%3Fy%23z");
    }

    #[test]
    fn an_empty_key_is_not_sent() {
        let base = "https://a.example".parse().unwrap();
        let access = Access::by_key(crate::availability::tests::client(), &base, &"".into(), "acme");
        assert_eq!(access.err(), Some(UnusableAccess::Credentials));
    }

    #[test]
    fn no_secret_shows_in_debug() {
        let shown = format!("{:?}", access("https://a.example"));
        assert!(
            !shown.contains("token") && !shown.contains(&STANDARD.encode("acme:token")),
            "{shown}"
        );
    }

    #[test]
    fn what_8x8_refuses_is_told_apart() {
        let none = HeaderMap::new();
        let of = |status: u16| refusal(StatusCode::from_u16(status).unwrap(), &none);
        assert_eq!(of(200), None);
        assert_eq!(of(401), Some(SourceError::Credentials));
        assert_eq!(of(403), Some(SourceError::Forbidden));
        assert_eq!(of(404), Some(SourceError::NotFound));
        assert_eq!(of(302), Some(SourceError::Status(302)));
        let after = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static("7"))]);
        assert_eq!(
            refusal(StatusCode::TOO_MANY_REQUESTS, &after),
            Some(SourceError::Throttled {
                after: Some(Duration::from_secs(7))
            })
        );
    }
}
