//! What the token endpoint answers: tokens in the doubled form that Aisera's clients read, or an error of OAuth's.

use std::time::Duration;

use axum::Json;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::tokens::request::Malformed;

#[derive(Debug)]
pub(super) enum TokenAnswer {
    Issued(Issued),
    /// A new pair for a refresh token.
    Refreshed(Issued),
    /// Whatever was wrong about it.
    Refused,
    /// A refresh token that was exchanged before.
    Reused,
    Malformed(Malformed),
    TooLarge,
    SlowDown(Duration),
    Unavailable,
}

/// Shown once.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) access: SecretString,
    pub(super) refresh: SecretString,
    pub(super) expires_in: u64,
}

/// Every field is there twice.
#[derive(Serialize, ToSchema)]
#[schema(as = Tokens)]
pub(super) struct Tokens<'a> {
    #[serde(flatten)]
    #[schema(inline)]
    outer: Pair<'a>,
    values: Pair<'a>,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[schema(as = TokenPair)]
pub(super) struct Pair<'a> {
    /// For `Authorization: Bearer …` on webhooks.
    access_token: &'a str,
    /// Good once; a second use ends all that came of the log-in.
    refresh_token: &'a str,
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// Seconds.
    #[schema(example = 3600)]
    expires_in: u64,
}

/// As RFC 6749 says.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenError {
    #[schema(example = "invalid_grant")]
    error: &'static str,
    error_description: &'static str,
}

impl TokenAnswer {
    /// The label it is counted under.
    pub(super) const fn outcome(&self) -> &'static str {
        match self {
            Self::Issued(_) => "issued",
            Self::Refreshed(_) => "refreshed",
            Self::Refused => "refused",
            Self::Reused => "reused",
            Self::Malformed(_) | Self::TooLarge => "malformed",
            Self::SlowDown(_) => "slowed_down",
            Self::Unavailable => "unavailable",
        }
    }

    /// One answer for an unknown user, a wrong password, a wrong client and a token that is not good.
    fn error(status: StatusCode, error: &'static str, error_description: &'static str) -> Response {
        let error = TokenError {
            error,
            error_description,
        };
        (status, Json(error)).into_response()
    }
}

impl IntoResponse for TokenAnswer {
    fn into_response(self) -> Response {
        let bad = StatusCode::BAD_REQUEST;
        let mut response = match &self {
            Self::Issued(issued) | Self::Refreshed(issued) => Json(issued.body()).into_response(),
            Self::Refused | Self::Reused => Self::error(
                bad,
                "invalid_grant",
                "the user, the password, the token or the clientid is not right",
            ),
            Self::Malformed(Malformed::Request(why)) => Self::error(bad, "invalid_request", why),
            Self::Malformed(Malformed::Grant) => {
                Self::error(bad, "unsupported_grant_type", "grant_type is password or refresh_token")
            }
            Self::TooLarge => Self::error(
                StatusCode::PAYLOAD_TOO_LARGE,
                "invalid_request",
                "the body is larger than 16 KiB, or broke off",
            ),
            Self::SlowDown(_) => Self::error(
                StatusCode::TOO_MANY_REQUESTS,
                "slow_down",
                "too many attempts from this address failed; try again later",
            ),
            Self::Unavailable => Self::error(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "the gateway is busy or cannot write; try again",
            ),
        };
        let again = match &self {
            Self::SlowDown(after) => Some(after.as_secs().saturating_add(1)),
            Self::Unavailable => Some(2),
            _ => None,
        };
        let headers = response.headers_mut();
        if let Some(seconds) = again {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        response
    }
}

impl Issued {
    fn body(&self) -> Tokens<'_> {
        let pair = Pair {
            access_token: self.access.expose_secret(),
            refresh_token: self.refresh.expose_secret(),
            token_type: "bearer",
            expires_in: self.expires_in,
        };
        Tokens {
            outer: pair,
            values: pair,
        }
    }
}
