//! Rules of the fixed sections, and the walk over tenants and bots.

use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

use crate::settings::DeliverySettings;
use crate::settings::OutboundSettings;
use crate::settings::ServerSettings;
use crate::settings::Settings;
use crate::settings::check::Notes;
use crate::settings::check::bot;
use crate::settings::check::tenant;
use crate::store::StoreSettings;
use crate::telemetry;

/// Characters an agent is told at once.
const LONGEST_NOTICE: usize = 1000;

pub(in crate::settings) fn check(settings: &Settings) -> Notes {
    let mut notes = Notes::default();
    server(&settings.server, &mut notes);
    admin(settings, &mut notes);
    store(&settings.store, &mut notes);
    delivery(&settings.delivery, &mut notes);
    outbound(&settings.outbound, &mut notes);
    if let Err(why) = telemetry::filter(&settings.telemetry.level) {
        notes.fault("telemetry.level", why);
    }
    for (name, tenant) in &settings.tenants {
        tenant::check(name, tenant, settings, &mut notes);
    }
    tenant::shared_accounts(settings, &mut notes);
    tenant::shared_app_tokens(settings, &mut notes);
    for (name, bot) in &settings.bots {
        bot::check(name, bot, settings, &mut notes);
    }
    bot::shared_keys(settings, &mut notes);
    bot::shared_channels(settings, &mut notes);
    notes
}

fn server(server: &ServerSettings, notes: &mut Notes) {
    notes.positive("server.request_timeout", server.request_timeout);
    notes.positive("server.shutdown_grace", server.shutdown_grace);
    notes.at_least("server.body_limit", server.body_limit, 64 * 1024);
    notes.at_least("server.max_connections", server.max_connections, 1);
    if let Some(tls) = &server.tls {
        notes.file("server.tls.cert_file", &tls.cert_file);
        notes.file("server.tls.key_file", &tls.key_file);
    }
    if server.bot_rate_limit == 0 {
        notes.fault("server.bot_rate_limit", "must be 1 or more");
    }
    if let Some(url) = &server.public_url {
        notes.base("server.public_url", url);
        if url.scheme() == "http" {
            notes.warn("server.public_url", "8x8 calls https addresses only");
        }
    }
}

fn admin(settings: &Settings, notes: &mut Notes) {
    let admin = &settings.admin;
    if collide(settings.server.listen, admin.listen) {
        notes.fault(
            "admin.listen",
            "is the address of `server.listen`: the two need a port each",
        );
    }
    if admin.tokens.is_empty() && !admin.listen.ip().is_loopback() {
        notes.fault(
            "admin.tokens",
            "missing: `admin.listen` can be reached from other machines",
        );
    }
    notes.tokens("admin.tokens", &admin.tokens);
}

/// Port 0 takes a free one. An unspecified address covers all others.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let same_host = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_host
}

fn store(store: &StoreSettings, notes: &mut Notes) {
    let is_file = store
        .url
        .strip_prefix("sqlite://")
        .is_some_and(|path| !path.trim().is_empty());
    if store.url != "sqlite::memory:" && !is_file {
        notes.fault("store.url", "must be `sqlite://path/to/file.db` or `sqlite::memory:`");
    }
    if store.url == "sqlite::memory:" {
        notes.warn(
            "store.url",
            "keeps nothing: all handovers are lost when the gateway stops",
        );
    }
    notes.positive("store.retention", store.retention);
    notes.positive("store.content_retention", store.content_retention);
    if !store.retention.is_zero() && store.retention < Duration::from_hours(24) {
        notes.warn(
            "store.retention",
            "answers to repeated calls are kept for 24h and would go earlier",
        );
    }
}

fn delivery(delivery: &DeliverySettings, notes: &mut Notes) {
    notes.positive("delivery.timeout", delivery.timeout);
    if delivery.head_deadline < delivery.timeout {
        notes.fault("delivery.head_deadline", "must not be shorter than `delivery.timeout`");
    }
    if delivery.lifecycle_deadline < delivery.head_deadline {
        notes.fault(
            "delivery.lifecycle_deadline",
            "must not be shorter than `delivery.head_deadline`",
        );
    }
    agent_notice(delivery, notes);
    notes.at_least("delivery.max_in_flight", delivery.max_in_flight, 1);
    notes.at_least("delivery.max_in_flight_per_bot", delivery.max_in_flight_per_bot, 1);
    notes.at_least("delivery.backlog_per_bot", delivery.backlog_per_bot, 1);
    if delivery.max_in_flight_per_bot > delivery.max_in_flight {
        notes.warn(
            "delivery.max_in_flight_per_bot",
            "is more than `delivery.max_in_flight`, which holds for all bots together",
        );
    }
    if delivery.allow_http {
        notes.warn("delivery.allow_http", "callbacks may go out unencrypted, for every bot");
    }
    notes.networks("delivery.allow_networks", &delivery.allow_networks);
}

fn agent_notice(delivery: &DeliverySettings, notes: &mut Notes) {
    let after = delivery.notify_agent_after;
    if !after.is_zero() && after < delivery.timeout {
        notes.warn(
            "delivery.notify_agent_after",
            "is shorter than `delivery.timeout`: agents are told while a first attempt may still go well",
        );
    }
    if after > delivery.head_deadline {
        notes.warn(
            "delivery.notify_agent_after",
            "is longer than `delivery.head_deadline`: of messages that are given up before no agent is told",
        );
    }
    if !after.is_zero() && delivery.notify_agent_text.trim().is_empty() {
        notes.fault(
            "delivery.notify_agent_text",
            "must not be blank; `delivery.notify_agent_after = \"0s\"` tells agents nothing",
        );
    }
    let texts = [
        ("delivery.notify_agent_text", &delivery.notify_agent_text),
        ("delivery.notify_agent_over_text", &delivery.notify_agent_over_text),
    ];
    for (key, text) in texts {
        if text.chars().count() > LONGEST_NOTICE {
            notes.fault(key, format!("must have at most {LONGEST_NOTICE} characters"));
        }
    }
}

fn outbound(outbound: &OutboundSettings, notes: &mut Notes) {
    if let Some(proxy) = &outbound.proxy {
        let is_http = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        if !Url::parse(proxy).is_ok_and(|url| is_http(&url)) {
            notes.fault("outbound.proxy", "must be an http or https URL");
        }
    } else if !outbound.no_proxy.is_empty() {
        notes.warn("outbound.no_proxy", "means nothing without `outbound.proxy`");
    }
    if let Some(file) = &outbound.ca_file {
        notes.file("outbound.ca_file", file);
    }
}
