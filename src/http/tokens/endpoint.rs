//! `POST /tenant-users/oauth2/token`. Nothing of what is sent here is logged.

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::metrics::HttpMetrics;
use crate::http::tokens::Peer;
use crate::http::tokens::Tokens;
use crate::http::tokens::answer;
use crate::http::tokens::answer::TokenAnswer;
use crate::http::tokens::request::Fields;
use crate::http::tokens::request::Request;

const BODY_LIMIT: usize = 16 * 1024;

type Endpoint = (Tokens, HttpMetrics);

/// Fetch a bearer token for webhooks
///
/// For whoever adds headers to 8x8's webhooks on their way, where the tenant's `webhook.require` names `bearer`. Access
/// tokens are good for an hour. A refresh token is good once, and 30 days after the log-in at most. After failed attempts an
/// address is answered 429 for up to 30 seconds.
#[utoipa::path(post, path = "/tenant-users/oauth2/token", tag = "webhooks", operation_id = "fetchToken",
    request_body(content((Fields = "application/x-www-form-urlencoded"), (Fields = "application/json"))),
    responses(
        (status = 200, description = "tokens", body = answer::Tokens<'_>),
        (status = 400, description = "`invalid_grant`, `invalid_request` or `unsupported_grant_type`", body = answer::TokenError),
        (status = 413, description = "`invalid_request`: the body is too large", body = answer::TokenError),
        (status = 429, description = "`slow_down`, with `Retry-After`", body = answer::TokenError),
        (status = 503, description = "`temporarily_unavailable`, with `Retry-After`", body = answer::TokenError),
    ))]
async fn fetch(
    State((tokens, metrics)): State<Endpoint>,
    peer: Peer,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> TokenAnswer {
    let answer = match body.as_deref().map(Request::read) {
        Err(_rejection) => TokenAnswer::TooLarge,
        Ok(Err(malformed)) => TokenAnswer::Malformed(malformed),
        Ok(Ok(request)) => {
            let from = peer.origin(&headers, tokens.trusted_proxies());
            match request {
                Request::LogIn {
                    username,
                    password,
                    client,
                } => tokens.log_in(from, &username, password, &client).await,
                Request::Refresh { token, client } => tokens.refresh(from, &token, &client).await,
            }
        }
    };
    if let TokenAnswer::Refused | TokenAnswer::SlowDown(_) = answer
        && let Some(left_out) = tokens.seldom().due(answer.outcome())
    {
        tracing::warn!(
            outcome = answer.outcome(),
            left_out,
            "a request for a token was refused"
        );
    }
    metrics.token(answer.outcome());
    answer
}

pub(in crate::http) fn routes() -> OpenApiRouter<Endpoint> {
    documented().layer(DefaultBodyLimit::max(BODY_LIMIT))
}

/// What the OpenAPI document says of it.
pub(in crate::http) fn paths() -> OpenApi {
    documented().into_openapi()
}

fn documented() -> OpenApiRouter<Endpoint> {
    OpenApiRouter::new().routes(routes!(fetch))
}
