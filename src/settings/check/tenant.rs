//! Rules of one `[tenants.NAME]`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use url::Host;
use url::Url;

use crate::domain::TenantName;
use crate::redaction::Redactor;
use crate::settings::Settings;
use crate::settings::TenantAuth;
use crate::settings::TenantSettings;
use crate::settings::TenantWebhookSettings;
use crate::settings::WebhookProof;
use crate::settings::check::Notes;
use crate::settings::check::availability;
use crate::settings::check::queues;

pub(super) fn check(name: &TenantName, tenant: &TenantSettings, settings: &Settings, notes: &mut Notes) {
    let key = |field: &str| format!("tenants.{name}.{field}");
    notes.text(key("tenant_id"), tenant.tenant_id.as_str());
    credentials(&format!("tenants.{name}"), tenant, notes);
    notes.optional_text(key("channel_id"), tenant.channel_id.as_deref());
    notes.optional_text(key("queue_id"), tenant.queue_id.as_deref());
    notes.base(&key("base_url"), &tenant.base_url);
    if tenant.base_url.scheme() == "http" && !is_here(&tenant.base_url) {
        notes.warn(key("base_url"), "sends the API key and the conversations unencrypted");
    }
    notes.at_least(key("message_limit"), tenant.message_limit, 100);
    notes.positive(key("message_deadline"), tenant.message_deadline);
    if tenant.reconcile_after < Duration::from_secs(1) {
        notes.fault(key("reconcile_after"), "must be 1s or more");
    }
    if tenant.rate_limit == Some(0) {
        notes.fault(
            key("rate_limit"),
            "must be 1 or more; leave it out for no limit of our own",
        );
    }
    notes.at_least(key("attachment_limit"), tenant.attachment_limit, 1024);
    for (place, kind) in tenant.attachment_types.iter().enumerate() {
        media_type(&key(&format!("attachment_types[{place}]")), kind, notes);
    }
    if tenant.send_wait > tenant.message_deadline {
        notes.warn(
            key("send_wait"),
            "is longer than `message_deadline`, after which the message has failed anyway",
        );
    }
    if tenant.send_wait >= settings.server.request_timeout {
        notes.warn(
            key("send_wait"),
            "is not shorter than `server.request_timeout`, which cuts it off",
        );
    }
    for (place, rule) in tenant.redact.iter().enumerate() {
        if let Err(why) = Redactor::new([(rule.pattern.as_str(), rule.replace.as_str())]) {
            notes.fault(key(&format!("redact[{place}].pattern")), why.to_string());
        }
    }
    queues::check(&key("queues"), &tenant.queues, notes);
    webhook(&key("webhook"), &tenant.webhook, notes);
    availability::check(&format!("tenants.{name}"), tenant, notes);
}

fn media_type(key: &str, kind: &str, notes: &mut Notes) {
    let is_word = |word: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !word.is_empty() && word.bytes().all(fits)
    };
    let reads = kind
        .split_once('/')
        .is_some_and(|(group, name)| is_word(group) && (name == "*" || is_word(name)));
    if !reads {
        notes.fault(key, "must be a media type such as `application/pdf` or `image/*`");
    }
}

fn credentials(section: &str, tenant: &TenantSettings, notes: &mut Notes) {
    let key = |field: &str| format!("{section}.{field}");
    match tenant.auth {
        TenantAuth::ApiKey if tenant.api_key.expose_secret().is_empty() => notes.fault(key("api_key"), "missing"),
        TenantAuth::ApiKey => notes.header_secret(key("api_key"), &tenant.api_key),
        TenantAuth::OAuth2 => {
            match &tenant.client_id {
                Some(id) => notes.text(key("client_id"), id),
                None => notes.fault(key("client_id"), "missing: `auth` is oauth2"),
            }
            match &tenant.client_secret {
                Some(secret) => notes.header_secret(key("client_secret"), secret),
                None => notes.fault(key("client_secret"), "missing: `auth` is oauth2"),
            }
        }
    }
}

/// Tenants of one 8x8 account get each other's webhooks, so the weakest proof among them would hold for all.
pub(super) fn shared_accounts(settings: &Settings, notes: &mut Notes) {
    let mut first_of = BTreeMap::new();
    for (name, tenant) in &settings.tenants {
        let (first, of_first) = first_of.entry(&tenant.tenant_id).or_insert((name, &tenant.webhook));
        let key = |field: &str| format!("tenants.{name}.webhook.{field}");
        let own = &tenant.webhook;
        let all_in = |some: &[WebhookProof], others: &[WebhookProof]| some.iter().all(|proof| others.contains(proof));
        if !all_in(&own.require, &of_first.require) || !all_in(&of_first.require, &own.require) {
            notes.fault(
                key("require"),
                format!("differs from that of [tenants.{first}], which has the same `tenant_id`: the weaker would hold for both"),
            );
        }
        if own.path_secrets.is_empty() != of_first.path_secrets.is_empty() {
            notes.fault(
                key("path_secrets"),
                format!("here or in [tenants.{first}], which has the same `tenant_id`, are missing: give both some, or neither"),
            );
        }
    }
}

