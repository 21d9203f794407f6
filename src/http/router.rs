//! The two ports' routers: each surface with its own state, under the same layers.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::Method;
use axum::middleware;
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use axum::response::Response;
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::MakeRequestUuid;
use tower_http::request_id::PropagateRequestIdLayer;
use tower_http::request_id::SetRequestIdLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use utoipa_swagger_ui::SwaggerUi;

use crate::http::ApiState;
use crate::http::HttpMetrics;
use crate::http::OpsState;
use crate::http::StatusState;
use crate::http::WebhookState;
use crate::http::api;
use crate::http::api_limits::held;
use crate::http::docs;
use crate::http::not_here::no_method;
use crate::http::not_here::no_path;
use crate::http::observe::REQUEST_ID;
use crate::http::observe::observe;
use crate::http::ops;
use crate::http::problem::internal;
use crate::http::problem::refused;
use crate::http::problem::too_slow;
use crate::http::status;
use crate::http::tokens;
use crate::http::webhook;
use crate::http::webhook_answer::WebhookAnswer;
use crate::problem::ProblemCode;

/// The longest pause in the body of a call or a webhook.
const PAUSE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
pub struct PublicLimits {
    /// Bytes of a request's body.
    pub body: usize,
    /// How long an answer may take; streams and long polls are exempt.
    pub request: Duration,
}

/// The bot API, the webhooks, and the documents about them.
pub fn public_router(
    api_state: ApiState,
    webhooks: WebhookState,
    limits: PublicLimits,
    metrics: HttpMetrics,
) -> Router {
    let in_time = middleware::from_fn_with_state(limits.request, in_time);
    let held = middleware::from_fn(held);
    let calls = api::calls()
        .with_state(api_state.clone())
        .layer(in_time)
        .layer(held.clone());
    let in_time = middleware::from_fn_with_state((limits.request, metrics.clone()), webhook_in_time);
    let in_time_or_again = middleware::from_fn_with_state(limits.request, in_time_or_again);
    let tokens = tokens::routes()
        .with_state((webhooks.tokens.clone(), metrics.clone()))
        .layer(in_time_or_again);
    let webhooks = webhook::routes().with_state(webhooks).layer(in_time);
    let streams = api::streams().with_state(api_state.clone());
    let transfers = api::transfers().layer(held).merge(api::links()).with_state(api_state);
    let all = calls.merge(webhooks).merge(tokens).merge(streams);
    let (router, _document) = all.split_for_parts();
    let docs: Router = SwaggerUi::new("/docs").url("/openapi.json", docs::openapi()).into();
    let limited = router
        .merge(docs)
        .layer(DefaultBodyLimit::max(limits.body))
        .layer(RequestBodyTimeoutLayer::new(PAUSE));
    let (transfers, _document) = transfers.split_for_parts();
    observed(limited.merge(transfers.layer(DefaultBodyLimit::disable())), metrics)
}

/// For the operator.
pub fn admin_router(ops: OpsState, status: StatusState, metrics: HttpMetrics) -> Router {
    let router = Router::new()
        .route("/livez", get(ops::livez))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(ops::metrics))
        .with_state(ops);
    observed(router.merge(status::routes(status)), metrics)
}

fn observed(router: Router, metrics: HttpMetrics) -> Router {
    let request_id = HeaderName::from_static(REQUEST_ID);
    router
        .fallback(no_path)
        .method_not_allowed_fallback(no_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(metrics, observe))
        .layer(PropagateRequestIdLayer::new(request_id.clone()))
        .layer(SetRequestIdLayer::new(request_id, MakeRequestUuid))
}

/// The panic's own message is in the log already, with its place.
fn panicked(_payload: Box<dyn Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    internal().into_response()
}

/// What may have been asked of 8x8 by then has an unknown outcome; what only reads has none.
async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    if let Ok(response) = tokio::time::timeout(limit, next.run(request)).await {
        return response;
    }
    let unknown = |detail| refused(ProblemCode::UpstreamTimeout, detail).into_response();
    match method {
        Method::POST => unknown(
            "the gateway did not finish in time and goes on with it; repeat with the same Idempotency-Key to learn the outcome",
        ),
        Method::PATCH => unknown(
            "the gateway did not finish in time and goes on with it; look at the handover or its events to learn the outcome",
        ),
        _ => too_slow("the gateway did not answer in time; try again").into_response(),
    }
}

/// For what can be asked again as it is.
async fn in_time_or_again(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_late) => too_slow("the gateway did not answer in time; try again").into_response(),
    }
}

/// 8x8 repeats a webhook.
async fn webhook_in_time(
    State((limit, metrics)): State<(Duration, HttpMetrics)>,
    request: Request,
    next: Next,
) -> Response {
    if let Ok(response) = tokio::time::timeout(limit, next.run(request)).await {
        return response;
    }
    let answer = WebhookAnswer::TooSlow;
    metrics.webhook(answer.outcome());
    tracing::warn!("a webhook was not taken in time, 8x8 is to repeat it");
    answer.into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_read_that_takes_too_long_is_to_be_repeated_and_needs_no_key() {
        let router: Router = Router::new()
            .route("/", get(std::future::pending::<()>))
            .layer(middleware::from_fn_with_state(Duration::ZERO, in_time));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "2");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(!body.contains("Idempotency-Key"), "{body}");
    }
}
