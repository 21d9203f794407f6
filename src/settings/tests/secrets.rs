//! Secrets come from files, and never come out again.

use secrecy::ExposeSecret as _;
use secrecy::SecretString;

use crate::domain::BotName;
use crate::domain::TenantName;
use crate::settings::tests::support::SMALLEST;
use crate::settings::tests::support::faults;
use crate::settings::tests::support::load_text;

const CANARY: &str = "canary-7f3a";

fn file(content: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    file
}

fn without_api_key() -> String {
    SMALLEST.replace("api_key = \"key\"", "")
}

#[test]
fn a_secret_comes_from_a_file_without_the_white_space_around_it() {
    let secret = file("  canary-7f3a\r\n\n");
    let text = without_api_key();
    let env = [("HANDOVER__TENANTS__ACME__API_KEY_FILE", secret.path().to_str().unwrap())];
    let settings = load_text(&text, &env).unwrap();
    let tenant = &settings.tenants[&TenantName::new("acme")];
    assert_eq!(tenant.api_key.expose_secret(), CANARY);
}

#[test]
fn a_list_of_secrets_comes_with_one_a_line() {
    let tokens = file("0123456789abcdef\n\n  fedcba9876543210  \n");
    let hash = file("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n");
    let text = SMALLEST.replace("api_key_hashes =", "# ");
    let env = [
        ("HANDOVER__ADMIN__TOKENS_FILE", tokens.path().to_str().unwrap()),
        (
            "HANDOVER__BOTS__SUPPORT__API_KEY_HASHES_FILE",
            hash.path().to_str().unwrap(),
        ),
    ];
    let settings = load_text(&text, &env).unwrap_or_else(|faults| panic!("{faults}"));
    let tokens: Vec<&str> = settings.admin.tokens.iter().map(SecretString::expose_secret).collect();
    assert_eq!(tokens, ["0123456789abcdef", "fedcba9876543210"]);
    assert_eq!(settings.bots[&BotName::new("support")].api_key_hashes.len(), 1);
}

#[test]
fn a_file_stands_in_for_a_compiled_in_default() {
    let url = file("sqlite:///var/lib/handover.db\n");
    let env = [("HANDOVER__STORE__URL_FILE", url.path().to_str().unwrap())];
    assert_eq!(load_text("", &env).unwrap().store.url, "sqlite:///var/lib/handover.db");
}

#[test]
fn a_secret_given_twice_or_from_a_bad_file_is_a_fault() {
    let secret = file("key");
    let path = secret.path().to_str().unwrap();
    let key = "HANDOVER__TENANTS__ACME__API_KEY_FILE";
    assert_eq!(
        faults(SMALLEST, &[(key, path)]),
        ["tenants.acme.api_key_file: given twice, as `api_key` and as `api_key_file`"]
    );
    assert_eq!(
        faults(&without_api_key(), &[(key, "/no/such/file")]),
        ["tenants.acme.api_key_file: cannot read /no/such/file: No such file or directory (os error 2)"]
    );
    for secret in ["canary-7f3a", "canary/7f3a+x="] {
        assert_eq!(
            faults(&without_api_key(), &[(key, secret)]),
            ["tenants.acme.api_key_file: the file cannot be read: No such file or directory (os error 2)"]
        );
    }
    let empty = file(" \n");
    let two = file("one\ntwo\n");
    for (file, why) in [(&empty, "the file is empty"), (&two, "the file has more than one line")] {
        let path = file.path().to_str().unwrap();
        let expected = format!("tenants.acme.api_key_file: {why}");
        assert_eq!(faults(&without_api_key(), &[(key, path)]), [expected]);
    }
}

#[test]
fn no_secret_shows_in_debug_or_in_the_description() {
    let text = format!(
        r#"
        [admin]
        tokens = ["canary-7f3a-admin-token"]
        [outbound]
        proxy = "http://user:{CANARY}@proxy.example.com:3128"
        [tenants.acme]
        tenant_id = "1"
        api_key = "{CANARY}"
        webhook = {{ path_secrets = ["canary-7f3a-path-secret"], app_tokens = ["canary-7f3a-app-token"] }}
        schedule = {{ api_key = "{CANARY}", token = "{CANARY}" }}
        statistics = {{ api_key = "{CANARY}", token = "{CANARY}", client_secret = "{CANARY}" }}
        [bots.support]
        tenant = "acme"
        callback_url = "https://bot.example.com/handover?token={CANARY}"
        auth = {{ kind = "bearer", token = "{CANARY}" }}
        "#
    );
    let settings = load_text(&text, &[]).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(!format!("{:?} {:?} {:?}", settings.admin, settings.tenants, settings.warnings).contains(CANARY));
    assert!(!format!("{:?}", settings.bots.values().map(|bot| &bot.auth).collect::<Vec<_>>()).contains(CANARY));
    let described = settings.describe().join("\n");
    assert!(!described.contains(CANARY), "{described}");
    assert!(described.contains("tenants.acme.api_key = ***"));
}

#[test]
fn no_secret_shows_in_a_fault() {
    let wrong = [
        "[tenants.acme]\napi_key = \"canary-7f3a",
        "[tenants.acme]\napi_key = canary-7f3a",
        "[tenants.acme]\napi_kye = \"canary-7f3a\"",
        "[tenants.acme]\napi_key = [\"canary-7f3a\"]",
        "[tenants.acme]\napi_key = { key = \"canary-7f3a\" }",
        "[tenants.acme]\napi_key = \"canary-7f3a\"\napi_key = \"canary-7f3a\"",
        "[tenants.acme]\napi_key = \"canary-7f3a \"",
        "[tenants]\nacme = \"canary-7f3a\"",
        "[store]\nurl = \"mysql://user:canary-7f3a@db\"",
        "[outbound]\nproxy = \"canary-7f3a\"",
        "[bots.support]\ntenant = \"acme\"\napi_key_hashes = [\"canary-7f3a\"]",
        "[bots.support]\ntenant = \"acme\"\ncallback_secrets = [\"canary-7f3a\"]",
        "[bots.support]\ntenant = \"acme\"\ncallback_secrets = { a = \"canary-7f3a\" }",
        "[bots.support]\ntenant = \"acme\"\ncallback_url = \"canary-7f3a\"",
        "[bots.support]\ntenant = \"acme\"\ncallback_url = \"https://user:canary-7f3a@bot.example.com\"",
        "[tenants.acme]\nwebhook = { jwk_fallback_url = \"canary-7f3a\" }",
        "[tenants.acme]\nschedule = { token = \"canary-7f3a \" }",
        "[tenants.acme]\nschedule = { base_url = \"https://user:canary-7f3a@vcc-eu5.8x8.com\" }",
        "[tenants.acme]\nstatistics = { client_secret = [\"canary-7f3a\"] }",
        "[bots.support]\ntenant = \"acme\"\nauth = \"canary-7f3a\"",
        "[bots.support]\ntenant = \"acme\"\nauth = { kind = \"bearer\", token = \"canary-7f3a\\n\" }",
    ];
    for text in wrong {
        let faults = load_text(text, &[]).expect_err(text);
        assert!(!format!("{faults} {faults:?}").contains(CANARY), "{faults}");
    }
    let numbers = load_text(
        "[admin]\ntokens = [73512904]\n[tenants.acme]\napi_key = [73512904]",
        &[],
    )
    .unwrap_err();
    assert!(!numbers.to_string().contains("73512904"), "{numbers}");
}
