//! What listens: the routers of both ports, each with the state its handlers use.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use prometheus_client::registry::Registry;
use tokio::sync::Notify;

use crate::app::BuildError;
use crate::app::build::policy;
use crate::bus::Bus;
use crate::chat_gateway::KeySource;
use crate::chat_gateway::KeySourceSettings;
use crate::clock::Clock;
use crate::delivery::CallbackFormat;
use crate::domain::AccountId;
use crate::domain::BotName;
use crate::domain::TenantName;
use crate::handovers::Bot;
use crate::handovers::Handovers;
use crate::handovers::Tenant;
use crate::http;
use crate::http::AdminTokens;
use crate::http::ApiLimits;
use crate::http::ApiState;
use crate::http::BotKeys;
use crate::http::CheckCallbackUrl;
use crate::http::HttpMetrics;
use crate::http::Login;
use crate::http::OpsState;
use crate::http::PublicLimits;
use crate::http::Readiness;
use crate::http::Router;
use crate::http::RunningKeys;
use crate::http::StatusState;
use crate::http::Tokens;
use crate::http::WebhookGuard;
use crate::http::WebhookRoute;
use crate::http::WebhookState;
use crate::outbound;
use crate::outbound::AddressPolicy;
use crate::settings::Settings;
use crate::settings::TenantSettings;
use crate::settings::WebhookProof;
use crate::supervisor::Supervisor;
use crate::webhook::Requirement;
use crate::webhook::TokenHash;
use crate::webhook::Verifier;
use crate::webhook::WebhookSettings;

/// What the routers are made of.
pub(super) struct Surface<'a> {
    pub(super) settings: &'a Settings,
    pub(super) handovers: &'a Arc<Handovers>,
    pub(super) tenants: &'a BTreeMap<TenantName, Arc<Tenant>>,
    pub(super) bots: &'a BTreeMap<BotName, Arc<Bot>>,
    pub(super) bus: Bus,
    pub(super) clock: Clock,
    pub(super) supervisor: &'a Supervisor,
    pub(super) look: Arc<Notify>,
}

pub(super) struct Routers {
    pub(super) public: Router,
    pub(super) admin: Router,
    pub(super) metrics: HttpMetrics,
}

