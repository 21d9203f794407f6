//! What a bot is told when it asks for what cannot be: on the wire, as RFC 9457, with the place and the limit.

use http::Method;
use serde_json::Value;
use serde_json::json;

use crate::support::calls::Call;
use crate::support::calls::assert_all;
use crate::support::calls::documented;
use crate::support::calls::every;
use crate::support::client::Reply;
use crate::support::client::with_user;
use crate::support::config::SALES;
use crate::support::world::World;

const NOBODY: &str = "ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00";

/// A whole problem: every member that is always there, and the content type.
fn problem(reply: &Reply, status: u16, code: &str) -> Value {
    let problem = reply.ok(status);
    assert_eq!(
        reply.header("content-type"),
        Some("application/problem+json"),
        "{reply}"
    );
    assert_eq!(problem["code"], code, "{reply}");
    assert_eq!(
        problem["type"],
        format!("urn:handover-gateway:problem:{code}"),
        "{reply}"
    );
    assert_eq!(problem["status"], status, "{reply}");
    let path = reply.line.split_once(' ').unwrap().1.split('?').next().unwrap();
    assert_eq!(problem["instance"], path, "{reply}");
    for text in ["title", "detail"] {
        assert!(problem[text].as_str().is_some_and(|text| text.len() > 10), "{reply}");
    }
    assert!(reply.header("x-request-id").is_some(), "{reply}");
    problem
}

