//! The settings in force, as lines for the log, with everything secret masked.

use std::fmt::Display;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use url::Url;

use crate::domain::EventType;
use crate::settings::BotSettings;
use crate::settings::DeliverySettings;
use crate::settings::OutboundSettings;
use crate::settings::ServerSettings;
use crate::settings::Settings;
use crate::settings::TenantScheduleSettings;
use crate::settings::TenantSettings;
use crate::settings::TenantStatisticsSettings;
use crate::settings::WebhookProof;

impl Settings {
    /// `key = value` lines; what is not set is left out.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Lines::default();
        server(&mut lines, &self.server);
        lines.add("admin.listen", self.admin.listen);
        lines.secrets("admin.tokens", &self.admin.tokens);
        lines.add("store.url", masked(&self.store.url));
        lines.time("store.retention", self.store.retention);
        lines.time("store.content_retention", self.store.content_retention);
        delivery(&mut lines, &self.delivery);
        outbound(&mut lines, &self.outbound);
        lines.add("telemetry.level", &self.telemetry.level);
        lines.add("telemetry.format", self.telemetry.format.as_str());
        for (name, settings) in &self.tenants {
            lines.section = format!("tenants.{name}.");
            tenant(&mut lines, settings);
        }
        for (name, settings) in &self.bots {
            lines.section = format!("bots.{name}.");
            bot(&mut lines, settings);
        }
        lines.lines
    }
}

fn server(lines: &mut Lines, server: &ServerSettings) {
    lines.add("server.listen", server.listen);
    lines.maybe("server.public_url", server.public_url.as_ref());
    lines.time("server.request_timeout", server.request_timeout);
    lines.add(
        "server.body_limit",
        bytesize::ByteSize::b(u64::try_from(server.body_limit).unwrap_or(u64::MAX)),
    );
    lines.add("server.max_connections", server.max_connections);
    lines.add("server.bot_rate_limit", server.bot_rate_limit);
    lines.list("server.trusted_proxies", &server.trusted_proxies);
    lines.time("server.drain_delay", server.drain_delay);
    lines.time("server.shutdown_grace", server.shutdown_grace);
    let tls = server.tls.as_ref();
    lines.maybe("server.tls.cert_file", tls.map(|tls| tls.cert_file.display()));
    lines.maybe("server.tls.key_file", tls.map(|tls| tls.key_file.display()));
}

fn delivery(lines: &mut Lines, delivery: &DeliverySettings) {
    lines.time("delivery.timeout", delivery.timeout);
    lines.time("delivery.head_deadline", delivery.head_deadline);
    lines.time("delivery.lifecycle_deadline", delivery.lifecycle_deadline);
    lines.time("delivery.notify_agent_after", delivery.notify_agent_after);
    lines.add("delivery.notify_agent_text", &delivery.notify_agent_text);
    lines.add("delivery.notify_agent_over_text", &delivery.notify_agent_over_text);
    lines.add("delivery.max_in_flight", delivery.max_in_flight);
    lines.add("delivery.max_in_flight_per_bot", delivery.max_in_flight_per_bot);
    lines.add("delivery.backlog_per_bot", delivery.backlog_per_bot);
    lines.add("delivery.allow_http", delivery.allow_http);
    lines.list("delivery.allow_networks", &delivery.allow_networks);
}

fn outbound(lines: &mut Lines, outbound: &OutboundSettings) {
    lines.maybe("outbound.proxy", outbound.proxy.as_deref().map(masked));
    lines.list("outbound.no_proxy", &outbound.no_proxy);
    lines.maybe("outbound.ca_file", outbound.ca_file.as_ref().map(|file| file.display()));
}

