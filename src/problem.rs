//! What a bot is told when something was not done: RFC 9457, in an HTTP answer or in an event.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::HandoverId;
use crate::domain::RawJson;

// `tt` and not `literal`: the OpenAPI document would not see the names.
macro_rules! problem_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:tt, $status:literal, $title:literal;)*) => {
        /// Published codes; only ever added to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
        pub enum ProblemCode {
            $($(#[$doc])* #[serde(rename = $code)] $variant,)*
        }

        impl ProblemCode {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

problem_codes! {
    /// 400 where the JSON does not parse.
    InvalidRequest = "invalid-request", 422, "The request is not valid";
    Unauthorized = "unauthorized", 401, "The API key is missing or not known";
    NotFound = "not-found", 404, "There is no such thing";
    HandoverExists = "handover-exists", 409, "The session has a live handover already";
    AgentsUnavailable = "agents-unavailable", 409, "Nobody is there to take the handover";
    HandoverEnded = "handover-ended", 409, "The handover is over";
    HandoverNotActive = "handover-not-active", 409, "The handover does not allow this now";
    TenantNotProvisioned = "tenant-not-provisioned", 409, "The tenant has no channel yet";
    IdempotencyInProgress = "idempotency-in-progress", 409, "The first call with this key is still running";
    IdempotencyMismatch = "idempotency-mismatch", 422, "The key was used for another request";
    PayloadTooLarge = "payload-too-large", 413, "The body is too large";
    UnsupportedMediaType = "unsupported-media-type", 415, "The body is of a type that is not taken here";
    RateLimited = "rate-limited", 429, "Too much at once";
    /// 422 where the fault is in the bot's data.
    UpstreamRejected = "upstream-rejected", 502, "8x8 refused it";
    UpstreamUnauthorized = "upstream-unauthorized", 502, "8x8 does not accept this gateway's credentials";
    UpstreamUnavailable = "upstream-unavailable", 503, "8x8 cannot be reached";
    UpstreamTimeout = "upstream-timeout", 504, "8x8 did not say whether it took it";
    StoreUnavailable = "store-unavailable", 503, "The gateway cannot record anything now";
    Internal = "internal", 500, "The gateway failed";
}

/// The body of an `application/problem+json` answer, and the `problem` of `handover.failed` and
/// `handover.update_failed`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `urn:handover-gateway:problem:<code>`
    #[serde(rename = "type")]
    pub kind: String,
    pub title: &'static str,
    pub status: u16,
    /// What happened here, and what to do next.
    pub detail: String,
    /// The path of the request; absent in events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    pub code: ProblemCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub handover_id: Option<HandoverId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
    /// With `agents-unavailable`: what `GET /v1/availability` answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub availability: Option<RawJson>,
    /// Seconds after which to try again; the `Retry-After` header.
    #[serde(skip)]
    pub retry_after: Option<u64>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// RFC 6901 pointer into the request body.
    pub pointer: String,
    pub message: String,
}

/// What 8x8 said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Upstream {
    pub status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Problem {
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:handover-gateway:problem:{}", code.as_str()),
            title: code.title(),
            status: code.status(),
            detail: detail.into(),
            instance: None,
            code,
            handover_id: None,
            errors: Vec::new(),
            upstream: None,
            availability: None,
            retry_after: None,
        }
    }

    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    #[must_use]
    pub fn about(mut self, handover: HandoverId) -> Self {
        self.handover_id = Some(handover);
        self
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}
