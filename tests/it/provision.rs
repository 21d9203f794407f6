//! `handover-gateway provision` through the built program: an empty account becomes one that conversations go through, and
//! stays so.

use http::Method;
use serde_json::Value;
use serde_json::json;

use crate::support::bot::Bots;
use crate::support::eightx8::EightX8;
use crate::support::site::Ran;
use crate::support::site::Site;
use crate::support::site::account;
use crate::support::site::call;
use crate::support::site::change;
use crate::support::site::free_address;
use crate::support::site::listed;
use crate::support::site::queue;
use crate::support::wait::eventually;

const NOBODY: &str = "http://127.0.0.1:9";
const SECRET: &str = "a-path-secret-0123456789";

async fn changes_at(eight: &EightX8) -> usize {
    let mut made = 0;
    for resource in ["webhook", "channel"] {
        for change in ["create", "replace", "delete"] {
            made += eight.calls(&format!("{resource}-{change}")).await.len();
        }
    }
    made
}

fn steps(tenant: &Value) -> Vec<(&str, &str)> {
    let steps = tenant["steps"].as_array().unwrap().iter();
    steps
        .map(|step| (step["step"].as_str().unwrap(), step["state"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn an_empty_account_is_planned_made_used_and_then_left_as_it_is() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let mut site = Site::new(&eight, &bots.url(), |_| ());
    let planned = site.run(&["provision"]).await;
    assert_eq!(planned.code, 0, "{planned:?}");
    assert!(
        planned.out.contains("Nothing was changed. Run it again with --apply"),
        "{planned:?}"
    );
    assert_eq!(changes_at(&eight).await, 0);
    assert!(!site.gateway.store().exists(), "a plan makes no store");

    let made = site.provisioned().await;
    // Nobody runs yet, so 8x8's call is answered by nobody: that is told and is no failure.
    let expected = [
        ("create-webhook", "done"),
        ("verify-webhook", "warning"),
        ("create-channel", "done"),
    ];
    assert_eq!(steps(&made), expected, "{made:#}");
    let (webhook, channel) = (
        &site.named(&eight, "webhooks").await[0],
        &site.named(&eight, "channels").await[0],
    );
    assert_eq!(webhook["uri"], format!("{}/webhooks/8x8/acme", site.public_url));
    assert_eq!(webhook["version"], "Chat Gateway v1.0");
    assert_eq!(channel["webHookId"], webhook["id"]);
    assert_eq!(channel["routingOptions"], queue("101"));
    assert_eq!(
        (&made["webhook"]["id"], &made["channel"]["id"]),
        (&webhook["id"], &channel["id"])
    );

    let again = site.provisioned().await;
    assert_eq!(steps(&again), [], "{again:#}");
    assert_eq!(changes_at(&eight).await, 2);

    site.gateway.run_again().await;
    let handover = site.api.create(json!({})).await;
    assert_eq!(handover["channelId"], channel["id"]);
    eight.join(handover["conversationId"].as_str().unwrap()).await;
    bots.event(handover["id"].as_str().unwrap(), "agent.joined").await;
}

#[tokio::test]
async fn a_gateway_that_runs_before_it_is_provisioned_becomes_usable_without_a_restart() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let mut site = Site::new(&eight, &bots.url(), |_| ());
    site.gateway.run_again().await;
    let refused = site.api.post("/v1/handovers", &json!({"user": {"name": "Jane"}})).await;
    assert_eq!(refused.status, 409, "{refused}");
    let problem = refused.json();
    assert_eq!(problem["code"], "tenant-not-provisioned");
    assert!(
        problem["detail"].as_str().unwrap().contains("provision --apply"),
        "{refused}"
    );

    let made = site.provisioned().await;
    let expected = [
        ("create-webhook", "done"),
        ("verify-webhook", "done"),
        ("create-channel", "done"),
    ];
    assert_eq!(steps(&made), expected, "{made:#}");
    eventually("the running gateway uses the channel", async || {
        let reply = site.api.post("/v1/handovers", &json!({"user": {"name": "Jane"}})).await;
        (reply.status == 201).then(|| assert_eq!(reply.json()["channelId"], made["channel"]["id"]))
    })
    .await;
    // Kept: the next run needs nobody to tell it, nor 8x8's lists.
    site.gateway.stop().await;
    let lists = eight.calls("channel-list").await.len();
    site.gateway.run_again().await;
    let handover = site.api.create(json!({})).await;
    assert_eq!(handover["channelId"], made["channel"]["id"]);
    assert_eq!(eight.calls("channel-list").await.len(), lists);
}

#[tokio::test]
async fn what_differs_is_told_and_mended_in_place() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let mut site = Site::new(&eight, &bots.url(), |_| ());
    let made = site.provisioned().await;
    let webhook = &site.named(&eight, "webhooks").await[0];
    change(
        &eight,
        "webhooks",
        webhook,
        "uri",
        json!(format!("{}/webhooks/8x8/wrong", site.public_url)),
    )
    .await;
    let channel = &site.named(&eight, "channels").await[0];
    change(&eight, "channels", channel, "routingOptions", queue("102")).await;
    site.gateway.run_again().await;

    let (code, plan) = site.json(&["provision"]).await;
    assert_eq!((code, &plan["changes"]), (0, &json!(true)), "{plan:#}");
    let drift = plan["tenants"][0]["drift"].as_array().unwrap();
    assert_eq!(drift.len(), 2, "{plan:#}");
    assert_eq!(site.named(&eight, "channels").await[0]["routingOptions"], queue("102"));

    let mended = site.provisioned().await;
    let expected = [
        ("verify-webhook", "done"),
        ("replace-webhook", "done"),
        ("replace-channel", "done"),
    ];
    assert_eq!(steps(&mended), expected);
    assert_eq!(eight.calls("webhook-get").await.len(), 1, "the change was read back");
    assert_eq!(&site.named(&eight, "webhooks").await[0], webhook);
    assert_eq!(&site.named(&eight, "channels").await[0], channel);
    assert_eq!(mended["channel"]["id"], made["channel"]["id"]);
    let (_, whole) = site.json(&["provision"]).await;
    assert_eq!(whole["changes"], false, "{whole:#}");
}

#[tokio::test]
async fn a_webhook_moves_to_another_host_only_when_asked_and_when_it_answers_there() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let mut site = Site::new(&eight, &bots.url(), |_| ());
    let made = site.provisioned().await;
    let before = listed(&eight, "webhooks").await;
    let new = site.public_url.replace("127.0.0.1", "localhost");
    site.gateway.config.set("server.public_url", new.as_str());

    let (code, left) = site.json(&["provision", "--apply"]).await;
    assert_eq!(code, 1, "{left:#}");
    let problem = left["tenants"][0]["problems"][0]["what"].as_str().unwrap();
    assert!(problem.contains("left alone: --repoint moves it here"), "{problem}");
    // Nobody answers at the new address yet.
    let (code, failed) = site.json(&["provision", "--repoint", "--apply"]).await;
    assert_eq!(
        (code, steps(&failed["tenants"][0])[0]),
        (1, ("verify-webhook", "failed")),
        "{failed:#}"
    );
    assert_eq!(listed(&eight, "webhooks").await, before);

    site.gateway.run_again().await;
    let (code, moved) = site.json(&["provision", "--repoint", "--apply"]).await;
    assert_eq!(code, 0, "{moved:#}");
    let id = made["webhook"]["id"].as_str().unwrap();
    let webhook = call(&eight, Method::GET, &format!("webhooks/{id}"), None).await;
    assert_eq!(webhook["uri"], format!("{new}/webhooks/8x8/acme"));
    let channel = made["channel"]["id"].as_str().unwrap();
    let channel = call(&eight, Method::GET, &format!("channels/{channel}"), None).await;
    assert_eq!(channel["webHookId"], id);
    assert_eq!(
        (
            listed(&eight, "webhooks").await.len(),
            listed(&eight, "channels").await.len()
        ),
        (2, 2)
    );
    let (_, whole) = site.json(&["provision"]).await;
    assert_eq!(
        (&whole["ok"], &whole["changes"]),
        (&json!(true), &json!(false)),
        "{whole:#}"
    );
}

