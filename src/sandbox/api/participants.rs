//! Who is in a conversation, and the user's leaving, which ends the interaction.

use axum::extract::{Path, RawQuery, State};
use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, no_content, ok};
use super::conversations::in_order;
use super::page::{ListKind, ListQuery};
use crate::sandbox::clock;
use crate::sandbox::problem::Problem;
use crate::sandbox::state::Shared;
use crate::sandbox::validate::{UserLeave, read};

pub(super) async fn list(State(shared): State<Shared>, Path(id): Path<String>, RawQuery(query): RawQuery) -> Answer {
    let query = ListQuery::read(query.as_deref(), ListKind::Plain)?;
    let path = format!("/chat-gateway/v1/conversations/{id}/participants");
    let participants = {
        let world = shared.world();
        world
            .conversations
            .get(&id)
            .ok_or_else(|| Problem::not_found("conversation", &id))?
            .participants()
    };
    Ok(ok(&query.envelope(
        Some(&path),
        "participants",
        in_order(&participants),
        |one| (*one).clone(),
    )))
}

pub(super) async fn user_leaves(State(shared): State<Shared>, Path(id): Path<String>, body: Bytes) -> Answer {
    let leave: UserLeave = read(&body).map_err(Problem::invalid)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let left = shared.change(&id, |conversation, order| {
        conversation
            .leaves
            .push(json!({"order": order, "at": clock::now_ms(), "body": body}));
        (
            (),
            if leave.removed {
                conversation.user_leaves()
            } else {
                Vec::new()
            },
        )
    });
    left.ok_or_else(|| Problem::not_found("conversation", &id))?;
    Ok(no_content())
}
