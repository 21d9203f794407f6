//! Credentials of other kinds than one key: what must be there with them, and that nothing of them shows.

use crate::settings::tests::support::SMALLEST;
use crate::settings::tests::support::faults;
use crate::settings::tests::support::load_text;

const HASH: &str = "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHQxMjM0$c2l4dGVlbiBieXRlcyBvciBtb3JlIGFyZSBhIGhhc2g";

fn keys(text: &str) -> Vec<String> {
    let faults = faults(text, &[]).into_iter();
    faults
        .map(|fault| fault.split(": ").next().unwrap_or_default().to_owned())
        .collect()
}

fn webhook(rest: &str) -> String {
    format!("{SMALLEST}\n[tenants.acme.webhook]\nrequire = [\"signature\", \"bearer\"]\n{rest}")
}

#[test]
fn clients_need_an_app_token_a_name_of_their_own_and_an_argon2id_hash() {
    let client = |name: &str| format!("{{ username = \"{name}\", password_hash = \"{HASH}\" }}");
    let app_tokens = "app_tokens = [\"0123456789abcdef\"]";
    let good = webhook(&format!("{app_tokens}\nclients = [{}]", client("lb")));
    let settings = load_text(&good, &[]).unwrap();
    assert_eq!(settings.warnings, []);
    let described = settings.describe().join("\n");
    assert!(
        described.contains("webhook.clients = [lb]") && !described.contains("argon2id"),
        "{described}"
    );

    let tokenless = webhook(&format!("clients = [{}]", client("lb")));
    assert_eq!(keys(&tokenless), ["tenants.acme.webhook.app_tokens"]);
    let twins = webhook(&format!("{app_tokens}\nclients = [{}, {}]", client("lb"), client("lb")));
    assert_eq!(keys(&twins), ["tenants.acme.webhook.clients[1].username"]);
    for wrong in ["secret", "sha256:00"] {
        let text = webhook(&format!(
            "{app_tokens}\nclients = [{{ username = \"lb\", password_hash = \"{wrong}\" }}]"
        ));
        let faults = faults(&text, &[]);
        let fault = "tenants.acme.webhook.clients: must be an argon2id hash";
        // Nor are they said to be missing.
        assert!(faults.len() == 1 && faults[0].starts_with(fault), "{faults:?}");
        assert!(!faults.join("\n").contains(wrong), "{faults:?}");
    }
    let unknown = webhook(&format!(
        "{app_tokens}\nclients = [{{ user = \"lb\", password_hash = \"{HASH}\" }}]"
    ));
    assert_eq!(
        keys(&unknown),
        [
            "tenants.acme.webhook.clients[0].user",
            "tenants.acme.webhook.clients[0].username"
        ]
    );
}

#[test]
fn a_clients_hash_may_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hash");
    std::fs::write(&file, format!("{HASH}\n")).unwrap();
    let clients = format!(
        "clients = [{{ username = \"lb\", password_hash_file = \"{}\" }}]",
        file.display()
    );
    let text = webhook(&format!("app_tokens = [\"0123456789abcdef\"]\n{clients}"));
    let settings = load_text(&text, &[]).unwrap();
    let tenant = settings.tenants.values().next().unwrap();
    assert_eq!(tenant.webhook.clients[0].password_hash.to_string(), HASH);
}

#[test]
fn one_app_token_does_not_name_two_tenants_to_one_user() {
    let section = |name: &str, id: &str| {
        format!(
            "[tenants.{name}]\ntenant_id = \"{id}\"\napi_key = \"k\"\n[tenants.{name}.webhook]\nrequire = [\"bearer\"]\n\
             app_tokens = [\"0123456789abcdef\"]\nclients = [{{ username = \"lb\", password_hash = \"{HASH}\" }}]\n"
        )
    };
    let text = format!("{SMALLEST}\n{}{}", section("one", "1"), section("two", "2"));
    assert_eq!(keys(&text), ["tenants.two.webhook.app_tokens"]);
}

#[test]
fn each_kind_of_credentials_needs_its_own_fields() {
    let bot = |auth: &str| format!("{SMALLEST}\n[bots.support.auth]\n{auth}");
    assert_eq!(
        keys(&bot("kind = \"oauth2\"")),
        [
            "bots.support.auth.client_id",
            "bots.support.auth.password",
            "bots.support.auth.token_url",
            "bots.support.auth.username"
        ]
    );
    let whole =
        "kind = \"oauth2\"\nusername = \"u\"\npassword = \"canary\"\nclient_id = \"canary\"\napp_token = \"canary\"\n";
    assert_eq!(
        keys(&bot(&format!("{whole}token_url = \"http://10.0.0.1/token\""))),
        ["bots.support.auth.token_url"]
    );
    let settings = load_text(
        &bot(&format!(
            "{whole}token_url = \"https://bot.example.com/token?key=canary\""
        )),
        &[],
    );
    let described = settings.unwrap().describe().join("\n");
    assert!(!described.contains("canary"), "{described}");

    let keyless = SMALLEST.replace("api_key = \"key\"", "auth = \"oauth2\"");
    assert_eq!(keys(&keyless), ["tenants.acme.client_id", "tenants.acme.client_secret"]);
    let secret = "auth = \"oauth2\"\nclient_id = \"id\"\nclient_secret = \"canary\"";
    let settings = load_text(&SMALLEST.replace("api_key = \"key\"", secret), &[]).unwrap();
    let tenant = settings.tenants.values().next().unwrap();
    assert_eq!(
        tenant.client_credentials().unwrap().token_url.as_str(),
        "https://api.8x8.com/oauth/v2/token"
    );
    assert!(!settings.describe().join("\n").contains("canary"));
    assert_eq!(
        keys(&SMALLEST.replace("api_key = \"key\"", "")),
        ["tenants.acme.api_key"]
    );
}

#[test]
fn a_source_by_key_needs_its_own_where_the_tenant_has_none() {
    let sources = |keys: &str| {
        format!(
            "[tenants.acme.schedule]\nsource = \"cc_v1\"\nschedule_id = \"122\"\n{keys}\n\
             [tenants.acme.statistics]\nsource = \"cc_v1\"\n{keys}\n"
        )
    };
    load_text(&format!("{SMALLEST}{}", sources("")), &[]).unwrap();
    let by_token = SMALLEST.replace(
        "api_key = \"key\"",
        "auth = \"oauth2\"\nclient_id = \"id\"\nclient_secret = \"secret\"",
    );
    assert_eq!(
        keys(&format!("{by_token}{}", sources(""))),
        ["tenants.acme.schedule.api_key", "tenants.acme.statistics.api_key"]
    );
    load_text(&format!("{by_token}{}", sources("api_key = \"own\"")), &[]).unwrap();
}

#[test]
fn what_a_format_does_not_heed_is_warned_of() {
    let text = format!("{SMALLEST}\nformat = \"passthrough\"\nevents = [\"agent.joined\"]\nagent_names = \"first\"");
    let settings = load_text(&text, &[]).unwrap();
    let warned: Vec<_> = settings.warnings.iter().map(|warning| warning.key.as_str()).collect();
    for key in ["agent_names", "callback_url", "events"] {
        assert!(warned.contains(&format!("bots.support.{key}").as_str()), "{warned:?}");
    }
}
