//! `handover-gateway doctor` through the built program: each check when all is right, and when what it looks at is wrong;
//! and one conversation played through, which is always left again.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use http::Method;
use serde_json::Value;
use serde_json::json;

use crate::support::bot::Bots;
use crate::support::client::http_client;
use crate::support::config::Config;
use crate::support::eightx8::EightX8;
use crate::support::reply::Reply;
use crate::support::site::Site;
use crate::support::site::account;
use crate::support::site::call;
use crate::support::site::change;
use crate::support::site::free_address;
use crate::support::site::queue;
use crate::support::wait::eventually;

const NOBODY: &str = "http://127.0.0.1:9";

/// Provisioned and running.
async fn standing(eight: &EightX8, bots: &Bots, change: impl FnOnce(&mut Config)) -> Site {
    let mut site = Site::new(eight, &bots.url(), change);
    site.provisioned().await;
    site.gateway.run_again().await;
    site
}

/// The bot refuses every second `doctor.ping`: the one with the wrong signature.
fn verify_signatures(bots: &Bots) {
    let pings = AtomicUsize::new(0);
    bots.answer(100, Reply::status(401), move |callback| {
        callback.kind() == "doctor.ping" && pings.fetch_add(1, Ordering::Relaxed) % 2 == 1
    });
}

fn verdicts(report: &Value) -> Vec<(String, String)> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .map(|check| {
            let text = |field: &str| check[field].as_str().unwrap().to_owned();
            (text("check"), text("verdict"))
        })
        .collect()
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let mut checks = report["checks"].as_array().unwrap().iter();
    checks
        .find(|check| check["check"] == name)
        .unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

/// That the check failed, or warned, in these words, and says what to do.
fn is(report: &Value, name: &str, verdict: &str, says: &str) {
    let check = check(report, name);
    assert_eq!(check["verdict"], verdict, "{check:#}");
    assert!(check["detail"].as_str().unwrap().contains(says), "{check:#}");
    if ["warn", "fail"].contains(&verdict) {
        assert!(!check["next"].as_str().unwrap().is_empty(), "{check:#}");
    }
}

#[tokio::test]
async fn a_gateway_in_order_passes_every_check() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let site = standing(&eight, &bots, |_| ()).await;
    verify_signatures(&bots);
    let handover = site.api.create(json!({})).await;
    bots.event(handover["id"].as_str().unwrap(), "handover.queued").await;
    let (code, report) = site.json(&["doctor"]).await;
    assert_eq!((code, &report["ok"]), (0, &json!(true)), "{report:#}");
    // The sandbox is not public, and speaks http.
    let expected = [
        ("configuration", "warn"),
        ("public-url", "warn"),
        ("running", "ok"),
        ("store", "ok"),
        // The disk of whoever runs this.
        ("disk", check(&report, "disk")["verdict"].as_str().unwrap()),
        ("deliveries", "ok"),
        ("8x8-access", "ok"),
        ("clock", "ok"),
        ("channel", "ok"),
        ("webhook", "ok"),
        ("queue", "ok"),
        ("reachability", "ok"),
        ("schedule", "skipped"),
        ("statistics", "skipped"),
        ("agents", "skipped"),
        ("signature-keys", "ok"),
        ("last-verify", "ok"),
        ("last-webhook", "ok"),
        ("callback", "ok"),
        ("callback-signature", "ok"),
    ];
    let expected = expected.map(|(check, verdict)| (check.to_owned(), verdict.to_owned()));
    assert_eq!(verdicts(&report), expected, "{report:#}");
    let table = site.run(&["doctor"]).await;
    assert_eq!(table.code, 0, "{table:?}");
    assert!(table.out.contains("ok       tenants.acme  reachability"), "{table:?}");
    for (verdict, unit) in [("ok", " ok, "), ("warn", " warnings, "), ("skipped", " skipped")] {
        let count = expected.iter().filter(|(_, is)| is == verdict).count();
        assert!(table.out.contains(&format!("{count}{unit}")), "{table:?}");
    }
    assert!(table.out.contains(" 0 failed"), "{table:?}");
}

