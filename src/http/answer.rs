//! The answer of a call that can be repeated: small enough to be kept beside its idempotency key.

use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Serialize;

use crate::domain::HandoverId;
use crate::http::problem::CONTENT_TYPE;
use crate::http::problem::Refusal;
use crate::http::problem::internal;
use crate::store::KeptAnswer;
use crate::store::Reference;

pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

const JSON: &str = "application/json";

#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) location: Option<String>,
    pub(super) body: String,
    /// What a repeat is told of when this answer is lost.
    pub(super) about: Reference,
    pub(super) told: Told,
}

/// Whether the call ran for this request, or for an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    First,
    Again,
}

impl Answer {
    pub(super) fn json(status: StatusCode, body: &impl Serialize, about: Reference) -> Result<Self, Refusal> {
        let body = serde_json::to_string(body).map_err(|_plain_values_serialise| internal())?;
        Ok(Self {
            status,
            location: None,
            body,
            about,
            told: Told::First,
        })
    }

    pub(super) fn empty(about: HandoverId) -> Self {
        let about = Reference::Handover(about);
        Self {
            status: StatusCode::NO_CONTENT,
            location: None,
            body: String::new(),
            about,
            told: Told::First,
        }
    }

    #[must_use]
    pub(super) fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    pub(super) fn keep(&self) -> KeptAnswer {
        let content_type = if self.body.is_empty() {
            String::new()
        } else {
            JSON.to_owned()
        };
        KeptAnswer {
            status: self.status.as_u16(),
            content_type,
            location: self.location.clone(),
            body: self.body.clone(),
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = respond(self.keep());
        if self.told == Told::Again {
            mark_replayed(&mut response);
        }
        response
    }
}

/// A kept answer, given once more.
pub(super) fn replay(kept: KeptAnswer) -> Response {
    let mut response = respond(kept);
    mark_replayed(&mut response);
    response
}

/// A refusal in the form in which it is kept.
pub(super) fn keep_refusal(refusal: &Refusal) -> KeptAnswer {
    KeptAnswer {
        status: refusal.status,
        content_type: CONTENT_TYPE.to_owned(),
        location: None,
        body: serde_json::to_string(&**refusal).unwrap_or_default(),
    }
}

fn respond(kept: KeptAnswer) -> Response {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = if kept.body.is_empty() {
        status.into_response()
    } else {
        (status, kept.body).into_response()
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(kept.content_type)
        && !value.is_empty()
    {
        headers.insert(header::CONTENT_TYPE, value);
    }
    if let Some(Ok(value)) = kept.location.map(HeaderValue::try_from) {
        headers.insert(header::LOCATION, value);
    }
    response
}

fn mark_replayed(response: &mut Response) {
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
}
