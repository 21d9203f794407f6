//! From settings to tenants, bots and how they are called back.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use reqwest::Client;
use thiserror::Error;
use tokio::sync::Notify;

use crate::app::availability::availability;
use crate::availability::UnusableAccess;
use crate::chat_gateway::ChatGateway;
use crate::chat_gateway::ChatGatewaySettings;
use crate::chat_gateway::Pace;
use crate::chat_gateway::UnusableSetting;
use crate::clock::Clock;
use crate::delivery::BotDelivery;
use crate::delivery::CallbackAuth;
use crate::delivery::CallbackFormat;
use crate::delivery::RosterError;
use crate::delivery::SigningKey;
use crate::delivery::SigningKeyError;
use crate::domain::BotName;
use crate::domain::TenantName;
use crate::handovers::AgentNames;
use crate::handovers::AttachmentRules;
use crate::handovers::Bot;
use crate::handovers::Duplicate;
use crate::handovers::QueueRule;
use crate::handovers::Tenant;
use crate::oauth::Grant;
use crate::oauth::PasswordGrant;
use crate::oauth::TokenSource;
use crate::outbound;
use crate::outbound::AddressPolicy;
use crate::outbound::Authority;
use crate::outbound::Fetcher;
use crate::outbound::OutboundError;
use crate::provisioning::Standing;
use crate::provisioning::Wanted;
use crate::provisioning::Watch;
use crate::provisioning::Watched;
use crate::settings;
use crate::settings::AuthKind;
use crate::settings::BotAuthSettings;
use crate::settings::BotFormat;
use crate::settings::BotSettings;
use crate::settings::QueueSettings;
use crate::settings::Settings;
use crate::settings::TenantSettings;
use crate::store::Store;

