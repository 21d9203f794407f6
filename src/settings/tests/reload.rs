//! What is taken up at a reload, and that a change of a secret shows while the secret does not.

use crate::settings::Settings;
use crate::settings::tests::support::SMALLEST;
use crate::settings::tests::support::load_text;

fn load(text: &str) -> Settings {
    load_text(text, &[]).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The keys taken up, and those that wait.
fn changes(before: &str, after: &str) -> (String, String) {
    let (_, changes) = load(before).taking_up(load(after));
    let text = |keys: &std::collections::BTreeSet<String>| keys.iter().cloned().collect::<Vec<_>>().join(" ");
    (text(&changes.taken_up), text(&changes.need_restart))
}

#[test]
fn the_same_settings_differ_in_nothing() {
    assert_eq!(changes(SMALLEST, SMALLEST), (String::new(), String::new()));
    let again = SMALLEST.replace('\n', "\n\n# a comment\n");
    assert_eq!(changes(SMALLEST, &again), (String::new(), String::new()));
}

#[test]
fn a_secret_that_changed_is_named_and_not_shown() {
    let (before, after) = (load(SMALLEST), load(&SMALLEST.replace("\"key\"", "\"canary\"")));
    let (next, changes) = before.taking_up(after);
    let all = format!("{changes:?} {:?}", next.marks);
    assert!(all.contains("tenants.acme.api_key") && !all.contains("canary"), "{all}");
    assert!(changes.touch("tenants.acme") && changes.touch("tenants.acme.api_key"));
    assert!(!changes.touch("tenants.acm") && !changes.touch("tenants.acme.api_key_x"));
}

#[test]
fn a_list_with_another_cut_is_another_list() {
    let with = |tokens: &str| format!("{SMALLEST}\n[admin]\ntokens = {tokens}\n");
    let (one, two) = (
        r#"["0123456789abcdef,0123456789abcdeg"]"#,
        r#"["0123456789abcdef", "0123456789abcdeg"]"#,
    );
    let expected = ("admin.tokens".to_owned(), String::new());
    assert_eq!(changes(&with(one), &with(two)), expected);
}

#[test]
fn sections_that_are_made_once_need_a_restart_and_stay_in_force() {
    let after = format!(
        "{SMALLEST}\n[server]\nlisten = \"127.0.0.1:1\"\nbody_limit = \"2 MiB\"\n[store]\nretention = \"9d\"\n[outbound]\nno_proxy = [\"x\"]\n[delivery]\ntimeout = \"1s\"\nallow_http = true\n[admin]\nlisten = \"127.0.0.1:2\"\n"
    );
    let expected = (
        "delivery.allow_http server.body_limit".to_owned(),
        "admin.listen delivery.timeout outbound.no_proxy server.listen store.retention".to_owned(),
    );
    assert_eq!(changes(SMALLEST, &after), expected);
    let (next, _) = load(SMALLEST).taking_up(load(&after));
    let described = next.describe();
    for line in [
        "delivery.allow_http = true",
        "delivery.timeout = 5s",
        "admin.listen = 127.0.0.1:9090",
    ] {
        assert!(described.iter().any(|known| known == line), "{line}");
    }
    // What waits is told again, and what was taken up is not.
    let (_, changes) = next.taking_up(load(&after));
    assert!(changes.taken_up.is_empty() && changes.need_restart.contains("server.listen"));
}

#[test]
fn tls_is_switched_by_a_restart_and_its_files_are_not() {
    let with = |cert: &str| format!("{SMALLEST}\n[server.tls]\ncert_file = \"{cert}\"\nkey_file = \"Cargo.toml\"\n");
    let switched = "server.tls.cert_file server.tls.key_file".to_owned();
    assert_eq!(
        changes(SMALLEST, &with("Cargo.toml")),
        (String::new(), switched.clone())
    );
    assert_eq!(changes(&with("Cargo.toml"), SMALLEST), (String::new(), switched));
    let file = ("server.tls.cert_file".to_owned(), String::new());
    assert_eq!(changes(&with("Cargo.toml"), &with("Cargo.lock")), file);
}

#[test]
fn plain_http_to_other_machines_is_noticed() {
    let plain = |more: &str| load(&format!("{SMALLEST}\n{more}\n")).server.is_plain_to_others();
    assert!(plain(""));
    assert!(!plain("[server]\nlisten = \"127.0.0.1:8080\""));
    assert!(!plain("[server]\ntrusted_proxies = [\"10.0.0.0/8\"]"));
    assert!(!plain(
        "[server.tls]\ncert_file = \"Cargo.toml\"\nkey_file = \"Cargo.toml\""
    ));
}

/// Everything that is neither of a tenant nor of a bot, set to something else, and some of what is.
const ALL_ELSE: &str = r#"
[server]
listen = "127.0.0.1:1"
public_url = "https://handover.example.com"
request_timeout = "29s"
body_limit = "2 MiB"
max_connections = 7
bot_rate_limit = 7
trusted_proxies = ["10.0.0.0/8"]
drain_delay = "1s"
shutdown_grace = "1s"
[admin]
listen = "127.0.0.1:2"
tokens = ["0123456789abcdef"]
[store]
url = "sqlite://elsewhere.db"
retention = "9d"
content_retention = "8d"
[delivery]
timeout = "1s"
head_deadline = "1m"
lifecycle_deadline = "1h"
notify_agent_after = "9s"
notify_agent_text = "away"
notify_agent_over_text = "back"
max_in_flight = 7
max_in_flight_per_bot = 6
backlog_per_bot = 7
allow_http = true
allow_networks = ["10.0.0.0/8"]
[outbound]
proxy = "http://proxy.example.com:3128"
no_proxy = ["x"]
ca_file = "Cargo.toml"
[telemetry]
level = "warn"
format = "text"
"#;

#[test]
fn every_setting_is_taken_up_or_named_and_is_in_force_as_that_says() {
    let of_tenant = "queue_id = \"102\"\nreconcile_after = \"1m\"\nrate_limit = 7\nredact = [{ pattern = \"x\" }]\n";
    let tenant = SMALLEST.replace("queue_id = \"101\"\n", of_tenant);
    let (before, after) = (load(SMALLEST), load(&format!("{tenant}{ALL_ELSE}")));
    let (old, new) = (before.describe(), after.describe());
    let (next, changes) = before.taking_up(after);
    let next = next.describe();
    let key = |line: &str| line.split(" = ").next().unwrap().to_owned();
    let value = |lines: &[String], wanted: &str| lines.iter().find(|line| key(line) == wanted).cloned();
    let keys: std::collections::BTreeSet<_> = old.iter().chain(&new).map(|line| key(line)).collect();
    for key in keys {
        let (was, is, will_be) = (value(&old, &key), value(&next, &key), value(&new, &key));
        if changes.need_restart.contains(&key) {
            assert_eq!(is, was, "{key} needs a restart");
        } else {
            assert_eq!(is, will_be, "{key} is taken up");
            assert!(was == will_be || changes.taken_up.contains(&key), "{key} is not named");
        }
        let of_somebody = key.starts_with("tenants.") || key.starts_with("bots.");
        let is_there_anyway = key.starts_with("server.tls.");
        assert!(
            was != will_be || of_somebody || is_there_anyway,
            "{key} is not tried here"
        );
    }
}
