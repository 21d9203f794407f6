//! Sends one call to 8x8 and tells what became of it. What the calls say stands in the files beside.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::header;
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;

use crate::chat_gateway::conversations::listed;
use crate::chat_gateway::error::ChatGatewayError;
use crate::chat_gateway::error::Fault;
use crate::chat_gateway::error::Refusal;
use crate::chat_gateway::error::Silence;
use crate::chat_gateway::pace::Pace;
use crate::chat_gateway::refusal;
use crate::chat_gateway::settings::ChatGatewaySettings;
use crate::chat_gateway::settings::UnusableSetting;
use crate::chat_gateway::urgency::Urgency;
use crate::clock::Clock;
use crate::domain::BotName;
use crate::domain::RawJson;
use crate::domain::Timestamp;
use crate::oauth::TokenFault;
use crate::oauth::TokenSource;

pub(super) const TENANT_HEADER: HeaderName = HeaderName::from_static("x-8x8-tenant");
const API_KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");

const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(10);
/// As much of an answer as is read.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// One tenant's access to 8x8. Cheap to clone; all clones go by the same credentials.
#[derive(Clone, Debug)]
pub struct ChatGateway {
    client: reqwest::Client,
    access: Arc<RwLock<Arc<Access>>>,
    call_timeout: Duration,
    /// The bot a call is made for: bots take turns.
    asker: Option<Arc<str>>,
}

/// Where 8x8 is, how we show who we are, and how fast we may go. Replaced as a whole.
#[derive(Clone, Debug)]
struct Access {
    base: Url,
    headers: HeaderMap,
    /// In the place of a key.
    tokens: Option<Tokens>,
    pace: Arc<Pace>,
    /// How long a call waits for its turn.
    patience: Duration,
}

/// A bearer token that is fetched, and the time by which it is good.
#[derive(Clone, Debug)]
struct Tokens {
    source: Arc<TokenSource>,
    clock: Clock,
}

impl Access {
    fn without_credentials(settings: &ChatGatewaySettings) -> Result<Self, UnusableSetting> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/hal+json"));
        if let Some(tenant) = &settings.tenant_id {
            headers.insert(TENANT_HEADER, header_value(tenant).ok_or(UnusableSetting::TenantId)?);
        }
        Ok(Self {
            base: api_root(&settings.base_url)?,
            headers,
            tokens: None,
            pace: Arc::new(Pace::new(None)),
            patience: settings.call_timeout,
        })
    }
}

impl ChatGateway {
    /// `client` follows no redirects and repeats nothing by itself.
    pub fn new(client: reqwest::Client, settings: &ChatGatewaySettings) -> Result<Self, UnusableSetting> {
        let key = settings.api_keys.first().ok_or(UnusableSetting::ApiKey)?;
        let mut key = header_value(key.expose_secret()).ok_or(UnusableSetting::ApiKey)?;
        key.set_sensitive(true);
        let mut access = Access::without_credentials(settings)?;
        access.headers.insert(API_KEY_HEADER, key);
        Ok(Self::with(client, access, settings))
    }

    /// As [`ChatGateway::new`], with a bearer token in the place of the key.
    pub fn with_tokens(
        client: reqwest::Client,
        settings: &ChatGatewaySettings,
        source: TokenSource,
        clock: Clock,
    ) -> Result<Self, UnusableSetting> {
        let mut access = Access::without_credentials(settings)?;
        let source = Arc::new(source);
        access.tokens = Some(Tokens { source, clock });
        Ok(Self::with(client, access, settings))
    }

    fn with(client: reqwest::Client, access: Access, settings: &ChatGatewaySettings) -> Self {
        Self {
            client,
            access: Arc::new(RwLock::new(Arc::new(access))),
            call_timeout: settings.call_timeout,
            asker: None,
        }
    }

    /// From now on this one and its clones go where `newer` goes, with its credentials: a call that is repeated for long
    /// does not end with the key it began with.
    pub fn follow(&self, newer: &Self) {
        let next = newer.access();
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// At the pace of its account, which others share. A call that has no turn within `patience` counts as throttled.
    #[must_use]
    pub fn paced(self, pace: Arc<Pace>, patience: Duration) -> Self {
        let access = Access {
            pace,
            patience,
            ..(*self.access()).clone()
        };
        Self {
            access: Arc::new(RwLock::new(Arc::new(access))),
            ..self
        }
    }

    /// For calls on behalf of one bot.
    #[must_use]
    pub fn asked_by(&self, bot: &BotName) -> Self {
        let asker = Some(Arc::from(bot.as_str()));
        Self { asker, ..self.clone() }
    }

    pub(super) fn root(&self) -> Url {
        self.access().base.clone()
    }

    pub(super) fn conversations(&self) -> Url {
        self.root().joined(&["conversations"])
    }

    /// The address of something in a conversation; `NotFound` for an id that cannot be part of one.
    pub(super) fn conversation(&self, segments: &[&str]) -> Result<Url, ChatGatewayError> {
        self.below(&["conversations"], segments)
    }

    pub(super) fn channel_url(&self, id: &str) -> Result<Url, ChatGatewayError> {
        self.below(&["channels"], &[id])
    }

    pub(super) fn below(&self, list: &[&str], segments: &[&str]) -> Result<Url, ChatGatewayError> {
        if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(ChatGatewayError::unknown());
        }
        Ok(self.root().joined(list).joined(segments))
    }