#[tokio::test]
async fn two_environments_at_one_account_do_not_touch_each_other() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let one = Site::new(&eight, &bots.url(), |_| ());
    let other = Site::new(&eight, &bots.url(), |_| ());
    let first = one.provisioned().await;
    let second = other.provisioned().await;
    assert_ne!(first["webhook"]["id"], second["webhook"]["id"]);
    assert_ne!(first["channel"]["id"], second["channel"]["id"]);
    assert!(
        second["notes"][0].as_str().unwrap().contains("is left alone"),
        "{second:#}"
    );
    assert_eq!(steps(&one.provisioned().await), []);

    let (code, removed) = other.json(&["provision", "--remove", "--apply"]).await;
    assert_eq!(code, 0, "{removed:#}");
    assert_eq!(
        steps(&removed["tenants"][0]),
        [("delete-channel", "done"), ("delete-webhook", "done")]
    );
    assert!(other.named(&eight, "webhooks").await.is_empty());
    assert_eq!(one.named(&eight, "channels").await.len(), 1);
}

#[tokio::test]
async fn a_lost_store_is_made_good_by_name_through_all_pages() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    for number in 0..230 {
        let write = json!({"name": format!("somebody's {number}"), "uri": NOBODY, "version": "Chat Gateway v1.0"});
        call(&eight, Method::POST, "webhooks", Some(write)).await;
    }
    let site = Site::new(&eight, &bots.url(), |_| ());
    let made = site.provisioned().await;
    std::fs::remove_file(site.gateway.store()).unwrap();
    let found = site.provisioned().await;
    assert_eq!(steps(&found), [], "{found:#}");
    assert_eq!(found["channel"]["id"], made["channel"]["id"]);
    assert_eq!(site.named(&eight, "webhooks").await.len(), 1);
}