#[tokio::test]
async fn what_is_wrong_at_8x8_is_told_check_by_check() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let site = Site::new(&eight, &bots.url(), |_| ());
    let (code, empty) = site.json(&["doctor"]).await;
    assert_eq!(code, 1);
    is(&empty, "running", "warn", "no gateway answers");
    is(&empty, "store", "ok", "there is none yet");
    is(&empty, "channel", "fail", "there is none");
    is(&empty, "webhook", "fail", "there is none");
    is(&empty, "reachability", "fail", "8x8 does not reach");
    is(&empty, "last-webhook", "warn", "no webhook has come yet");

    site.provisioned().await;
    let webhook = &site.named(&eight, "webhooks").await[0];
    let channel = &site.named(&eight, "channels").await[0];
    change(&eight, "channels", channel, "routingOptions", queue("102")).await;
    change(&eight, "webhooks", webhook, "version", json!("v2.0")).await;
    let (_, report) = site.json(&["doctor"]).await;
    is(&report, "queue", "warn", "the channel has queue 102, queue_id is 101");
    is(&report, "webhook", "warn", "has version v2.0");
    let here = format!("{}/webhooks/8x8/other", site.public_url);
    for (uri, says) in [
        (here.as_str(), "which is not its address now"),
        (NOBODY, "not to this gateway"),
    ] {
        change(&eight, "webhooks", webhook, "uri", json!(uri)).await;
        let (code, report) = site.json(&["doctor"]).await;
        assert_eq!(code, 1);
        is(&report, "webhook", "fail", says);
    }
    change(&eight, "channels", channel, "webHookId", json!("sandbox-webhook")).await;
    let (_, report) = site.json(&["doctor"]).await;
    is(&report, "webhook", "fail", "the channel has webhook sandbox-webhook");
}

#[tokio::test]
async fn what_keeps_8x8_from_being_asked_is_told_and_the_rest_skipped() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    for (key, value, says) in [
        ("tenants.acme.api_key", "eght_wrong", "does not take the API key (401)"),
        (
            "tenants.acme.tenant_id",
            "other",
            "does not belong to the API key (403)",
        ),
        ("tenants.acme.base_url", NOBODY, "8x8 cannot be reached"),
        ("tenants.acme.channel_id", "no-such-channel", "names none that exists"),
    ] {
        let site = Site::new(&eight, &bots.url(), |config| {
            config.set(key, value);
        });
        let (code, report) = site.json(&["doctor"]).await;
        assert_eq!(code, 1, "{key}");
        if key.ends_with("channel_id") {
            is(&report, "channel", "fail", says);
            continue;
        }
        is(&report, "8x8-access", "fail", says);
        is(&report, "channel", "skipped", "8x8 has to be reached first");
        let keys = if key.ends_with("base_url") { "fail" } else { "ok" };
        is(&report, "signature-keys", keys, "8x8");
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told() {
    for (ahead, verdict) in [(120, "fail"), (-120, "warn"), (-400, "fail")] {
        let (eight, bots) = (
            account(|options| options.clock_ahead = ahead).await,
            Bots::start().await,
        );
        let site = Site::new(&eight, &bots.url(), |_| ());
        let (_, report) = site.json(&["doctor"]).await;
        is(&report, "clock", verdict, "8x8");
    }
}

#[tokio::test]
async fn a_bot_that_fails_or_does_not_check_signatures_is_told() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let careless = standing(&eight, &bots, |_| ()).await;
    let (code, report) = careless.json(&["doctor"]).await;
    assert_eq!(code, 0, "{report:#}");
    is(&report, "callback-signature", "warn", "does not check them");
    let ping = bots
        .callback("a ping", |callback| callback.kind() == "doctor.ping")
        .await;
    assert!(ping.id().starts_with("evt_") && ping.handover().is_empty(), "{ping:?}");

    bots.answer(1, Reply::status(500), |callback| callback.kind() == "doctor.ping");
    let (code, report) = careless.json(&["doctor"]).await;
    assert_eq!(code, 1);
    is(&report, "callback", "fail", "it answered 500");
    let localhost = bots.url().replace("127.0.0.1", "localhost");
    for (key, value, verdict, says) in [
        ("callback_url", json!(NOBODY), "fail", "connect"),
        // What it resolves to may not be called: its own networks are not allowed then.
        ("callback_url", json!(localhost), "fail", "refused-address"),
        ("callback_secrets", json!([]), "ok", "it answered 204"),
        ("format", json!("passthrough"), "skipped", "8x8's webhooks only"),
        ("callback_url", Value::Null, "skipped", "pulls its events"),
    ] {
        let site = Site::new(&eight, &bots.url(), |config| {
            let key = format!("bots.support.{key}");
            config.set(
                "bots.support.allow_networks",
                json!(if says == "refused-address" {
                    vec![]
                } else {
                    vec!["127.0.0.0/8"]
                }),
            );
            if value.is_null() {
                config.unset(&key);
            } else {
                config.set(&key, value.clone());
            }
        });
        let (_, report) = site.json(&["doctor"]).await;
        is(&report, "callback", verdict, says);
        if key.ends_with("secrets") {
            is(&report, "callback-signature", "warn", "are not signed");
        }
    }
}

