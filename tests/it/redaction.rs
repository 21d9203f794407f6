//! What `redact` fits is taken out of all that is said, before it is stored or passed on.

use handover_gateway::clock::Clock;
use serde_json::Value;
use serde_json::json;

use crate::support::bot::CAPTURE;
use crate::support::wait::eventually;
use crate::support::world::Setup;
use crate::support::world::World;

const CARD: &str = "4111 1111 1111 1111";
const RULES: &str = r#"[{ pattern = '\b(?:\d[ -]?){12,18}\d\b', replace = "[card]" }]"#;

fn with_rules(setup: &mut Setup) {
    setup.config.set_toml("tenants.acme.redact", RULES);
}

fn texts(transcript: &Value) -> Vec<&str> {
    let entries = transcript["data"].as_array().unwrap();
    entries.iter().map(|entry| entry["text"].as_str().unwrap()).collect()
}

fn in_files(world: &World) -> bool {
    let store = world.gateway.store();
    let wal = format!("{}-wal", store.display());
    [store, wal.into()].iter().any(|file| {
        let bytes = std::fs::read(file).unwrap_or_default();
        bytes.windows(CARD.len()).any(|window| window == CARD.as_bytes())
    })
}

#[tokio::test]
async fn a_card_number_reaches_no_file_no_log_no_agent_and_no_bot() {
    let world = World::with(with_rules).await;
    let history = json!({"messages": [{"authorType": "user", "text": format!("old {CARD}")}]});
    let user = json!({"name": "James", "additionalProperties": [{"key": "Summary", "value": CARD}]});
    let (id, conversation) = world.api.open(json!({"history": history, "user": user})).await;
    world.eight.join(&conversation).await;
    world.api.say(&id, &format!("mine is {CARD}, thanks")).await;
    world.eight.say(&conversation, &format!("so {CARD}?")).await;
    let told = world.bots.event(&id, "message.created").await;
    assert_eq!(told.text(), "so [card]?");
    let shown = world.eight.conversation(&conversation).await.to_string();
    assert!(shown.contains("mine is [card], thanks"), "{shown}");
    let creates = world.eight.calls("create").await;
    assert!(
        serde_json::to_string(&creates).unwrap().contains("old [card]"),
        "{creates:?}"
    );
    // 8x8 keeps what its agent said as it was said; it is not told twice.
    let transcript = world.api.get(&format!("/v1/handovers/{id}/transcript")).await.ok(200);
    assert_eq!(
        texts(&transcript),
        ["old [card]", "mine is [card], thanks", "so [card]?"]
    );
    world.api.end(&id).await;
    world.bots.event(&id, "handover.ended").await;
    assert!(!in_files(&world));
    let callbacks = world.bots.callbacks();
    assert!(
        callbacks
            .iter()
            .all(|callback| !String::from_utf8_lossy(&callback.raw).contains(CARD))
    );
    let log = world.finish().await.text();
    assert!(!log.contains(CARD));
}

#[tokio::test]
async fn what_is_read_from_8x8_after_a_restart_is_redacted_and_what_was_told_is_not_told_again() {
    let mut world = World::with(|setup| {
        with_rules(setup);
        setup.options.retry_schedule = Vec::new();
    })
    .await;
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, &format!("so {CARD}?")).await;
    world.bots.event(&id, "message.created").await;
    world.eight.all_acknowledged().await;
    world.gateway.kill();
    world.eight.say(&conversation, &format!("and {CARD}!")).await;
    eventually("8x8 has given up", async || {
        let all = world.eight.all_webhooks().await;
        all.iter().any(|event| event["givenUp"] == true).then_some(())
    })
    .await;
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    let kinds = ["handover.accepted", "handover.queued", "agent.joined"];
    let kinds: Vec<_> = kinds.into_iter().chain(["message.created"; 2]).collect();
    world.bots.told(&id, &kinds).await;
    // Whatever else was read would have been told before this.
    world.eight.say(&conversation, "done").await;
    let kinds: Vec<_> = kinds.into_iter().chain(["message.created"]).collect();
    let events = world.bots.told(&id, &kinds).await;
    let words: Vec<_> = events[3..].iter().map(|event| event.text().to_owned()).collect();
    assert_eq!(words, ["so [card]?", "and [card]!", "done"]);
    assert!(!in_files(&world));
    world.finish().await;
}

#[tokio::test]
async fn a_webhook_is_passed_on_without_the_card_number_and_its_repeat_is_known() {
    let world = World::with(|setup| {
        with_rules(setup);
        let text = setup.config.text();
        let callback_url = text.lines().find(|line| line.starts_with("bots.support.callback_url"));
        let callback_url = callback_url.unwrap().split('"').nth(1).unwrap();
        let captured = callback_url.replace("support", CAPTURE);
        setup
            .config
            .set("bots.support.callback_url", captured)
            .set("bots.support.format", "passthrough");
    })
    .await;
    let (_, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    let now = Clock::system().now().as_millis();
    let said = json!({"eventType": "MESSAGE", "timestamp": now, "data": {"isEcho": false, "text": format!("so {CARD}?"), "cards": [],
        "attachments": [], "sender": {"id": "agent-1", "type": "agent"}}});
    for _ in 0..2 {
        let sent = json!({"body": said, "eventId": "event-1", "wait": true});
        world.eight.event(&conversation, sent).await;
    }
    let passed = async || {
        let mut all = world.bots.captured();
        all.retain(|callback| callback.event["eventType"] == "MESSAGE");
        (!all.is_empty()).then_some(all)
    };
    let passed = eventually("the message is passed on", passed).await;
    assert_eq!(passed.len(), 1);
    assert_eq!(passed[0].event["data"]["text"], "so [card]?");
    assert!(!in_files(&world));
    world.finish().await;
}
