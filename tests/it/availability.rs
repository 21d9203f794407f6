//! Is anybody there? Each of 8x8's sources, their faults, creates that ask for agents, and those who wait.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::support::bot::Callback;
use crate::support::client::Client;
use crate::support::config::Config;
use crate::support::config::SALES;
use crate::support::wait::always;
use crate::support::wait::eventually;
use crate::support::wait::within;
use crate::support::world::EIGHT;
use crate::support::world::World;

const REFUSED: &str = "8x8 refused the credentials";

/// A source with all it needs; answers are asked for anew each time.
fn source(config: &mut Config, tenant: &str, section: &str, source: &str) {
    let mut set = |field: &str, value: Value| {
        config.set(&format!("tenants.{tenant}.{section}.{field}"), value);
    };
    set("source", json!(source));
    set("cache", json!("0s"));
    match source {
        "cluster" => {
            set("base_url", json!(EIGHT));
            set("token", json!("sandbox-data-token"));
        }
        "analytics_v5" => {
            set("client_id", json!("eght_sandbox_analytics"));
            set("client_secret", json!("sandbox-secret"));
        }
        _ => {}
    }
    if section == "schedule" {
        set("schedule_id", json!("122"));
    }
}

async fn world(schedule: &'static str, statistics: &'static str) -> World {
    world_with(schedule, statistics, |_| ()).await
}

async fn world_with(schedule: &'static str, statistics: &'static str, more: impl FnOnce(&mut Config)) -> World {
    World::with(|setup| {
        source(&mut setup.config, "acme", "schedule", schedule);
        source(&mut setup.config, "acme", "statistics", statistics);
        more(&mut setup.config);
    })
    .await
}

async fn ask(world: &World) -> Value {
    world.api.get("/v1/availability").await.ok(200)
}

fn verdicts(answer: &Value) -> [&str; 3] {
    ["available", "open", "agents"].map(|field| answer[field].as_str().unwrap())
}

async fn agents(world: &World, figures: Value) {
    world.eight.centre(json!({"queues": {"101": figures}})).await;
}

async fn schedule(world: &World, status: Value) {
    world.eight.centre(json!({"schedules": {"122": status}})).await;
}