#[tokio::test]
async fn webhooks_that_are_refused_and_events_that_reach_no_bot_are_told() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let site = standing(&eight, &bots, |_| ()).await;
    verify_signatures(&bots);
    let handover = site.api.create(json!({})).await;
    let id = handover["id"].as_str().unwrap();
    bots.event(id, "handover.queued").await;
    bots.answer(usize::MAX, Reply::status(503), |callback| {
        callback.kind() != "doctor.ping"
    });
    for _ in 0..12 {
        site.api.create(json!({})).await;
    }
    let report = eventually("the bot is left alone", async || {
        let (_, report) = site.json(&["doctor"]).await;
        (check(&report, "deliveries")["verdict"] == "warn").then_some(report)
    })
    .await;
    is(&report, "deliveries", "warn", "1 bots fail");
    is(
        &report,
        "disk",
        check(&report, "disk")["verdict"].as_str().unwrap(),
        "free for the store",
    );

    // A right one that comes later makes good for it.
    let report = eventually("a refused webhook is told", async || {
        let unsigned = http_client().post(format!("{}/webhooks/8x8/acme", site.public_url));
        assert_eq!(unsigned.body("{}").send().await.unwrap().status(), 401);
        let (_, report) = site.json(&["doctor"]).await;
        (check(&report, "last-webhook")["verdict"] == "warn").then_some(report)
    })
    .await;
    is(&report, "last-webhook", "warn", "were refused since");
}

#[tokio::test]
async fn a_store_that_cannot_be_used_and_a_port_that_is_somebody_elses_are_told() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let site = Site::new(&eight, &bots.url(), |config| {
        let eight = eight.url().trim_start_matches("http://").to_owned();
        config.set("admin.listen", eight);
    });
    std::fs::write(
        site.gateway.store(),
        "not a database, however long this text becomes ".repeat(100),
    )
    .unwrap();
    let (code, report) = site.json(&["doctor"]).await;
    assert_eq!(code, 1);
    is(&report, "store", "fail", "");
    is(&report, "running", "fail", "is no gateway of this version");
}

#[tokio::test]
async fn the_last_webhook_is_remembered_by_the_store_and_shown_on_the_admin_port() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let mut site = standing(&eight, &bots, |config| {
        config.set("admin.tokens", json!(["0123456789abcdef-token"]));
    })
    .await;
    let handover = site.api.create(json!({})).await;
    bots.event(handover["id"].as_str().unwrap(), "handover.queued").await;
    let admin = site.api.with_key(None).at(&site.gateway.admin());
    assert_eq!(admin.get("/status").await.status, 401);
    assert_eq!(admin.get("/livez").await.status, 200);
    let status = admin
        .call(Method::GET, "/status")
        .header("authorization", "Bearer 0123456789abcdef-token");
    let status = status.send().await.ok(200);
    let tenant = &status["tenants"][0];
    assert_eq!(
        (&tenant["tenant"], &tenant["channel"]),
        (&json!("acme"), &json!("found")),
        "{status:#}"
    );
    let last = tenant["lastWebhookAt"].as_str().unwrap();
    site.gateway.stop().await;
    let (_, report) = site.json(&["doctor"]).await;
    assert_eq!(check(&report, "last-webhook")["detail"], last, "{report:#}");
    is(&report, "running", "warn", "no gateway answers");
}