/// One fault at this place, in words that say this.
fn one_fault(reply: &Reply, pointer: &str, words: &str) {
    let problem = problem(reply, 422, "invalid-request");
    let errors = problem["errors"].as_array().unwrap();
    assert_eq!((errors.len(), &errors[0]["pointer"]), (1, &json!(pointer)), "{reply}");
    let message = errors[0]["message"].as_str().unwrap();
    assert!(message.contains(words), "`{message}` does not say `{words}`");
    assert!(problem["detail"].as_str().unwrap().contains(message), "{reply}");
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn each_fault_of_a_create_is_told_with_its_place_and_limit() {
    let world = World::start().await;
    let properties = |count: usize| -> Vec<_> {
        (0..count)
            .map(|n| json!({"key": format!("k{n}"), "value": "v"}))
            .collect()
    };
    let property = |key: &str, value: &str| json!({"user": {"additionalProperties": [{"key": key, "value": value}]}});
    let history = |message: Value| json!({"history": {"messages": [message]}});
    let long = "x".repeat(5000);
    for (body, pointer, words) in [
        (json!({"unknown": 1}), "/unknown", "unknown field"),
        (json!({"user": {"nick": "J"}}), "/user/nick", "unknown field"),
        (json!({"user": 1}), "/user", "invalid type"),
        (json!({"user": {"email": "nobody"}}), "/user/email", "@"),
        (
            json!({"user": {"additionalProperties": properties(30)}}),
            "/user/additionalProperties",
            "29",
        ),
        (property("a", " "), "/user/additionalProperties/0/value", "blank"),
        (property(" ", "a"), "/user/additionalProperties/0/key", "blank"),
        (
            property("handoverId", "a"),
            "/user/additionalProperties/0/key",
            "gateway",
        ),
        (json!({"queueId": " "}), "/queueId", "blank"),
        (json!({"queueId": "x".repeat(256)}), "/queueId", "255"),
        (
            json!({"queueId": "101", "assignment": {"type": "queue", "id": "102"}}),
            "/assignment/id",
            "queueId",
        ),
        (
            json!({"assignment": {"type": "agent", "id": "1"}}),
            "/assignment/type",
            "queue",
        ),
        (json!({"metadata": {"long": long}}), "/metadata", "4096"),
        (json!({"metadata": [1]}), "/metadata", "object"),
        (json!({"properties": 1}), "/properties", "object"),
        (
            json!({"properties": {"channelId": "mine"}}),
            "/properties/channelId",
            "gateway",
        ),
        (json!({"timers": {"queue": "10"}}), "/timers/queue", "unit"),
        (json!({"timers": {"idle": "0s"}}), "/timers/idle", "zero"),
        (json!({"timers": {"forever": "1s"}}), "/timers/forever", "unknown field"),
        (
            history(json!({"authorType": "user", "text": " "})),
            "/history/messages/0/text",
            "blank",
        ),
        (
            history(json!({"authorType": "agent", "text": "a"})),
            "/history/messages/0/authorType",
            "agent",
        ),
        (
            history(json!({"authorType": "user"})),
            "/history/messages/0",
            "text, cards or attachments",
        ),
        (json!({"availability": "maybe"}), "/availability", "ignore"),
    ] {
        one_fault(&world.api.post("/v1/handovers", &with_user(body)).await, pointer, words);
    }
    let nothing = world.api.post("/v1/handovers", &json!({})).await;
    one_fault(&nothing, "/user", "missing field");
    assert!(world.eight.calls("create").await.is_empty());
    assert!(
        world.api.get("/v1/handovers").await.ok(200)["data"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    world.finish().await;
}

#[tokio::test]
async fn all_faults_of_a_body_are_told_at_once() {
    let world = World::start().await;
    let body = json!({"user": {"email": "x"}, "queueId": "", "timers": {"queue": "soon"}, "botSessionId": "\t"});
    let told = problem(&world.api.post("/v1/handovers", &body).await, 422, "invalid-request");
    let mut pointers: Vec<_> = told["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].clone())
        .collect();
    pointers.sort_by_key(ToString::to_string);
    assert_eq!(pointers, ["/botSessionId", "/queueId", "/timers/queue", "/user/email"]);
    world.finish().await;
}

#[tokio::test]
async fn each_fault_of_the_other_calls_is_told_with_its_place() {
    let world = World::start().await;
    let (id, _) = world.api.open(json!({})).await;
    let long = "x".repeat(100_001);
    for (call, body, pointer, words) in [
        ("messages", json!({}), "", "text"),
        ("messages", json!({"text": " \n"}), "/text", "blank"),
        ("messages", json!({"text": long}), "/text", "100000"),
        (
            "messages",
            json!({"cards": [{"contentType": "x"}]}),
            "/cards/0",
            "content",
        ),
        (
            "messages",
            json!({"text": "a", "authorType": "agent"}),
            "/authorType",
            "agent",
        ),
        (
            "messages",
            json!({"text": "a", "clientMessageId": ""}),
            "/clientMessageId",
            "blank",
        ),
        ("messages", json!({"text": "a", "txt": "b"}), "/txt", "unknown field"),
        ("typing", json!({"authorType": 7}), "/authorType", "type"),
        ("end", json!({"reason": "bored"}), "/reason", "bored"),
        ("end", json!({"why": "bored"}), "/why", "unknown field"),
    ] {
        one_fault(
            &world.api.post(&format!("/v1/handovers/{id}/{call}"), &body).await,
            pointer,
            words,
        );
    }
    let update = world.api.patch(&format!("/v1/handovers/{id}"), &json!({})).await;
    one_fault(&update, "", "queueId");
    for (query, pointer, words) in [
        ("/v1/handovers?limit=201", "/query/limit", "200"),
        ("/v1/handovers?limit=0", "/query/limit", "200"),
        ("/v1/handovers?state=gone", "/query/state", "live"),
        ("/v1/handovers?cursor=x", "/query/cursor", "nextCursor"),
        ("/v1/events?after=x", "/query/after", "nextCursor"),
        ("/v1/events?wait=31", "/query/wait", "30"),
    ] {
        one_fault(&world.api.get(query).await, pointer, words);
    }
    assert_eq!(world.api.handover(&id).await["state"], "queued");
    world.finish().await;
}

#[tokio::test]
async fn a_body_that_is_not_json_is_told_apart_from_one_that_is_wrong() {
    let world = World::start().await;
    for body in ["", "{", "user=James", "{\"user\":{}} {}"] {
        let reply = world.api.call(Method::POST, "/v1/handovers").body(body).send().await;
        problem(&reply, 400, "invalid-request");
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let call = world
            .api
            .call(Method::POST, "/v1/handovers")
            .header("content-type", kind)
            .raw("{\"user\":{}}");
        problem(&call.send().await, 415, "unsupported-media-type");
    }
    let call = world
        .api
        .call(Method::POST, "/v1/handovers")
        .header("content-type", "application/json; charset=utf-8");
    call.raw("{\"user\":{}}").send().await.ok(201);
    world.finish().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_taken() {
    let world = World::with(|setup| {
        setup.config.set("server.body_limit", "64 KiB");
    })
    .await;
    let text = "x".repeat(70 * 1024);
    let reply = world
        .api
        .post("/v1/handovers", &with_user(json!({"metadata": {"text": text}})))
        .await;
    problem(&reply, 413, "payload-too-large");
    world.api.open(json!({})).await;
    world.finish().await;
}

/// No row of the document is left out.
async fn all_calls(world: &World) -> Vec<Call> {
    let calls = every();
    assert_all(&documented(&world.api, "/v1").await, &calls);
    calls
}

fn on_one_handover(calls: Vec<Call>) -> Vec<Call> {
    calls.into_iter().filter(|call| call.path.contains("{id}")).collect()
}

#[tokio::test]
async fn a_call_without_a_known_key_is_refused() {
    let world = World::start().await;
    let (id, _) = world.api.open(json!({})).await;
    for call in all_calls(&world).await {
        for key in [None, Some("hg_test_wrong"), Some("")] {
            let reply = call.of(&world.api.with_key(key), &id, "a-1").send().await;
            problem(&reply, 401, "unauthorized");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        }
        // Even what is wrong with a body is nobody's business.
        if call.method == Method::POST {
            let path = call.path.replace("{id}", &id).replace("{deliveryId}", "evt_1");
            let stranger = world.api.with_key(None);
            let reply = stranger.call(Method::POST, &path).body("nonsense").send().await;
            problem(&reply, 401, "unauthorized");
        }
    }
    let basic = world
        .api
        .with_key(None)
        .call(Method::GET, "/v1/handovers")
        .header("authorization", "Basic eDp5");
    problem(&basic.send().await, 401, "unauthorized");
    assert_eq!(world.eight.calls("create").await.len(), 1);
    assert_eq!(world.api.handover(&id).await["state"], "queued");
    world.finish().await;
}

#[tokio::test]
async fn another_bots_handover_is_not_found_on_any_route() {
    let world = World::start().await;
    let (id, conversation) = world.api.open(json!({"botSessionId": "s-1"})).await;
    world.bots.event(&id, "handover.queued").await;
    let sales = world.api.of_bot(SALES);
    let sent = world.api.upload_file(&id, "a.txt", b"a file").send().await.ok(201);
    let file = sent["id"].as_str().unwrap();
    for call in on_one_handover(all_calls(&world).await) {
        let foreign = problem(&call.of(&sales, &id, file).send().await, 404, "not-found");
        let unknown = problem(&call.of(&sales, NOBODY, file).send().await, 404, "not-found");
        assert_eq!(foreign["detail"], unknown["detail"], "{}", call.name());
        assert_eq!(foreign.get("handoverId"), None, "{}", call.name());
    }
    for query in [
        "",
        "?state=live",
        &format!("?conversationId={conversation}"),
        "?botSessionId=s-1",
    ] {
        let own = world.api.get(&format!("/v1/handovers{query}")).await.ok(200);
        assert_eq!(own["data"].as_array().unwrap().len(), 1, "{query}");
        let foreign = sales.get(&format!("/v1/handovers{query}")).await.ok(200);
        assert_eq!(foreign["data"], json!([]), "{query}");
    }
    assert_eq!(sales.get("/v1/events").await.ok(200)["data"], json!([]));
    for (query, accept) in [("", "text/event-stream"), ("?wait=1", "*/*")] {
        let path = format!("/v1/handovers/{id}/events{query}");
        let call = sales.call(Method::GET, &path).header("accept", accept);
        problem(&call.send().await, 404, "not-found");
    }
    assert!(world.eight.texts(&conversation).await.is_empty());
    assert_eq!(world.api.handover(&id).await["lastSequence"], 2);
    assert!(world.bots.callbacks().iter().all(|callback| callback.bot != SALES));
    world.finish().await;
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let world = World::start().await;
    for path in [
        "/",
        "/v1",
        "/v1/handover",
        "/v2/handovers",
        &format!("/v1/handovers/{NOBODY}/nothing"),
    ] {
        problem(&world.api.get(path).await, 404, "not-found");
    }
    for id in [
        "x",
        "ho_",
        "ho_0192",
        "%00",
        "ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00%2F",
        NOBODY,
    ] {
        problem(&world.api.get(&format!("/v1/handovers/{id}")).await, 404, "not-found");
    }
    let reply = world.api.call(Method::DELETE, "/v1/handovers").send().await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (405, Some("application/problem+json")),
        "{reply}"
    );
    world.finish().await;
}

#[tokio::test]
async fn a_call_a_handover_does_not_allow_now_is_a_conflict() {
    let world = World::start().await;
    let (id, _) = world.api.open(json!({})).await;
    world.api.end(&id).await;
    let calls = on_one_handover(every()).into_iter();
    let is_for_what_is_over = |call: &Call| call.path.ends_with("/reopen") || call.path.ends_with("/content");
    for call in calls.filter(|call| call.method != Method::GET && !is_for_what_is_over(call)) {
        let path = call.path;
        let told = problem(&call.of(&world.api, &id, "a-1").send().await, 409, "handover-ended");
        assert_eq!(told["handoverId"], id, "{path}: {told}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_bot_without_a_channel_is_told_who_can_help() {
    let world = World::with(|setup| {
        setup.config.unset("tenants.acme.channel_id");
    })
    .await;
    let told = problem(
        &world.api.post("/v1/handovers", &with_user(json!({}))).await,
        409,
        "tenant-not-provisioned",
    );
    assert!(told["detail"].as_str().unwrap().contains("channel_id"), "{told}");
    world.api.create(json!({"channelId": "sandbox-channel"})).await;
    world.finish().await;
}

#[tokio::test]
async fn a_bot_that_posts_more_than_8x8_takes_is_slowed_down() {
    let world = World::with(|setup| {
        setup.config.set("tenants.acme.send_wait", "20ms");
    })
    .await;
    let (id, conversation) = world.api.open(json!({})).await;
    world
        .eight
        .fault(json!({"on": "api", "operation": "message", "status": 429, "retryAfter": "5"}))
        .await;
    let path = format!("/v1/handovers/{id}/messages");
    let mut taken = Vec::new();
    let refused = loop {
        let text = format!("message {}", taken.len());
        let reply = world.api.post(&path, &json!({"text": text})).await;
        if reply.status != 202 {
            break reply;
        }
        taken.push(text);
        assert!(taken.len() < 200, "nothing slows it down");
    };
    problem(&refused, 429, "rate-limited");
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert!(taken.len() >= 30, "{}", taken.len());
    crate::support::wait::eventually("8x8 has what was taken, in order", async || {
        (world.eight.texts(&conversation).await == taken).then_some(())
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn a_store_that_takes_nothing_is_told_and_works_again_by_itself() {
    let mut world = World::start().await;
    world.tolerate("the store is not available");
    world.tolerate("503");
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.all_acknowledged().await;
    // Somebody else writes to the file for longer than the gateway waits; what 8x8 has to tell meanwhile, it repeats.
    let other = rusqlite::Connection::open(world.gateway.store()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let queued = json!({"body": {"eventType": "QUEUED", "data": {"queueId": "102", "queueName": "Billing"}}});
    world.eight.event(&conversation, queued).await;
    let create = world.api.post("/v1/handovers", &with_user(json!({}))).await;
    let told = problem(&create, 503, "store-unavailable");
    assert!(told["detail"].as_str().unwrap().contains("try again"), "{told}");
    assert!(create.header("retry-after").is_some(), "{create}");
    other.execute_batch("ROLLBACK").unwrap();
    world.eight.all_acknowledged().await;
    assert_eq!(world.api.handover(&id).await["queue"]["name"], "Billing");
    world.api.create(json!({})).await;
    world.finish().await;
}
