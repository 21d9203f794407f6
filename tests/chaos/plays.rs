//! The handovers that are played: each kind takes another way through the states.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use futures_util::future::join_all;
use http::Method;
use rand::RngExt as _;
use serde_json::Value;
use serde_json::json;

use crate::secrets::WORD;
use crate::traffic::Ask;
use crate::traffic::Player;
use crate::traffic::Shared;

/// The channel in which customers begin.
pub(crate) const WHATSAPP: &str = "chaos-whatsapp";

/// One handover from its beginning to its end, if it gets there.
pub(crate) async fn play(player: &mut Player, number: usize) {
    let ended_well = match number % 6 {
        0 => plain(player).await,
        1 => reopened(player).await,
        2 => handed_back(player).await,
        3 => rerouted(player).await,
        4 => begun_there(player).await,
        _ => timed_out(player).await,
    };
    if ended_well.is_none() {
        // Somebody gave up or was refused: the next one may do better, and not at once.
        player.pause(20..60).await;
    }
}

async fn plain(player: &mut Player) -> Option<()> {
    let (id, conversation) = create(player, json!({})).await?;
    talk(player, &id, &conversation, 3).await?;
    if player.random.random_bool(0.4) {
        let act = json!({"do": "transfer", "queueId": "102"});
        player.shared.control.agent(&conversation, act).await;
        talk(player, &id, &conversation, 2).await?;
    }
    end(player, &id, &conversation).await
}

async fn reopened(player: &mut Player) -> Option<()> {
    let (id, conversation) = create(player, json!({})).await?;
    talk(player, &id, &conversation, 1).await?;
    player.shared.control.agent(&conversation, json!({"do": "end"})).await;
    ended(player, &id).await?;
    let ask = Ask {
        kind: "reopen",
        method: Method::POST,
        path: format!("/v1/handovers/{id}/reopen"),
        handover: "",
        body: Box::new(|text| json!({"text": text})),
    };
    let again = player.ask(ask).await?;
    let id = again["id"].as_str()?.to_owned();
    talk(player, &id, &conversation, 1).await?;
    end(player, &id, &conversation).await
}

async fn handed_back(player: &mut Player) -> Option<()> {
    let (id, conversation) = create(player, json!({})).await?;
    talk(player, &id, &conversation, 1).await?;
    change(player, "hand-back", &id, json!({})).await?;
    player.shared.control.agent(&conversation, json!({"do": "end"})).await;
    state(player, &id, "bot").await?;
    say(player, &id).await?;
    change(player, "end", &id, json!({})).await
}

async fn rerouted(player: &mut Player) -> Option<()> {
    let (id, conversation) = create(player, json!({})).await?;
    let ask = Ask {
        kind: "update",
        method: Method::PATCH,
        path: format!("/v1/handovers/{id}"),
        handover: &id,
        body: Box::new(|_text| json!({"queueId": "102", "user": {"company": "Acme"}})),
    };
    player.ask(ask).await?;
    talk(player, &id, &conversation, 1).await?;
    end(player, &id, &conversation).await
}

/// A customer begins in a channel of 8x8's that `support` leads.
async fn begun_there(player: &mut Player) -> Option<()> {
    if player.bot != "support" {
        return plain(player).await;
    }
    let number: u64 = player.random.random();
    let text = format!("{WORD} there {number}");
    let open = json!({"channelId": WHATSAPP, "text": text});
    let opened = player.shared.control.post("/conversations", &open).await?;
    let conversation = opened["conversationId"].as_str()?.to_owned();
    let path = format!("/v1/handovers?conversationId={conversation}");
    let id = found(player, &path, |list| Some(list["data"][0]["id"].as_str()?.to_owned())).await?;
    say(player, &id).await?;
    let ask = Ask {
        kind: "update",
        method: Method::PATCH,
        path: format!("/v1/handovers/{id}"),
        handover: &id,
        body: Box::new(|_text| json!({"queueId": "102"})),
    };
    player.ask(ask).await?;
    talk(player, &id, &conversation, 1).await?;
    change(player, "end", &id, json!({})).await
}