const REFUSED: &str = "8x8 refused the credentials";

/// Both sources, for the tenant's queue 101 and the bot's own, 102.
fn with_sources(config: &mut Config, eight: &str, schedule: &str, statistics: &str) {
    let sections = [("schedule", schedule), ("statistics", statistics)];
    for (section, source) in sections {
        let mut set = |field: &str, value: &str| {
            config.set(&format!("tenants.acme.{section}.{field}"), value);
        };
        set("source", source);
        match source {
            "cluster" => {
                set("base_url", eight);
                set("token", "sandbox-data-token");
            }
            "analytics_v5" => {
                set("client_id", "eght_sandbox_analytics");
                set("client_secret", "sandbox-secret");
            }
            _ => {}
        }
    }
    config
        .set("tenants.acme.schedule.schedule_id", "122")
        .set("bots.support.queue_id", "102");
}

/// What was found of a queue, check by check.
fn of_queue(report: &Value, queue: &str) -> Vec<(String, String)> {
    let start = format!("queue {queue}: ");
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .filter_map(|check| {
            let said = check["detail"].as_str().unwrap().strip_prefix(&start)?;
            let (name, verdict) = (check["check"].as_str().unwrap(), check["verdict"].as_str().unwrap());
            assert_eq!(
                check.get("next").is_some(),
                ["warn", "fail"].contains(&verdict),
                "{check:#}"
            );
            Some((format!("{name} {verdict}"), said.to_owned()))
        })
        .collect()
}

fn found(expected: [(&str, &str); 3]) -> Vec<(String, String)> {
    expected.map(|(check, said)| (check.to_owned(), said.to_owned())).into()
}

#[tokio::test]
async fn schedule_statistics_and_enabled_agents_are_looked_at_for_each_queue() {
    for (schedule, statistics) in [("cc_v1", "cc_v1"), ("cluster", "cluster"), ("cluster", "analytics_v5")] {
        let (eight, bots) = (account(|_| ()).await, Bots::start().await);
        let site = Site::new(&eight, &bots.url(), |config| {
            with_sources(config, &eight.url(), schedule, statistics);
        });
        let figures = json!({"101": {"available": 1, "busy": 2}, "102": {"waiting": 4}});
        eight
            .centre(json!({"queues": figures, "schedules": {"122": "closed"}}))
            .await;
        let (_, report) = site.json(&["doctor"]).await;
        let staffed = [
            ("schedule ok", "8x8 says closed"),
            ("statistics ok", "8x8 says that agents are there"),
            ("agents ok", "8x8 counts 3 enabled agents"),
        ];
        assert_eq!(of_queue(&report, "101"), found(staffed), "{statistics}");
        let empty = [
            ("schedule ok", "8x8 says closed"),
            ("statistics ok", "8x8 says that no agents are there"),
            ("agents warn", "8x8 counts no enabled agent"),
        ];
        assert_eq!(of_queue(&report, "102"), found(empty), "{statistics}");
    }
}

