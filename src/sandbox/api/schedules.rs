//! Schedules, as the clusters and `cc/v1` serve them.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::answer::Answer;
use crate::sandbox::problem::Problem;
use crate::sandbox::state::Shared;

pub(super) async fn list(State(shared): State<Shared>) -> Response {
    let centre = shared.centre();
    let schedules: Vec<Value> = centre
        .schedules
        .iter()
        .map(|(id, schedule)| {
            let hours = json!({"status": schedule.status, "start-time": "00:00", "end-time": "24:00"});
            let day = |day: u8| json!({"day": day, "properties": hours});
            json!({
                "id": id.parse::<u64>().map_or_else(|_| json!(id), |id| json!(id)),
                "name": schedule.name,
                "time-zone": "PST8DT",
                "week-days": {"week-day": (0..7).map(day).collect::<Vec<_>>()},
            })
        })
        .collect();
    plain(&json!({"schedules": {"schedule": schedules}}))
}

pub(super) async fn status(State(shared): State<Shared>, Path(id): Path<String>) -> Answer {
    let centre = shared.centre();
    let schedule = centre
        .schedule(&id)
        .ok_or_else(|| Problem::not_found("schedule", &id))?;
    Ok(plain(&json!({"schedule-status": {"status": schedule.status}})))
}

/// Without `.json` a cluster answers XML to whoever does not ask for JSON.
pub(super) async fn status_as_asked(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("json")) {
        return status(State(shared), Path(id)).await;
    }
    let xml = "<schedule-status><status>0</status></schedule-status>";
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/xml")], xml).into_response())
}

pub(super) fn plain(body: &Value) -> Response {
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::OK, content_type, body.to_string()).into_response()
}
