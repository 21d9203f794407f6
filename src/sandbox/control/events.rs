//! Sends an event made by the caller: any JSON or any bytes, signed rightly or wrongly.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::{Refusal, read};
use crate::sandbox::notifier::{Answer, Outgoing, Tampering};
use crate::sandbox::signer::SignOverrides;
use crate::sandbox::state::Shared;
use crate::sandbox::{clock, ids};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Send {
    body: Option<Value>,
    raw: Option<String>,
    event_id: Option<String>,
    #[serde(default)]
    wait: bool,
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    #[serde(default)]
    sign: SignOverrides,
}

pub(super) async fn send(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let send: Send = read(&body)?;
    let wait = send.wait;
    let outgoing = outgoing(&shared, id, send)?;
    let event_id = outgoing.event_id.clone();
    if !wait {
        shared.enqueue(outgoing);
        return Ok(Json(json!({"eventId": event_id})));
    }
    let at = clock::now_ms();
    let answer = shared.post(&outgoing, 0).await;
    shared.ledger.attempt(
        outgoing.entry,
        at,
        answer.as_ref().map(|answer| answer.status).map_err(Clone::clone),
    );
    match answer {
        Ok(Answer { status, body }) => Ok(Json(json!({"eventId": event_id, "status": status, "body": body}))),
        Err(error) => Ok(Json(json!({"eventId": event_id, "error": error}))),
    }
}

fn outgoing(shared: &Shared, conversation_id: String, send: Send) -> Result<Outgoing, Refusal> {
    let (event_type, body) = match (send.body, send.raw) {
        (Some(body), None) => completed(body, &conversation_id),
        (None, Some(raw)) => ("RAW".to_owned(), Bytes::from(raw)),
        _ => return Err(Refusal::bad("an event has either body or raw")),
    };
    let event_id = send.event_id.unwrap_or_else(ids::token);
    let channel_id = {
        let world = shared.world();
        world
            .conversations
            .get(&conversation_id)
            .map(|conversation| conversation.channel_id.clone())
    };
    Ok(Outgoing {
        entry: shared.ledger.event(&event_id, &event_type, &conversation_id, &body),
        event_id,
        event_type,
        conversation_id,
        channel_id: channel_id.unwrap_or_else(|| shared.options.channel_id.clone()),
        webhook_id: None,
        body,
        tampering: Tampering {
            sign: send.sign,
            headers: send.headers.into_iter().collect(),
        },
    })
}

/// Fills in what every event has, unless the caller set it.
fn completed(mut body: Value, conversation_id: &str) -> (String, Bytes) {
    if let Some(fields) = body.as_object_mut() {
        fields.entry("conversationId").or_insert_with(|| conversation_id.into());
        fields.entry("timestamp").or_insert_with(|| clock::now_ms().into());
    }
    let event_type = body
        .get("eventType")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    (event_type, Bytes::from(body.to_string()))
}