#[tokio::test]
async fn sources_that_cannot_be_read_fail_and_say_where_to_look() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let wrong = |key: &'static str, value: &'static str| {
        let statistics = if key.contains("client") {
            "analytics_v5"
        } else {
            "cluster"
        };
        Site::new(&eight, &bots.url(), |config| {
            with_sources(config, &eight.url(), "cluster", statistics);
            config
                .set(&format!("tenants.acme.{key}"), value)
                .unset("bots.support.queue_id");
        })
    };
    for (key, value, check, says, next) in [
        ("schedule.token", "canary-1c2f", "schedule", REFUSED, "credentials"),
        ("statistics.token", "canary-1c2f", "statistics", REFUSED, "New Token"),
        (
            "statistics.client_secret",
            "canary-1c2f",
            "statistics",
            REFUSED,
            "credentials",
        ),
        (
            "schedule.schedule_id",
            "999",
            "schedule",
            "does not know",
            "schedule_id",
        ),
        ("queue_id", "999", "statistics", "does not know", "queue_id"),
        (
            "schedule.base_url",
            NOBODY,
            "schedule",
            "could not be reached",
            "base_url",
        ),
    ] {
        let (code, report) = wrong(key, value).json(&["doctor"]).await;
        assert_eq!(code, 1, "{key}");
        let told = report["checks"].as_array().unwrap().iter();
        let mut failed = told.filter(|told| told["check"] == check && told["verdict"] == "fail");
        let failed = failed.next().unwrap_or_else(|| panic!("{key}: {report:#}"));
        assert!(failed["detail"].as_str().unwrap().contains(says), "{key}: {failed:#}");
        assert!(failed["next"].as_str().unwrap().contains(next), "{key}: {failed:#}");
        if check == "statistics" {
            is(&report, "agents", "skipped", "have to be read first");
        }
        assert!(!report.to_string().contains("canary"), "{key}");
    }
    let limited = json!({"on": "api", "operation": "cluster-stats", "status": 429, "times": 1000});
    eight.fault(limited).await;
    let (_, report) = wrong("queue_id", "101").json(&["doctor"]).await;
    is(&report, "statistics", "warn", "limits the rate");
}

#[tokio::test]
async fn availability_is_looked_at_where_the_chat_gateway_cannot_be_asked() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let site = Site::new(&eight, &bots.url(), |config| {
        with_sources(config, &eight.url(), "cluster", "cluster");
        config
            .set("tenants.acme.api_key", "eght_wrong")
            .unset("tenants.acme.queue_id");
        config.unset("bots.support.queue_id");
    });
    let (_, report) = site.json(&["doctor"]).await;
    is(&report, "8x8-access", "fail", "does not take the API key");
    is(&report, "schedule", "ok", "8x8 says open");
    is(&report, "statistics", "warn", "no queue is named");
    is(&report, "agents", "skipped", "");
}

async fn user_is_gone(eight: &EightX8) {
    let conversations = eight.conversations().await;
    assert_eq!(conversations.len(), 1);
    assert_eq!(
        eight.calls("leave").await.last().unwrap()["status"],
        204,
        "{conversations:#?}"
    );
}

const LIVE: [&str; 4] = ["doctor", "--live", "--queue", "102"];

#[tokio::test]
async fn a_marked_conversation_goes_through_everything_and_is_left() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let site = standing(&eight, &bots, |_| ()).await;
    let (code, report) = site.json(&LIVE).await;
    assert_eq!(code, 0, "{report:#}");
    let names: Vec<_> = verdicts(&report)
        .into_iter()
        .map(|(name, verdict)| format!("{name} {verdict}"))
        .collect();
    let expected = [
        "running ok",
        "create ok",
        "webhooks ok",
        "message ok",
        "read-back ok",
        "leave ok",
    ];
    assert_eq!(names, expected, "{report:#}");
    assert!(
        check(&report, "create")["detail"].as_str().unwrap().contains(" ms)"),
        "{report:#}"
    );
    user_is_gone(&eight).await;
    let id = eight.conversations().await[0]["id"].as_str().unwrap().to_owned();
    let conversation = call(&eight, Method::GET, &format!("conversations/{id}"), None).await;
    assert_eq!(conversation["user"]["name"], "handover-gateway doctor");
    let mark = &conversation["user"]["additionalProperties"][0];
    assert_eq!(mark["key"], "handoverId");
    // No handover came of it, and no bot was told.
    assert_eq!(site.api.get("/v1/handovers").await.ok(200)["data"], json!([]));
    assert!(bots.callbacks().is_empty());
    assert!(
        site.gateway.log.of_level("ERROR").is_empty(),
        "{}",
        site.gateway.log.tail(20)
    );
}

