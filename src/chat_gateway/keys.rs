//! Finds 8x8's public keys by their id and keeps them. The id comes from an unproven request, so what asking for keys may
//! cost is bounded: one fetch per id at a time, so many new ids per second, and unknown ones are remembered.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use http::HeaderValue;
use http::StatusCode;
use http::header;
use thiserror::Error;
use tokio::sync::OnceCell;
use url::Url;

use crate::chat_gateway::client::Joined;
use crate::chat_gateway::client::TENANT_HEADER;
use crate::chat_gateway::client::api_root;
use crate::chat_gateway::client::header_value;
use crate::chat_gateway::client::read_up_to;
use crate::chat_gateway::jwk::PublicKey;
use crate::chat_gateway::settings::KeySourceSettings;
use crate::chat_gateway::settings::UnusableSetting;
use crate::clock::Clock;
use crate::domain::Timestamp;

/// How many keys are kept; 8x8 uses one or two at a time.
const KEYS: usize = 64;
/// How long a key is used without asking whether it is still there.
const FRESH: Duration = Duration::from_hours(6);
/// How long an old key is used before a failed refresh is tried again.
const RETRY: Duration = Duration::from_mins(1);
/// How long an unknown id is remembered. Short: a new key may be announced by use before it is published everywhere.
const UNKNOWN: Duration = Duration::from_secs(45);
/// Fetches of ids never seen before: so many at once, and one more each interval.
const BURST: u32 = 10;
const INTERVAL: Duration = Duration::from_secs(1);
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_LIMIT: usize = 16 * 1024;

/// A key id that is safe to put into an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(String);

impl KeyId {
    const LONGEST: usize = 64;

    pub fn parse(text: &str) -> Option<Self> {
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let valid = (1..=Self::LONGEST).contains(&text.len()) && text.bytes().all(safe);
        valid.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// 8x8 says that there is no such key.
    #[error("8x8 knows no such key")]
    Unknown,
    /// 8x8 could not be asked now, or there were too many unknown ids lately: worth another try.
    #[error("8x8's keys are not available")]
    Unavailable,
}

type Fetched = Result<Arc<PublicKey>, KeyError>;

/// The keys one tenant's webhooks may be signed with.
#[derive(Debug)]
pub struct KeySource {
    client: reqwest::Client,
    root: Url,
    tenant: Option<HeaderValue>,
    fallback: Option<String>,
    clock: Clock,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    keys: HashMap<KeyId, Kept>,
    unknown: HashMap<KeyId, Timestamp>,
    /// Fetches under way. Whoever is first fetches; should it give up, the next one in line does.
    flights: HashMap<KeyId, Arc<OnceCell<Fetched>>>,
    budget: Budget,
}

#[derive(Debug)]
struct Kept {
    key: Arc<PublicKey>,
    refresh_at: Timestamp,
    used_at: Timestamp,
}

/// What the memory says about an id.
enum Next {
    Answer(Fetched),
    Fetch(Arc<OnceCell<Fetched>>),
}

impl KeySource {
    /// `client` follows no redirects.
    pub fn new(client: reqwest::Client, settings: &KeySourceSettings, clock: Clock) -> Result<Self, UnusableSetting> {
        let tenant = match &settings.tenant_id {
            Some(tenant) => Some(header_value(tenant).ok_or(UnusableSetting::TenantId)?),
            None => None,
        };
        if let Some(fallback) = &settings.jwk_fallback_url {
            let usable = fallback.contains("{kid}") && fallback_url(fallback, "k").is_some();
            usable.then_some(()).ok_or(UnusableSetting::JwkFallbackUrl)?;
        }
        let known = Known {
            keys: HashMap::new(),
            unknown: HashMap::new(),
            flights: HashMap::new(),
            budget: Budget::full(clock.now()),
        };
        Ok(Self {
            client,
            root: api_root(&settings.base_url)?,
            tenant,
            fallback: settings.jwk_fallback_url.clone(),
            clock,
            known: Mutex::new(known),
        })
    }

    pub async fn key(&self, id: &KeyId) -> Result<Arc<PublicKey>, KeyError> {
        self.key_for(id, &|| true).await
    }

    /// `may_fetch` is asked before 8x8 is asked for a key that is not known, for whoever wants it.
    pub async fn key_for(&self, id: &KeyId, may_fetch: &(dyn Fn() -> bool + Sync)) -> Result<Arc<PublicKey>, KeyError> {
        let flight = match self.look_up(id, may_fetch) {
            Next::Answer(answer) => return answer,
            Next::Fetch(flight) => flight,
        };
        let fetched = flight.get_or_init(|| self.fetch(id)).await.clone();
        self.land(id, &flight, fetched)
    }

