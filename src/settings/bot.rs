//! Sections `[bots.NAME]`: one client of the bot API each, and how it is called back.

use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::chat_gateway::CopilotLink;
use crate::delivery::DeliverySettings;
use crate::domain::EventType;
use crate::domain::TenantName;
use crate::outbound::AddressPolicy;
use crate::settings::KeyHash;
use crate::settings::choice::choices;

#[derive(Clone, Debug, Deserialize)]
pub struct BotSettings {
    pub tenant: TenantName,
    #[serde(default)]
    pub channel_id: Option<String>,
    #[serde(default)]
    pub queue_id: Option<String>,
    #[serde(default, deserialize_with = "crate::settings::value::each")]
    pub api_key_hashes: Vec<KeyHash>,
    /// Where its events are posted; a bot without one pulls them.
    #[serde(default, deserialize_with = "crate::settings::value::optional_url")]
    pub callback_url: Option<Url>,
    /// Hosts a handover's own `callbackUrl` may name; none: only that of `callback_url`.
    #[serde(default, deserialize_with = "crate::setting::list")]
    pub callback_hosts: Vec<String>,
    #[serde(default, deserialize_with = "crate::settings::value::secrets")]
    pub callback_secrets: Vec<SecretString>,
    #[serde(default = "format")]
    pub format: BotFormat,
    #[serde(default)]
    pub auth: BotAuthSettings,
    /// None: all of them.
    #[serde(default, deserialize_with = "crate::settings::value::event_types")]
    pub events: Vec<EventType>,
    #[serde(default)]
    pub allow_http: bool,
    #[serde(default, deserialize_with = "crate::setting::list")]
    pub allow_networks: Vec<IpNet>,
    #[serde(default, deserialize_with = "crate::setting::optional_duration")]
    pub queue_timeout: Option<Duration>,
    #[serde(default, deserialize_with = "crate::setting::optional_duration")]
    pub idle_timeout: Option<Duration>,
    #[serde(default = "max_age", deserialize_with = "crate::setting::duration")]
    pub max_age: Duration,
    #[serde(default = "duplicate")]
    pub duplicate: Duplicate,
    /// Channels of 8x8 whose conversations begin with this bot.
    #[serde(default, deserialize_with = "crate::setting::list")]
    pub inbound_channels: Vec<String>,
    /// Whether the bot is told of a conversation before its user has written.
    #[serde(default)]
    pub accept_conversation_active: bool,
    /// Given to agents with each user; it may carry a token.
    #[serde(default)]
    pub copilot_url: Option<CopilotLink>,
    #[serde(default = "agent_names")]
    pub agent_names: AgentNames,
}

impl BotSettings {
    /// Where the bot's callbacks may go: what its section allows, or `[delivery]` for all.
    pub fn address_policy(&self, delivery: &DeliverySettings) -> AddressPolicy {
        let own = AddressPolicy {
            allow_http: self.allow_http,
            allow_networks: self.allow_networks.clone(),
            ..AddressPolicy::default()
        };
        let of_all = AddressPolicy {
            allow_http: delivery.allow_http,
            allow_networks: delivery.allow_networks.clone(),
            ..AddressPolicy::default()
        };
        own.or(&of_all)
    }
}

/// Section `[bots.NAME.auth]`: how a callback proves itself to the bot, beside its signature.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct BotAuthSettings {
    pub kind: AuthKind,
    pub token: Option<SecretString>,
    /// Sent as `x-app-token` with every kind.
    pub app_token: Option<SecretString>,
    /// Where tokens are fetched with the grants `password` and `refresh_token`.
    #[serde(deserialize_with = "crate::settings::value::optional_url")]
    pub token_url: Option<Url>,
    pub username: Option<String>,
    pub password: Option<SecretString>,
    /// Sent as `clientid`.
    pub client_id: Option<SecretString>,
}

impl Default for BotAuthSettings {
    fn default() -> Self {
        Self {
            kind: AuthKind::None,
            token: None,
            app_token: None,
            token_url: None,
            username: None,
            password: None,
            client_id: None,
        }
    }
}

choices! {
    /// What a callback's body is.
    BotFormat {
        /// The gateway's own events.
        Native = "native",
        /// The same as `CloudEvents` 1.0, structured.
        CloudEvents = "cloudevents",
        /// 8x8's webhooks as they came.
        Passthrough = "passthrough",
    }
}

choices! {
    AuthKind {
        None = "none",
        Bearer = "bearer",
        OAuth2 = "oauth2",
    }
}

choices! {
    /// A second create for a `botSessionId` that already has a live handover.
    Duplicate {
        /// Refused.
        Reject = "reject",
        /// Answered with the one that is there.
        Return = "return",
        /// Opened beside it.
        Allow = "allow",
    }
}

choices! {
    /// What a bot is told of an agent's name.
    AgentNames {
        Full = "full",
        First = "first",
        None = "none",
    }
}

const fn format() -> BotFormat {
    BotFormat::Native
}

const fn max_age() -> Duration {
    Duration::from_hours(24)
}

const fn duplicate() -> Duplicate {
    Duplicate::Reject
}

const fn agent_names() -> AgentNames {
    AgentNames::Full
}
