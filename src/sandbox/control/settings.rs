//! Faults, the webhook's target, and the signing key.

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::refusal::{Refusal, read};
use crate::sandbox::faults::Rule;
use crate::sandbox::signer::Signer;
use crate::sandbox::state::Shared;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    url: String,
    version: Option<String>,
}

pub(super) async fn faults(State(shared): State<Shared>) -> Json<Value> {
    Json(json!({"data": shared.faults.all()}))
}

pub(super) async fn add_fault(State(shared): State<Shared>, body: Bytes) -> Result<StatusCode, Refusal> {
    let rule: Rule = read(&body)?;
    if rule.status.is_some_and(|status| StatusCode::from_u16(status).is_err()) {
        return Err(Refusal::bad("status is no HTTP status"));
    }
    shared.faults.add(rule);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn clear_faults(State(shared): State<Shared>) -> StatusCode {
    shared.faults.clear();
    StatusCode::NO_CONTENT
}

/// The webhook that exists from the start. Events still being repeated go to the new target too.
pub(super) async fn webhook(State(shared): State<Shared>, body: Bytes) -> Result<StatusCode, Refusal> {
    let target: Target = read(&body)?;
    let url = Url::parse(&target.url).map_err(|error| Refusal::bad(format!("url: {error}")))?;
    shared.world().point_first_webhook(url.to_string(), target.version);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn rotate_key(State(shared): State<Shared>) -> Result<Json<Value>, Refusal> {
    let signer = tokio::task::spawn_blocking(Signer::generate)
        .await
        .map_err(|error| Refusal::internal(&error))?;
    let signer = signer.map_err(|error| Refusal::internal(&error))?;
    let kid = signer.kid().to_owned();
    shared.keys.rotate(signer);
    Ok(Json(json!({"kid": kid})))
}
