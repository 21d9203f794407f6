//! Rules of one `[bots.NAME]`, and of bots among each other.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use url::Host;
use url::Url;

use crate::delivery::DeliverySettings;
use crate::domain::BotName;
use crate::outbound::UrlFault;
use crate::settings::AgentNames;
use crate::settings::AuthKind;
use crate::settings::BotFormat;
use crate::settings::BotSettings;
use crate::settings::Settings;
use crate::settings::check::Notes;

pub(super) fn check(name: &BotName, bot: &BotSettings, settings: &Settings, notes: &mut Notes) {
    let key = |field: &str| format!("bots.{name}.{field}");
    notes.optional_text(key("channel_id"), bot.channel_id.as_deref());
    notes.optional_text(key("queue_id"), bot.queue_id.as_deref());
    match settings.tenants.get(&bot.tenant) {
        None => notes.fault(key("tenant"), format!("there is no section [tenants.{}]", bot.tenant)),
        Some(tenant) => {
            let is_named = bot.channel_id.is_some() || tenant.channel_id.is_some();
            if !is_named && settings.server.public_url.is_none() {
                notes.warn(
                    key("channel_id"),
                    "missing here and in its tenant, and without `server.public_url` none can be provisioned: each handover \
                     must name its channel",
                );
            }
            if bot.queue_id.is_none() && tenant.queue_id.is_none() {
                notes.warn(
                    key("queue_id"),
                    "missing here and in its tenant: each handover must name its queue",
                );
            }
        }
    }
    if bot.api_key_hashes.is_empty() {
        notes.warn(
            key("api_key_hashes"),
            "missing: this bot cannot call (make one with `handover-gateway keys new bot`)",
        );
    }
    for (field, time) in [
        ("queue_timeout", bot.queue_timeout),
        ("idle_timeout", bot.idle_timeout),
        ("max_age", Some(bot.max_age)),
    ] {
        if let Some(time) = time {
            notes.positive(key(field), time);
        }
    }
    callback(&format!("bots.{name}"), bot, &settings.delivery, notes);
    format(&format!("bots.{name}"), bot, notes);
    auth(&key("auth"), bot, &settings.delivery, notes);
}

/// A key that opens two bots would not say who calls.
pub(super) fn shared_keys(settings: &Settings, notes: &mut Notes) {
    let mut owners = BTreeMap::new();
    for (name, bot) in &settings.bots {
        for hash in &bot.api_key_hashes {
            let owner = owners.entry(*hash).or_insert(name);
            if *owner != name {
                notes.fault(
                    format!("bots.{name}.api_key_hashes"),
                    format!("holds a key of [bots.{owner}] too"),
                );
            }
        }
    }
}

/// A conversation begins with one bot.
pub(super) fn shared_channels(settings: &Settings, notes: &mut Notes) {
    let mut owners = BTreeMap::new();
    for (name, bot) in &settings.bots {
        let account = settings.tenants.get(&bot.tenant).map(|tenant| &tenant.tenant_id);
        for (place, channel) in bot.inbound_channels.iter().enumerate() {
            let key = format!("bots.{name}.inbound_channels[{place}]");
            notes.text(key.clone(), channel);
            match owners.insert((account, channel), name) {
                Some(owner) if owner == name => notes.fault(key, "is named twice"),
                Some(owner) => notes.fault(key, format!("is a channel of [bots.{owner}] too")),
                None => {}
            }
        }
        if bot.accept_conversation_active && bot.inbound_channels.is_empty() {
            notes.warn(
                format!("bots.{name}.accept_conversation_active"),
                "does nothing without `inbound_channels`",
            );
        }
    }
}

