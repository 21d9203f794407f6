//! Webhooks: where events go, and the hello that proves a target.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use super::answer::{Answer, no_content, ok};
use super::page::{ListKind, ListQuery, Row};
use crate::sandbox::ids;
use crate::sandbox::ledger::is_success;
use crate::sandbox::problem::Problem;
use crate::sandbox::state::Shared;
use crate::sandbox::validate::{WebhookVerify, WebhookWrite, read};
use crate::sandbox::world::Webhook;

pub(super) async fn list(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Answer {
    let query = ListQuery::read(query.as_deref(), ListKind::Named)?;
    let world = shared.world();
    let rows = world
        .webhooks
        .values()
        .map(|one| Row {
            id: &one.id,
            created_at: (one.created_at, 0),
            name: Some(&one.name),
            item: one,
        })
        .collect();
    Ok(ok(&query.envelope(
        Some("/chat-gateway/v1/webhooks"),
        "webhooks",
        rows,
        |one| one.resource(),
    )))
}

pub(super) async fn create(State(shared): State<Shared>, body: Bytes) -> Answer {
    let write = readable(&shared, &body)?;
    let webhook = Webhook::new(ids::token(), write);
    shared.world().webhooks.insert(webhook.id.clone(), webhook.clone());
    hello_aside(&shared, &webhook);
    Ok(ok(&webhook.resource()))
}

pub(super) async fn get(State(shared): State<Shared>, Path(id): Path<String>) -> Answer {
    let world = shared.world();
    let webhook = world.webhooks.get(&id).ok_or_else(|| not_found(&id))?;
    Ok(ok(&webhook.resource()))
}

pub(super) async fn replace(State(shared): State<Shared>, Path(id): Path<String>, body: Bytes) -> Answer {
    let write = readable(&shared, &body)?;
    let webhook = {
        let mut world = shared.world();
        let known = world.webhooks.get_mut(&id).ok_or_else(|| not_found(&id))?;
        known.replace(write);
        known.clone()
    };
    hello_aside(&shared, &webhook);
    Ok(ok(&webhook.resource()))
}

/// A webhook that a channel still uses is kept: 8x8's answer to that is not documented.
pub(super) async fn remove(State(shared): State<Shared>, Path(id): Path<String>) -> Answer {
    let mut world = shared.world();
    if world.channels.values().any(|channel| channel.webhook_id == id) {
        let message = format!("Webhook {id} is used by a channel.");
        return Err(Problem::general(StatusCode::BAD_REQUEST, "webhook_in_use", &message));
    }
    world.webhooks.remove(&id).ok_or_else(|| not_found(&id))?;
    Ok(no_content())
}

pub(super) async fn verify(State(shared): State<Shared>, body: Bytes) -> Answer {
    let verify: WebhookVerify = read(&body).map_err(Problem::invalid)?;
    match hello(&shared, verify.uri, &verify.version).await {
        Ok(status) if is_success(status) => Ok(no_content()),
        Ok(status) => Err(unverified(&format!("The target answered {status}."))),
        Err(error) => Err(unverified(&error)),
    }
}

fn readable(shared: &Shared, body: &[u8]) -> Result<WebhookWrite, Problem> {
    let write: WebhookWrite = read(body).map_err(Problem::invalid)?;
    if shared.options.require_notification_version && write.notification_version.is_none() {
        let message = "notificationVersion must not be null.";
        return Err(Problem::general(StatusCode::BAD_REQUEST, "invalid_parameter", message));
    }
    Ok(write)
}

/// A new target gets a hello; what it answers does not decide whether the webhook is stored.
fn hello_aside(shared: &Shared, webhook: &Webhook) {
    let (worker, uri, version) = (Arc::clone(shared), webhook.uri.clone(), webhook.version.clone());
    drop(shared.start(async move { hello(&worker, uri, &version).await }));
}

/// Unsigned: whether 8x8 signs this event is not known, and a receiver has to cope with the poorer case.
async fn hello(shared: &Shared, uri: String, version: &str) -> Result<u16, String> {
    let body = Bytes::from(json!({"eventType": "WEB_HOOK_VERIFY", "notificationVersion": version}).to_string());
    let entry = shared.ledger.event(&ids::token(), "WEB_HOOK_VERIFY", "", &body);
    let at = crate::sandbox::clock::now_ms();
    let outcome = shared
        .send(uri, Vec::new(), body)
        .await
        .map(|response| response.status().as_u16());
    shared.ledger.attempt(entry, at, outcome.clone());
    outcome
}

fn unverified(message: &str) -> Problem {
    Problem::general(StatusCode::BAD_REQUEST, "webhook_verification_failed", message)
}

fn not_found(id: &str) -> Problem {
    Problem::not_found("webhook", id)
}
