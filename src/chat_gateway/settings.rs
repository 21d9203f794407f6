//! What one tenant's client needs to know. Reading it from configuration is for `settings`.

use std::time::Duration;

use secrecy::SecretString;
use thiserror::Error;
use url::Url;

#[derive(Clone, Debug)]
pub struct ChatGatewaySettings {
    /// May have a path, in front of 8x8's own.
    pub base_url: Url,
    /// Sent as `X-8x8-Tenant` on every call when set.
    pub tenant_id: Option<String>,
    /// The first is used; the others wait for a rotation.
    pub api_keys: Vec<SecretString>,
    /// The whole call, from connecting to the last byte of the answer. Should be longer than the HTTP client's own
    /// connect time-out, so that a host that cannot be reached is told from one that does not answer.
    pub call_timeout: Duration,
}

impl ChatGatewaySettings {
    pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);
}

#[derive(Clone, Debug)]
pub struct KeySourceSettings {
    pub base_url: Url,
    pub tenant_id: Option<String>,
    /// A second place to ask, with `{kid}` where the key id belongs.
    pub jwk_fallback_url: Option<String>,
}

/// A value no call could be made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnusableSetting {
    #[error("base_url is not an http or https URL")]
    BaseUrl,
    #[error("tenant_id cannot be sent in a header")]
    TenantId,
    #[error("there is no api_key that can be sent in a header")]
    ApiKey,
    #[error("jwk_fallback_url is not an http or https URL with {{kid}} in its path")]
    JwkFallbackUrl,
}
