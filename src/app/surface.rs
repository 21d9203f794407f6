//! What listens: the routers of both ports, each with the state its handlers use.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use prometheus_client::registry::Registry;
use tokio::sync::Notify;

use crate::app::build::policy;
use crate::app::in_force::InForce;
use crate::bus::Bus;
use crate::clock::Clock;
use crate::delivery::CallbackFormat;
use crate::domain::AccountId;
use crate::domain::BotName;
use crate::domain::TenantName;
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
use crate::http::ReloadWishes;
use crate::http::Router;
use crate::http::RunningKeys;
use crate::http::StatusState;
use crate::http::Tokens;
use crate::http::WebhookGuard;
use crate::http::WebhookRoute;
use crate::http::WebhookState;
use crate::outbound;
use crate::outbound::AddressPolicy;
use crate::settings::ServerSettings;
use crate::settings::Settings;
use crate::settings::TenantSettings;
use crate::settings::WebhookProof;
use crate::supervisor::Supervisor;
use crate::webhook::Requirement;
use crate::webhook::TokenHash;
use crate::webhook::Verifier;
use crate::webhook::WebhookSettings;

/// What the routers are made of, whatever the settings are. What it remembers outlives a reload.
pub(super) struct Surface {
    pub(super) handovers: Arc<Handovers>,
    pub(super) bus: Bus,
    pub(super) clock: Clock,
    pub(super) supervisor: Supervisor,
    pub(super) readiness: Readiness,
    pub(super) look: Arc<Notify>,
    pub(super) metrics: HttpMetrics,
    pub(super) registry: Arc<Registry>,
    reload: ReloadWishes,
    running: RunningKeys,
    limits: ApiLimits,
    guard: WebhookGuard,
    tokens: Tokens,
}

/// What a surface is begun with.
pub(super) struct Means {
    pub(super) bus: Bus,
    pub(super) clock: Clock,
    pub(super) supervisor: Supervisor,
    pub(super) readiness: Readiness,
    pub(super) look: Arc<Notify>,
    pub(super) reload: ReloadWishes,
}

pub(super) struct Routers {
    pub(super) public: Router,
    pub(super) admin: Router,
}

impl Surface {
    pub(super) fn new(
        handovers: &Arc<Handovers>,
        means: Means,
        server: &ServerSettings,
        mut registry: Registry,
    ) -> Self {
        let store = Arc::clone(handovers.store());
        let metrics = HttpMetrics::new(&mut registry);
        handovers.notice_metrics().register(&mut registry);
        Self {
            tokens: Tokens::new(store, means.clock.clone(), Vec::new(), Vec::new()),
            handovers: Arc::clone(handovers),
            bus: means.bus,
            clock: means.clock,
            supervisor: means.supervisor,
            readiness: means.readiness,
            look: means.look,
            reload: means.reload,
            limits: ApiLimits::new(server.bot_rate_limit, server.max_connections),
            guard: WebhookGuard::new(metrics.clone()),
            metrics,
            registry: Arc::new(registry),
            running: RunningKeys::default(),
        }
    }

    /// The routers of these settings.
    pub(super) fn routers(&self, settings: &Settings, in_force: &InForce) -> Routers {
        let store = || Arc::clone(self.handovers.store());
        let webhooks = WebhookState {
            routes: Arc::new(webhook_routes(settings, in_force)),
            handovers: Arc::clone(&self.handovers),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            tokens: self
                .tokens
                .with(logins(settings), settings.server.trusted_proxies.clone()),
            guard: self.guard.clone(),
        };
        let ops = OpsState {
            readiness: self.readiness.clone(),
            store: store(),
            registry: Arc::clone(&self.registry),
        };
        let status = StatusState {
            tenants: in_force
                .tenants
                .values()
                .map(|tenant| tenant.standing.clone())
                .collect(),
            store: store(),
            tokens: AdminTokens::new(&settings.admin.tokens),
            look: Arc::clone(&self.look),
            reload: self.reload.clone(),
        };
        let limits = PublicLimits {
            body: settings.server.body_limit,
            request: settings.server.request_timeout,
        };
        Routers {
            public: http::public_router(self.api(settings, in_force), webhooks, limits, self.metrics.clone()),
            admin: http::admin_router(ops, status, self.metrics.clone()),
        }
    }

    fn api(&self, settings: &Settings, in_force: &InForce) -> ApiState {
        let keys = in_force.bots.iter().map(|(name, bot)| {
            let hashes = settings
                .bots
                .get(name)
                .map(|bot| bot.api_key_hashes.as_slice())
                .unwrap_or_default();
            (Arc::clone(bot), hashes.iter().map(|hash| *hash.as_bytes()).collect())
        });
        ApiState {
            handovers: Arc::clone(&self.handovers),
            keys: BotKeys::new(keys.collect()),
            limits: self.limits.trusting(settings.server.trusted_proxies.clone()),
            bus: self.bus.clone(),
            clock: self.clock.clone(),
            supervisor: self.supervisor.clone(),
            running: self.running.clone(),
            callback_urls: callback_urls(settings),
            pause: settings.server.request_timeout,
        }
    }
}

/// Who may fetch bearer tokens for webhooks.
fn logins(settings: &Settings) -> Vec<Login> {
    let mut logins = Vec::new();
    for (name, tenant) in &settings.tenants {
        for client in &tenant.webhook.clients {
            let of_client = |app_token| Login::new(name, &client.username, &client.password_hash, app_token);
            logins.extend(tenant.webhook.app_tokens.iter().map(of_client));
        }
    }
    logins
}

/// A handover may name an address of its own, on the host of its bot's or on one of those the bot's section lists.
fn callback_urls(settings: &Settings) -> CheckCallbackUrl {
    let rules: HashMap<BotName, (AddressPolicy, Vec<String>)> = settings
        .bots
        .iter()
        .map(|(name, bot)| {
            let own = bot
                .callback_url
                .as_ref()
                .and_then(|url| url.host_str())
                .map(str::to_owned);
            let hosts = bot.callback_hosts.iter().cloned().chain(own).collect();
            (name.clone(), (policy(settings, bot), hosts))
        })
        .collect();
    CheckCallbackUrl::new(move |bot, url| {
        let (policy, hosts) = rules.get(bot).ok_or_else(|| "the bot is not configured".to_owned())?;
        let url = outbound::check_callback_url(url, policy, hosts).map_err(|error| error.to_string())?;
        Ok(url.to_string())
    })
}

fn webhook_routes(settings: &Settings, in_force: &InForce) -> BTreeMap<TenantName, WebhookRoute> {
    let route = |(name, tenant): (&TenantName, &Arc<Tenant>)| {
        let (section, keys) = (settings.tenants.get(name)?, in_force.keys.get(name)?);
        let verifier = Verifier::new(Arc::clone(keys), vec![tenant.account.clone()], section.webhook.max_age);
        let webhook = WebhookSettings {
            keeps_headers: passes_on(in_force, &tenant.account),
            ..webhook(section)
        };
        let route = WebhookRoute::new(tenant.standing.clone(), tenant.account.clone(), verifier, &webhook);
        Some((name.clone(), route))
    };
    in_force.tenants.iter().filter_map(route).collect()
}

/// Whether some bot gets this account's webhooks as they came. Tenants of one account get each other's.
fn passes_on(in_force: &InForce, account: &AccountId) -> bool {
    let bots = in_force.bots.values();
    bots.into_iter()
        .any(|bot| bot.tenant.account == *account && bot.format == CallbackFormat::Passthrough)
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
