//! The two ports' routers: each surface with its own state, under the same layers.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderName;
use axum::middleware;
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use axum::response::Response;
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::MakeRequestUuid;
use tower_http::request_id::PropagateRequestIdLayer;
use tower_http::request_id::SetRequestIdLayer;
use utoipa_swagger_ui::SwaggerUi;

use crate::http::ApiState;
use crate::http::HttpMetrics;
use crate::http::OpsState;
use crate::http::WebhookState;
use crate::http::api;
use crate::http::docs;
use crate::http::not_here::no_method;
use crate::http::not_here::no_path;
use crate::http::observe::REQUEST_ID;
use crate::http::observe::observe;
use crate::http::ops;
use crate::http::problem::internal;
use crate::http::problem::refused;
use crate::http::webhook;
use crate::problem::ProblemCode;

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
    let calls = api::calls()
        .with_state(api_state.clone())
        .merge(webhook::routes().with_state(webhooks));
    let calls = calls.layer(middleware::from_fn_with_state(limits.request, in_time));
    let (router, _document) = calls.merge(api::streams().with_state(api_state)).split_for_parts();
    let docs: Router = SwaggerUi::new("/docs").url("/openapi.json", docs::openapi()).into();
    observed(router.merge(docs).layer(DefaultBodyLimit::max(limits.body)), metrics)
}

/// For the operator.
pub fn admin_router(ops: OpsState, metrics: HttpMetrics) -> Router {
    let router = Router::new()
        .route("/livez", get(ops::livez))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(ops::metrics))
        .with_state(ops);
    observed(router, metrics)
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

async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => {
            let detail = "the gateway did not finish in time and goes on with it; repeat with the same Idempotency-Key to learn the outcome";
            refused(ProblemCode::UpstreamTimeout, detail).into_response()
        }
    }
}
