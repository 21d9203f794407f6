//! Successful answers: `application/hal+json`.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::Value;

use crate::sandbox::problem::Problem;

pub(super) type Answer = Result<Response, Problem>;

/// Tells the ledger which conversation a create made.
#[derive(Clone, Debug)]
pub(super) struct ConversationId(pub(super) String);

pub(super) fn ok(body: &Value) -> Response {
    hal(StatusCode::OK, body)
}

pub(super) fn accepted(body: &Value) -> Response {
    hal(StatusCode::ACCEPTED, body)
}

pub(super) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

fn hal(status: StatusCode, body: &Value) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, "application/hal+json")],
        body.to_string(),
    )
        .into_response()
}
