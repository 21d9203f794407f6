//! Several accounts, tenants and bots in one process, fully apart.

use serde_json::Value;
use serde_json::json;

use handover_gateway::sandbox::Options;

use crate::support::client::Client;
use crate::support::config::SUPPORT;
use crate::support::eightx8::EightX8;
use crate::support::wait::eventually;
use crate::support::world::World;

const GLOBEX: &str = "globex_bot";
const BRAND: &str = "brand_bot";

/// The second account.
async fn globex() -> EightX8 {
    EightX8::start(Options {
        tenant_id: "globex-tenant".to_owned(),
        customer_id: "globex-customer".to_owned(),
        api_key: "eght_globex".to_owned(),
        channel_id: "globex-channel".to_owned(),
        queues: vec![("201".to_owned(), "Sales".to_owned())],
        retry_schedule: vec![std::time::Duration::from_millis(100); 3000],
        ..Options::default()
    })
    .await
}

/// Beside the usual: an account of its own with a bot, and a second tenant on the first account with another.
async fn three_tenants(globex: &EightX8) -> World {
    let url = globex.url();
    let world = World::with(|setup| {
        let config = &mut setup.config;
        let bots = setup_bots(config);
        config
            .tenant("globex", &url)
            .set("tenants.globex.tenant_id", "globex-tenant")
            .set("tenants.globex.api_key", "eght_globex")
            .set("tenants.globex.channel_id", "globex-channel")
            .set("tenants.globex.queue_id", "201")
            .bot(GLOBEX, &bots)
            .set("bots.globex_bot.tenant", "globex")
            .tenant("brand", crate::support::world::EIGHT)
            .set("tenants.brand.queue_id", "102")
            .bot(BRAND, &bots)
            .set("bots.brand_bot.tenant", "brand");
    })
    .await;
    let webhook = format!("{}/webhooks/8x8/globex", world.gateway.public());
    globex.point_at(&webhook).await;
    world
}

/// Where the bots of a configuration are called.
fn setup_bots(config: &crate::support::config::Config) -> String {
    let text = config.text();
    let line = text
        .lines()
        .find(|line| line.starts_with("bots.support.callback_url"))
        .unwrap();
    let url = line.split('"').nth(1).unwrap();
    url.strip_suffix("/support").unwrap().to_owned()
}

/// Everything a bot can ask of a handover.
const READS: [&str; 4] = ["", "/events", "/transcript", "/timeline"];
const POSTS: [&str; 5] = ["/messages", "/typing", "/thinking", "/read-receipt", "/end"];

async fn cannot_see(client: &Client, id: &str) {
    for read in READS {
        let refused = client.get(&format!("/v1/handovers/{id}{read}")).await.ok(404);
        assert_eq!(refused["code"], "not-found", "{read}");
    }
    for post in POSTS {
        let body = if post == "/messages" {
            json!({"text": "x"})
        } else {
            json!({})
        };
        let refused = client.post(&format!("/v1/handovers/{id}{post}"), &body).await.ok(404);
        assert_eq!(refused["code"], "not-found", "{post}");
    }
    let patch = json!({"user": {"name": "Eve"}});
    client.patch(&format!("/v1/handovers/{id}"), &patch).await.ok(404);
}

/// Ids of the handovers a bot can list, and those its events are of.
async fn sees(client: &Client) -> (Vec<String>, Vec<String>) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = client.get("/v1/handovers").await.ok(200);
    let ids = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| text(&one["id"]))
        .collect();
    let log = client.get("/v1/events").await.ok(200);
    let of = |event: &Value| text(&event["data"]["handoverId"]);
    let mut told: Vec<_> = log["data"].as_array().unwrap().iter().map(of).collect();
    told.dedup();
    (ids, told)
}

async fn served(world: &World, eight: &EightX8, bot: &str, words: &str) -> (String, String) {
    let (id, conversation) = world.api.of_bot(bot).open(json!({"botSessionId": "the-same"})).await;
    eight.join(&conversation).await;
    eight.say(&conversation, words).await;
    let said = world.bots.event(&id, "message.created").await;
    assert_eq!((said.text(), said.bot.as_str()), (words, bot));
    (id, conversation)
}