#[tokio::test]
async fn every_source_says_whether_anybody_is_there() {
    for (schedules, statistics) in [("cc_v1", "cc_v1"), ("cluster", "cluster"), ("cluster", "analytics_v5")] {
        let world = world(schedules, statistics).await;
        agents(
            &world,
            json!({"available": 2, "waiting": 3, "averageWaitSeconds": 74.6}),
        )
        .await;
        let answer = ask(&world).await;
        assert_eq!(verdicts(&answer), ["yes", "yes", "yes"], "{statistics}: {answer}");
        assert_eq!(
            (&answer["waiting"], &answer["estimatedWaitSeconds"]),
            (&json!(3), &json!(75))
        );
        let names: Vec<&Value> = answer["sources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|seen| &seen["name"])
            .collect();
        assert_eq!(names, ["schedule", "statistics"]);
        assert!(
            answer["sources"][1]["asOf"].as_str().unwrap().ends_with('Z'),
            "{answer}"
        );
        assert!(answer["sources"][0].get("problem").is_none(), "{answer}");

        agents(&world, json!({"onBreak": 1, "loggedOut": 4})).await;
        let answer = ask(&world).await;
        assert_eq!(verdicts(&answer), ["no", "yes", "no"], "{statistics}: {answer}");

        agents(&world, json!({"busy": 1})).await;
        schedule(&world, json!("closed")).await;
        let answer = ask(&world).await;
        assert_eq!(verdicts(&answer), ["no", "no", "yes"], "{statistics}: {answer}");
        world.finish().await;
    }
}

#[tokio::test]
async fn which_agents_count_is_a_setting() {
    for (setting, counts) in [
        ("available", [true, false, false]),
        ("available_or_busy", [true, true, false]),
        ("logged_in", [true, true, true]),
    ] {
        for statistics in ["cc_v1", "analytics_v5"] {
            let world = world_with("none", statistics, |config| {
                config.set("tenants.acme.statistics.agents_count", setting);
            })
            .await;
            for (state, counts) in ["available", "busy", "onBreak"].into_iter().zip(counts) {
                agents(&world, json!({state: 1, "loggedOut": 3})).await;
                let expected = if counts { "yes" } else { "no" };
                let answer = ask(&world).await;
                // Nobody asks about the schedule, so it does not count.
                assert_eq!(
                    verdicts(&answer),
                    [expected, "unknown", expected],
                    "{setting} {statistics} {state}"
                );
            }
            world.finish().await;
        }
    }
}

#[tokio::test]
async fn the_average_wait_is_left_out_where_nobody_waited() {
    let world = world("none", "analytics_v5").await;
    let answer = ask(&world).await;
    assert_eq!(answer["waiting"], 0);
    assert!(answer.get("estimatedWaitSeconds").is_none(), "{answer}");
    world.finish().await;
}

#[tokio::test]
async fn a_choice_of_the_administrators_is_open_where_the_settings_say_so() {
    let world = world_with("cc_v1", "none", |config| {
        config.set("tenants.acme.schedule.open_choices", json!(["2", "3"]));
    })
    .await;
    for (status, open) in [
        (json!("Choice #2"), "yes"),
        (json!(3), "yes"),
        (json!("3"), "yes"),
        (json!("Choice #1"), "no"),
        (json!("0"), "yes"),
        (json!("-1"), "no"),
        (json!("maybe"), "no"),
    ] {
        schedule(&world, status.clone()).await;
        let answer = ask(&world).await;
        if status == "maybe" {
            // The word before it stands in, and says so.
            assert_eq!(
                answer["sources"][0]["problem"], "8x8's answer could not be read",
                "{answer}"
            );
        }
        assert_eq!(verdicts(&answer), [open, open, "unknown"], "{status}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_queue_has_its_own_schedule_and_a_bot_its_own_queue() {
    let world = world_with("cluster", "cluster", |config| {
        config
            // A schedule may be called by its name.
            .set("tenants.acme.queues.102.schedule_id", "Late Shift")
            .set("bots.sales.queue_id", "102");
    })
    .await;
    let change = json!({"schedules": {"Late Shift": "closed"}, "queues": {"102": {"waiting": 9}}});
    world.eight.centre(change).await;
    assert_eq!(verdicts(&ask(&world).await), ["yes", "yes", "yes"]);
    let other = world.api.get("/v1/availability?queueId=102").await.ok(200);
    assert_eq!((verdicts(&other), &other["waiting"]), (["no", "no", "no"], &json!(9)));
    let sales = world.api.of_bot(SALES).get("/v1/availability").await.ok(200);
    assert_eq!(verdicts(&sales), ["no", "no", "no"]);
    let unknown = world.api.get("/v1/availability?queueId=999").await.ok(200);
    assert_eq!(verdicts(&unknown), ["unknown", "yes", "unknown"]);
    assert_eq!(
        unknown["sources"][1],
        json!({"name": "statistics", "problem": "8x8 does not know the schedule or queue"})
    );
    let long = format!("/v1/availability?queueId={}", "1".repeat(256));
    assert_eq!(
        world.api.get(&long).await.ok(422)["errors"][0]["pointer"],
        "/query/queueId"
    );
    assert_eq!(world.api.with_key(None).get("/v1/availability").await.status, 401);
    world.finish().await;
}

#[tokio::test]
async fn without_sources_nothing_is_known_and_creates_go_through() {
    let world = World::start().await;
    let nothing = json!({"available": "unknown", "open": "unknown", "agents": "unknown", "sources": []});
    assert_eq!(ask(&world).await, nothing);
    world.api.create(json!({"availability": "require"})).await;
    world.finish().await;
}

#[tokio::test]
async fn statistics_without_a_queue_say_so() {
    let world = world_with("none", "cc_v1", |config| {
        config.unset("tenants.acme.queue_id");
    })
    .await;
    let answer = ask(&world).await;
    assert_eq!(verdicts(&answer), ["unknown", "unknown", "unknown"]);
    assert!(
        answer["sources"][0]["problem"]
            .as_str()
            .unwrap()
            .contains("no queue is named"),
        "{answer}"
    );
    assert_eq!(world.eight.calls("stats").await.len(), 0);
    world.finish().await;
}

#[tokio::test]
async fn an_older_answer_stands_in_for_a_missing_one_and_shows_its_age() {
    let world = world("cc_v1", "cc_v1").await;
    let before = ask(&world).await;
    for (fault, problem) in [
        (json!({"status": 500}), "8x8 answered 500"),
        (
            json!({"status": 200, "body": "<html>"}),
            "8x8's answer could not be read",
        ),
        (json!({"drop": "before"}), "8x8 could not be reached"),
        (
            json!({"status": 429, "retryAfter": "0"}),
            "8x8 limits the rate of calls",
        ),
    ] {
        let mut rule = json!({"on": "api", "operation": "stats"});
        rule.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        world.eight.fault(rule).await;
        let answer = ask(&world).await;
        assert_eq!(verdicts(&answer), ["yes", "yes", "yes"], "{problem}");
        assert_eq!(answer["sources"][1]["problem"], problem);
        assert_eq!(answer["sources"][1]["asOf"], before["sources"][1]["asOf"], "{problem}");
        assert_ne!(
            answer["sources"][0]["asOf"], before["sources"][0]["asOf"],
            "the other source goes on"
        );
    }
    let after = ask(&world).await;
    assert!(after["sources"][1].get("problem").is_none(), "{after}");
    assert_ne!(after["sources"][1]["asOf"], before["sources"][1]["asOf"]);
    world.finish().await;
}

#[tokio::test]
async fn a_source_that_hangs_does_not_hold_the_call() {
    let world = world("cc_v1", "cc_v1").await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "stats", "hang": "before"}))
        .await;
    let asked_at = std::time::Instant::now();
    let answer = ask(&world).await;
    assert!(asked_at.elapsed() < Duration::from_secs(6), "{:?}", asked_at.elapsed());
    assert_eq!(verdicts(&answer), ["unknown", "yes", "unknown"]);
    assert_eq!(
        answer["sources"][1],
        json!({"name": "statistics", "problem": "8x8 did not answer in time"})
    );
    world.finish().await;
}