#[tokio::test]
async fn what_8x8_may_have_made_is_looked_for_and_not_made_again() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    eight
        .fault(json!({"on": "api", "operation": "webhook-create", "status": 503, "taken": true}))
        .await;
    eight
        .fault(json!({"on": "api", "operation": "channel-create", "drop": "after"}))
        .await;
    let site = Site::new(&eight, &bots.url(), |_| ());
    let made = site.provisioned().await;
    assert_eq!(eight.calls("webhook-create").await.len(), 1);
    assert_eq!(eight.calls("channel-create").await.len(), 1);
    assert_eq!(made["channel"]["id"], site.named(&eight, "channels").await[0]["id"]);
    assert!(eight.faults_left().await.is_empty());
}

#[tokio::test]
async fn what_8x8_did_not_make_is_told_and_made_by_the_next_run() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    eight
        .fault(json!({"on": "api", "operation": "channel-create", "status": 503}))
        .await;
    let site = Site::new(&eight, &bots.url(), |_| ());
    let (code, failed) = site.json(&["provision", "--apply"]).await;
    assert_eq!(code, 1, "{failed:#}");
    let last = steps(&failed["tenants"][0])[2];
    assert_eq!(last, ("create-channel", "failed"), "{failed:#}");
    let made = site.provisioned().await;
    assert_eq!(steps(&made), [("create-channel", "done")]);
    assert_eq!(site.named(&eight, "webhooks").await.len(), 1);
}

