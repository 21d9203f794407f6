//! What the agent is told about the user, and what the bot is told about the agent.

use serde_json::Value;
use serde_json::json;

use crate::support::config::SALES;
use crate::support::config::SUPPORT;
use crate::support::world::World;

const COPILOT: &str = "https://copilot.example.com/?userId={userId}&sessionId={sessionId}&URLToken=t0ken";

async fn world_with_a_copilot() -> World {
    World::with(|setup| {
        setup.config.set("bots.support.copilot_url", COPILOT);
    })
    .await
}

/// The properties of the user in a call to 8x8, by key.
fn properties(call: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = call["body"]["user"]["additionalProperties"].as_array().unwrap();
    list.iter()
        .map(|property| (text(&property["key"]), text(&property["value"])))
        .collect()
}

fn own(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[tokio::test]
async fn the_agent_gets_a_copilot_link_that_changes_keep() {
    let world = world_with_a_copilot().await;
    let user =
        json!({"name": "James", "userId": "u 1&x=ü", "additionalProperties": [{"key": "Intent", "value": "balance"}]});
    let created = world.api.create(json!({"user": user, "botSessionId": "s/1"})).await;
    let id = created["id"].as_str().unwrap();
    assert_eq!(
        created["user"]["additionalProperties"],
        json!([{"key": "Intent", "value": "balance"}]),
        "the bot sees what it gave"
    );
    let link = "https://copilot.example.com/?userId=u%201%26x%3D%C3%BC&sessionId=s%2F1&URLToken=t0ken";
    let expected = [own("Intent", "balance"), own("AI Copilot", link), own("handoverId", id)];
    assert_eq!(properties(&world.eight.calls("create").await[0]), expected);
    let changes = json!({"user": {"additionalProperties": [{"key": "Tier", "value": "gold"}]}});
    world.api.patch(&format!("/v1/handovers/{id}"), &changes).await.ok(202);
    let patched = properties(&world.eight.calls_made("patch", 1).await[0]);
    assert!(
        patched.contains(&own("AI Copilot", link)) && patched.contains(&own("Tier", "gold")),
        "{patched:?}"
    );
    // Nothing known: nothing filled in.
    world.api.create(json!({"user": {}})).await;
    let bare = "https://copilot.example.com/?userId=&sessionId=&URLToken=t0ken";
    assert_eq!(
        properties(&world.eight.calls("create").await[1])[0],
        own("AI Copilot", bare)
    );
    let log = world.finish().await;
    assert!(
        log.lines().iter().all(|line| !line.contains("t0ken")),
        "the link is a secret"
    );
}

#[tokio::test]
async fn a_copilot_link_takes_a_property_and_cannot_be_overwritten() {
    let world = world_with_a_copilot().await;
    let with = |count: usize| {
        let list: Vec<_> = (0..count)
            .map(|n| json!({"key": format!("k{n}"), "value": "v"}))
            .collect();
        json!({"user": {"additionalProperties": list}})
    };
    let full = world.api.create(with(28)).await;
    assert_eq!(properties(&world.eight.calls("create").await[0]).len(), 30);
    let id = full["id"].as_str().unwrap();
    let link = json!([{"key": "AI Copilot", "value": "https://evil.example.com"}]);
    for (body, pointer, part) in [
        (with(29), "/user/additionalProperties", "at most 28"),
        (
            json!({"user": {"additionalProperties": link}}),
            "/user/additionalProperties/0/key",
            "set by the gateway",
        ),
        (
            json!({"user": {}, "properties": {"user": {"additionalProperties": link}}}),
            "/properties/user/additionalProperties/0/key",
            "sets this itself",
        ),
    ] {
        let refused = world.api.post("/v1/handovers", &body).await.ok(422);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        assert!(
            refused["errors"][0]["message"].as_str().unwrap().contains(part),
            "{refused}"
        );
    }
    for (body, part) in [
        (
            json!({"user": {"additionalProperties": [{"key": "one more", "value": "v"}]}}),
            "at most 28",
        ),
        (json!({"user": {"additionalProperties": link}}), "set by the gateway"),
    ] {
        let refused = world.api.patch(&format!("/v1/handovers/{id}"), &body).await.ok(422);
        assert!(
            refused["errors"][0]["message"].as_str().unwrap().contains(part),
            "{refused}"
        );
    }
    // Another bot has no link: the name is free.
    let sales = world.api.of_bot(SALES);
    sales.create(json!({"user": {"additionalProperties": link}})).await;
    world.finish().await;
}

#[tokio::test]
async fn properties_are_merged_deep_into_what_8x8_is_sent() {
    let world = World::start().await;
    let fields = json!({
        "user": {"name": "James", "additionalProperties": [{"key": "Intent", "value": "balance"}]},
        "properties": {
            "user": {"phone": "0123", "company": "Acme", "timezoneOffset": -60,
                     "additionalProperties": [{"key": "Tier", "value": "gold"}]},
            "history": {"messages": [{"authorType": "user", "text": "from the properties"}]},
        },
    });
    let created = world.api.create(fields).await;
    let body = &world.eight.calls("create").await[0]["body"];
    assert_eq!(
        body["user"],
        json!({"name": "James", "phone": "0123", "company": "Acme", "timezoneOffset": -60, "additionalProperties": [
            {"key": "Intent", "value": "balance"}, {"key": "handoverId", "value": created["id"]}, {"key": "Tier", "value": "gold"}]})
    );
    assert_eq!(body["channelId"], "sandbox-channel");
    assert_eq!(body["assignment"], json!({"type": "queue", "id": "101"}));
    assert_eq!(body["history"]["messages"][0]["text"], "from the properties");
    world.finish().await;
}

#[tokio::test]
async fn properties_overwrite_nothing_that_the_gateway_sets() {
    let world = World::start().await;
    let base = json!({
        "user": {"name": "James", "email": "j@example.com", "additionalProperties": [{"key": "Intent", "value": "balance"}]},
        "history": {"messages": [{"authorType": "user", "text": "Hi"}]},
    });
    for (properties, pointer) in [
        (json!({"channelId": "other"}), "/properties/channelId"),
        (json!({"user": "Eve"}), "/properties/user"),
        (json!({"user": {"name": "Eve"}}), "/properties/user/name"),
        (json!({"user": {"email": null}}), "/properties/user/email"),
        (json!({"assignment": {"id": "102"}}), "/properties/assignment/id"),
        (json!({"assignment": {"type": "script"}}), "/properties/assignment/type"),
        (json!({"assignment": "102"}), "/properties/assignment"),
        (json!({"history": {"messages": []}}), "/properties/history/messages"),
        (
            json!({"user": {"additionalProperties": [{"key": "a", "value": "b"}, {"key": "handoverId", "value": "ho_1"}]}}),
            "/properties/user/additionalProperties/1/key",
        ),
        (
            json!({"user": {"additionalProperties": [{"key": " Intent ", "value": "b"}]}}),
            "/properties/user/additionalProperties/0/key",
        ),
        (
            json!({"user": {"additionalProperties": {}}}),
            "/properties/user/additionalProperties",
        ),
        (json!([]), "/properties"),
    ] {
        let mut body = base.clone();
        body["properties"] = properties;
        let refused = world.api.post("/v1/handovers", &body).await.ok(422);
        assert_eq!(
            (&refused["code"], &refused["errors"][0]["pointer"]),
            (&json!("invalid-request"), &json!(pointer)),
            "{refused}"
        );
    }
    assert!(world.eight.calls("create").await.is_empty(), "nothing was sent");
    world.finish().await;
}

#[tokio::test]
async fn agents_have_the_names_the_bot_may_see() {
    let world = World::with(|setup| {
        setup.options.webhook_version = "v2.0".to_owned();
        setup.config.set("bots.sales.agent_names", "first");
    })
    .await;
    for (bot, name) in [(SUPPORT, "Cosmin Malutan"), (SALES, "Cosmin")] {
        let api = world.api.of_bot(bot);
        let (id, conversation) = api.open(json!({})).await;
        let cosmin =
            |act: &str| json!({"do": act, "agentId": "cmalutan", "agentName": "Cosmin,Malutan", "text": "Hello"});
        for act in ["join", "say"] {
            world.eight.agent(&conversation, cosmin(act)).await;
        }
        let joined = world.bots.event(&id, "agent.joined").await;
        assert_eq!(joined.data()["agent"], json!({"id": "cmalutan", "name": name}));
        let said = world.bots.event(&id, "message.created").await;
        assert_eq!(
            said.data()["message"]["sender"],
            json!({"type": "agent", "id": "cmalutan", "name": name})
        );
        assert_eq!(
            api.handover(&id).await["agents"],
            json!([{"id": "cmalutan", "name": name}])
        );
        let path = format!("/v1/handovers/{id}/transcript");
        let transcript = api.get(&path).await.ok(200);
        assert_eq!(transcript["data"][0]["author"]["name"], name);
        let text = api
            .call(http::Method::GET, &path)
            .header("accept", "text/plain")
            .send()
            .await
            .text();
        assert!(text.contains(&format!("] {name} (agent): Hello")), "{text}");
        world.eight.agent(&conversation, cosmin("leave")).await;
        let left = world.bots.event(&id, "agent.left").await;
        assert_eq!(left.data()["agent"]["name"], name);
    }
    world.finish().await;
}

#[tokio::test]
async fn an_agent_without_a_name_stays_without_one() {
    let world = World::with(|setup| {
        setup.options.webhook_version = "v2.0".to_owned();
        setup.config.set("bots.support.agent_names", "none");
    })
    .await;
    let (id, conversation) = world.api.open(json!({})).await;
    for act in ["join", "say", "leave"] {
        let act = json!({"do": act, "agentId": "a-7", "agentName": "Cosmin,Malutan", "text": "Hello"});
        world.eight.agent(&conversation, act).await;
    }
    world.bots.event(&id, "agent.left").await;
    let mut seen = serde_json::to_string(&world.api.events(&id).await).unwrap();
    seen += &world.api.handover(&id).await.to_string();
    seen += &world.api.get(&format!("/v1/handovers/{id}/transcript")).await.text();
    assert!(seen.contains("a-7"));
    assert!(!seen.contains("Cosmin") && !seen.contains("Malutan"), "{seen}");
    world.finish().await;
}