    /// Reads something.
    pub(super) async fn read(&self, url: Url) -> Result<Value, ChatGatewayError> {
        let response = self.send(self.client.get(url)).await?;
        json(response).await
    }

    /// Changes something; the answer matters.
    pub(super) async fn change(&self, method: Method, url: Url, body: &RawJson) -> Result<Value, ChatGatewayError> {
        let response = self.send(self.with_body(method, url, body)).await?;
        json(response).await
    }

    /// Changes something; any 2xx says that it was taken.
    pub(super) async fn tell(&self, method: Method, url: Url, body: &RawJson) -> Result<(), ChatGatewayError> {
        let response = self.send(self.with_body(method, url, body)).await?;
        // Read only so that the connection can be used again.
        read_up_to(ANSWER_LIMIT, response)
            .await
            .map_or(Ok(()), |_unused| Ok(()))
    }

    /// Deletes something; what is not there is deleted.
    pub(super) async fn delete(&self, url: Url) -> Result<(), ChatGatewayError> {
        match self.send(self.client.delete(url)).await {
            Err(error) if error.is_not_found() => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// How far 8x8's clock is before ours, from the shortest of calls; `None` when the answer has no date. Negative when it
    /// is behind.
    pub async fn clock_ahead(&self, now: impl Fn() -> Timestamp) -> Result<Option<i64>, ChatGatewayError> {
        let url = listed(self.root().joined(&["channels"]), &[("size", 1), ("page", 0)], None);
        let response = self.send(self.client.get(url)).await?;
        let date = response.headers().get(header::DATE);
        let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date.to_str().ok()?).ok());
        Ok(date.map(|date| date.timestamp().as_second() - now().as_seconds()))
    }

    fn with_body(&self, method: Method, url: Url, body: &RawJson) -> reqwest::RequestBuilder {
        self.client
            .request(method, url)
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body.as_str().to_owned())
    }

    pub(super) const fn http(&self) -> &reqwest::Client {
        &self.client
    }

    /// How long 8x8 may take to answer.
    pub const fn call_timeout(&self) -> Duration {
        self.call_timeout
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, ChatGatewayError> {
        self.send_for_as_long(request.timeout(self.call_timeout)).await
    }

    /// Without a limit of time, which is the caller's. The request may say what it accepts.
    pub(super) async fn send_for_as_long(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, ChatGatewayError> {
        let (client, request) = request.build_split();
        let mut request = request.map_err(ChatGatewayError::transport)?;
        let access = self.access();
        for (name, value) in &access.headers {
            request.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
        let urgency = Urgency::of(request.method(), request.url().path());
        let turn = access.pace.turn(urgency, self.asker.as_ref(), access.patience).await;
        turn.map_err(|after| ChatGatewayError::Throttled { after: Some(after) })?;
        let response = match &access.tokens {
            None => client.execute(request).await.map_err(ChatGatewayError::transport)?,
            Some(tokens) => tokens.execute(&client, request).await?,
        };
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(self.throttled(retry_after(response.headers())));
        }
        if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
            return Err(ChatGatewayError::Unanswered(Silence::Status(status.as_u16())));
        }
        let body = read_up_to(ANSWER_LIMIT, response).await.unwrap_or_default();
        Err(ChatGatewayError::Refused(refusal::read(status.as_u16(), &body)))
    }

    /// All calls of the account slow down, not only this one.
    fn throttled(&self, after: Option<Duration>) -> ChatGatewayError {
        if let Some((hold, per_second)) = self.access().pace.throttled(after) {
            tracing::warn!(
                "8x8 asks to slow down: nothing is sent to this account for {hold:?}, then {per_second:.1} calls a second and \
                 slowly more; where that comes often, set tenants.*.rate_limit"
            );
        }
        ChatGatewayError::Throttled { after }
    }
}

