//! Sections `[tenants.NAME]`: one 8x8 account each, and what proves that a webhook comes from it.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::domain::AccountId;
use crate::oauth::ClientCredentials;
use crate::settings::KeyHash;
use crate::settings::TenantScheduleSettings;
use crate::settings::TenantStatisticsSettings;
use crate::settings::choice::choices;
use crate::webhook::PasswordHash;

#[derive(Clone, Debug, Deserialize)]
pub struct TenantSettings {
    #[serde(default = "base_url", deserialize_with = "crate::settings::value::url")]
    pub base_url: Url,
    pub tenant_id: AccountId,
    #[serde(default = "auth")]
    pub auth: TenantAuth,
    /// With `auth = "api_key"`.
    #[serde(default = "no_secret")]
    pub api_key: SecretString,
    /// With `auth = "oauth2"`.
    #[serde(default)]
    pub client_id: Option<String>,
    #[serde(default)]
    pub client_secret: Option<SecretString>,
    /// None: 8x8's own, below `base_url`.
    #[serde(default, deserialize_with = "crate::settings::value::optional_url")]
    pub token_url: Option<Url>,
    #[serde(default)]
    pub channel_id: Option<String>,
    #[serde(default)]
    pub queue_id: Option<String>,
    /// How long the last agent's leaving may still turn out to be a transfer.
    #[serde(default = "transfer_grace", deserialize_with = "crate::setting::duration")]
    pub transfer_grace: Duration,
    /// How long a conversation may be quiet before it is compared with what 8x8 keeps of it.
    #[serde(default = "reconcile_after", deserialize_with = "crate::setting::duration")]
    pub reconcile_after: Duration,
    /// Longest text that 8x8 is given at once, in characters.
    #[serde(default = "message_limit")]
    pub message_limit: usize,
    /// How long a bot's call waits for 8x8 to take its message.
    #[serde(default = "send_wait", deserialize_with = "crate::setting::duration")]
    pub send_wait: Duration,
    /// How long 8x8 is tried with a message.
    #[serde(default = "message_deadline", deserialize_with = "crate::setting::duration")]
    pub message_deadline: Duration,
    /// Calls a second to 8x8; as many as 8x8 takes when not set.
    #[serde(default)]
    pub rate_limit: Option<u32>,
    /// The largest file a bot may give 8x8.
    #[serde(default = "attachment_limit", deserialize_with = "crate::setting::size")]
    pub attachment_limit: usize,
    /// Media types of files bots may give 8x8, such as `image/*`; any when empty.
    #[serde(default, deserialize_with = "crate::setting::list")]
    pub attachment_types: Vec<String>,
    /// What is taken out of everything that is said before it is stored.
    #[serde(default)]
    pub redact: Vec<RedactSettings>,
    #[serde(default)]
    pub webhook: TenantWebhookSettings,
    #[serde(default)]
    pub queues: BTreeMap<String, QueueSettings>,
    #[serde(default)]
    pub schedule: TenantScheduleSettings,
    #[serde(default)]
    pub statistics: TenantStatisticsSettings,
}

impl TenantSettings {
    /// What bearer tokens are fetched with, where the tenant has no key of its own kind.
    pub fn client_credentials(&self) -> Option<ClientCredentials> {
        match self.auth {
            TenantAuth::ApiKey => None,
            TenantAuth::OAuth2 => Some(ClientCredentials {
                token_url: self.token_url.clone().unwrap_or_else(|| self.own_token_url()),
                client_id: self.client_id.clone()?,
                client_secret: self.client_secret.clone()?,
            }),
        }
    }

    fn own_token_url(&self) -> Url {
        let mut url = self.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["oauth", "v2", "token"]);
        }
        url
    }
}

/// Section `[tenants.NAME.webhook]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct TenantWebhookSettings {
    #[serde(deserialize_with = "crate::settings::value::each")]
    pub require: Vec<WebhookProof>,
    #[serde(deserialize_with = "crate::setting::duration")]
    pub max_age: Duration,
    #[serde(deserialize_with = "crate::settings::value::secrets")]
    pub path_secrets: Vec<SecretString>,
    #[serde(deserialize_with = "crate::settings::value::secrets")]
    pub app_tokens: Vec<SecretString>,
    #[serde(deserialize_with = "crate::settings::value::each")]
    pub bearer_hashes: Vec<KeyHash>,
    /// Who may fetch bearer tokens here.
    pub clients: Vec<ClientSettings>,
    /// With `{kid}` where the key's id belongs, so it is no URL yet.
    pub jwk_fallback_url: Option<String>,
}

impl Default for TenantWebhookSettings {
    fn default() -> Self {
        Self {
            require: vec![WebhookProof::Signature],
            max_age: Duration::from_mins(5),
            path_secrets: Vec::new(),
            app_tokens: Vec::new(),
            bearer_hashes: Vec::new(),
            clients: Vec::new(),
            jwk_fallback_url: None,
        }
    }
}

/// One of `redact`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedactSettings {
    pub pattern: String,
    /// Stands in the place of what the pattern fits.
    #[serde(default = "redacted")]
    pub replace: String,
}

fn redacted() -> String {
    "[redacted]".to_owned()
}

/// One of `webhook.clients`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    pub username: String,
    #[serde(deserialize_with = "crate::settings::value::parsed")]
    pub password_hash: PasswordHash,
}

/// Section `[tenants.NAME.queues.ID]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct QueueSettings {
    pub name: Option<String>,
    /// Instead of that of `[tenants.NAME.schedule]`.
    pub schedule_id: Option<String>,
    /// How long users wait in it before the fallback is tried, or the handover ends.
    #[serde(deserialize_with = "crate::setting::optional_duration")]
    pub max_wait: Option<Duration>,
    /// The queue they go to then.
    pub fallback: Option<String>,
}

choices! {
    /// How the gateway proves itself to 8x8.
    TenantAuth {
        ApiKey = "api_key",
        OAuth2 = "oauth2",
    }
}

choices! {
    /// What a webhook must carry to be believed.
    WebhookProof {
        Signature = "signature",
        AppToken = "app_token",
        Bearer = "bearer",
    }
}

#[expect(
    clippy::expect_used,
    reason = "the address is a constant that the tests of this folder read"
)]
fn base_url() -> Url {
    Url::parse("https://api.8x8.com").expect("a valid address")
}

fn no_secret() -> SecretString {
    SecretString::from("")
}

const fn auth() -> TenantAuth {
    TenantAuth::ApiKey
}

const fn transfer_grace() -> Duration {
    Duration::from_secs(10)
}

const fn reconcile_after() -> Duration {
    Duration::from_mins(5)
}

const fn message_limit() -> usize {
    4_000
}

const fn send_wait() -> Duration {
    Duration::from_secs(5)
}

const fn attachment_limit() -> usize {
    20 * 1024 * 1024
}

const fn message_deadline() -> Duration {
    Duration::from_mins(2)
}
