//! What 8x8 is told of a webhook: 204 for what need not come again, otherwise why not.

use std::collections::BTreeMap;

use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Serialize;
use utoipa::IntoResponses;
use utoipa::ToSchema;
use utoipa::openapi;
use utoipa::openapi::Content;
use utoipa::openapi::Ref;
use utoipa::openapi::RefOr;

use crate::http::docs;
use crate::http::extract::unreadable;
use crate::http::problem::CONTENT_TYPE;
use crate::http::problem::Refusal;
use crate::problem::Problem;
use crate::problem::ProblemCode;
use crate::webhook::VerifyError;

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
    /// It is 8x8's, and our clock says that it is not of now.
    ClockOff,
    NotRecorded,
    /// Its body, or what it takes to record it, took too long.
    TooSlow,
}

impl WebhookAnswer {
    /// Whether it may have been 8x8's, at a wrong address or with a proof that does not hold.
    pub(super) const fn is_refusal(&self) -> bool {
        matches!(self, Self::WrongPath | Self::Unproven(_))
    }

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
            Self::ClockOff => "clock_off",
            Self::NotRecorded => "not_recorded",
            Self::TooSlow => "too_slow",
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
            Self::Unproven(code) => Unproven::new(code).into_response(),
            Self::Body(refusal) => refusal.into_response(),
            Self::KeysUnavailable => {
                let detail = "8x8's public keys could not be fetched; send it again";
                problem(Problem::new(ProblemCode::UpstreamUnavailable, detail).retry_after(AGAIN))
            }
            Self::ClockOff => {
                let detail = "the gateway's clock does not agree with 8x8's; send it again";
                problem(Problem::new(ProblemCode::StoreUnavailable, detail).retry_after(AGAIN))
            }
            Self::NotRecorded => {
                let detail = "the event could not be recorded; send it again";
                problem(Problem::new(ProblemCode::StoreUnavailable, detail).retry_after(AGAIN))
            }
            Self::TooSlow => {
                let detail = "the event was not recorded in time; send it again";
                problem(Problem::new(ProblemCode::StoreUnavailable, detail).retry_after(AGAIN))
            }
        }
    }
}

fn problem(problem: Problem) -> Response {
    Box::new(problem).into_response()
}

/// The problem that says roughly what is missing, which helps an operator and no one who guesses. Its `code` is finer than
/// its type's.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = UnprovenProblem)]
pub(super) struct Unproven {
    #[serde(rename = "type")]
    #[schema(example = "urn:handover-gateway:problem:unauthorized")]
    kind: String,
    title: &'static str,
    status: u16,
    /// What to check.
    detail: &'static str,
    /// The address; its route where it ends in a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) instance: Option<String>,
    #[schema(example = "stale")]
    code: &'static str,
}

impl Unproven {
    fn new(code: &'static str) -> Self {
        let known = VerifyError::CODES.iter().find(|(known, _)| *known == code);
        let Problem { kind, status, .. } = Problem::new(ProblemCode::Unauthorized, "");
        Self {
            kind,
            title: "The webhook is not proven to be 8x8's",
            status,
            detail: known.map_or("check `webhook.require`", |(_, detail)| detail),
            instance: None,
            code,
        }
    }
}

impl IntoResponse for Unproven {
    fn into_response(self) -> Response {
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (StatusCode::UNAUTHORIZED, [(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response();
        // Whoever knows the path completes it.
        response.extensions_mut().insert(self);
        response
    }
}

/// The answers, for the OpenAPI document.
pub(super) struct WebhookProblems;

impl IntoResponses for WebhookProblems {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let codes = [
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
        responses.insert(StatusCode::UNAUTHORIZED.as_str().to_owned(), RefOr::T(not_proven()));
        responses
    }
}

fn not_proven() -> openapi::Response {
    let codes = VerifyError::CODES
        .iter()
        .map(|(code, detail)| format!("- `{code}`: {detail}"));
    let codes: Vec<_> = codes.collect();
    let schema = Ref::from_schema_name(Unproven::name());
    openapi::ResponseBuilder::new()
        .description(format!("Not proven. `code` is one of:\n\n{}", codes.join("\n")))
        .content(CONTENT_TYPE, Content::new(Some(schema)))
        .build()
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
            (WebhookAnswer::ClockOff, 503),
            (WebhookAnswer::NotRecorded, 503),
            (WebhookAnswer::TooSlow, 503),
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