fn tenant(lines: &mut Lines, tenant: &TenantSettings) {
    lines.add("base_url", &tenant.base_url);
    lines.add("tenant_id", &tenant.tenant_id);
    lines.add("auth", tenant.auth.as_str());
    if !tenant.api_key.expose_secret().is_empty() {
        lines.add("api_key", MASK);
    }
    lines.maybe("client_id", tenant.client_id.as_ref());
    lines.maybe("client_secret", tenant.client_secret.as_ref().map(|_secret| MASK));
    lines.maybe("token_url", tenant.token_url.as_ref().map(without_query));
    lines.maybe("channel_id", tenant.channel_id.as_ref());
    lines.maybe("queue_id", tenant.queue_id.as_ref());
    lines.time("transfer_grace", tenant.transfer_grace);
    lines.time("reconcile_after", tenant.reconcile_after);
    lines.add("message_limit", tenant.message_limit);
    lines.time("send_wait", tenant.send_wait);
    lines.time("message_deadline", tenant.message_deadline);
    lines.maybe("rate_limit", tenant.rate_limit);
    let limit = u64::try_from(tenant.attachment_limit).unwrap_or(u64::MAX);
    lines.add("attachment_limit", bytesize::ByteSize::b(limit));
    lines.list("attachment_types", &tenant.attachment_types);
    lines.list("redact", tenant.redact.iter().map(|rule| rule.pattern.as_str()));
    lines.list(
        "webhook.require",
        tenant.webhook.require.iter().copied().map(WebhookProof::as_str),
    );
    lines.time("webhook.max_age", tenant.webhook.max_age);
    lines.secrets("webhook.path_secrets", &tenant.webhook.path_secrets);
    lines.secrets("webhook.app_tokens", &tenant.webhook.app_tokens);
    lines.list("webhook.bearer_hashes", &tenant.webhook.bearer_hashes);
    lines.list(
        "webhook.clients",
        tenant.webhook.clients.iter().map(|client| client.username.as_str()),
    );
    lines.maybe(
        "webhook.jwk_fallback_url",
        tenant.webhook.jwk_fallback_url.as_deref().map(template),
    );
    for (id, queue) in &tenant.queues {
        lines.maybe(&format!("queues.{id}.name"), queue.name.as_ref());
        lines.maybe(&format!("queues.{id}.schedule_id"), queue.schedule_id.as_ref());
        lines.maybe(&format!("queues.{id}.max_wait"), queue.max_wait.map(in_words));
        lines.maybe(&format!("queues.{id}.fallback"), queue.fallback.as_ref());
    }
    schedule(lines, &tenant.schedule);
    statistics(lines, &tenant.statistics);
}

fn schedule(lines: &mut Lines, schedule: &TenantScheduleSettings) {
    lines.add("schedule.source", schedule.source.as_str());
    lines.maybe("schedule.schedule_id", schedule.schedule_id.as_ref());
    lines.maybe("schedule.base_url", schedule.base_url.as_ref());
    lines.secret("schedule.api_key", schedule.api_key.as_ref());
    lines.maybe("schedule.username", schedule.username.as_ref());
    lines.secret("schedule.token", schedule.token.as_ref());
    lines.list("schedule.open_choices", &schedule.open_choices);
    lines.add("schedule.when_unknown", schedule.when_unknown.as_str());
    lines.time("schedule.cache", schedule.cache);
}

fn statistics(lines: &mut Lines, statistics: &TenantStatisticsSettings) {
    lines.add("statistics.source", statistics.source.as_str());
    lines.maybe("statistics.base_url", statistics.base_url.as_ref());
    lines.secret("statistics.api_key", statistics.api_key.as_ref());
    lines.maybe("statistics.username", statistics.username.as_ref());
    lines.secret("statistics.token", statistics.token.as_ref());
    lines.maybe("statistics.client_id", statistics.client_id.as_ref());
    lines.secret("statistics.client_secret", statistics.client_secret.as_ref());
    lines.add("statistics.agents_count", statistics.agents_count.as_str());
    lines.add("statistics.when_unknown", statistics.when_unknown.as_str());
    lines.time("statistics.cache", statistics.cache);
    lines.maybe("statistics.update_interval", statistics.update_interval.map(in_words));
}