#[tokio::test]
async fn a_conversation_that_fails_on_its_way_is_left_all_the_same() {
    let played = [
        (
            json!({"on": "api", "operation": "create", "status": 503, "taken": true}),
            "create",
        ),
        (json!({"on": "api", "operation": "message", "status": 500}), "message"),
        (
            json!({"on": "api", "operation": "messages", "times": 1000, "status": 500}),
            "read-back",
        ),
        (
            json!({"on": "api", "operation": "leave", "times": 2, "status": 503}),
            "",
        ),
    ]
    .map(async |(fault, failing)| {
        let (eight, bots) = (account(|_| ()).await, Bots::start().await);
        let site = standing(&eight, &bots, |_| ()).await;
        eight.fault(fault).await;
        let (code, report) = site.json(&LIVE).await;
        let failed: Vec<_> = verdicts(&report)
            .into_iter()
            .filter(|(_, verdict)| verdict == "fail")
            .collect();
        let names: Vec<_> = failed.iter().map(|(name, _)| name.as_str()).collect();
        let expected: Vec<_> = [failing].into_iter().filter(|name| !name.is_empty()).collect();
        assert_eq!((names, code), (expected, i32::from(!failing.is_empty())), "{report:#}");
        is(&report, "leave", "ok", "no agent is held");
        user_is_gone(&eight).await;
    });
    futures_util::future::join_all(played).await;
}

#[tokio::test]
async fn webhooks_that_do_not_arrive_are_told_and_the_conversation_is_left() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let site = standing(&eight, &bots, |_| ()).await;
    let webhook = &site.named(&eight, "webhooks").await[0];
    change(
        &eight,
        "webhooks",
        webhook,
        "uri",
        json!(format!("http://{}/x", free_address())),
    )
    .await;
    let (code, report) = site.json(&LIVE).await;
    assert_eq!(code, 1);
    is(
        &report,
        "webhooks",
        "fail",
        "no webhook of it reached the running gateway",
    );
    is(&report, "leave", "ok", "no agent is held");
    user_is_gone(&eight).await;
}

#[tokio::test]
async fn an_agent_that_may_be_held_is_named() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let site = standing(&eight, &bots, |_| ()).await;
    eight
        .fault(json!({"on": "api", "operation": "leave", "times": 100, "status": 500}))
        .await;
    let (code, report) = site.json(&LIVE).await;
    assert_eq!(code, 1);
    let conversation = eight.conversations().await[0]["id"].as_str().unwrap().to_owned();
    is(&report, "leave", "fail", "no usable answer");
    assert!(
        check(&report, "leave")["next"]
            .as_str()
            .unwrap()
            .contains(&conversation),
        "{report:#}"
    );
}

#[tokio::test]
async fn nothing_is_begun_that_cannot_be_seen_through() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let mut site = Site::new(&eight, &bots.url(), |_| ());
    let (code, report) = site.json(&LIVE).await;
    assert_eq!(code, 1);
    is(&report, "running", "fail", "no gateway answers");
    site.gateway.run_again().await;
    let (code, report) = site.json(&LIVE).await;
    assert_eq!(code, 1);
    is(&report, "channel", "fail", "knows no channel");
    assert!(eight.calls("create").await.is_empty());
    let refused = site.json(&["doctor", "--live", "--queue", "no-such-queue"]).await;
    assert_eq!(refused.0, 1);
    let usage = site.run(&["doctor", "--live"]).await;
    assert_eq!(usage.code, 2, "{usage:?}");
    let nobody = site.run(&["doctor", "--tenant", "nobody"]).await;
    assert_eq!(nobody.code, 2, "{nobody:?}");
}

#[tokio::test]
async fn ctrl_c_in_the_middle_leaves_the_conversation() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let site = standing(&eight, &bots, |_| ()).await;
    // It waits for webhooks that do not come.
    eight
        .fault(json!({"on": "webhook", "times": 1000, "drop": "before"}))
        .await;
    let arguments = [&LIVE[..], &["--json"]].concat();
    let ran = site.interrupted(&arguments, async || {
        eight.calls_made("create", 1).await;
    });
    let ran = ran.await;
    assert_eq!(ran.code, 1, "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    is(&report, "interrupted", "fail", "it was told to stop");
    is(&report, "leave", "ok", "no agent is held");
    user_is_gone(&eight).await;
}
