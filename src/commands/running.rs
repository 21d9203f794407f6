//! The gateway that runs with the same configuration on this machine, asked through its admin port.

use std::time::Duration;

use reqwest::Client;
use reqwest::Method;
use reqwest::RequestBuilder;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use serde::Deserialize;

use crate::commands::healthcheck::reachable;
use crate::domain::ConversationId;
use crate::domain::TenantName;
use crate::outbound;
use crate::outbound::OutboundError;
use crate::outbound::OutboundSettings;
use crate::settings::Settings;

const PATIENCE: Duration = Duration::from_secs(3);

pub(super) struct AdminPort {
    client: Client,
    base: String,
    token: Option<SecretString>,
}

/// Why nothing could be learnt of a running gateway.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotHeard {
    #[error("no gateway answers at {0}")]
    NotRunning(String),
    #[error("the gateway at {0} does not take the first of admin.tokens")]
    Unauthorized(String),
    #[error("what answers at {0} is no gateway of this version")]
    Stranger(String),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) version: String,
    pub(super) tenants: Vec<TenantStatus>,
    #[serde(default)]
    pub(super) webhooks_waiting: Option<usize>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TenantStatus {
    pub(super) tenant: TenantName,
    pub(super) channel_id: Option<String>,
    pub(super) webhook_id: Option<String>,
    pub(super) last_verify_at: Option<String>,
    pub(super) last_webhook_at: Option<String>,
    /// Since then.
    #[serde(default)]
    pub(super) webhooks_refused: u64,
    #[serde(default)]
    pub(super) handovers_without_webhooks: usize,
}

impl Status {
    pub(super) fn tenant(&self, name: &TenantName) -> Option<&TenantStatus> {
        self.tenants.iter().find(|status| status.tenant == *name)
    }
}

impl AdminPort {
    /// Never by a proxy: it is on this machine.
    pub(super) fn new(settings: &Settings) -> Result<Self, OutboundError> {
        Ok(Self {
            client: outbound::for_chat_gateway(&OutboundSettings::default())?,
            base: format!("http://{}", reachable(settings.admin.listen)),
            token: settings.admin.tokens.first().cloned(),
        })
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) async fn status(&self) -> Result<Status, NotHeard> {
        self.ask("/status").await
    }

    /// How many webhooks of a conversation have come that no handover took.
    pub(super) async fn webhooks_of(&self, conversation: &ConversationId) -> Result<usize, NotHeard> {
        let query: String = url::form_urlencoded::byte_serialize(conversation.as_str().as_bytes()).collect();
        let status = self.ask(&format!("/status?conversationId={query}")).await?;
        Ok(status.webhooks_waiting.unwrap_or(0))
    }

    /// The answer of `/readyz`, where there is one.
    pub(super) async fn readiness(&self) -> Option<(bool, String)> {
        let answer = self.call(Method::GET, "/readyz").send().await.ok()?;
        let is_ready = answer.status().is_success();
        let text = answer.text().await.unwrap_or_default();
        Some((is_ready, text.trim().chars().take(100).collect()))
    }

    /// What it counts, in Prometheus' form.
    pub(super) async fn metrics(&self) -> Option<String> {
        let answer = self.call(Method::GET, "/metrics").send().await.ok()?;
        answer.error_for_status().ok()?.text().await.ok()
    }

    /// Has the running gateway look at 8x8 for its channels now.
    pub(super) async fn look(&self) -> bool {
        let answer = self.call(Method::POST, "/tenants/look").send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    async fn ask(&self, path: &str) -> Result<Status, NotHeard> {
        let base = || self.base.clone();
        let answer = self.call(Method::GET, path).send().await;
        let answer = answer.map_err(|_nobody| NotHeard::NotRunning(base()))?;
        if answer.status() == 401 {
            return Err(NotHeard::Unauthorized(base()));
        }
        answer.json().await.map_err(|_other| NotHeard::Stranger(base()))
    }

    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let call = self
            .client
            .request(method, format!("{}{path}", self.base))
            .timeout(PATIENCE);
        match &self.token {
            Some(token) => call.bearer_auth(token.expose_secret().trim()),
            None => call,
        }
    }
}
