//! Section `[outbound]`.

use std::path::PathBuf;

use serde::Deserialize;

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboundSettings {
    /// Every call goes through this proxy, which then also decides what callbacks may reach.
    pub proxy: Option<String>,
    /// Hosts, domains and networks that are called directly all the same.
    #[serde(default, deserialize_with = "crate::setting::list")]
    pub no_proxy: Vec<String>,
    /// Certificates in PEM that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}