#[tokio::test]
async fn many_who_ask_at_once_cost_8x8_one_call_a_source() {
    let world = world_with("cc_v1", "analytics_v5", |config| {
        config
            .set("tenants.acme.schedule.cache", "1m")
            .set("tenants.acme.statistics.cache", "1m");
    })
    .await;
    let slow = |operation: &str| json!({"on": "api", "operation": operation, "delay": "300ms"});
    world.eight.fault(slow("schedule-status")).await;
    world.eight.fault(slow("token")).await;
    let all = futures_util::future::join_all((0..20).map(|_| ask(&world))).await;
    assert!(all.iter().all(|answer| verdicts(answer) == ["yes", "yes", "yes"]));
    ask(&world).await;
    for operation in ["schedule-status", "token", "analytics-queue"] {
        assert_eq!(world.eight.calls(operation).await.len(), 1, "{operation}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let world = world("none", "analytics_v5").await;
    // A token of before may be had already, for the agents' names.
    let short = json!({"tokenLifeSeconds": 2, "revokeTokens": true});
    world.eight.centre(short).await;
    assert_eq!(verdicts(&ask(&world).await)[2], "yes");
    let (before, asked) = (
        world.eight.calls("token").await.len(),
        world.eight.calls("analytics-queue").await.len(),
    );
    eventually("the token is renewed", async || {
        assert_eq!(verdicts(&ask(&world).await)[2], "yes");
        (world.eight.calls("token").await.len() >= before + 2).then_some(())
    })
    .await;
    let statuses = world.eight.calls("analytics-queue").await.split_off(asked);
    assert!(statuses.iter().all(|call| call["status"] == 200), "{statuses:?}");
    world.finish().await;
}

#[tokio::test]
async fn a_token_that_was_withdrawn_is_replaced_once() {
    let world = world("none", "analytics_v5").await;
    ask(&world).await;
    world.eight.centre(json!({"revokeTokens": true})).await;
    let answer = ask(&world).await;
    assert_eq!(verdicts(&answer)[2], "yes");
    assert!(answer["sources"][0].get("problem").is_none(), "{answer}");
    let statuses = async |operation: &str| -> Vec<Value> {
        let calls = world.eight.calls(operation).await;
        calls.into_iter().map(|mut call| call["status"].take()).collect()
    };
    assert_eq!(statuses("analytics-queue").await, [200, 401, 200]);
    assert_eq!(statuses("token").await, [200, 200]);
    // Refused again with a new one: not tried for ever.
    let refused = json!({"on": "api", "operation": "analytics-queue", "status": 401, "times": 2});
    world.eight.fault(refused).await;
    assert_eq!(ask(&world).await["sources"][0]["problem"], REFUSED);
    assert_eq!(statuses("analytics-queue").await.len(), 5);
    world.finish().await;
}

#[tokio::test]
async fn analytics_are_regional_and_tokens_are_not() {
    let world = World::with(|setup| {
        setup.options.region = "eu".to_owned();
        source(&mut setup.config, "acme", "statistics", "analytics_v5");
        setup
            .config
            .set("tenants.acme.statistics.base_url", format!("{EIGHT}/eu"));
    })
    .await;
    assert_eq!(verdicts(&ask(&world).await)[2], "yes");
    world.finish().await;
}

#[tokio::test]
async fn wrong_credentials_are_told_and_never_shown() {
    const WRONG: &str = "canary-5d1e";
    let cases: [(&str, &[&str], &str); 4] = [
        ("cc_v1", &["api_key"], REFUSED),
        ("cluster", &["token"], REFUSED),
        ("cluster", &["username"], REFUSED),
        ("analytics_v5", &["client_secret"], REFUSED),
    ];
    for (statistics, wrong, problem) in cases {
        let world = world_with("none", statistics, |config| {
            for field in wrong {
                config.set(&format!("tenants.acme.statistics.{field}"), WRONG);
            }
        })
        .await;
        let answer = ask(&world).await;
        assert_eq!(verdicts(&answer), ["unknown", "unknown", "unknown"]);
        assert_eq!(answer["sources"][0]["problem"], problem, "{statistics} {wrong:?}");
        world.api.create(json!({"availability": "require"})).await;
        let log = world.finish().await;
        assert!(wrong == ["username"] || !log.text().contains(WRONG), "{statistics}");
        assert!(
            !log.with_message("8x8 does not say whether somebody is there")
                .is_empty()
        );
    }
    // The tenant goes under another name in each API, and is checked in both.
    for (statistics, problem) in [
        (
            "cc_v1",
            "8x8 refused access: the credentials are not for this tenant, or lack the API product",
        ),
        ("analytics_v5", "8x8 answered 400"),
    ] {
        let world = world_with("none", statistics, |config| {
            config.set("tenants.acme.tenant_id", "another-tenant");
        })
        .await;
        assert_eq!(ask(&world).await["sources"][0]["problem"], problem, "{statistics}");
        world.finish().await;
    }
}

#[tokio::test]
async fn two_tenants_ask_their_own_sources() {
    let world = World::with(|setup| {
        setup.config.tenant("globex", EIGHT);
        setup.config.set("bots.sales.tenant", "globex");
        source(&mut setup.config, "acme", "statistics", "cc_v1");
        source(&mut setup.config, "globex", "statistics", "cluster");
    })
    .await;
    let sales = world.api.of_bot(SALES);
    ask(&world).await;
    assert_eq!(
        (
            world.eight.calls("stats").await.len(),
            world.eight.calls("cluster-stats").await.len()
        ),
        (1, 0)
    );
    sales.get("/v1/availability").await.ok(200);
    assert_eq!(
        (
            world.eight.calls("stats").await.len(),
            world.eight.calls("cluster-stats").await.len()
        ),
        (1, 1)
    );
    world.finish().await;
}

#[tokio::test]
async fn a_create_that_asks_for_agents_is_refused_while_none_are_there() {
    let world = world("cc_v1", "cc_v1").await;
    agents(&world, json!({"waiting": 2})).await;
    let create = async |availability: &str| {
        let body = json!({"user": {}, "availability": availability, "botSessionId": "s-1"});
        let call = world.api.call(http::Method::POST, "/v1/handovers").once("key-1");
        call.json(&body).send().await
    };
    let refused = create("require").await.ok(409);
    assert_eq!(refused["code"], "agents-unavailable");
    assert_eq!(refused["type"], "urn:handover-gateway:problem:agents-unavailable");
    assert_eq!(verdicts(&refused["availability"]), ["no", "yes", "no"]);
    assert_eq!(refused["availability"]["waiting"], 2);
    assert_eq!(refused["availability"]["sources"].as_array().unwrap().len(), 2);
    // Nothing was made, neither here nor there.
    assert_eq!(world.eight.conversations().await.len(), 0);
    assert_eq!(world.api.get("/v1/handovers").await.ok(200)["data"], json!([]));
    // It was a passing refusal: the same call under the same key is made when agents are there.
    agents(&world, json!({"available": 1})).await;
    let made = create("require").await.ok(201);
    let again = create("require").await;
    assert_eq!(
        (again.header("idempotent-replayed"), &again.json()["id"]),
        (Some("true"), &made["id"])
    );
    assert_eq!(world.eight.conversations().await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_closed_contact_centre_refuses_too_and_a_live_session_goes_on() {
    let world = world_with("cc_v1", "none", |config| {
        config.set("bots.sales.duplicate", "return");
    })
    .await;
    let sales = world.api.of_bot(SALES);
    let body = json!({"user": {}, "availability": "require", "botSessionId": "s-1"});
    let live = world.api.post("/v1/handovers", &body).await.ok(201);
    let of_sales = sales.post("/v1/handovers", &body).await.ok(201);
    schedule(&world, json!("closed")).await;
    let exists = world.api.post("/v1/handovers", &body).await.ok(409);
    assert_eq!(
        (&exists["code"], &exists["handoverId"]),
        (&json!("handover-exists"), &live["id"])
    );
    assert_eq!(sales.post("/v1/handovers", &body).await.ok(200)["id"], of_sales["id"]);
    let other = json!({"user": {}, "availability": "require", "botSessionId": "s-2"});
    assert_eq!(
        world.api.post("/v1/handovers", &other).await.ok(409)["code"],
        "agents-unavailable"
    );
    world.api.create(json!({"availability": "ignore"})).await;
    world.api.create(json!({})).await;
    let wrong = json!({"user": {}, "availability": "demand"});
    assert_eq!(
        world.api.post("/v1/handovers", &wrong).await.ok(422)["errors"][0]["pointer"],
        "/availability"
    );
    world.finish().await;
}

#[tokio::test]
async fn what_is_not_known_counts_as_the_operator_says() {
    for (when_unknown, status) in [("unknown", 201), ("yes", 201), ("no", 409)] {
        let world = world_with("none", "cc_v1", |config| {
            config.set("tenants.acme.statistics.when_unknown", when_unknown);
        })
        .await;
        world
            .eight
            .fault(json!({"on": "api", "operation": "stats", "status": 503, "times": 1000}))
            .await;
        let answer = ask(&world).await;
        assert_eq!(verdicts(&answer), [when_unknown, "unknown", "unknown"]);
        let body = json!({"user": {}, "availability": "require"});
        world.api.post("/v1/handovers", &body).await.ok(status);
        world.finish().await;
    }
}

#[tokio::test]
async fn those_who_wait_are_told_how_long_it_takes_until_somebody_comes() {
    let world = world_with("none", "analytics_v5", |config| {
        config.set("tenants.acme.statistics.update_interval", "1s");
        config.set("tenants.acme.queues.101.name", "Support");
    })
    .await;
    agents(&world, json!({"busy": 1, "waiting": 2, "averageWaitSeconds": 40.0})).await;
    let (first, conversation) = world.api.open(json!({"metadata": {"n": 1}})).await;
    let (second, _) = world.api.open(json!({})).await;
    let told = world.bots.callback("the first figures", |callback| {
        callback.kind() == "handover.queue_updated" && callback.handover() == first
    });
    let told = told.await;
    let queue = json!({"id": "101", "name": "Support", "waiting": 2, "estimatedWaitSeconds": 40});
    assert_eq!(told.data()["queue"], queue);
    assert!(told.is_ephemeral());
    assert_eq!(
        (&told.data()["state"], &told.data()["metadata"]),
        (&json!("queued"), &json!({"n": 1}))
    );
    let to_second = |callback: &Callback| callback.kind() == "handover.queue_updated" && callback.handover() == second;
    world.bots.callback("the other's first figures", to_second).await;
    // Nothing new: 8x8 is asked once for both, and nobody is told again.
    let asked = world.eight.calls("analytics-queue").await.len();
    let updates = |handover: &str| {
        let all = world.bots.attempts(handover);
        all.iter()
            .filter(|callback| callback.kind() == "handover.queue_updated")
            .count()
    };
    world.eight.calls_made("analytics-queue", asked + 2).await;
    assert_eq!((updates(&first), updates(&second)), (1, 1));
    agents(&world, json!({"busy": 1, "waiting": 1, "averageWaitSeconds": 40.0})).await;
    eventually("the new figures", async || {
        (updates(&first) == 2 && updates(&second) == 2).then_some(())
    })
    .await;
    // The log does not have them.
    let kinds: Vec<Value> = world
        .api
        .events(&first)
        .await
        .iter()
        .map(|event| event["type"].clone())
        .collect();
    assert!(!kinds.contains(&json!("handover.queue_updated")), "{kinds:?}");
    // One is served, the other waits on.
    world.eight.join(&conversation).await;
    world.bots.event(&first, "agent.joined").await;
    agents(&world, json!({"busy": 1, "waiting": 0})).await;
    eventually("the second is told on", async || (updates(&second) == 3).then_some(())).await;
    assert_eq!(updates(&first), 2);
    // Nobody waits: nobody asks.
    world.api.end(&second).await;
    let quiet = within(Duration::from_secs(10), async || {
        let before = world.eight.calls("analytics-queue").await.len();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        (world.eight.calls("analytics-queue").await.len() == before).then_some(before)
    });
    let before = quiet.await.unwrap();
    always("8x8 is left alone", Duration::from_millis(1500), async || {
        world.eight.calls("analytics-queue").await.len() == before
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn the_analytics_tell_what_agents_are_called() {
    let world = world_with("none", "analytics_v5", |config| {
        config.set("bots.sales.agent_names", "first");
    })
    .await;
    world.eight.calls_made("analytics-agents", 1).await;
    let name = async |api: &Client| {
        let (id, conversation) = api.open(json!({})).await;
        world.eight.join(&conversation).await;
        world.eight.say(&conversation, "Hello").await;
        let message = world.bots.event(&id, "message.created").await;
        let joined = world.bots.event(&id, "agent.joined").await;
        assert_eq!(
            joined.data()["agent"]["name"],
            message.data()["message"]["sender"]["name"]
        );
        joined.data()["agent"].clone()
    };
    eventually("the names are known", async || {
        (name(&world.api).await == json!({"id": "agent-1", "name": "Ada Agent"})).then_some(())
    })
    .await;
    // A bot that may see first names only sees no more of these.
    assert_eq!(
        name(&world.api.of_bot(SALES)).await,
        json!({"id": "agent-1", "name": "Ada"})
    );
    world.finish().await;
}

#[tokio::test]
async fn agents_stay_nameless_where_nobody_tells_their_names() {
    let world = world_with("none", "analytics_v5", |_| ()).await;
    world.eight.calls_made("analytics-agents", 1).await;
    let (id, conversation) = world.api.open(json!({})).await;
    let stranger = json!({"do": "join", "agentId": "agent-9", "agentName": "Nobody Known"});
    world.eight.agent(&conversation, stranger).await;
    let joined = world.bots.event(&id, "agent.joined").await;
    assert_eq!(joined.data()["agent"], json!({"id": "agent-9"}));
    world.finish().await;
}
