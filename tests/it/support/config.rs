//! The configuration a gateway under test is started with: dotted keys, so that a test changes one by naming it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use aws_lc_rs::digest;
use serde_json::Value;
use serde_json::json;

pub(crate) const TENANT: &str = "acme";
pub(crate) const SUPPORT: &str = "support";
pub(crate) const SALES: &str = "sales";
/// What the bots sign with and verify by.
pub(crate) const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

#[derive(Clone, Debug, Default)]
pub(crate) struct Config(BTreeMap<String, String>);

impl Config {
    /// One tenant at the sandbox, and two bots of it that are called back at `bots`/NAME.
    pub(crate) fn new(sandbox: &str, bots: &str) -> Self {
        let mut config = Self::default();
        config
            .set("server.listen", "127.0.0.1:0")
            .set("server.drain_delay", "0s")
            .set("server.shutdown_grace", "10s")
            .set("admin.listen", "127.0.0.1:0")
            .set("telemetry.format", "json")
            .set("telemetry.level", "info,handover_gateway=debug")
            .tenant(TENANT, sandbox)
            .bot(SUPPORT, bots)
            .bot(SALES, bots);
        config
    }

    /// Sets a key to a string, number, boolean or list of strings; JSON of these is TOML.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        self.0.insert(key.to_owned(), value.into().to_string());
        self
    }

    /// Sets a key to what JSON cannot say as TOML does.
    pub(crate) fn set_toml(&mut self, key: &str, value: &str) -> &mut Self {
        self.0.insert(key.to_owned(), value.to_owned());
        self
    }

    /// The store's file, where one is set.
    pub(crate) fn store(&self) -> Option<PathBuf> {
        let url: String = serde_json::from_str(self.0.get("store.url")?).unwrap();
        url.strip_prefix("sqlite://").map(PathBuf::from)
    }

    /// Replaces a text in all values.
    pub(crate) fn replace(&mut self, from: &str, to: &str) {
        for value in self.0.values_mut() {
            *value = value.replace(from, to);
        }
    }

    /// Removes a key and everything below it.
    pub(crate) fn unset(&mut self, key: &str) -> &mut Self {
        let below = format!("{key}.");
        self.0.retain(|known, _| known != key && !known.starts_with(&below));
        self
    }

    pub(crate) fn tenant(&mut self, name: &str, sandbox: &str) -> &mut Self {
        let key = |field: &str| format!("tenants.{name}.{field}");
        self.set(&key("base_url"), sandbox)
            .set(&key("tenant_id"), "sandbox-tenant")
            .set(&key("api_key"), "eght_sandbox")
            .set(&key("channel_id"), "sandbox-channel")
            .set(&key("queue_id"), "101")
            .set(&key("transfer_grace"), "300ms")
    }

    pub(crate) fn bot(&mut self, name: &str, bots: &str) -> &mut Self {
        let key = |field: &str| format!("bots.{name}.{field}");
        self.set(&key("tenant"), TENANT)
            .set(&key("api_key_hashes"), json!([key_hash(&api_key(name))]))
            .set(&key("callback_url"), format!("{bots}/{name}"))
            .set(&key("callback_secrets"), json!([SECRET]))
            .set(&key("allow_http"), true)
            .set(&key("allow_networks"), json!(["127.0.0.0/8"]))
    }

    pub(crate) fn text(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (key, value)| {
            writeln!(text, "{key} = {value}").unwrap();
            text
        })
    }
}

/// The key a bot calls with.
pub(crate) fn api_key(bot: &str) -> String {
    format!("hg_test_{bot}_0123456789abcdef0123456789abcdef")
}

pub(crate) fn key_hash(key: &str) -> String {
    let hash = digest::digest(&digest::SHA256, key.as_bytes());
    hash.as_ref().iter().fold("sha256:".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
