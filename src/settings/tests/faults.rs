//! Everything that is wrong is said at once, each with its key.

use crate::settings::tests::support::SMALLEST;
use crate::settings::tests::support::faults;
use crate::settings::tests::support::load_files;
use crate::settings::tests::support::load_text;
use crate::settings::tests::support::warned_keys;

#[test]
fn all_faults_come_at_once_in_order_of_their_keys() {
    let text = r#"
        colour = "blue"
        [server]
        lisen = "0.0.0.0:80"
        request_timeout = "30"
        max_connections = "many"
        [delivery]
        timeout = "0s"
        allow_networks = ["10.0.0.0/8", "everything"]
        [tenants.acme]
        tenant_id = "1"
        message_limit = 5
        webhook = { require = ["signature", "trust"], max_age = "0s", path_secret = "x" }
        [tenants.Big-Corp]
        tenant_id = "2"
        api_key = "key"
        [bots.support]
        tenant = "amce"
        api_key_hashes = ["abc", "sha256:00"]
        callback_url = "http://bot.example.com"
        callback_secrets = ["whsec_short"]
        duplicate = "ignore"
        events = ["message.created", "message.read"]
        queue_timeout = "0s"
        auth = { kind = "bearer" }
        [bots.other]
    "#;
    let hash = "must be `sha256:` and 64 hex digits (make one with `handover-gateway keys new`)";
    let signing =
        "must be `whsec_` and 24 to 64 bytes as base64 (make one with `handover-gateway keys new callback-secret`)";
    let expected = [
        "bots.other.tenant: missing".to_owned(),
        format!("bots.support.api_key_hashes: item 1: {hash}; item 2: {hash}"),
        "bots.support.auth.token: missing: `auth.kind` is bearer".to_owned(),
        format!("bots.support.callback_secrets[0]: {signing}"),
        "bots.support.callback_url: must start with https://, unless `allow_http` is set".to_owned(),
        "bots.support.duplicate: `ignore` is not one of `reject`, `return`, `allow`".to_owned(),
        "bots.support.events: item 2: `message.read` is not the type of an event".to_owned(),
        "bots.support.queue_timeout: must be longer than zero".to_owned(),
        "bots.support.tenant: there is no section [tenants.amce]".to_owned(),
        "colour: unknown key".to_owned(),
        "delivery.allow_networks: invalid IP address syntax".to_owned(),
        "delivery.timeout: must be longer than zero".to_owned(),
        "server.lisen: unknown key, perhaps `listen` is meant".to_owned(),
        "server.max_connections: invalid type: string \"many\", expected an integer".to_owned(),
        "server.request_timeout: `30` is not a duration: write a number with a unit, such as \"500ms\", \"30s\", \"5m\", \"24h\" or \"30d\"".to_owned(),
        "tenants.Big-Corp: a name is lower case letters, digits and single `_`, and starts with a letter".to_owned(),
        "tenants.acme.api_key: missing".to_owned(),
        "tenants.acme.message_limit: must be at least 100".to_owned(),
        "tenants.acme.webhook.max_age: must be longer than zero".to_owned(),
        "tenants.acme.webhook.path_secret: unknown key, perhaps `path_secrets` is meant".to_owned(),
        "tenants.acme.webhook.require: item 2: `trust` is not one of `signature`, `app_token`, `bearer`".to_owned(),
    ];
    assert_eq!(faults(text, &[]), expected);
}

#[test]
fn a_fault_says_where_the_value_was_set() {
    let env = [
        ("HANDOVER__TENANTS__ACME__MESSAGE_LIMIT", "few"),
        ("HANDOVER__TENANTS__ACME__SENT_WAIT", "1s"),
    ];
    let text = load_text(SMALLEST, &env).unwrap_err().to_string();
    assert_eq!(
        text,
        "the configuration has 2 faults:\n  tenants.acme.message_limit: invalid type: string \"few\", expected an integer \
         (the environment)\n  tenants.acme.sent_wait: unknown key, perhaps `send_wait` is meant (the environment)"
    );
}

#[test]
fn a_fault_names_the_file_as_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("without-extension");
    std::fs::write(&file, "[server]\nlisten = \"here\"\n[delivery]\nmax_in_flight = 0\n").unwrap();
    let faults = load_files(std::slice::from_ref(&file), &[]).unwrap_err();
    let origins: Vec<Option<&str>> = faults.list().iter().map(|fault| fault.origin.as_deref()).collect();
    assert_eq!(origins, [file.to_str(), file.to_str()], "{faults}");
}