fn bot(lines: &mut Lines, bot: &BotSettings) {
    lines.add("tenant", &bot.tenant);
    lines.maybe("channel_id", bot.channel_id.as_ref());
    lines.maybe("queue_id", bot.queue_id.as_ref());
    lines.list("api_key_hashes", &bot.api_key_hashes);
    lines.maybe("callback_url", bot.callback_url.as_ref().map(without_query));
    lines.list("callback_hosts", &bot.callback_hosts);
    lines.secrets("callback_secrets", &bot.callback_secrets);
    lines.add("format", bot.format.as_str());
    lines.add("auth.kind", bot.auth.kind.as_str());
    for (key, secret) in [
        ("auth.token", &bot.auth.token),
        ("auth.app_token", &bot.auth.app_token),
        ("auth.password", &bot.auth.password),
        ("auth.client_id", &bot.auth.client_id),
    ] {
        lines.maybe(key, secret.as_ref().map(|_secret| MASK));
    }
    lines.maybe("auth.token_url", bot.auth.token_url.as_ref().map(without_query));
    lines.maybe("auth.username", bot.auth.username.as_ref());
    lines.list("events", bot.events.iter().copied().map(EventType::as_str));
    lines.add("allow_http", bot.allow_http);
    lines.list("allow_networks", &bot.allow_networks);
    lines.maybe("queue_timeout", bot.queue_timeout.map(in_words));
    lines.maybe("idle_timeout", bot.idle_timeout.map(in_words));
    lines.time("max_age", bot.max_age);
    lines.add("duplicate", bot.duplicate.as_str());
    lines.list("inbound_channels", &bot.inbound_channels);
    lines.add("accept_conversation_active", bot.accept_conversation_active);
    lines.maybe("copilot_url", bot.copilot_url.as_ref().map(|_link| MASK));
    lines.add("agent_names", bot.agent_names.as_str());
}

const MASK: &str = "***";

#[derive(Default)]
struct Lines {
    section: String,
    lines: Vec<String>,
}

impl Lines {
    fn add(&mut self, key: &str, value: impl Display) {
        self.lines.push(format!("{}{key} = {value}", self.section));
    }

    fn maybe(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.add(key, value);
        }
    }

    fn time(&mut self, key: &str, time: Duration) {
        self.add(key, in_words(time));
    }

    fn list<T: Display>(&mut self, key: &str, items: impl IntoIterator<Item = T>) {
        let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
        self.add(key, format_args!("[{}]", items.join(", ")));
    }

    fn secret(&mut self, key: &str, secret: Option<&SecretString>) {
        self.maybe(key, secret.map(|_secret| MASK));
    }

    fn secrets(&mut self, key: &str, secrets: &[SecretString]) {
        self.list(key, secrets.iter().map(|_secret| MASK));
    }
}

/// The largest unit that needs no fraction, as the settings are written.
fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    if time.subsec_millis() != 0 {
        return format!("{}ms", time.as_millis());
    }
    [("d", 86_400), ("h", 3_600), ("m", 60)]
        .into_iter()
        .find(|(_, unit)| seconds >= *unit && seconds.is_multiple_of(*unit))
        .map_or_else(
            || format!("{seconds}s"),
            |(name, unit)| format!("{}{name}", seconds / unit),
        )
}

/// Some put a token there.
fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    if url.query().is_some() {
        url.set_query(Some(MASK));
    }
    url.into()
}

/// As [`without_query`], for what is no URL before a name in braces is replaced.
fn template(text: &str) -> String {
    text.split_once('?')
        .map_or_else(|| text.to_owned(), |(address, _query)| format!("{address}?{MASK}"))
}

/// Takes user name, password and query out of an address.
fn masked(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else {
        return MASK.to_owned();
    };
    if url.username().is_empty() && url.password().is_none() && url.query().is_none() {
        return address.to_owned();
    }
    if url.set_username("").and_then(|()| url.set_password(None)).is_err() {
        return MASK.to_owned();
    }
    without_query(&url)
}