    fn look_up(&self, id: &KeyId, may_fetch: &(dyn Fn() -> bool + Sync)) -> Next {
        let now = self.clock.now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let flying = known.flights.get(id).cloned();
        if let Some(kept) = known.keys.get_mut(id) {
            kept.used_at = now;
            // While one caller asks again, the others go on with what is known.
            if now < kept.refresh_at || flying.as_ref().is_some_and(|flight| Arc::strong_count(flight) > 2) {
                return Next::Answer(Ok(Arc::clone(&kept.key)));
            }
        } else if flying.is_none() {
            if known.unknown.get(id).is_some_and(|until| now < *until) {
                return Next::Answer(Err(KeyError::Unknown));
            }
            if !may_fetch() || !known.budget.take(now) {
                return Next::Answer(Err(KeyError::Unavailable));
            }
        }
        Next::Fetch(flying.unwrap_or_else(|| known.take_off(id)))
    }

    /// Remembers what a fetch brought. The first caller to come back does it for all.
    fn land(&self, id: &KeyId, flight: &Arc<OnceCell<Fetched>>, fetched: Fetched) -> Fetched {
        let now = self.clock.now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.flights.get(id).is_some_and(|known| Arc::ptr_eq(known, flight)) {
            known.flights.remove(id);
            match &fetched {
                Ok(key) => known.keep(id, Arc::clone(key), now),
                Err(KeyError::Unknown) => known.forget(id, now),
                Err(KeyError::Unavailable) => {}
            }
        }
        match (fetched, known.keys.get_mut(id)) {
            (Err(KeyError::Unavailable), Some(kept)) => {
                kept.refresh_at = now.plus(RETRY);
                Ok(Arc::clone(&kept.key))
            }
            (fetched, _) => fetched,
        }
    }

    async fn fetch(&self, id: &KeyId) -> Fetched {
        let url = self.root.clone().joined(&["jwk", id.as_str(), "public"]);
        let mut request = self.client.get(url);
        if let Some(tenant) = &self.tenant {
            request = request.header(TENANT_HEADER, tenant.clone());
        }
        let first = ask(request, id).await;
        let fallback = self.fallback.as_deref().and_then(|url| fallback_url(url, id.as_str()));
        let (Err(why), Some(url)) = (&first, fallback) else {
            return first;
        };
        match ask(self.client.get(url), id).await {
            Err(KeyError::Unknown) => Err(*why),
            second => second,
        }
    }
}

async fn ask(request: reqwest::RequestBuilder, id: &KeyId) -> Fetched {
    let response = request
        .header(header::ACCEPT, HeaderValue::from_static("application/json"))
        .timeout(FETCH_TIMEOUT)
        .send()
        .await
        .map_err(|error| {
            tracing::warn!(key.id = %id, error = %error.without_url(), "8x8 could not be asked for a public key");
            KeyError::Unavailable
        })?;
    let status = response.status();
    if status == StatusCode::NOT_FOUND {
        return Err(KeyError::Unknown);
    }
    let body = read_up_to(ANSWER_LIMIT, response).await;
    let key = body
        .filter(|_| status == StatusCode::OK)
        .and_then(|body| PublicKey::from_jwk(&body, id.as_str()));
    key.map(Arc::new).ok_or_else(|| {
        tracing::warn!(key.id = %id, http.status = status.as_u16(), "8x8's answer holds no usable public key");
        KeyError::Unavailable
    })
}

fn fallback_url(template: &str, id: &str) -> Option<Url> {
    let url: Url = template.replace("{kid}", id).parse().ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

impl Known {
    /// Also forgets flights whose callers all went away.
    fn take_off(&mut self, id: &KeyId) -> Arc<OnceCell<Fetched>> {
        self.flights.retain(|_, flight| Arc::strong_count(flight) > 1);
        let flight = Arc::new(OnceCell::new());
        self.flights.insert(id.clone(), Arc::clone(&flight));
        flight
    }

    fn keep(&mut self, id: &KeyId, key: Arc<PublicKey>, now: Timestamp) {
        self.unknown.remove(id);
        let longest_unused = || {
            self.keys
                .iter()
                .min_by_key(|(_, kept)| kept.used_at)
                .map(|(id, _)| id.clone())
        };
        if self.keys.len() >= KEYS
            && !self.keys.contains_key(id)
            && let Some(unused) = longest_unused()
        {
            self.keys.remove(&unused);
        }
        let kept = Kept {
            key,
            refresh_at: now.plus(FRESH),
            used_at: now,
        };
        self.keys.insert(id.clone(), kept);
    }

    fn forget(&mut self, id: &KeyId, now: Timestamp) {
        self.keys.remove(id);
        self.unknown.retain(|_, until| now < *until);
        self.unknown.insert(id.clone(), now.plus(UNKNOWN));
    }
}

/// A token bucket.
#[derive(Debug)]
struct Budget {
    tokens: u32,
    filled_at: Timestamp,
}

impl Budget {
    const fn full(now: Timestamp) -> Self {
        Self {
            tokens: BURST,
            filled_at: now,
        }
    }

    fn take(&mut self, now: Timestamp) -> bool {
        let due = now.since(self.filled_at).as_millis() / INTERVAL.as_millis();
        if let Ok(due) = u32::try_from(due) {
            self.tokens = self.tokens.saturating_add(due).min(BURST);
            self.filled_at = self.filled_at.plus(INTERVAL.saturating_mul(due));
        } else {
            *self = Self::full(now);
        }
        self.tokens.checked_sub(1).is_some_and(|left| {
            self.tokens = left;
            true
        })
    }
}
