//! How a callback shows the bot who sends it, beside its signature: fixed headers, or a bearer token that is fetched.

use std::time::Duration;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;
use reqwest::Client;
use secrecy::ExposeSecret;

use crate::delivery::BotDelivery;
use crate::delivery::CallbackAuth;
use crate::domain::Timestamp;
use crate::oauth::Grant;
use crate::oauth::TokenFault;
use crate::oauth::TokenSource;
use crate::outbound::AddressPolicy;

const APP_TOKEN: HeaderName = HeaderName::from_static("x-app-token");
/// For one fetch of a token; that of the attempt cuts it off before.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Credentials {
    bearer: Bearer,
    app_token: Option<HeaderValue>,
}

#[derive(Debug)]
enum Bearer {
    None,
    Fixed(HeaderValue),
    Fetched(Box<TokenSource>),
}

impl Credentials {
    /// `None` when a secret has characters that no header can carry.
    pub(crate) fn of(delivery: &BotDelivery, client: &Client) -> Option<Self> {
        let app_token = delivery
            .app_token
            .as_ref()
            .map(|token| secret(token.expose_secret().trim()));
        let bearer = match &delivery.auth {
            CallbackAuth::None => Bearer::None,
            CallbackAuth::Bearer(token) => Bearer::Fixed(secret(&format!("Bearer {}", token.expose_secret().trim()))?),
            CallbackAuth::OAuth(grant) => {
                let grant = Grant::Password((**grant).clone());
                Bearer::Fetched(Box::new(TokenSource::new(client.clone(), grant, FETCH_TIMEOUT)))
            }
        };
        Some(Self {
            bearer,
            app_token: match app_token {
                Some(value) => Some(value?),
                None => None,
            },
        })
    }

    /// Adds the headers, having fetched a token where one is needed. The policy holds for the token's address too.
    pub(crate) async fn add(
        &self,
        headers: &mut HeaderMap,
        policy: &AddressPolicy,
        now: Timestamp,
    ) -> Result<(), TokenFault> {
        let authorization = match &self.bearer {
            Bearer::None => None,
            Bearer::Fixed(value) => Some(value.clone()),
            Bearer::Fetched(source) => {
                policy.check(source.token_url()).map_err(|_fault| TokenFault::Silent)?;
                Some(source.authorization(now).await?)
            }
        };
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value);
        }
        if let Some(value) = &self.app_token {
            headers.insert(APP_TOKEN, value.clone());
        }
        Ok(())
    }

    /// The bot answered 401. Whether another token may do better: a fetched one may have been withdrawn.
    pub(crate) fn refused(&self, headers: &HeaderMap, now: Timestamp) -> Renewal {
        match (&self.bearer, headers.get(header::AUTHORIZATION)) {
            (Bearer::Fetched(source), Some(used)) => {
                source.reject(used, now);
                Renewal::Possible
            }
            (Bearer::None | Bearer::Fixed(_) | Bearer::Fetched(_), _) => Renewal::No,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewal {
    Possible,
    No,
}

fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
