//! The store is gone, and 8x8 still has the conversations: they go on under the ids of their handovers.

use serde_json::Value;
use serde_json::json;

use crate::support::gateway::output;
use crate::support::wait::eventually;
use crate::support::world::World;

async fn recover(world: &World, more: &[&str]) -> (Option<i32>, Value) {
    let config = world.gateway.write_config();
    let mut arguments = vec!["recover", "--from-8x8", "--json", "--config", config.to_str().unwrap()];
    arguments.extend(more);
    let output = output(&arguments).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// Which handovers were found, and what became of them.
fn outcomes(told: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let lines = told["tenants"][0]["handovers"].as_array().unwrap();
    let line = |line: &Value| (text(&line["handoverId"]), text(&line["outcome"]));
    lines.iter().map(line).collect()
}

fn all(ids: [&str; 2], outcome: &str) -> Vec<(String, String)> {
    ids.map(|id| (id.to_owned(), outcome.to_owned())).to_vec()
}

/// One that an agent serves, one that waits, and 8x8's conversation of the first; a third is over.
async fn three(world: &World) -> (String, String, String) {
    let user = json!({"user": {"name": "James", "email": "james@example.com"}});
    let (served, conversation) = world.api.open(user).await;
    let (waiting, _) = world.api.open(json!({})).await;
    let (over, _) = world.api.open(json!({})).await;
    world.api.end(&over).await;
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "Hello").await;
    world.bots.event(&served, "message.created").await;
    world.api.say(&served, "Good morning").await;
    world.eight.calls_made("leave", 1).await;
    world.eight.all_acknowledged().await;
    (served, waiting, conversation)
}

fn lose_the_store(world: &World) {
    for ending in ["", "-wal", "-shm", ".lock"] {
        let file = format!("{}{ending}", world.gateway.store().display());
        drop(std::fs::remove_file(file));
    }
    assert!(!world.gateway.store().exists());
}

#[tokio::test]
async fn recovering_shows_first_what_it_would_do_and_does_it_once() {
    let mut world = World::start().await;
    let (served, waiting, _) = three(&world).await;
    let held = recover(&world, &["--bot", "support", "--apply"]).await;
    assert_eq!(held, (Some(1), Value::Null), "a gateway has the store");
    world.gateway.kill();
    lose_the_store(&world);
    // Two bots share the channel: which of them it was, is told.
    let (code, told) = recover(&world, &[]).await;
    assert_eq!(
        (code, outcomes(&told)),
        (Some(1), all([&waiting, &served], "unknown-bot"))
    );
    let (code, told) = recover(&world, &["--bot", "support"]).await;
    assert_eq!(
        (code, outcomes(&told)),
        (Some(0), all([&waiting, &served], "would-recover"))
    );
    assert!(!world.gateway.store().exists(), "nothing is changed without --apply");
    assert!(told["lost"].to_string().contains("callbackUrl"));
    for outcome in ["recovered", "known"] {
        let (code, told) = recover(&world, &["--bot", "support", "--tenant", "acme", "--apply"]).await;
        assert_eq!((code, outcomes(&told)), (Some(0), all([&waiting, &served], outcome)));
    }
    for wrong in [["--tenant", "nobody"], ["--bot", "nobody"]] {
        assert_eq!(recover(&world, &wrong).await.0, Some(2), "{wrong:?}");
    }
    world.gateway.run_again().await;
    world.finish().await;
}

#[tokio::test]
async fn after_the_store_was_lost_conversations_go_on_under_their_old_ids() {
    let mut world = World::start().await;
    let (served, waiting, conversation) = three(&world).await;
    world.gateway.kill();
    lose_the_store(&world);
    let (code, told) = recover(&world, &["--bot", "support", "--apply"]).await;
    assert_eq!(code, Some(0), "{told:#}");
    let before = world.bots.callbacks().len();
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    let shown = world.api.handover(&served).await;
    assert_eq!(
        (&shown["state"], &shown["control"]),
        (&json!("active"), &json!("agent"))
    );
    let known = (&shown["agents"][0]["id"], &shown["user"]["email"]);
    assert_eq!(known, (&json!("agent-1"), &json!("james@example.com")));
    assert_eq!(world.api.handover(&waiting).await["state"], "queued");
    world.eight.say(&conversation, "Still there?").await;
    let told = eventually("the bot is told", async || {
        let new: Vec<_> = world.bots.callbacks().split_off(before);
        let of_it = new
            .into_iter()
            .filter(|event| event.handover() == served && event.answered.is_some());
        let told: Vec<_> = of_it
            .map(|event| (event.kind().to_owned(), event.text().to_owned()))
            .collect();
        (told.len() >= 3).then_some(told)
    })
    .await;
    let kinds = [
        ("handover.accepted", ""),
        ("agent.joined", ""),
        ("message.created", "Still there?"),
    ];
    let expected = kinds.map(|(kind, text)| (kind.to_owned(), text.to_owned()));
    assert_eq!(told, expected, "and nothing that it knew before");
    world.api.say(&served, "Yes").await;
    let said = world
        .api
        .get(&format!("/v1/handovers/{served}/transcript"))
        .await
        .ok(200);
    let said: Vec<_> = said["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["text"].as_str().unwrap())
        .collect();
    assert_eq!(
        said,
        ["Hello", "Good morning", "Still there?", "Yes"],
        "8x8 tells what was said before"
    );
    world.eight.end(&conversation).await;
    eventually("it ends", async || {
        (world.api.handover(&served).await["state"] == "ended").then_some(())
    })
    .await;
    world.finish().await;
}