fn callback(section: &str, bot: &BotSettings, delivery: &DeliverySettings, notes: &mut Notes) {
    let key = |field: &str| format!("{section}.{field}");
    if bot.allow_http {
        notes.warn(key("allow_http"), "callbacks to this bot may go out unencrypted");
    }
    notes.networks(&key("allow_networks"), &bot.allow_networks);
    for (place, host) in bot.callback_hosts.iter().enumerate() {
        if Host::parse(host).is_err() {
            notes.fault(
                key(&format!("callback_hosts[{place}]")),
                "must be a host name, without scheme, port and path",
            );
        }
    }
    for (place, secret) in bot.callback_secrets.iter().enumerate() {
        if !is_signing_secret(secret) {
            let why = "must be `whsec_` and 24 to 64 bytes as base64 (make one with `handover-gateway keys new callback-secret`)";
            notes.fault(key(&format!("callback_secrets[{place}]")), why);
        }
    }
    let is_called = bot.callback_url.is_some() || !bot.callback_hosts.is_empty();
    if is_called && bot.callback_secrets.is_empty() && bot.auth.kind == AuthKind::None && bot.auth.app_token.is_none() {
        notes.warn(
            key("callback_secrets"),
            "missing, and `auth` is none: the bot cannot tell who calls it",
        );
    }
    if let Some(url) = &bot.callback_url
        && let Err(fault) = bot.address_policy(delivery).check(url)
    {
        notes.fault(key("callback_url"), format!("{fault}{}", way_out(fault, url)));
    }
}

/// What the operator may set instead.
fn way_out(fault: UrlFault, url: &Url) -> &'static str {
    match (fault, url.host()) {
        (UrlFault::NotHttps, _) => ", unless `allow_http` is set",
        (UrlFault::RefusedAddress, Some(Host::Ipv4(_) | Host::Ipv6(_))) => {
            ", unless `allow_networks` names its network"
        }
        (
            UrlFault::RefusedAddress
            | UrlFault::NotHttp
            | UrlFault::UserInfo
            | UrlFault::Fragment
            | UrlFault::NoHost
            | UrlFault::Own,
            _,
        ) => "",
    }
}

fn is_signing_secret(secret: &SecretString) -> bool {
    secret
        .expose_secret()
        .strip_prefix("whsec_")
        .and_then(|text| STANDARD.decode(text).ok())
        .is_some_and(|bytes| (24..=64).contains(&bytes.len()))
}

fn format(section: &str, bot: &BotSettings, notes: &mut Notes) {
    let key = |field: &str| format!("{section}.{field}");
    match bot.format {
        BotFormat::Native | BotFormat::CloudEvents => {}
        BotFormat::Passthrough => {
            if !bot.events.is_empty() {
                notes.warn(
                    key("events"),
                    "filters nothing: `format` is passthrough, which leaves nothing out",
                );
            }
            if bot.agent_names != AgentNames::Full {
                notes.warn(
                    key("agent_names"),
                    "hides nothing: `format` is passthrough, which changes nothing",
                );
            }
            if bot.callback_url.is_none() && bot.callback_hosts.is_empty() {
                notes.warn(
                    key("callback_url"),
                    "missing: webhooks are passed on by callbacks, not to a bot that pulls",
                );
            }
        }
    }
}

fn auth(section: &str, bot: &BotSettings, delivery: &DeliverySettings, notes: &mut Notes) {
    let (auth, key) = (&bot.auth, |field: &str| format!("{section}.{field}"));
    if let Some(token) = &auth.app_token {
        notes.header_secret(key("app_token"), token);
    }
    match (auth.kind, &auth.token) {
        (AuthKind::None, None) => {}
        (AuthKind::None, Some(_)) => notes.warn(key("token"), "is never sent: `auth.kind` is none"),
        (AuthKind::Bearer, None) => notes.fault(key("token"), "missing: `auth.kind` is bearer"),
        (AuthKind::Bearer, Some(token)) => notes.header_secret(key("token"), token),
        (AuthKind::OAuth2, _) => oauth2(section, bot, delivery, notes),
    }
}

fn oauth2(section: &str, bot: &BotSettings, delivery: &DeliverySettings, notes: &mut Notes) {
    let (auth, key) = (&bot.auth, |field: &str| format!("{section}.{field}"));
    for (field, is_there) in [
        ("token_url", auth.token_url.is_some()),
        ("username", auth.username.is_some()),
        ("password", auth.password.is_some()),
        ("client_id", auth.client_id.is_some()),
    ] {
        if !is_there {
            notes.fault(key(field), "missing: `auth.kind` is oauth2");
        }
    }
    if let Some(url) = &auth.token_url
        && let Err(fault) = bot.address_policy(delivery).check(url)
    {
        notes.fault(key("token_url"), format!("{fault}{}", way_out(fault, url)));
    }
}
