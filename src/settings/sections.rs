//! The whole of the settings, and the sections that no other module owns.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::delivery::DeliverySettings;
use crate::domain::BotName;
use crate::domain::TenantName;
use crate::outbound::OutboundSettings;
use crate::settings::BotSettings;
use crate::settings::Finding;
use crate::settings::Marks;
use crate::settings::TenantSettings;
use crate::store::StoreSettings;
use crate::telemetry::TelemetrySettings;

#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    pub server: ServerSettings,
    pub admin: AdminSettings,
    pub store: StoreSettings,
    pub delivery: DeliverySettings,
    pub outbound: OutboundSettings,
    pub telemetry: TelemetrySettings,
    #[serde(default)]
    pub tenants: BTreeMap<TenantName, TenantSettings>,
    #[serde(default)]
    pub bots: BTreeMap<BotName, BotSettings>,
    /// What is legal but probably not meant; to be logged at the start.
    #[serde(skip)]
    pub warnings: Vec<Finding>,
    /// What a later reading is compared with.
    #[serde(skip)]
    pub marks: Marks,
}

/// Section `[server]`: the public port.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerSettings {
    pub listen: SocketAddr,
    /// Where 8x8 and the bots reach this gateway.
    #[serde(default, deserialize_with = "crate::settings::value::optional_url")]
    pub public_url: Option<Url>,
    #[serde(deserialize_with = "crate::setting::duration")]
    pub request_timeout: Duration,
    #[serde(deserialize_with = "crate::setting::size")]
    pub body_limit: usize,
    pub max_connections: usize,
    /// Calls a second of one bot.
    pub bot_rate_limit: u32,
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    #[serde(deserialize_with = "crate::setting::list")]
    pub trusted_proxies: Vec<IpNet>,
    /// How long serving goes on after readiness was withdrawn.
    #[serde(deserialize_with = "crate::setting::duration")]
    pub drain_delay: Duration,
    #[serde(deserialize_with = "crate::setting::duration")]
    pub shutdown_grace: Duration,
    /// Without it the port speaks plain HTTP.
    #[serde(default)]
    pub tls: Option<TlsSettings>,
}

impl ServerSettings {
    /// Whether people's words come to the public port unencrypted, as far as the settings tell.
    pub fn is_plain_to_others(&self) -> bool {
        self.tls.is_none() && self.trusted_proxies.is_empty() && !self.listen.ip().is_loopback()
    }
}

/// Section `[server.tls]`: PEM files.
#[derive(Clone, Debug, Deserialize)]
pub struct TlsSettings {
    /// The certificate, and those between it and the root after it.
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

/// Section `[admin]`: the operator's port.
#[derive(Clone, Debug, Deserialize)]
pub struct AdminSettings {
    pub listen: SocketAddr,
    #[serde(deserialize_with = "crate::settings::value::secrets")]
    pub tokens: Vec<SecretString>,
}
