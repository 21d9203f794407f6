//! From settings to tenants, bots and how they are called back.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use reqwest::Client;
use thiserror::Error;

use crate::availability::UnusableAccess;
use crate::chat_gateway::ChatGateway;
use crate::chat_gateway::ChatGatewaySettings;
use crate::chat_gateway::UnusableSetting;
use crate::clock::Clock;
use crate::delivery::BotDelivery;
use crate::delivery::CallbackAuth;
use crate::delivery::CallbackFormat;
use crate::delivery::DeliverySettings;
use crate::delivery::RosterError;
use crate::delivery::SigningKey;
use crate::delivery::SigningKeyError;
use crate::domain::BotName;
use crate::domain::EventType;
use crate::domain::TenantName;
use crate::handovers::AgentNames;
use crate::handovers::Bot;
use crate::handovers::Duplicate;
use crate::handovers::NoticeSettings;
use crate::handovers::QueueRule;
use crate::handovers::Tenant;
use crate::http::TlsError;
use crate::oauth::Grant;
use crate::oauth::PasswordGrant;
use crate::oauth::TokenSource;
use crate::outbound::AddressPolicy;
use crate::outbound::Authority;
use crate::outbound::Fetcher;
use crate::outbound::OutboundError;
use crate::provisioning::Wanted;
use crate::provisioning::Watched;
use crate::redaction::BadPattern;
use crate::redaction::Redactor;
use crate::settings;
use crate::settings::AuthKind;
use crate::settings::BotAuthSettings;
use crate::settings::BotFormat;
use crate::settings::BotSettings;
use crate::settings::QueueSettings;
use crate::settings::Settings;
use crate::settings::TenantSettings;

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
    #[error("tenants.{tenant}.redact cannot be used")]
    Redact {
        tenant: TenantName,
        #[source]
        error: BadPattern,
    },
    #[error("bots.{bot}.callback_secrets cannot be used")]
    CallbackSecret {
        bot: BotName,
        #[source]
        error: SigningKeyError,
    },
    #[error("a bot's callbacks cannot be made")]
    Roster(#[from] RosterError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The check of the settings says this with its key before it comes to this.
    #[error("bots.{0}.tenant is not configured")]
    NoTenant(BotName),
}

pub(super) fn redactor(name: &TenantName, tenant: &TenantSettings) -> Result<Redactor, BuildError> {
    let rules = tenant
        .redact
        .iter()
        .map(|rule| (rule.pattern.as_str(), rule.replace.as_str()));
    Redactor::new(rules).map_err(|error| BuildError::Redact {
        tenant: name.clone(),
        error,
    })
}

/// What 8x8 counts calls by, as far as is known: tenants of one account share one pace, at the lowest of their limits.
pub(super) fn rate_limits(settings: &Settings) -> HashMap<Account, Option<u32>> {
    let mut limits = HashMap::new();
    for tenant in settings.tenants.values() {
        let limit: &mut Option<u32> = limits.entry(account(tenant)).or_default();
        *limit = (*limit).into_iter().chain(tenant.rate_limit).min();
    }
    limits
}

/// Where an account is, and its name there.
pub(super) type Account = (String, String);

pub(super) fn account(tenant: &TenantSettings) -> Account {
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

/// What the task that keeps tenants' registrations looks after.
pub(super) fn watched(settings: &Settings, tenants: &BTreeMap<TenantName, Arc<Tenant>>) -> Vec<Watched> {
    let watched = |(name, tenant): (&TenantName, &Arc<Tenant>)| Watched {
        standing: tenant.standing.clone(),
        gateway: tenant.chat_gateway.clone(),
        wanted: settings
            .tenants
            .get(name)
            .and_then(|section| wanted(settings, name, section)),
    };
    tenants.iter().map(watched).collect()
}

pub(super) fn bot(
    settings: &Settings,
    (name, section): (&BotName, &BotSettings),
    tenant: &Arc<Tenant>,
) -> Result<Bot, BuildError> {
    Ok(Bot {
        name: name.clone(),
        tenant: Arc::clone(tenant),
        channel_id: section.channel_id.clone(),
        queue_id: section.queue_id.clone(),
        is_called_back: section.callback_url.is_some(),
        hears_messages: hears_messages(section),
        fetcher: Fetcher::new(&settings.outbound, policy(settings, section))?,
        format: format(section.format),
        duplicate: duplicate(section.duplicate),
        queue_timeout: section.queue_timeout,
        idle_timeout: section.idle_timeout,
        max_age: section.max_age,
        inbound_channels: section.inbound_channels.clone(),
        accept_conversation_active: section.accept_conversation_active,
        copilot: section.copilot_url.clone(),
        agent_names: agent_names(section.agent_names),
    })
}

pub(super) fn notices(delivery: &DeliverySettings) -> NoticeSettings {
    NoticeSettings {
        after: delivery.notify_agent_after,
        text: delivery.notify_agent_text.clone(),
        over_text: delivery.notify_agent_over_text.clone(),
    }
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

/// A bot that gets 8x8's webhooks gets all of them.
fn hears_messages(bot: &BotSettings) -> bool {
    let is_chosen = bot.events.is_empty() || bot.events.contains(&EventType::MessageCreated);
    is_chosen || bot.format == BotFormat::Passthrough
}

const fn format(setting: BotFormat) -> CallbackFormat {
    match setting {
        BotFormat::Native => CallbackFormat::Native,
        BotFormat::CloudEvents => CallbackFormat::CloudEvents,
        BotFormat::Passthrough => CallbackFormat::Passthrough,
    }
}

pub(super) fn queue_names(tenant: &TenantSettings) -> HashMap<String, String> {
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

pub(super) fn queue_rules(tenant: &TenantSettings) -> HashMap<String, QueueRule> {
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
