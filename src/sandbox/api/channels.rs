//! Channels: which webhook hears of their conversations, and which queue serves them.

use axum::extract::{Path, RawQuery, State};
use bytes::Bytes;
use http::StatusCode;

use super::answer::{Answer, no_content, ok};
use super::page::{ListKind, ListQuery, Row};
use crate::sandbox::ids;
use crate::sandbox::problem::Problem;
use crate::sandbox::state::Shared;
use crate::sandbox::validate::{ChannelWrite, read};
use crate::sandbox::world::{Channel, World};

pub(super) async fn list(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Answer {
    let query = ListQuery::read(query.as_deref(), ListKind::Named)?;
    let world = shared.world();
    let rows = world
        .channels
        .values()
        .map(|one| Row {
            id: &one.id,
            created_at: (one.created_at, 0),
            name: Some(&one.name),
            item: one,
        })
        .collect();
    Ok(ok(&query.envelope(
        Some("/chat-gateway/v1/channels"),
        "channels",
        rows,
        |one| one.resource(),
    )))
}

pub(super) async fn create(State(shared): State<Shared>, body: Bytes) -> Answer {
    let mut world = shared.world();
    let write = readable(&world, &body)?;
    let channel = Channel::new(ids::token(), write);
    let shown = channel.resource();
    world.channels.insert(channel.id.clone(), channel);
    Ok(ok(&shown))
}

pub(super) async fn get(State(shared): State<Shared>, Path(id): Path<String>) -> Answer {
    let world = shared.world();
    let channel = world.channels.get(&id).ok_or_else(|| not_found(&id))?;
    Ok(ok(&channel.resource()))
}

pub(super) async fn replace(State(shared): State<Shared>, Path(id): Path<String>, body: Bytes) -> Answer {
    let mut world = shared.world();
    let write = readable(&world, &body)?;
    let channel = world.channels.get_mut(&id).ok_or_else(|| not_found(&id))?;
    channel.replace(write);
    Ok(ok(&channel.resource()))
}

pub(super) async fn remove(State(shared): State<Shared>, Path(id): Path<String>) -> Answer {
    shared.world().channels.remove(&id).ok_or_else(|| not_found(&id))?;
    Ok(no_content())
}

fn readable(world: &World, body: &[u8]) -> Result<ChannelWrite, Problem> {
    let write: ChannelWrite = read(body).map_err(Problem::invalid)?;
    if !world.webhooks.contains_key(&write.web_hook_id) {
        let message = format!("Webhook ID {} is invalid.", write.web_hook_id);
        return Err(Problem::general(StatusCode::BAD_REQUEST, "invalid_webhook", &message));
    }
    if world.queue(&write.routing_options.id).is_none() {
        return Err(Problem::invalid_queue(&write.routing_options.id));
    }
    Ok(write)
}

fn not_found(id: &str) -> Problem {
    Problem::not_found("channel", id)
}
