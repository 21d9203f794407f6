//! Sections that belong to modules still to come; each moves to the module it sets.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

/// Section `[delivery]`: callbacks to bots.
#[derive(Clone, Debug, Deserialize)]
pub struct DeliverySettings {
    #[serde(deserialize_with = "crate::setting::duration")]
    pub timeout: Duration,
    #[serde(deserialize_with = "crate::setting::duration")]
    pub head_deadline: Duration,
    #[serde(deserialize_with = "crate::setting::duration")]
    pub lifecycle_deadline: Duration,
    pub max_in_flight: usize,
    pub max_in_flight_per_bot: usize,
    pub allow_http: bool,
    #[serde(deserialize_with = "crate::setting::list")]
    pub allow_networks: Vec<IpNet>,
}

/// Section `[outbound]`: every connection the gateway opens.
#[derive(Clone, Debug, Deserialize)]
pub struct OutboundSettings {
    #[serde(default)]
    pub proxy: Option<String>,
    #[serde(deserialize_with = "crate::setting::list")]
    pub no_proxy: Vec<String>,
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}