#[tokio::test]
async fn an_account_that_asks_for_the_other_field_of_the_version_gets_it() {
    let (eight, bots) = (
        account(|options| options.require_notification_version = true).await,
        Bots::start().await,
    );
    let site = Site::new(&eight, &bots.url(), |_| ());
    site.provisioned().await;
    let tried = eight.calls("webhook-create").await;
    assert_eq!(tried.len(), 2, "once without it, as most accounts want it");
    assert_eq!(site.named(&eight, "webhooks").await[0]["version"], "Chat Gateway v1.0");
}

#[tokio::test]
async fn of_two_runs_at_once_one_webhook_and_one_channel_are_left() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let one = Site::new(&eight, &bots.url(), |_| ());
    let other = Site::new(&eight, &bots.url(), |config| {
        config.set("server.public_url", one.public_url.as_str());
    });
    let (first, second) = tokio::join!(one.provisioned(), other.provisioned());
    let (webhooks, channels) = (one.named(&eight, "webhooks").await, one.named(&eight, "channels").await);
    // At the worst each made its own before it could see the other's; then both say so and none is lost.
    let again = one.provisioned().await;
    let doubles = again["notes"].as_array().unwrap().len();
    assert_eq!(
        webhooks.len() + channels.len() - 2,
        doubles,
        "{first:#}\n{second:#}\n{again:#}"
    );
    assert_eq!(steps(&again), []);
}

#[tokio::test]
async fn what_keeps_8x8_from_answering_is_told_with_what_to_do() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    for (key, value, says, next) in [
        (
            "tenants.acme.api_key",
            "eght_wrong",
            "does not take the API key (401)",
            "tenants.acme.api_key",
        ),
        (
            "tenants.acme.tenant_id",
            "other",
            "does not belong to the API key (403)",
            "tenants.acme.tenant_id",
        ),
        (
            "tenants.acme.base_url",
            NOBODY,
            "8x8 cannot be reached",
            "tenants.acme.base_url",
        ),
        ("tenants.acme.queue_id", "999", "Queue ID 999 is invalid", "Event Log"),
    ] {
        let site = Site::new(&eight, &bots.url(), |config| {
            config.set(key, value);
        });
        let ran = site.run(&["provision", "--apply"]).await;
        assert_eq!(ran.code, 1, "{key}: {ran:?}");
        assert!(ran.out.contains(says) && ran.out.contains(next), "{key}: {ran:?}");
        assert!(!ran.out.contains("eght_"), "{key}: {ran:?}");
    }
    assert!(
        eight
            .calls("channel-create")
            .await
            .iter()
            .all(|call| call["status"] != 200)
    );
}

#[tokio::test]
async fn an_address_that_8x8_cannot_reach_is_a_failure_while_the_gateway_runs() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let mut site = Site::new(&eight, &bots.url(), |config| {
        config.set("server.public_url", format!("http://{}", free_address()));
    });
    site.gateway.run_again().await;
    let (code, report) = site.json(&["provision", "--apply"]).await;
    assert_eq!(code, 1, "{report:#}");
    let tenant = &report["tenants"][0];
    let expected = [
        ("create-webhook", "done"),
        ("verify-webhook", "failed"),
        ("create-channel", "done"),
    ];
    assert_eq!(steps(tenant), expected, "{report:#}");
    assert!(
        tenant["problems"][0]["next"]
            .as_str()
            .unwrap()
            .contains("server.public_url"),
        "{report:#}"
    );
}

