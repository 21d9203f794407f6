//! Each state with each call a bot can make, over HTTP: the table of the contract, cell by cell.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use serde_json::json;

use handover_gateway::domain::State;

use crate::support::calls::Body;
use crate::support::calls::Call;
use crate::support::calls::assert_all;
use crate::support::calls::documented;
use crate::support::wait::eventually;
use crate::support::world::World;

/// Taken, with this status.
const fn ok(status: u16) -> Cell {
    (status, None)
}

const NOT_ACTIVE: Cell = (409, Some("handover-not-active"));
const ENDED: Cell = (409, Some("handover-ended"));
/// 8x8 has no conversation, and so no file of it.
const NO_FILE: Cell = (404, Some("not-found"));

/// Nothing is erased of what goes on.
const OVER: [Cell; State::ALL.len()] = [
    NOT_ACTIVE,
    NOT_ACTIVE,
    NOT_ACTIVE,
    NOT_ACTIVE,
    NOT_ACTIVE,
    ok(204),
    ok(204),
];

/// A status, and the code of the problem.
type Cell = (u16, Option<&'static str>);

/// One call, and its answer in each of `State::ALL`. A state more, and no row is complete.
type Row = (Call, [Cell; State::ALL.len()]);

/// In an order in which each leaves the handover where the next expects it: what moves it comes last.
fn table() -> Vec<Row> {
    // creating, queued, active, transferring, bot, ended, failed
    let live = |status| [NOT_ACTIVE, ok(status), ok(status), ok(status), ok(status), ENDED, ENDED];
    // What is read is read in every state.
    let read = [ok(200); State::ALL.len()];
    let on = |call: &'static str| Call::post(call, json!({}));
    vec![
        (
            Call::post("/v1/handovers/{id}/messages", json!({"text": "Hi"})),
            live(202),
        ),
        (on("/v1/handovers/{id}/typing"), live(204)),
        (on("/v1/handovers/{id}/thinking"), live(204)),
        (on("/v1/handovers/{id}/read-receipt"), live(204)),
        (Call::upload("a file"), live(201)),
        (
            Call::get("/v1/handovers/{id}/attachments/{attachmentId}"),
            [NO_FILE, ok(200), ok(200), ok(200), ok(200), ok(200), NO_FILE],
        ),
        (Call::get("/v1/handovers/{id}"), read),
        (Call::get("/v1/handovers/{id}/events"), read),
        (Call::get("/v1/handovers/{id}/transcript"), read),
        (Call::get("/v1/handovers/{id}/timeline"), read),
        (
            on("/v1/handovers/{id}/hand-back"),
            [NOT_ACTIVE, ok(201), ok(201), ok(201), NOT_ACTIVE, ENDED, ENDED],
        ),
        (
            Call::patch(json!({"user": {"name": "Jim"}})),
            [ok(202), ok(202), ok(202), ok(202), ok(202), ENDED, ENDED],
        ),
        (
            Call::patch(json!({"queueId": "102"})),
            [NOT_ACTIVE, ok(202), NOT_ACTIVE, NOT_ACTIVE, ok(202), ENDED, ENDED],
        ),
        (Call::delete("/v1/handovers/{id}/content"), OVER),
        (
            Call::post("/v1/handovers/{id}/reopen", json!({"text": "Hi again"})),
            [
                NOT_ACTIVE,
                NOT_ACTIVE,
                NOT_ACTIVE,
                NOT_ACTIVE,
                NOT_ACTIVE,
                ok(201),
                ENDED,
            ],
        ),
        (
            on("/v1/handovers/{id}/end"),
            [ok(202), ok(202), ok(202), ok(202), ok(202), ENDED, ENDED],
        ),
    ]
}

#[tokio::test]
async fn every_state_answers_every_call_as_the_table_says() {
    let mut world = World::with(|setup| {
        setup.config.set("tenants.acme.transfer_grace", "1h");
        // Calls to a conversation that is not there yet are not waited for.
        setup.config.set("tenants.acme.send_wait", "100ms");
        setup.config.set("bots.support.inbound_channels", json!([CHANNEL]));
        setup.options.hang_limit = Duration::from_secs(20);
    })
    .await;
    // The create 8x8 does not answer.
    world.tolerate("upstream-timeout");
    world.eight.add_channel(json!({"id": CHANNEL, "type": "WebChat"})).await;
    let calls: Vec<_> = table().into_iter().map(|(call, _)| call).collect();
    assert_all(&documented(&world.api, "/v1/handovers/{id}").await, &calls);
    let mut wrong = Vec::new();
    // `creating` last: while 8x8 owes the answer to a create, what begins at 8x8 may be that create's.
    for (column, state) in State::ALL.into_iter().enumerate().rev() {
        let (id, file) = in_state(&world, state).await;
        for (call, cells) in table() {
            let reply = call.of(&world.api, &id, &file).send().await;
            let code = (reply.status >= 400).then(|| reply.json()["code"].as_str().unwrap().to_owned());
            let (status, expected) = cells[column];
            if (reply.status, code.as_deref()) != (status, expected) {
                let body = match call.body {
                    Body::Json(body) => body,
                    Body::Nothing | Body::File(_) => Value::Null,
                };
                wrong.push(format!("{} x {} {body}: {reply}", state.as_str(), call.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.finish().await;
}

/// Conversations that begin here begin with the bot.
const CHANNEL: &str = "web-1";

/// A handover that stands there, and a file of it. A state more, and this does not compile until there is a way to it.
async fn in_state(world: &World, state: State) -> (String, String) {
    let nothing = || "none".to_owned();
    let (id, file) = match state {
        State::Creating => (creating(world).await, nothing()),
        State::Queued => {
            let (id, _) = world.api.open(json!({})).await;
            with_file(world, id).await
        }
        State::Active => with_file(world, active(world).await.0).await,
        State::Transferring => {
            let (id, conversation) = active(world).await;
            world.eight.agent(&conversation, json!({"do": "leave"})).await;
            world.bots.event(&id, "agent.left").await;
            with_file(world, id).await
        }
        State::Bot => with_file(world, led_by_the_bot(world).await).await,
        State::Ended => {
            let (id, _) = world.api.open(json!({})).await;
            let (id, file) = with_file(world, id).await;
            world.api.end(&id).await;
            (id, file)
        }
        State::Failed => {
            let unknown = json!({"user": {}, "queueId": "999"});
            let refused = world.api.post("/v1/handovers", &unknown).await.ok(422);
            (refused["handoverId"].as_str().unwrap().to_owned(), nothing())
        }
    };
    assert_eq!(world.api.handover(&id).await["state"], state.as_str());
    (id, file)
}

async fn with_file(world: &World, id: String) -> (String, String) {
    let sent = world.api.upload_file(&id, "b.txt", b"another").send().await.ok(201);
    (id, sent["id"].as_str().unwrap().to_owned())
}

async fn active(world: &World) -> (String, String) {
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.bots.event(&id, "agent.joined").await;
    (id, conversation)
}

/// 8x8 does not answer while this test looks.
async fn creating(world: &World) -> String {
    world
        .eight
        .fault(json!({"on": "api", "operation": "create", "hang": "before"}))
        .await;
    let create = world.api.call(Method::POST, "/v1/handovers").json(&json!({"user": {}}));
    let shown = eventually("a handover is being created", async || {
        let list = world.api.get("/v1/handovers?state=creating").await.ok(200);
        Some(list["data"][0]["id"].as_str()?.to_owned())
    });
    // Whoever asked for it hangs up then.
    tokio::select! {
        answer = create.try_send() => panic!("8x8 answers: {}", answer.unwrap()),
        id = shown => id,
    }
}

/// A customer writes first, on a channel of 8x8's own.
async fn led_by_the_bot(world: &World) -> String {
    let open = json!({"channelId": CHANNEL, "text": "Hello"});
    let conversation = world.eight.customer(open).await;
    let path = format!("/v1/handovers?conversationId={conversation}");
    let id = eventually("a handover on the conversation", async || {
        let list = world.api.get(&path).await.ok(200);
        list["data"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    world.bots.told(&id, &["conversation.started", "message.created"]).await;
    id
}
