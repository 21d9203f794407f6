//! Files of a conversation: list, take one, show one, give its bytes back; and the cards of one message.

use axum::extract::{FromRequest as _, Multipart, Path, RawQuery, Request, State};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use http::{StatusCode, header};
use serde_json::Value;

use super::answer::{Answer, ok};
use super::conversations::in_order;
use super::page::{ListKind, ListQuery, Row};
use crate::sandbox::problem::Problem;
use crate::sandbox::state::Shared;
use crate::sandbox::world::Attachment;

pub(super) async fn list(State(shared): State<Shared>, Path(id): Path<String>, RawQuery(query): RawQuery) -> Answer {
    let query = ListQuery::read(query.as_deref(), ListKind::Conversations)?;
    let world = shared.world();
    let conversation = world.conversations.get(&id).ok_or_else(|| no_conversation(&id))?;
    let rows = conversation.attachments.iter().zip(0..).map(|(one, number)| Row {
        id: &one.id,
        created_at: (one.created_at, number),
        name: None,
        item: one,
    });
    let path = format!("/chat-gateway/v1/conversations/{id}/attachments");
    Ok(ok(&query.envelope(Some(&path), "attachments", rows.collect(), |one| {
        one.resource()
    })))
}

pub(super) async fn create(State(shared): State<Shared>, Path(id): Path<String>, request: Request) -> Answer {
    let (author_type, filename, bytes) = parts(request).await.map_err(|message| refused(&message))?;
    let attachment = Attachment::new(filename, author_type, bytes);
    let shown = attachment.resource();
    let added = shared.change(&id, |conversation, _| {
        conversation.attachments.push(attachment);
        ((), Vec::new())
    });
    added.ok_or_else(|| no_conversation(&id))?;
    Ok(ok(&shown))
}

pub(super) async fn get(State(shared): State<Shared>, Path((id, attachment)): Path<(String, String)>) -> Answer {
    Ok(ok(&found(&shared, &id, &attachment)?.resource()))
}

pub(super) async fn content(State(shared): State<Shared>, Path((id, attachment)): Path<(String, String)>) -> Answer {
    let file = found(&shared, &id, &attachment)?;
    let ascii: String = file
        .filename
        .chars()
        .map(|c| if c.is_ascii_graphic() && c != '"' { c } else { '_' })
        .collect();
    let disposition = format!("attachment; filename=\"{ascii}\"");
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, file.bytes).into_response())
}

/// The cards of one message.
pub(super) async fn cards(
    State(shared): State<Shared>,
    Path((id, message_id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = ListQuery::read(query.as_deref(), ListKind::Messages)?;
    let world = shared.world();
    let messages = world.conversations.get(&id).map(|conversation| &conversation.messages);
    let message = messages.and_then(|messages| messages.iter().find(|message| message.id == message_id));
    let cards: &[Value] = message.map_or(&[], |message| &message.said.cards);
    let path = format!("/chat-gateway/v1/conversations/{id}/messages/{message_id}/cards");
    Ok(ok(
        &query.envelope(Some(&path), "cards", in_order(cards), |one| (*one).clone())
    ))
}

fn found(shared: &Shared, id: &str, attachment: &str) -> Result<Attachment, Problem> {
    let world = shared.world();
    let conversation = world.conversations.get(id).ok_or_else(|| no_conversation(id))?;
    let mut all = conversation.attachments.iter();
    let found = all.find(|one| one.id == attachment).cloned();
    found.ok_or_else(|| Problem::not_found("attachment", attachment))
}

/// One `attachment` with a name and bytes, and at most one `authorType`; nothing else.
async fn parts(request: Request) -> Result<(String, String, Bytes), String> {
    let mut multipart = Multipart::from_request(request, &())
        .await
        .map_err(|error| error.to_string())?;
    let (mut author, mut file) = (None, None);
    while let Some(field) = multipart.next_field().await.map_err(|error| error.to_string())? {
        match field.name() {
            Some("authorType") if author.is_none() => {
                author = Some(field.text().await.map_err(|error| error.to_string())?);
            }
            Some("attachment") if file.is_none() => {
                let name = field.file_name().unwrap_or_default().to_owned();
                let bytes = field.bytes().await.map_err(|error| error.to_string())?;
                file = Some((name, bytes));
            }
            name => return Err(format!("part {} is not expected", name.unwrap_or_default())),
        }
    }
    let author = author.unwrap_or_else(|| "user".to_owned());
    if !["bot", "user"].contains(&author.as_str()) {
        return Err("authorType must be one of bot, user".to_owned());
    }
    let (name, bytes) = file.ok_or("part attachment is missing")?;
    if name.trim().is_empty() {
        return Err("attachment needs a file name".to_owned());
    }
    Ok((author, name, bytes))
}

/// The operation documents no 400 and a 403 of the general kind.
fn refused(message: &str) -> Problem {
    Problem::general(StatusCode::FORBIDDEN, "invalid_attachment", message)
}

fn no_conversation(id: &str) -> Problem {
    Problem::not_found("conversation", id)
}