#[tokio::test]
async fn three_tenants_on_two_accounts_see_nothing_of_each_other() {
    let globex = globex().await;
    let world = three_tenants(&globex).await;
    let (acme, _) = served(&world, &world.eight, SUPPORT, "words for acme").await;
    let (other, theirs) = served(&world, &globex, GLOBEX, "words for globex").await;
    let (brand, _) = served(&world, &world.eight, BRAND, "words for the brand").await;
    // Each asked its own account, with its own key, channel and queue; the account takes no other key.
    let asked = |call: &Value| {
        (
            call["body"]["channelId"].clone(),
            call["body"]["assignment"]["id"].clone(),
        )
    };
    let ours: Vec<_> = world.eight.calls("create").await.iter().map(asked).collect();
    assert_eq!(
        ours,
        [
            (json!("sandbox-channel"), json!("101")),
            (json!("sandbox-channel"), json!("102"))
        ]
    );
    let there: Vec<_> = globex.calls("create").await.iter().map(asked).collect();
    assert_eq!(there, [(json!("globex-channel"), json!("201"))]);
    let all = [
        (SUPPORT, &acme, "acme"),
        (GLOBEX, &other, "globex"),
        (BRAND, &brand, "brand"),
    ];
    for (bot, own, tenant) in all {
        let client = world.api.of_bot(bot);
        assert_eq!(client.handover(own).await["tenant"], tenant);
        assert_eq!(sees(&client).await, (vec![own.clone()], vec![own.clone()]), "{bot}");
        for (_, id, _) in all.iter().filter(|(_, id, _)| *id != own) {
            cannot_see(&client, id).await;
        }
        let transcript = client.get(&format!("/v1/handovers/{own}/transcript")).await.ok(200);
        let words: Vec<_> = transcript["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["text"])
            .collect();
        assert_eq!(words.len(), 1, "{words:?}");
    }
    // What a bot says goes to its own account.
    world.api.of_bot(GLOBEX).say(&other, "to globex").await;
    assert_eq!(globex.texts(&theirs).await, ["to globex"]);
    assert!(world.eight.calls("message").await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn accounts_may_have_the_same_ids() {
    let globex = globex().await;
    let world = three_tenants(&globex).await;
    let (acme, conversation) = served(&world, &world.eight, SUPPORT, "ours").await;
    let message = |text: &str| {
        json!({"eventId": "the-same-event", "wait": true, "body": {"eventType": "MESSAGE",
            "data": {"isEcho": false, "text": text, "sender": {"id": "agent-1", "type": "agent"}}}})
    };
    // Another account's event about a conversation of the same id, under an event id that acme's will have too.
    let theirs = globex.event(&conversation, message("theirs")).await;
    assert_eq!(theirs["status"], 204);
    let ours = world.eight.event(&conversation, message("ours too")).await;
    assert_eq!(ours["status"], 204);
    eventually("acme's own event is told", async || {
        let events = world.bots.events(&acme);
        events.iter().any(|event| event.text() == "ours too").then_some(())
    })
    .await;
    let transcript = world.api.get(&format!("/v1/handovers/{acme}/transcript")).await.ok(200);
    assert!(!transcript.to_string().contains("theirs"), "{transcript:#}");
    assert!(
        world
            .bots
            .callbacks()
            .iter()
            .all(|callback| callback.text() != "theirs")
    );
    // One account's signature proves nothing on another's path.
    let wrong = format!("{}/webhooks/8x8/acme", world.gateway.public());
    globex.point_at(&wrong).await;
    let refused = globex.event(&conversation, message("forged")).await;
    assert_eq!(refused["status"], 401);
    world.finish().await;
}

#[tokio::test]
async fn an_account_that_is_away_does_not_hold_up_another() {
    let globex = globex().await;
    let mut world = three_tenants(&globex).await;
    world.tolerate("upstream");
    globex
        .fault(json!({"on": "api", "operation": "create", "status": 401}))
        .await;
    let other = world.api.of_bot(GLOBEX);
    let refused = other.post("/v1/handovers", &json!({"user": {}})).await.ok(502);
    assert_eq!(refused["code"], "upstream-unauthorized");
    served(&world, &world.eight, SUPPORT, "acme goes on").await;
    served(&world, &globex, GLOBEX, "and globex again").await;
    world.finish().await;
}