#[test]
fn each_rule_across_keys_is_held() {
    let cases = [
        ("[admin]\nlisten = \"0.0.0.0:9090\"", "admin.tokens"),
        ("[admin]\nlisten = \"127.0.0.1:8080\"", "admin.listen"),
        ("[store]\nurl = \"data/handover.db\"", "store.url"),
        ("[store]\nurl = \"postgres://db/handover\"", "store.url"),
        ("[delivery]\nhead_deadline = \"1s\"", "delivery.head_deadline"),
        ("[delivery]\nlifecycle_deadline = \"1m\"", "delivery.lifecycle_deadline"),
        ("[delivery]\nmax_in_flight = 0", "delivery.max_in_flight"),
        ("[delivery]\nnotify_agent_text = \" \"", "delivery.notify_agent_text"),
        ("[outbound]\nproxy = \"ftp://proxy\"", "outbound.proxy"),
        ("[outbound]\nca_file = \"/no/such/file\"", "outbound.ca_file"),
        ("[telemetry]\nlevel = \"loud\"", "telemetry.level"),
        ("[server]\nbot_rate_limit = 0", "server.bot_rate_limit"),
        (
            "[tenants.other]\ntenant_id = \"1\"\napi_key = \"k\"\nrate_limit = 0",
            "tenants.other.rate_limit",
        ),
        (
            "[tenants.more__less]\ntenant_id = \"1\"\napi_key = \"k\"",
            "tenants.more__less",
        ),
        (
            "[tenants.other]\ntenant_id = \" 1\"\napi_key = \"k\"",
            "tenants.other.tenant_id",
        ),
        (
            "[tenants.other]\ntenant_id = \"1\"\napi_key = \"a key\"",
            "tenants.other.api_key",
        ),
        ("[tenants]\nother = 5", "tenants.other"),
        (
            "[bots.other]\ntenant = \"acme\"\ncallback_hosts = [\"https://bot.example.com\"]",
            "bots.other.callback_hosts[0]",
        ),
        (
            "[bots.other]\ntenant = \"acme\"\ncallback_url = \"https://me:pw@bot.example.com\"",
            "bots.other.callback_url",
        ),
        (
            "[bots.other]\ntenant = \"acme\"\napi_key_hashes = \"sha256:c678f9a826ac5c12d1ba5d2abe4f3603d0c95f1bdf580a7286f671f8eca7bc79\"",
            "bots.support.api_key_hashes",
        ),
    ];
    each_is_a_fault(&cases);
}

#[test]
fn each_rule_of_webhooks_is_held() {
    each_is_a_fault(&[
        ("[tenants.acme.webhook]\nrequire = []", "tenants.acme.webhook.require"),
        (
            "[tenants.acme.webhook]\nrequire = []\npath_secrets = [\"0123456789abcdef\"]",
            "tenants.acme.webhook.require",
        ),
        (
            "[tenants.acme.webhook]\nrequire = [\"bearer\"]",
            "tenants.acme.webhook.bearer_hashes",
        ),
        (
            "[tenants.acme.webhook]\nrequire = \"app_token\"",
            "tenants.acme.webhook.app_tokens",
        ),
        (
            "[tenants.acme.webhook]\npath_secrets = [\"short\"]",
            "tenants.acme.webhook.path_secrets[0]",
        ),
        (
            "[tenants.acme.webhook]\njwk_fallback_url = \"https://api.8x8.com/jwk\"",
            "tenants.acme.webhook.jwk_fallback_url",
        ),
        (
            "[tenants.acme.webhook]\njwk_fallback_url = \"ftp://api.8x8.com/{kid}\"",
            "tenants.acme.webhook.jwk_fallback_url",
        ),
        (
            "[tenants.acme.webhook]\njwk_fallback_url = \"https://me:pw@api.8x8.com/{kid}\"",
            "tenants.acme.webhook.jwk_fallback_url",
        ),
    ]);
}

fn each_is_a_fault(cases: &[(&str, &str)]) {
    for (text, key) in cases {
        let faults = load_text(&format!("{SMALLEST}\n{text}"), &[]).expect_err(text);
        let keys: Vec<&str> = faults.list().iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, [*key], "{faults}");
    }
}

#[test]
fn tenants_of_one_account_are_proven_alike() {
    let with = |webhook: &str| {
        let other = format!("[tenants.other]\ntenant_id = \"0012\"\napi_key = \"key\"\nwebhook = {{ {webhook} }}");
        load_text(&format!("{SMALLEST}\n{other}"), &[])
    };
    for (webhook, key) in [
        (
            "path_secrets = [\"0123456789abcdef\"]",
            "tenants.other.webhook.path_secrets",
        ),
        (
            "require = \"signature,app_token\", app_tokens = [\"0123456789abcdef\"]",
            "tenants.other.webhook.require",
        ),
    ] {
        let faults = with(webhook).expect_err(webhook);
        let keys: Vec<&str> = faults.list().iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, [key], "{faults}");
    }
    assert!(with("require = \"signature\", max_age = \"1m\"").is_ok());
    let apart = SMALLEST.replace("0012", "0013");
    let secret =
        "[tenants.other]\ntenant_id = \"0012\"\napi_key = \"key\"\nwebhook = { path_secrets = [\"0123456789abcdef\"] }";
    assert!(load_text(&format!("{apart}\n{secret}"), &[]).is_ok());
}

