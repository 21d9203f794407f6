//! What happened so far: conversations, calls received, events sent.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::Refusal;
use crate::sandbox::state::Shared;
use crate::sandbox::world::Conversation;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Wanted {
    operation: Option<String>,
    conversation_id: Option<String>,
}

impl Wanted {
    fn operation(&self) -> Option<&str> {
        self.operation.as_deref().filter(|operation| !operation.is_empty())
    }

    fn conversation_id(&self) -> Option<&str> {
        self.conversation_id.as_deref().filter(|id| !id.is_empty())
    }
}

pub(super) async fn conversations(State(shared): State<Shared>) -> Json<Value> {
    let world = shared.world();
    let mut all: Vec<_> = world.conversations.values().collect();
    all.sort_by_key(|conversation| conversation.order);
    Json(json!({"data": all.into_iter().map(Conversation::full_view).collect::<Vec<_>>()}))
}

pub(super) async fn conversation(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let conversation = world
        .conversations
        .get(&id)
        .ok_or_else(|| Refusal::unknown_conversation(&id))?;
    Ok(Json(conversation.full_view()))
}

pub(super) async fn calls(State(shared): State<Shared>, Query(wanted): Query<Wanted>) -> Json<Value> {
    Json(json!({"data": shared.ledger.calls(wanted.operation(), wanted.conversation_id())}))
}

/// `operation` is the event type here.
pub(super) async fn events(State(shared): State<Shared>, Query(wanted): Query<Wanted>) -> Json<Value> {
    let mut events = shared.ledger.events(wanted.conversation_id());
    events.retain(|event| {
        wanted
            .operation()
            .is_none_or(|operation| event.get("eventType") == Some(&json!(operation)))
    });
    Json(json!({"data": events}))
}