/// A setting that reads well and still cannot be used.
#[derive(Debug, Error)]
pub enum BuildError {
    #[error("[outbound] cannot be used")]
    Outbound(#[from] OutboundError),
    #[error("tenants.{tenant} cannot be used")]
    Tenant {
        tenant: TenantName,
        #[source]
        error: UnusableSetting,
    },
    #[error("tenants.{tenant}.schedule or tenants.{tenant}.statistics cannot be used")]
    Availability {
        tenant: TenantName,
        #[source]
        error: UnusableAccess,
    },
    #[error("bots.{bot}.callback_secrets cannot be used")]
    CallbackSecret {
        bot: BotName,
        #[source]
        error: SigningKeyError,
    },
    #[error("a bot's callbacks cannot be made")]
    Roster(#[from] RosterError),
    /// The check of the settings says this with its key before it comes to this.
    #[error("bots.{0}.tenant is not configured")]
    NoTenant(BotName),
}

pub(super) fn tenants(settings: &Settings, clock: &Clock) -> Result<BTreeMap<TenantName, Arc<Tenant>>, BuildError> {
    let client = outbound::for_chat_gateway(&settings.outbound)?;
    let mut tenants = BTreeMap::new();
    let paces = paces(settings);
    for (name, tenant) in &settings.tenants {
        let id = tenant.tenant_id.clone();
        let tenant = Tenant {
            name: name.clone(),
            standing: Standing::new(name.clone(), id.clone(), tenant.channel_id.clone()),
            account: id,
            chat_gateway: match paces.get(&account(tenant)) {
                Some(pace) => chat_gateway(&client, name, tenant)?.paced(Arc::clone(pace), tenant.send_wait),
                None => chat_gateway(&client, name, tenant)?,
            },
            channel_id: tenant.channel_id.clone(),
            queue_id: tenant.queue_id.clone(),
            queue_names: queue_names(tenant),
            queue_rules: queue_rules(tenant),
            transfer_grace: tenant.transfer_grace,
            message_limit: tenant.message_limit,
            send_wait: tenant.send_wait,
            message_deadline: tenant.message_deadline,
            availability: availability(name, tenant, &client, clock)?,
            attachments: AttachmentRules {
                limit: u64::try_from(tenant.attachment_limit).unwrap_or(u64::MAX),
                types: tenant.attachment_types.clone(),
            },
        };
        tenants.insert(name.clone(), Arc::new(tenant));
    }
    Ok(tenants)
}

/// What 8x8 counts calls by, as far as is known: tenants of one account share one pace, at the lowest of their limits.
fn paces(settings: &Settings) -> HashMap<(String, String), Arc<Pace>> {
    let mut limits = HashMap::new();
    for tenant in settings.tenants.values() {
        let limit: &mut Option<u32> = limits.entry(account(tenant)).or_default();
        *limit = (*limit).into_iter().chain(tenant.rate_limit).min();
    }
    let paces = limits.into_iter();
    paces
        .map(|(account, limit)| (account, Arc::new(Pace::new(limit))))
        .collect()
}

fn account(tenant: &TenantSettings) -> (String, String) {
    (tenant.base_url.to_string(), tenant.tenant_id.as_str().to_owned())
}

/// A tenant's access to 8x8.
pub(crate) fn chat_gateway(
    client: &Client,
    name: &TenantName,
    tenant: &TenantSettings,
) -> Result<ChatGateway, BuildError> {
    let settings = ChatGatewaySettings {
        base_url: tenant.base_url.clone(),
        tenant_id: Some(tenant.tenant_id.as_str().to_owned()),
        api_keys: vec![tenant.api_key.clone()],
        call_timeout: ChatGatewaySettings::CALL_TIMEOUT,
    };
    let chat_gateway = match tenant.client_credentials() {
        None => ChatGateway::new(client.clone(), &settings),
        Some(credentials) => {
            let grant = Grant::ClientCredentials(credentials);
            let source = TokenSource::new(client.clone(), grant, settings.call_timeout);
            ChatGateway::with_tokens(client.clone(), &settings, source, Clock::system())
        }
    };
    chat_gateway.map_err(|error| BuildError::Tenant {
        tenant: name.clone(),
        error,
    })
}

/// What a tenant's webhook and channel are to be; `None` without `server.public_url`.
pub(crate) fn wanted(settings: &Settings, name: &TenantName, tenant: &TenantSettings) -> Option<Wanted> {
    let public_url = settings.server.public_url.as_ref()?;
    let secret = tenant.webhook.path_secrets.first();
    Some(Wanted::new(name, public_url, secret, tenant.queue_id.as_deref()))
}

/// The task that keeps tenants' registrations; `look` wakes it.
pub(super) fn watch(
    settings: &Settings,
    tenants: &BTreeMap<TenantName, Arc<Tenant>>,
    (store, clock): (Arc<dyn Store>, Clock),
    look: &Arc<Notify>,
) -> Watch {
    let watched = |(name, tenant): (&TenantName, &Arc<Tenant>)| Watched {
        standing: tenant.standing.clone(),
        gateway: tenant.chat_gateway.clone(),
        wanted: settings
            .tenants
            .get(name)
            .and_then(|section| wanted(settings, name, section)),
    };
    Watch {
        tenants: tenants.iter().map(watched).collect(),
        store,
        clock,
        look: Arc::clone(look),
    }
}

pub(super) fn bots(
    settings: &Settings,
    tenants: &BTreeMap<TenantName, Arc<Tenant>>,
) -> Result<BTreeMap<BotName, Arc<Bot>>, BuildError> {
    let mut bots = BTreeMap::new();
    for (name, bot) in &settings.bots {
        let tenant = tenants
            .get(&bot.tenant)
            .ok_or_else(|| BuildError::NoTenant(name.clone()))?;
        let bot = Bot {
            name: name.clone(),
            tenant: Arc::clone(tenant),
            channel_id: bot.channel_id.clone(),
            queue_id: bot.queue_id.clone(),
            is_called_back: bot.callback_url.is_some(),
            fetcher: Fetcher::new(&settings.outbound, policy(settings, bot))?,
            format: format(bot.format),
            duplicate: duplicate(bot.duplicate),
            queue_timeout: bot.queue_timeout,
            idle_timeout: bot.idle_timeout,
            max_age: bot.max_age,
            inbound_channels: bot.inbound_channels.clone(),
            accept_conversation_active: bot.accept_conversation_active,
            copilot: bot.copilot_url.clone(),
            agent_names: agent_names(bot.agent_names),
        };
        bots.insert(name.clone(), Arc::new(bot));
    }
    Ok(bots)
}

/// Where a bot's callbacks may go, and files be fetched from: not to where the gateway itself listens.
pub(super) fn policy(settings: &Settings, bot: &BotSettings) -> AddressPolicy {
    let own = [settings.server.listen, settings.admin.listen].map(Authority::of_listener);
    bot.address_policy(&settings.delivery).but_not(&own)
}

pub(crate) fn deliveries(settings: &Settings) -> Result<Vec<BotDelivery>, BuildError> {
    settings
        .bots
        .iter()
        .map(|(name, bot)| delivery(settings, name, bot))
        .collect()
}

fn delivery(settings: &Settings, name: &BotName, bot: &BotSettings) -> Result<BotDelivery, BuildError> {
    let secrets: Result<Vec<SigningKey>, SigningKeyError> =
        bot.callback_secrets.iter().map(SigningKey::parse).collect();
    Ok(BotDelivery {
        bot: name.clone(),
        tenant: bot.tenant.clone(),
        callback_url: bot.callback_url.clone(),
        secrets: secrets.map_err(|error| BuildError::CallbackSecret {
            bot: name.clone(),
            error,
        })?,
        events: (!bot.events.is_empty()).then(|| bot.events.iter().copied().collect()),
        format: format(bot.format),
        auth: auth(&bot.auth),
        app_token: bot.auth.app_token.clone(),
        policy: policy(settings, bot),
    })
}

/// What a kind needs is there: the check of the settings has seen to it.
fn auth(settings: &BotAuthSettings) -> CallbackAuth {
    match settings.kind {
        AuthKind::None => CallbackAuth::None,
        AuthKind::Bearer => settings.token.clone().map_or(CallbackAuth::None, CallbackAuth::Bearer),
        AuthKind::OAuth2 => {
            let login = || {
                Some(PasswordGrant {
                    token_url: settings.token_url.clone()?,
                    username: settings.username.clone()?,
                    password: settings.password.clone()?,
                    client_id: settings.client_id.clone()?,
                })
            };
            login().map_or(CallbackAuth::None, |login| CallbackAuth::OAuth(Box::new(login)))
        }
    }
}

const fn format(setting: BotFormat) -> CallbackFormat {
    match setting {
        BotFormat::Native => CallbackFormat::Native,
        BotFormat::CloudEvents => CallbackFormat::CloudEvents,
        BotFormat::Passthrough => CallbackFormat::Passthrough,
    }
}

fn queue_names(tenant: &TenantSettings) -> HashMap<String, String> {
    let named = |(id, queue): (&String, &QueueSettings)| Some((id.clone(), queue.name.clone()?));
    tenant.queues.iter().filter_map(named).collect()
}

const fn agent_names(setting: settings::AgentNames) -> AgentNames {
    match setting {
        settings::AgentNames::Full => AgentNames::Full,
        settings::AgentNames::First => AgentNames::First,
        settings::AgentNames::None => AgentNames::None,
    }
}

fn queue_rules(tenant: &TenantSettings) -> HashMap<String, QueueRule> {
    let rule = |queue: &QueueSettings| QueueRule {
        max_wait: queue.max_wait,
        fallback: queue.fallback.clone(),
    };
    let rules = tenant.queues.iter().map(|(id, queue)| (id.clone(), rule(queue)));
    rules.collect()
}

const fn duplicate(setting: settings::Duplicate) -> Duplicate {
    match setting {
        settings::Duplicate::Reject => Duplicate::Reject,
        settings::Duplicate::Return => Duplicate::Return,
        settings::Duplicate::Allow => Duplicate::Allow,
    }
}