impl Surface<'_> {
    pub(super) fn routers(self, mut registry: Registry, readiness: &Readiness) -> Result<Routers, BuildError> {
        let metrics = HttpMetrics::new(&mut registry);
        let webhooks = WebhookState {
            routes: Arc::new(self.webhook_routes()?),
            handovers: Arc::clone(self.handovers),
            clock: self.clock.clone(),
            metrics: metrics.clone(),
            tokens: self.tokens(),
            guard: WebhookGuard::new(metrics.clone()),
        };
        let ops = OpsState {
            readiness: readiness.clone(),
            store: Arc::clone(self.handovers.store()),
            registry: Arc::new(registry),
        };
        let server = &self.settings.server;
        let limits = PublicLimits {
            body: server.body_limit,
            request: server.request_timeout,
        };
        Ok(Routers {
            public: http::public_router(self.api(), webhooks, limits, metrics.clone()),
            admin: http::admin_router(ops, self.status(), metrics.clone()),
            metrics,
        })
    }

    fn status(&self) -> StatusState {
        StatusState {
            tenants: self.tenants.values().map(|tenant| tenant.standing.clone()).collect(),
            store: Arc::clone(self.handovers.store()),
            tokens: AdminTokens::new(&self.settings.admin.tokens),
            look: Arc::clone(&self.look),
        }
    }

    fn api(&self) -> ApiState {
        let keys = self.bots.iter().map(|(name, bot)| {
            let hashes = self
                .settings
                .bots
                .get(name)
                .map(|bot| bot.api_key_hashes.as_slice())
                .unwrap_or_default();
            (Arc::clone(bot), hashes.iter().map(|hash| *hash.as_bytes()).collect())
        });
        ApiState {
            handovers: Arc::clone(self.handovers),
            keys: BotKeys::new(keys.collect()),
            limits: self.api_limits(),
            bus: self.bus.clone(),
            clock: self.clock.clone(),
            supervisor: self.supervisor.clone(),
            running: RunningKeys::default(),
            callback_urls: self.callback_urls(),
            pause: self.settings.server.request_timeout,
        }
    }

    fn api_limits(&self) -> ApiLimits {
        let server = &self.settings.server;
        ApiLimits::new(
            server.bot_rate_limit,
            server.max_connections,
            server.trusted_proxies.clone(),
        )
    }

    /// Who may fetch bearer tokens for webhooks.
    fn tokens(&self) -> Tokens {
        let mut logins = Vec::new();
        for (name, tenant) in &self.settings.tenants {
            for client in &tenant.webhook.clients {
                let of_client = |app_token| Login::new(name, &client.username, &client.password_hash, app_token);
                logins.extend(tenant.webhook.app_tokens.iter().map(of_client));
            }
        }
        let store = Arc::clone(self.handovers.store());
        let proxies = self.settings.server.trusted_proxies.clone();
        Tokens::new(store, self.clock.clone(), logins, proxies)
    }

    /// A handover may name an address of its own, on the host of its bot's or on one of those the bot's section lists.
    fn callback_urls(&self) -> CheckCallbackUrl {
        let rules: HashMap<BotName, (AddressPolicy, Vec<String>)> = self
            .settings
            .bots
            .iter()
            .map(|(name, bot)| {
                let own = bot
                    .callback_url
                    .as_ref()
                    .and_then(|url| url.host_str())
                    .map(str::to_owned);
                let hosts = bot.callback_hosts.iter().cloned().chain(own).collect();
                (name.clone(), (policy(self.settings, bot), hosts))
            })
            .collect();
        CheckCallbackUrl::new(move |bot, url| {
            let (policy, hosts) = rules.get(bot).ok_or_else(|| "the bot is not configured".to_owned())?;
            let url = outbound::check_callback_url(url, policy, hosts).map_err(|error| error.to_string())?;
            Ok(url.to_string())
        })
    }

    /// Whether some bot gets this account's webhooks as they came. Tenants of one account get each other's.
    fn passes_on(&self, account: &AccountId) -> bool {
        self.bots
            .values()
            .any(|bot| bot.tenant.account == *account && bot.format == CallbackFormat::Passthrough)
    }

    fn webhook_routes(&self) -> Result<BTreeMap<TenantName, WebhookRoute>, BuildError> {
        let client = outbound::for_chat_gateway(&self.settings.outbound)?;
        let mut routes = BTreeMap::new();
        for (name, tenant) in self.tenants {
            let Some(settings) = self.settings.tenants.get(name) else {
                continue;
            };
            let source = KeySourceSettings {
                base_url: settings.base_url.clone(),
                tenant_id: Some(settings.tenant_id.as_str().to_owned()),
                jwk_fallback_url: settings.webhook.jwk_fallback_url.clone(),
            };
            let keys =
                KeySource::new(client.clone(), &source, self.clock.clone()).map_err(|error| BuildError::Tenant {
                    tenant: name.clone(),
                    error,
                })?;
            let verifier = Verifier::new(Arc::new(keys), vec![tenant.account.clone()], settings.webhook.max_age);
            let webhook = WebhookSettings {
                keeps_headers: self.passes_on(&tenant.account),
                ..webhook(settings)
            };
            routes.insert(
                name.clone(),
                WebhookRoute::new(tenant.standing.clone(), tenant.account.clone(), verifier, &webhook),
            );
        }
        Ok(routes)
    }
}

/// `keeps_headers` is filled in by who knows the bots.
fn webhook(settings: &TenantSettings) -> WebhookSettings {
    let webhook = &settings.webhook;
    let requirement = |proof: &WebhookProof| match proof {
        WebhookProof::Signature => Requirement::Signature,
        WebhookProof::AppToken => Requirement::AppToken,
        WebhookProof::Bearer => Requirement::Bearer,
    };
    WebhookSettings {
        require: webhook.require.iter().map(requirement).collect(),
        max_age: webhook.max_age,
        path_secrets: webhook.path_secrets.clone(),
        app_tokens: webhook.app_tokens.clone(),
        bearer_hashes: webhook
            .bearer_hashes
            .iter()
            .map(|hash| TokenHash::from(*hash.as_bytes()))
            .collect(),
        keeps_headers: false,
    }
}