async fn timed_out(player: &mut Player) -> Option<()> {
    let (id, _conversation) = create(player, json!({"timers": {"queue": "1s"}})).await?;
    ended(player, &id).await
}

/// Handovers with an agent in each, opened several at a time; their conversations.
pub(crate) async fn open_many(shared: &Arc<Shared>, count: usize) -> Vec<String> {
    let mut opened = Vec::new();
    while opened.len() < count {
        let some = (opened.len()..count).take(16).map(|number| async move {
            let mut player = Player::new(shared, number as u64);
            let (_id, conversation) = create(&mut player, json!({})).await.unwrap();
            let control = &player.shared.control;
            control.agent(&conversation, json!({"do": "join"})).await;
            conversation
        });
        opened.extend(join_all(some).await);
    }
    opened
}

/// The agents of all of them say so much at once.
pub(crate) async fn all_say(shared: &Arc<Shared>, conversations: &[String], times: usize) {
    for time in 0..times {
        let each = conversations.iter().map(|conversation| async move {
            let text = format!("{WORD} there {time} in {conversation}");
            shared
                .control
                .agent(conversation, json!({"do": "say", "text": text}))
                .await;
        });
        join_all(each).await;
    }
}

async fn create(player: &mut Player, fields: Value) -> Option<(String, String)> {
    let ask = Ask {
        kind: "create",
        method: Method::POST,
        path: "/v1/handovers".to_owned(),
        handover: "",
        body: Box::new(move |text| {
            let mut body = fields.clone();
            body["user"] = json!({"name": text});
            body
        }),
    };
    let handover = player.ask(ask).await?;
    let text = |field: &str| handover[field].as_str().map(str::to_owned);
    Some((text("id")?, text("conversationId")?))
}

/// An agent comes, and both sides say something so often.
async fn talk(player: &mut Player, id: &str, conversation: &str, times: usize) -> Option<()> {
    let control = player.shared.control.clone();
    control.agent(conversation, json!({"do": "join"})).await;
    for _ in 0..times {
        let number: u64 = player.random.random();
        control.agent(conversation, json!({"do": "type"})).await;
        let text = format!("{WORD} there {number}");
        control.agent(conversation, json!({"do": "say", "text": text})).await;
        say(player, id).await?;
        player.pause(5..40).await;
    }
    Some(())
}

async fn say(player: &mut Player, id: &str) -> Option<()> {
    let ask = Ask {
        kind: "message",
        method: Method::POST,
        path: format!("/v1/handovers/{id}/messages"),
        handover: id,
        body: Box::new(|text| json!({"text": text})),
    };
    player.ask(ask).await.map(|_said| ())
}

async fn change(player: &mut Player, kind: &'static str, id: &str, body: Value) -> Option<()> {
    let ask = Ask {
        kind,
        method: Method::POST,
        path: format!("/v1/handovers/{id}/{kind}"),
        handover: id,
        body: Box::new(move |_text| body.clone()),
    };
    player.ask(ask).await.map(|_changed| ())
}

/// By the bot or by the agent.
async fn end(player: &mut Player, id: &str, conversation: &str) -> Option<()> {
    if player.random.random_bool(0.5) {
        return change(player, "end", id, json!({})).await;
    }
    player.shared.control.agent(conversation, json!({"do": "end"})).await;
    ended(player, id).await
}

async fn ended(player: &Player, id: &str) -> Option<()> {
    state(player, id, "ended").await
}

async fn state(player: &Player, id: &str, wanted: &str) -> Option<()> {
    let path = format!("/v1/handovers/{id}");
    found(player, &path, |handover| (handover["state"] == wanted).then_some(())).await
}

/// Looks until it is there; a while, since whoever is to bring it may have died.
async fn found<T>(player: &Player, path: &str, look: impl Fn(&Value) -> Option<T>) -> Option<T> {
    let until = Instant::now() + Duration::from_secs(12);
    while Instant::now() < until && !player.is_over() {
        let shown = player.shared.call(player.bot, Method::GET, path).await;
        if let Some(found) = shown.and_then(|shown| look(&shown)) {
            return Some(found);
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    None
}