#[test]
fn an_address_that_could_never_be_called_is_a_fault() {
    let with = |bot: &str, delivery: &str| {
        let other = format!("[bots.other]\ntenant = \"acme\"\n{bot}\n[delivery]\n{delivery}");
        load_text(&format!("{SMALLEST}\n{other}"), &[])
    };
    for (url, why) in [
        (
            "http://bot.example.com",
            "must start with https://, unless `allow_http` is set",
        ),
        (
            "https://10.0.0.5/x",
            "must not point to a private, local or reserved address, unless `allow_networks` names its network",
        ),
        (
            "https://metadata.google.internal/x",
            "must not point to a private, local or reserved address",
        ),
        (
            "https://bot.example.com/#x",
            "must not have a fragment (the part after #)",
        ),
    ] {
        let faults = with(&format!("callback_url = \"{url}\""), "").expect_err(url);
        let told: Vec<_> = faults.list().iter().map(|fault| (&*fault.key, &*fault.why)).collect();
        assert_eq!(told, [("bots.other.callback_url", why)]);
    }
    let private = "callback_url = \"http://10.0.0.5/x\"";
    let allowed = "allow_http = true\nallow_networks = [\"10.0.0.0/8\"]";
    assert!(with(&format!("{private}\n{allowed}"), "").is_ok());
    assert!(with(private, allowed).is_ok());
}

#[test]
fn what_is_legal_but_odd_is_warned_of() {
    assert_eq!(warned_keys(SMALLEST, &[]), [""; 0]);
    let cases = [
        ("[delivery]\nallow_http = true", "delivery.allow_http"),
        ("[delivery]\nnotify_agent_after = \"1s\"", "delivery.notify_agent_after"),
        ("[delivery]\nnotify_agent_after = \"6m\"", "delivery.notify_agent_after"),
        ("[store]\nurl = \"sqlite::memory:\"", "store.url"),
        ("[store]\nretention = \"1h\"", "store.retention"),
        ("[outbound]\nno_proxy = [\"localhost\"]", "outbound.no_proxy"),
        (
            "[tenants.other]\ntenant_id = \"1\"\napi_key = \"k\"\nbase_url = \"http://8x8.example.com\"",
            "tenants.other.base_url",
        ),
        ("[bots.other]\ntenant = \"acme\"", "bots.other.api_key_hashes"),
        (
            "[tenants.acme.webhook]\njwk_fallback_url = \"http://api.8x8.com/{kid}\"",
            "tenants.acme.webhook.jwk_fallback_url",
        ),
        ("[server]\nrequest_timeout = \"2s\"", "tenants.acme.send_wait"),
    ];
    for (text, key) in cases {
        assert_eq!(warned_keys(&format!("{SMALLEST}\n{text}"), &[]), [key], "{text}");
    }
    let without_queue = SMALLEST.replace("queue_id", "# queue_id");
    assert_eq!(warned_keys(&without_queue, &[]), ["bots.support.queue_id"]);
}

#[test]
fn a_file_that_is_missing_or_broken_is_named() {
    let missing = load_files(&["/no/such/gateway.toml".into()], &[]).unwrap_err();
    assert!(
        missing
            .to_string()
            .contains("/no/such/gateway.toml: there is no such file"),
        "{missing}"
    );
    let broken = load_text("[server]\nlisten = \"0.0.0.0:80", &[])
        .unwrap_err()
        .to_string();
    assert!(
        broken.contains("gateway.toml: TOML parse error at line 2, column"),
        "{broken}"
    );
}

#[test]
fn a_variable_that_cannot_name_a_setting_is_a_fault() {
    for name in [
        "HANDOVER__",
        "HANDOVER__SERVER__",
        "HANDOVER__SERVER__A.B",
        "HANDOVER____SERVER",
    ] {
        assert_eq!(faults("", &[(name, "x")]).len(), 1, "{name}");
    }
    let env = [
        ("HANDOVER__TENANTS__ACME", "x"),
        ("HANDOVER__TENANTS__ACME__API_KEY", "key"),
    ];
    assert!(
        faults("", &env).contains(&"HANDOVER__TENANTS__ACME: is a section, other variables set its keys".to_owned())
    );
}