impl Tokens {
    /// What was refused for its token is sent once more with another, since 8x8 did not take it; a file that is streamed
    /// is not, since it is gone.
    async fn execute(
        &self,
        client: &reqwest::Client,
        mut request: reqwest::Request,
    ) -> Result<reqwest::Response, ChatGatewayError> {
        let again = request.try_clone();
        let used = self.add(&mut request).await?;
        let response = client.execute(request).await.map_err(ChatGatewayError::transport)?;
        let Some(mut again) = again.filter(|_| response.status() == StatusCode::UNAUTHORIZED) else {
            return Ok(response);
        };
        self.source.reject(&used, self.clock.now());
        if self.add(&mut again).await? == used {
            return Ok(response);
        }
        client.execute(again).await.map_err(ChatGatewayError::transport)
    }

    /// Without a token nothing is sent.
    async fn add(&self, request: &mut reqwest::Request) -> Result<HeaderValue, ChatGatewayError> {
        let token = self.source.authorization(self.clock.now()).await;
        let token = token.map_err(|fault| match fault {
            TokenFault::Refused(status) => ChatGatewayError::Refused(Refusal {
                status,
                code: None,
                message: None,
                reference_id: None,
                fault: Fault::Credentials,
            }),
            TokenFault::Silent | TokenFault::Unreadable => ChatGatewayError::Throttled { after: None },
        })?;
        request.headers_mut().insert(header::AUTHORIZATION, token.clone());
        Ok(token)
    }
}

/// 8x8's part of every address, below a base that may have a path of its own.
pub(super) fn api_root(base: &Url) -> Result<Url, UnusableSetting> {
    if matches!(base.scheme(), "http" | "https") && base.has_host() {
        Ok(base.clone().joined(&["chat-gateway", "v1"]))
    } else {
        Err(UnusableSetting::BaseUrl)
    }
}

pub(super) fn header_value(text: &str) -> Option<HeaderValue> {
    let text = text.trim();
    (!text.is_empty()).then(|| HeaderValue::from_str(text).ok())?
}

/// Longer answers are `None`, as broken ones are.
pub(super) async fn read_up_to(limit: usize, mut response: reqwest::Response) -> Option<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > limit {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body.freeze())
}

pub(super) trait Joined {
    /// With these segments percent-encoded behind the path.
    fn joined(self, segments: &[&str]) -> Self;
}

impl Joined for Url {
    fn joined(mut self, segments: &[&str]) -> Self {
        if let Ok(mut path) = self.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        self
    }
}

pub(super) async fn json(response: reqwest::Response) -> Result<Value, ChatGatewayError> {
    let body = read_up_to(ANSWER_LIMIT, response)
        .await
        .ok_or_else(ChatGatewayError::unreadable)?;
    serde_json::from_slice(&body).map_err(|_not_json| ChatGatewayError::unreadable())
}

/// Seconds, or a date measured against the answer's own, so that our clock does not matter. One second at least, ten
/// minutes at most, whatever 8x8 says.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let asked = asked_to_wait(headers)?;
    Some(asked.clamp(SHORTEST_WAIT, LONGEST_WAIT))
}

fn asked_to_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let after = text(header::RETRY_AFTER)?.trim();
    if !after.is_empty() && after.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(after.parse().unwrap_or(u64::MAX)));
    }
    let date = |text: &str| Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp());
    let (until, now) = (date(after)?, date(text(header::DATE)?)?);
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_below_the_bases_own_and_ids_are_encoded() {
        for base in ["https://api.example.com/stage", "https://api.example.com/stage/"] {
            let url = api_root(&base.parse().unwrap()).unwrap().joined(&["a/b?c#d", "é"]);
            assert_eq!(
                url.as_str(),
                "https://api.example.com/stage/chat-gateway/v1/a%2Fb%3Fc%23d/%C3%A9"
            );
        }
        assert_eq!(api_root(&"mailto:a@b".parse().unwrap()), Err(UnusableSetting::BaseUrl));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let after = |pairs: &[(HeaderName, &'static str)]| {
            let headers = pairs
                .iter()
                .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
                .collect();
            retry_after(&headers)
        };
        let now = (header::DATE, "Fri, 20 Nov 2026 12:00:00 GMT");
        let at = |text| (header::RETRY_AFTER, text);
        assert_eq!(after(&[]), None);
        assert_eq!(after(&[at("30")]), Some(Duration::from_secs(30)));
        assert_eq!(after(&[at("soon"), now.clone()]), None);
        assert_eq!(after(&[at("Fri, 20 Nov 2026 12:00:20 GMT")]), None);
        assert_eq!(
            after(&[at("Fri, 20 Nov 2026 12:00:20 GMT"), now.clone()]),
            Some(Duration::from_secs(20))
        );
        assert_eq!(after(&[at("Fri, 20 Nov 2026 11:00:00 GMT"), now]), Some(SHORTEST_WAIT));
        assert_eq!(after(&[at("99999999999999999999")]), Some(LONGEST_WAIT));
    }
}
