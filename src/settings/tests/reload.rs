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
