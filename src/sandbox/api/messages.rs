//! Messages: what was said so far, and saying something as the user or the bot.

use axum::extract::{Path, RawQuery, State};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::answer::{Answer, ok};
use super::page::{ListKind, ListQuery, Row};
use crate::sandbox::problem::Problem;
use crate::sandbox::state::Shared;
use crate::sandbox::validate::{Invalid, MessageWrite, read};
use crate::sandbox::world::Saying;

pub(super) async fn list(State(shared): State<Shared>, Path(id): Path<String>, RawQuery(query): RawQuery) -> Answer {
    let query = ListQuery::read(query.as_deref(), ListKind::Messages)?;
    let world = shared.world();
    let conversation = world
        .conversations
        .get(&id)
        .ok_or_else(|| Problem::not_found("conversation", &id))?;
    let language = conversation.user.get("language");
    let rows = conversation
        .messages
        .iter()
        .map(|one| Row {
            id: &one.id,
            created_at: (one.created_at, one.order),
            name: None,
            item: one,
        })
        .collect();
    let without: &[&str] = if shared.options.lean_messages {
        &["attachments", "cards"]
    } else {
        &[]
    };
    Ok(ok(&query.envelope(None, "messages", rows, |one| {
        lean(one.resource(language), without)
    })))
}

/// 202 without a body: no message id is told.
pub(super) async fn create(State(shared): State<Shared>, Path(id): Path<String>, body: Bytes) -> Answer {
    let write: MessageWrite = read(&body).map_err(Problem::invalid_message)?;
    let mut saying = Saying::by_caller(write.author_type, write.text.unwrap_or_default());
    saying.cards = values(&write.cards);
    let said = shared.change(&id, |conversation, order| {
        match conversation.files(write.attachments.into_iter().map(|one| one.id)) {
            Ok(files) => {
                saying.attachments = files;
                (Ok(()), conversation.say(order, saying))
            }
            Err(unknown) => (Err(unknown), Vec::new()),
        }
    });
    let said = said.ok_or_else(|| Problem::not_found("conversation", &id))?;
    said.map_err(|unknown| {
        Problem::invalid_message(Invalid {
            code: "invalid_attachment",
            message: format!("Attachment {unknown} does not exist in this conversation."),
        })
    })?;
    Ok(StatusCode::ACCEPTED.into_response())
}

pub(super) async fn get(State(shared): State<Shared>, Path((id, message_id)): Path<(String, String)>) -> Answer {
    let world = shared.world();
    let conversation = world
        .conversations
        .get(&id)
        .ok_or_else(|| Problem::not_found("conversation", &id))?;
    let message = conversation.messages.iter().find(|message| message.id == message_id);
    let message = message.ok_or_else(|| Problem::not_found("message", &message_id))?;
    let without: &[&str] = if shared.options.lean_messages { &["cards"] } else { &[] };
    Ok(ok(&lean(message.resource(conversation.user.get("language")), without)))
}

fn lean(mut resource: Value, without: &[&str]) -> Value {
    if let Some(fields) = resource.as_object_mut() {
        fields.retain(|name, _| !without.contains(&name.as_str()));
    }
    resource
}

fn values<T: Serialize>(items: &[T]) -> Vec<Value> {
    items
        .iter()
        .map(|item| serde_json::to_value(item).unwrap_or_default())
        .collect()
}
