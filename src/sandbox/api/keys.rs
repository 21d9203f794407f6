//! The public half of a signing key; the one operation without an API key.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;

use super::answer::Answer;
use crate::sandbox::problem::Problem;
use crate::sandbox::state::Shared;

pub(super) async fn public(State(shared): State<Shared>, Path(kid): Path<String>) -> Answer {
    let key = shared.keys.find(&kid).ok_or_else(|| Problem::not_found("JWK", &kid))?;
    Ok(Json(key.jwk()).into_response())
}
