//! Which layer wins, and that no value is guessed at.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use secrecy::SecretString;

use crate::domain::TenantName;
use crate::settings::Duplicate;
use crate::settings::LogFormat;
use crate::settings::TenantSettings;
use crate::settings::WebhookProof;
use crate::settings::tests::support::SMALLEST;
use crate::settings::tests::support::load_files;
use crate::settings::tests::support::load_text;

fn acme(env: &[(&str, &str)]) -> TenantSettings {
    let mut settings = load_text(SMALLEST, env).unwrap_or_else(|faults| panic!("{faults}"));
    settings.tenants.remove(&TenantName::new("acme")).unwrap()
}

#[test]
fn a_later_file_wins_over_an_earlier_and_the_environment_over_both() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first.toml");
    let second = folder.path().join("second.toml");
    std::fs::write(
        &first,
        "[delivery]\ntimeout = \"1s\"\nhead_deadline = \"1m\"\nmax_in_flight = 100\n",
    )
    .unwrap();
    std::fs::write(&second, "[delivery]\nhead_deadline = \"2m\"\nmax_in_flight = 200\n").unwrap();
    let env = [("HANDOVER__DELIVERY__MAX_IN_FLIGHT", "300")];
    let delivery = load_files(&[first, second], &env).unwrap().delivery;
    assert_eq!(delivery.timeout, Duration::from_secs(1));
    assert_eq!(delivery.head_deadline, Duration::from_mins(2));
    assert_eq!(delivery.max_in_flight, 300);
    assert_eq!(delivery.max_in_flight_per_bot, 64);
}

#[test]
fn a_tenant_id_stays_as_it_is_written() {
    assert_eq!(acme(&[]).tenant_id.as_str(), "0012");
    for id in ["0034", "1e5", "true", "0x10", "1_000"] {
        assert_eq!(
            acme(&[("HANDOVER__TENANTS__ACME__TENANT_ID", id)]).tenant_id.as_str(),
            id
        );
        assert_eq!(
            acme(&[("HANDOVER__TENANTS__ACME__QUEUE_ID", id)]).queue_id.as_deref(),
            Some(id)
        );
    }
}

#[test]
fn numbers_and_switches_are_read_from_the_environment() {
    let env = [
        ("HANDOVER__SERVER__MAX_CONNECTIONS", "17"),
        ("HANDOVER__SERVER__BODY_LIMIT", "2 MiB"),
        ("HANDOVER__SERVER__LISTEN", "127.0.0.1:0"),
        ("HANDOVER__BOTS__SUPPORT__ALLOW_HTTP", "true"),
        ("HANDOVER__BOTS__SUPPORT__DUPLICATE", "return"),
        ("HANDOVER__TELEMETRY__FORMAT", "json"),
    ];
    let settings = load_text(SMALLEST, &env).unwrap();
    let bot = settings.bots.values().next().unwrap();
    assert_eq!(settings.server.max_connections, 17);
    assert_eq!(settings.server.body_limit, 2 * 1024 * 1024);
    assert_eq!(settings.server.listen.port(), 0);
    assert!(bot.allow_http);
    assert_eq!(bot.duplicate, Duplicate::Return);
    assert_eq!(settings.telemetry.format, LogFormat::Json);
}

#[test]
fn lists_come_with_commas() {
    let webhook = acme(&[
        ("HANDOVER__TENANTS__ACME__WEBHOOK__REQUIRE", "signature, app_token"),
        (
            "HANDOVER__TENANTS__ACME__WEBHOOK__APP_TOKENS",
            "0123456789abcdef,fedcba9876543210",
        ),
    ])
    .webhook;
    assert_eq!(webhook.require, [WebhookProof::Signature, WebhookProof::AppToken]);
    let tokens: Vec<&str> = webhook.app_tokens.iter().map(SecretString::expose_secret).collect();
    assert_eq!(tokens, ["0123456789abcdef", "fedcba9876543210"]);
}

#[test]
fn a_whole_tenant_can_come_from_the_environment() {
    let env = [
        ("HANDOVER__TENANTS__BIG_CORP__TENANT_ID", "0012"),
        ("HANDOVER__TENANTS__BIG_CORP__API_KEY", "key"),
        ("handover__ignored", "the prefix is in upper case"),
        ("HANDOVER__TENANTS__BIG_CORP__QUEUES__101__NAME", "Sales"),
    ];
    let settings = load_files(&[], &env).unwrap();
    let tenant = settings.tenants.get(&TenantName::new("big_corp")).unwrap();
    assert_eq!(tenant.queues["101"].name.as_deref(), Some("Sales"));
}

#[test]
fn other_variables_are_ignored_and_an_empty_one_is_not_set() {
    let env = [
        ("HANDOVER_SERVICE_HOST", "10.0.0.1"),
        ("HANDOVER_PORT", "tcp://10.0.0.1:80"),
        ("PATH", "/bin"),
        ("HANDOVER__OUTBOUND__PROXY", ""),
    ];
    let settings = load_files(&[], &env).unwrap();
    assert_eq!(settings.outbound.proxy, None);
}

#[test]
fn a_fallback_for_signature_keys_is_kept_as_it_is_written() {
    let template = "https://api.8x8.com/vcc/us/chat/v2/jwk/{kid}/public";
    let env = [("HANDOVER__TENANTS__ACME__WEBHOOK__JWK_FALLBACK_URL", template)];
    assert_eq!(acme(&env).webhook.jwk_fallback_url.as_deref(), Some(template));
}
