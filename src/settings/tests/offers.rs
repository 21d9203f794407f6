//! The rules about what bots and queues are offered: channels, fallback queues, links, sources of availability.

use crate::settings::tests::support::SMALLEST;
use crate::settings::tests::support::faults;
use crate::settings::tests::support::load_text;
use crate::settings::tests::support::warned_keys;

#[test]
fn a_channel_is_led_by_one_bot_of_an_account() {
    let bots = |second: &str| {
        format!(
            "{SMALLEST}inbound_channels = [\"web-1\", \"wa-1\"]\n[tenants.brand]\ntenant_id = \"0012\"\napi_key = \"key\"\n\
             [tenants.globex]\ntenant_id = \"0013\"\napi_key = \"key\"\n[bots.sales]\n{second}"
        )
    };
    let same_account = bots("tenant = \"brand\"\ninbound_channels = [\"wa-1\", \" \", \"sms-1\", \"sms-1\"]");
    let expected = [
        "bots.sales.inbound_channels[1]: must not be blank",
        "bots.sales.inbound_channels[3]: is named twice",
        "bots.support.inbound_channels[1]: is a channel of [bots.sales] too",
    ];
    assert_eq!(faults(&same_account, &[]), expected);
    let another = bots("tenant = \"globex\"\ninbound_channels = [\"wa-1\"]");
    assert!(load_text(&another, &[]).is_ok());
}

#[test]
fn fallback_queues_lead_somewhere_and_not_in_a_circle() {
    let with = |queues: &str| format!("{SMALLEST}\n{queues}");
    let circle = with(
        r#"
        [tenants.acme.queues.101]
        max_wait = "1m"
        fallback = "102"
        [tenants.acme.queues.102]
        fallback = "103"
        [tenants.acme.queues.103]
        fallback = "102"
        "#,
    );
    let expected = [
        "tenants.acme.queues.101.fallback: leads in a circle: 101 -> 102 -> 103 -> 102",
        "tenants.acme.queues.102.fallback: leads in a circle: 102 -> 103 -> 102",
        "tenants.acme.queues.103.fallback: leads in a circle: 103 -> 102 -> 103",
    ];
    assert_eq!(faults(&circle, &[]), expected);
    let rest = with(
        r#"
        [tenants.acme.queues.101]
        fallback = "102"
        [tenants.acme.queues.102]
        max_wait = "0s"
        [tenants.acme.queues.103]
        fallback = "104"
        "#,
    );
    let expected = [
        "tenants.acme.queues.102.max_wait: must be longer than zero",
        "tenants.acme.queues.103.max_wait: missing: `fallback` says where users go, and nothing says when",
    ];
    assert_eq!(faults(&rest, &[]), expected);
}

#[test]
fn a_copilot_link_has_known_placeholders_and_is_an_address() {
    let other = "has another placeholder than {userId} and {sessionId}";
    let no_url = "must be an http or https address, with {userId} and {sessionId} in its path or query only";
    for (link, why) in [
        ("https://copilot.example.com/?t={URLToken}", other),
        ("copilot.example.com/?userId={userId}", no_url),
        ("https://{userId}.example.com/", no_url),
    ] {
        let text = format!("{SMALLEST}\ncopilot_url = \"{link}\"\nagent_names = \"last\"");
        assert_eq!(
            faults(&text, &[]),
            [
                "bots.support.agent_names: `last` is not one of `full`, `first`, `none`".to_owned(),
                format!("bots.support.copilot_url: {why}")
            ]
        );
    }
}

#[test]
fn a_source_of_availability_needs_its_own_credentials() {
    let text = |schedule: &str, statistics: &str| {
        format!("{SMALLEST}\n[tenants.acme.schedule]\n{schedule}\n[tenants.acme.statistics]\n{statistics}\n")
    };
    let faulty = |schedule: &str, statistics: &str| faults(&text(schedule, statistics), &[]);
    assert_eq!(
        faulty("source = \"cluster\"", "source = \"cluster\""),
        [
            "tenants.acme.schedule.base_url: missing: `source` is cluster",
            "tenants.acme.schedule.token: missing: `source` is cluster",
            "tenants.acme.statistics.base_url: missing: `source` is cluster",
            "tenants.acme.statistics.token: missing: `source` is cluster",
        ]
    );
    assert_eq!(
        faulty(
            "open_choices = [\"0\", \"6\", \"7\"]\ncache = \"6m\"",
            "source = \"analytics_v5\"\nupdate_interval = \"900ms\""
        ),
        [
            "tenants.acme.schedule.cache: must be at most 5m",
            "tenants.acme.schedule.open_choices[0]: must be 1 to 6",
            "tenants.acme.schedule.open_choices[2]: must be 1 to 6",
            "tenants.acme.statistics.client_id: missing: `source` is analytics_v5",
            "tenants.acme.statistics.client_secret: missing: `source` is analytics_v5",
            "tenants.acme.statistics.update_interval: must be 1s or more",
        ]
    );
    assert_eq!(
        faulty("source = \"cc_v2\"", "when_unknown = \"maybe\"\nagents_count = \"all\""),
        [
            "tenants.acme.schedule.source: `cc_v2` is not one of `none`, `cc_v1`, `cluster`",
            "tenants.acme.statistics.agents_count: `all` is not one of `available`, `available_or_busy`, `logged_in`",
            "tenants.acme.statistics.when_unknown: `maybe` is not one of `yes`, `no`, `unknown`",
        ]
    );
    let odd = text(
        "source = \"cc_v1\"\nbase_url = \"http://api.example.com\"",
        "update_interval = \"15s\"",
    );
    assert_eq!(
        warned_keys(&odd, &[]),
        [
            "tenants.acme.schedule.base_url",
            "tenants.acme.schedule.schedule_id",
            "tenants.acme.statistics.update_interval"
        ]
    );
    let per_queue = "[tenants.acme.queues.101]\nschedule_id = \"122\"\n[tenants.acme.schedule]\nsource = \"cc_v1\"\n";
    assert!(warned_keys(&format!("{SMALLEST}\n{per_queue}"), &[]).is_empty());
}

#[test]
fn what_is_to_be_redacted_is_given_by_expressions_that_can_be_read() {
    let with = |rules: &str| SMALLEST.replace("[bots", &format!("redact = [{rules}]\n[bots"));
    let good = with(r#"{ pattern = '\d{16}', replace = "[card]" }, { pattern = "pin" }"#);
    let settings = load_text(&good, &[]).unwrap_or_else(|faults| panic!("{faults}"));
    let rules = &settings.tenants.values().next().unwrap().redact;
    assert_eq!(
        (rules[0].replace.as_str(), rules[1].replace.as_str()),
        ("[card]", "[redacted]")
    );
    let wrong = with(r#"{ pattern = "(a" }, { pattern = "a*" }, { replace = "x" }"#);
    let expected = [
        "tenants.acme.redact[0].pattern: is no regular expression: unclosed group",
        "tenants.acme.redact[1].pattern: also fits where there is no text at all, so that it would stand between all letters",
        "tenants.acme.redact[2].pattern: missing",
    ];
    assert_eq!(faults(&wrong, &[]), expected);
}