#[tokio::test]
async fn what_is_removed_is_gone_and_what_others_use_stays() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let mut site = Site::new(&eight, &bots.url(), |_| ());
    let made = site.provisioned().await;
    let other = json!({"name": "by hand", "type": "ChatAPI", "webHookId": made["webhook"]["id"], "routingOptions": queue("102")});
    let other = call(&eight, Method::POST, "channels", Some(other)).await;
    site.gateway.run_again().await;
    let (code, refused) = site.json(&["provision", "--remove", "--apply"]).await;
    assert_eq!(code, 1, "{refused:#}");
    assert!(
        refused.to_string().contains("a gateway runs with this store"),
        "{refused:#}"
    );
    assert_eq!(listed(&eight, "channels").await.len(), 3);
    site.gateway.stop().await;

    let (code, kept) = site.json(&["provision", "--remove", "--apply"]).await;
    assert_eq!(code, 1, "{kept:#}");
    let problem = kept["tenants"][0]["problems"][0]["what"].as_str().unwrap();
    assert!(problem.contains("is kept: channel"), "{problem}");
    assert_eq!(site.named(&eight, "webhooks").await.len(), 1);
    assert!(site.named(&eight, "channels").await.is_empty());

    let id = other["id"].as_str().unwrap();
    call(&eight, Method::DELETE, &format!("channels/{id}"), None).await;
    let (code, removed) = site.json(&["provision", "--remove", "--apply"]).await;
    assert_eq!(code, 0, "{removed:#}");
    assert!(site.named(&eight, "webhooks").await.is_empty());
    assert_eq!(
        (
            listed(&eight, "webhooks").await.len(),
            listed(&eight, "channels").await.len()
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn a_channel_that_the_configuration_names_is_checked_and_never_replaced_by_another() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let site = Site::new(&eight, &bots.url(), |config| {
        config.set("tenants.acme.channel_id", "no-such-channel");
    });
    let ran = site.run(&["provision", "--apply"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("names a channel that does not exist"), "{ran:?}");
    assert_eq!(changes_at(&eight).await, 0);
}

#[tokio::test]
async fn no_secret_is_printed_and_the_newest_path_secret_is_the_first() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let mut site = Site::new(&eight, &bots.url(), |config| {
        config.set("tenants.acme.webhook.path_secrets", json!([SECRET]));
    });
    let mut ran: Vec<Ran> = Vec::new();
    for arguments in [
        &["provision"][..],
        &["provision", "--apply"],
        &["provision", "--json"],
        &["doctor"],
    ] {
        ran.push(site.run(arguments).await);
    }
    let uri = format!("{}/webhooks/8x8/acme/{SECRET}", site.public_url);
    assert_eq!(site.named(&eight, "webhooks").await[0]["uri"], uri);
    site.gateway.run_again().await;
    let rotated = json!(["another-path-secret-01234", SECRET]);
    site.gateway.config.set("tenants.acme.webhook.path_secrets", rotated);
    site.gateway.stop().await;
    site.gateway.run_again().await;
    let plan = site.run(&["provision"]).await;
    assert!(plan.out.contains("with another secret"), "{plan:?}");
    ran.push(plan);
    ran.push(site.run(&["provision", "--apply"]).await);
    ran.push(site.run(&["doctor", "--json"]).await);
    let uri = site.named(&eight, "webhooks").await[0]["uri"].clone();
    assert!(uri.as_str().unwrap().ends_with("/another-path-secret-01234"), "{uri}");
    for ran in &ran {
        for secret in [
            SECRET,
            "another-path-secret-01234",
            "eght_sandbox",
            crate::support::config::SECRET,
        ] {
            assert!(
                !ran.out.contains(secret) && !ran.err.contains(secret),
                "{secret}: {ran:?}"
            );
        }
    }
    assert!(ran[0].out.contains("/webhooks/8x8/acme/****"), "{:?}", ran[0]);
}

#[tokio::test]
async fn wrong_usage_is_told_before_8x8_is_asked() {
    let (eight, bots) = (account(|_| ()).await, Bots::start().await);
    let site = Site::new(&eight, &bots.url(), |config| {
        config.unset("server.public_url");
    });
    for (arguments, says) in [
        (&["provision"][..], "server.public_url is not set"),
        (
            &["provision", "--tenant", "nobody"],
            "there is no section [tenants.nobody]",
        ),
        (&["provision", "--remove", "--repoint"], "cannot be used with"),
    ] {
        let ran = site.run(arguments).await;
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(says), "{ran:?}");
    }
    assert!(eight.calls("webhook-list").await.is_empty());
}
