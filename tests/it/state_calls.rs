//! Each state with each call a bot can make, over HTTP: the table of the contract, cell by cell.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use serde_json::json;

use handover_gateway::domain::State;

use crate::support::wait::eventually;
use crate::support::world::World;

/// Taken, with this status.
const fn ok(status: u16) -> Cell {
    (status, None)
}

const NOT_ACTIVE: Cell = (409, Some("handover-not-active"));
const ENDED: Cell = (409, Some("handover-ended"));

/// A status, and the code of the problem.
type Cell = (u16, Option<&'static str>);

/// One call: what it is, and its answer in each of `State::ALL`. A state more, and no row is complete.
type Row = (Method, &'static str, Value, [Cell; State::ALL.len()]);

/// In an order in which each leaves the handover where the next expects it: `end` comes last. A new call is a new row.
fn table() -> Vec<Row> {
    // creating, queued, active, transferring, bot, ended, failed
    let live = |status| [NOT_ACTIVE, ok(status), ok(status), ok(status), ok(status), ENDED, ENDED];
    let (post, patch) = (Method::POST, Method::PATCH);
    vec![
        (post.clone(), "/messages", json!({"text": "Hi"}), live(202)),
        (post.clone(), "/typing", json!({}), live(204)),
        (post.clone(), "/thinking", json!({}), live(204)),
        (post.clone(), "/read-receipt", json!({}), live(204)),
        (
            patch.clone(),
            "",
            json!({"user": {"name": "Jim"}}),
            [ok(202), ok(202), ok(202), ok(202), ok(202), ENDED, ENDED],
        ),
        (
            patch,
            "",
            json!({"queueId": "102"}),
            [NOT_ACTIVE, ok(202), NOT_ACTIVE, NOT_ACTIVE, ok(202), ENDED, ENDED],
        ),
        // What is read is read in every state.
        (Method::GET, "", Value::Null, [ok(200); State::ALL.len()]),
        (Method::GET, "/events", Value::Null, [ok(200); State::ALL.len()]),
        (Method::GET, "/transcript", Value::Null, [ok(200); State::ALL.len()]),
        (Method::GET, "/timeline", Value::Null, [ok(200); State::ALL.len()]),
        (
            post,
            "/end",
            json!({}),
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
        setup.options.hang_limit = Duration::from_secs(20);
    })
    .await;
    world.tolerate("upstream");
    let mut wrong = Vec::new();
    for (column, state) in State::ALL.into_iter().enumerate() {
        let id = in_state(&mut world, state).await;
        for (method, call, body, cells) in table() {
            let path = format!("/v1/handovers/{id}{call}");
            let mut request = world.api.call(method.clone(), &path);
            if method != Method::GET {
                request = request.json(&body);
            }
            let reply = request.send().await;
            let code = (reply.status >= 400).then(|| reply.json()["code"].as_str().unwrap().to_owned());
            let (status, expected) = cells[column];
            if (reply.status, code.as_deref()) != (status, expected) {
                wrong.push(format!("{} x {method} {call} {body}: {reply}", state.as_str()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.finish().await;
}

/// A handover that stands there. A state more, and this does not compile until there is a way to it.
async fn in_state(world: &mut World, state: State) -> String {
    let id = match state {
        State::Creating => creating(world).await,
        State::Queued => world.api.open(json!({})).await.0,
        State::Active => active(world).await.0,
        State::Transferring => {
            let (id, conversation) = active(world).await;
            world.eight.agent(&conversation, json!({"do": "leave"})).await;
            world.bots.event(&id, "agent.left").await;
            id
        }
        State::Bot => led_by_the_bot(world).await,
        State::Ended => {
            let (id, _) = world.api.open(json!({})).await;
            world.api.end(&id).await;
            id
        }
        State::Failed => {
            let unknown = json!({"user": {}, "queueId": "999"});
            let refused = world.api.post("/v1/handovers", &unknown).await.ok(422);
            refused["handoverId"].as_str().unwrap().to_owned()
        }
    };
    assert_eq!(world.api.handover(&id).await["state"], state.as_str());
    id
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

/// Written into the store while the gateway is down: nothing else leads there without a hand-back.
async fn led_by_the_bot(world: &mut World) -> String {
    let (id, _) = world.api.open(json!({})).await;
    world.bots.event(&id, "handover.queued").await;
    assert!(world.gateway.stop().await.success());
    let store = rusqlite::Connection::open(world.gateway.store()).unwrap();
    let changed = store
        .execute(
            "UPDATE handover SET state = 'bot', progress = json_set(progress, '$.state', 'bot') WHERE id = ?1",
            [&id],
        )
        .unwrap();
    assert_eq!(changed, 1);
    drop(store);
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    id
}
