//! Which path beside the Chat Gateway's is which operation.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use std::sync::Arc;

use super::{analytics, guard, schedules, statistics};
use crate::sandbox::state::Shared;

const REALTIME: &str = "/analytics/cc/v5/realtime-metrics";

pub(super) fn router(shared: &Shared) -> Router<Shared> {
    // Each region has its own; the US has none in its path.
    let region = match shared.options.region.as_str() {
        "" | "us" => String::new(),
        region => format!("/{region}"),
    };
    let realtime = |path: &str| format!("{region}{REALTIME}{path}");
    Router::new()
        .route("/cc/v1/schedules", get(schedules::list))
        .route("/cc/v1/schedules/{id}/status", get(schedules::status))
        .route("/cc/v1/stats/rt/queues", get(statistics::queues))
        .route("/cc/v1/stats/rt/queue/{id}", get(statistics::queue))
        .route("/api/provisioning/schedules", get(schedules::list))
        .route(
            "/api/provisioning/schedules/{id}/status",
            get(schedules::status_as_asked),
        )
        .route("/api/provisioning/schedules/{id}/status.json", get(schedules::status))
        .route("/api/rtstats/stats/queues.json", get(statistics::cluster_queues))
        .route("/api/rtstats/stats/queue/{file}", get(statistics::cluster_queue))
        .route("/oauth/v2/token", post(analytics::token))
        .route(&realtime("/queues"), get(analytics::queues))
        .route(&realtime("/queues/{id}"), get(analytics::queue))
        .route(&realtime("/agents"), get(analytics::agents))
        .route_layer(from_fn_with_state(Arc::clone(shared), guard::guard))
}

/// The operation's name in the ledger and in fault rules.
pub(super) fn operation(path: &str) -> &'static str {
    match path {
        "/cc/v1/schedules" => "schedules",
        "/cc/v1/schedules/{id}/status" => "schedule-status",
        "/cc/v1/stats/rt/queues" | "/cc/v1/stats/rt/queue/{id}" => "stats",
        "/api/provisioning/schedules" => "cluster-schedules",
        "/api/provisioning/schedules/{id}/status" | "/api/provisioning/schedules/{id}/status.json" => {
            "cluster-schedule-status"
        }
        "/api/rtstats/stats/queues.json" | "/api/rtstats/stats/queue/{file}" => "cluster-stats",
        "/oauth/v2/token" => "token",
        _ => match path.split_once(REALTIME) {
            Some((_, "/queues")) => "analytics-queues",
            Some((_, "/queues/{id}")) => "analytics-queue",
            Some((_, "/agents")) => "analytics-agents",
            Some(_) | None => "other",
        },
    }
}