fn webhook(section: &str, webhook: &TenantWebhookSettings, notes: &mut Notes) {
    let key = |field: &str| format!("{section}.{field}");
    let requires = |proof| webhook.require.contains(&proof);
    notes.positive(key("max_age"), webhook.max_age);
    for (place, secret) in webhook.path_secrets.iter().enumerate() {
        path_secret(&format!("{section}.path_secrets[{place}]"), secret, notes);
    }
    notes.tokens(&key("app_tokens"), &webhook.app_tokens);
    if let Some(url) = &webhook.jwk_fallback_url {
        key_address(&key("jwk_fallback_url"), url, notes);
    }
    if webhook.require.is_empty() {
        notes.fault(
            key("require"),
            "must name at least one: a webhook that nothing proves is not taken, whatever its address",
        );
    } else if !requires(WebhookProof::Signature) {
        notes.warn(
            key("require"),
            "does not ask for 8x8's signature, the strongest proof there is",
        );
    }
    if requires(WebhookProof::AppToken) && webhook.app_tokens.is_empty() {
        notes.fault(key("app_tokens"), "missing: `require` asks for `app_token`");
    }
    if requires(WebhookProof::Bearer) && webhook.bearer_hashes.is_empty() && webhook.clients.is_empty() {
        notes.fault_unless(
            key("bearer_hashes"),
            key("clients"),
            "missing, and `clients` too: `require` asks for `bearer`",
        );
    }
    clients(section, webhook, notes);
    if !requires(WebhookProof::AppToken) && !webhook.app_tokens.is_empty() && webhook.clients.is_empty() {
        notes.warn(key("app_tokens"), "are not asked for: `require` lacks `app_token`");
    }
    if !requires(WebhookProof::Bearer) && !webhook.bearer_hashes.is_empty() {
        notes.warn(key("bearer_hashes"), "are not asked for: `require` lacks `bearer`");
    }
}

/// Those who fetch tokens name an app token as their `clientid`.
fn clients(section: &str, webhook: &TenantWebhookSettings, notes: &mut Notes) {
    let key = format!("{section}.clients");
    let mut names = BTreeSet::new();
    for (place, client) in webhook.clients.iter().enumerate() {
        notes.text(format!("{key}[{place}].username"), &client.username);
        if !names.insert(&client.username) {
            notes.fault(format!("{key}[{place}].username"), "is there twice");
        }
    }
    if webhook.clients.is_empty() {
        return;
    }
    if webhook.app_tokens.is_empty() {
        notes.fault(
            format!("{section}.app_tokens"),
            "missing: `clients` need one as their `clientid`",
        );
    }
    if !webhook.require.contains(&WebhookProof::Bearer) {
        notes.warn(key, "fetch tokens that are not asked for: `require` lacks `bearer`");
    }
}

/// One app token names one tenant, or a user of both could not be told apart.
pub(super) fn shared_app_tokens(settings: &Settings, notes: &mut Notes) {
    let mut owners = BTreeMap::new();
    for (name, tenant) in &settings.tenants {
        for client in &tenant.webhook.clients {
            for token in &tenant.webhook.app_tokens {
                let owner = owners.entry((&client.username, token.expose_secret())).or_insert(name);
                if *owner != name {
                    notes.fault(
                        format!("tenants.{name}.webhook.app_tokens"),
                        format!("holds one of [tenants.{owner}], which has a client of the same name"),
                    );
                }
            }
        }
    }
}

/// Where signature keys are fetched; what is no URL may hold a secret and is not repeated.
fn key_address(key: &str, template: &str, notes: &mut Notes) {
    const KEY_ID: &str = "{kid}";
    let Ok(url) = Url::parse(&template.replace(KEY_ID, "kid")) else {
        return notes.fault(key, "is not a URL");
    };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        notes.fault(key, "must be an http or https URL");
    } else if !url.username().is_empty() || url.password().is_some() {
        notes.fault(key, "must not carry a user name or password");
    } else if !template.contains(KEY_ID) {
        notes.fault(key, "must have `{kid}` where the key's id belongs");
    } else if url.scheme() == "http" && !is_here(&url) {
        notes.warn(key, "is http: whoever is on the way could hand out keys and play 8x8");
    }
}

fn path_secret(key: &str, secret: &SecretString, notes: &mut Notes) {
    let secret = secret.expose_secret();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if secret.len() < 16 || !secret.bytes().all(fits) {
        notes.fault(key, "must be at least 16 letters, digits, `-` or `_`");
    }
}

/// On this machine, as a stand-in 8x8 is.
pub(super) fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
