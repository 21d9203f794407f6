//! What 8x8 is told of a webhook: 204 for what need not come again, otherwise why not.

use std::collections::BTreeMap;

use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Serialize;
use utoipa::IntoResponses;
use utoipa::openapi;
use utoipa::openapi::RefOr;

use crate::http::docs;
use crate::http::extract::unreadable;
use crate::http::problem::CONTENT_TYPE;
use crate::http::problem::Refusal;
use crate::problem::Problem;
use crate::problem::ProblemCode;

/// Seconds after which 8x8 may try again.
const AGAIN: u64 = 5;

#[derive(Debug)]
pub(super) enum WebhookAnswer {
    Recorded,
    Repeated,
    /// Repeated with another body; the first is kept.
    Conflicting,
    /// No handover is known for it yet.
    Kept,
    /// Proven, but not to be read: kept aside.
    Unreadable,
    Hello,
    WrongPath,
    NotJson,
    /// With a coarse code.
    Unproven(&'static str),
    /// The body was too large, or broke off.
    Body(Refusal),
    KeysUnavailable,
    NotRecorded,
}

impl WebhookAnswer {
    pub(super) fn unreadable(rejection: BytesRejection) -> Self {
        Self::Body(unreadable(rejection))
    }

    /// The label it is counted under.
    pub(super) const fn outcome(&self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Repeated => "repeated",
            Self::Conflicting => "conflicting",
            Self::Kept => "kept",
            Self::Unreadable => "unreadable",
            Self::Hello => "hello",
            Self::WrongPath => "wrong_path",
            Self::NotJson => "not_json",
            Self::Unproven(_) => "unproven",
            Self::Body(_) => "body",
            Self::KeysUnavailable => "keys_unavailable",
            Self::NotRecorded => "not_recorded",
        }
    }
}

impl IntoResponse for WebhookAnswer {
    fn into_response(self) -> Response {
        match self {
            Self::Recorded | Self::Repeated | Self::Conflicting | Self::Kept | Self::Unreadable | Self::Hello => {
                StatusCode::NO_CONTENT.into_response()
            }
            Self::WrongPath => problem(Problem::new(
                ProblemCode::NotFound,
                "no tenant has its webhook at this address",
            )),
            Self::NotJson => {
                problem(Problem::new(ProblemCode::InvalidRequest, "the body is not JSON").with_status(400))
            }
            Self::Unproven(code) => unauthorized(code),
            Self::Body(refusal) => refusal.into_response(),
            Self::KeysUnavailable => {
                let detail = "8x8's public keys could not be fetched; send it again";
                problem(Problem::new(ProblemCode::UpstreamUnavailable, detail).retry_after(AGAIN))
            }
            Self::NotRecorded => {
                let detail = "the event could not be recorded; send it again";
                problem(Problem::new(ProblemCode::StoreUnavailable, detail).retry_after(AGAIN))
            }
        }
    }
}

fn problem(problem: Problem) -> Response {
    Box::new(problem).into_response()
}

/// Says roughly what is missing, which helps an operator and no one who guesses.
fn unauthorized(code: &'static str) -> Response {
    #[derive(Serialize)]
    struct Body {
        r#type: &'static str,
        title: &'static str,
        status: u16,
        code: &'static str,
    }
    let status = StatusCode::UNAUTHORIZED;
    let body = Body {
        r#type: "urn:handover-gateway:problem:unauthorized",
        title: "The webhook is not proven to be 8x8's",
        status: status.as_u16(),
        code,
    };
    let body = serde_json::to_string(&body).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response()
}

/// The answers, for the OpenAPI document.
pub(super) struct WebhookProblems;

impl IntoResponses for WebhookProblems {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let codes = [
            ProblemCode::Unauthorized,
            ProblemCode::NotFound,
            ProblemCode::PayloadTooLarge,
            ProblemCode::UpstreamUnavailable,
            ProblemCode::StoreUnavailable,
        ];
        let mut responses = docs::responses(&codes);
        for (status, description) in [
            ("204", "Recorded, repeated, or kept aside: need not come again"),
            ("400", "Not proven, and not JSON"),
        ] {
            responses.insert(status.to_owned(), RefOr::T(openapi::Response::new(description)));
        }
        responses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_durable_is_204() {
        for (answer, status) in [
            (WebhookAnswer::Recorded, 204),
            (WebhookAnswer::Conflicting, 204),
            (WebhookAnswer::Kept, 204),
            (WebhookAnswer::Unreadable, 204),
            (WebhookAnswer::Hello, 204),
            (WebhookAnswer::WrongPath, 404),
            (WebhookAnswer::NotJson, 400),
            (WebhookAnswer::Unproven("stale"), 401),
            (WebhookAnswer::KeysUnavailable, 503),
            (WebhookAnswer::NotRecorded, 503),
        ] {
            let outcome = answer.outcome();
            let response = answer.into_response();
            assert_eq!(response.status().as_u16(), status, "{outcome}");
            assert_eq!(
                response.headers().contains_key(header::RETRY_AFTER),
                status == 503,
                "{outcome}"
            );
        }
    }
}
