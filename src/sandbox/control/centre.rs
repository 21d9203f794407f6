//! Opens and closes schedules, puts agents into queues, and takes tokens back.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::{Refusal, read};
use crate::sandbox::centre::{Figures, Schedule};
use crate::sandbox::state::Shared;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Change {
    #[serde(default)]
    schedules: BTreeMap<String, Value>,
    #[serde(default)]
    queues: BTreeMap<String, Figures>,
    token_life_seconds: Option<u64>,
    #[serde(default)]
    revoke_tokens: bool,
}

/// What is not named stays as it is.
pub(super) async fn change(State(shared): State<Shared>, body: Bytes) -> Result<StatusCode, Refusal> {
    let change: Change = read(&body)?;
    let mut centre = shared.centre();
    for (id, status) in change.schedules {
        let status = match status.as_str() {
            Some("open") => json!(0),
            Some("closed") => json!(-1),
            Some(_) | None => status,
        };
        let schedule = centre.schedules.entry(id.clone()).or_insert_with(|| Schedule {
            name: id,
            status: Value::Null,
        });
        schedule.status = status;
    }
    centre.figures.extend(change.queues);
    if let Some(seconds) = change.token_life_seconds {
        centre.token_life = Duration::from_secs(seconds);
    }
    if change.revoke_tokens {
        centre.revoke_tokens();
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn show(State(shared): State<Shared>) -> Json<Value> {
    let centre = shared.centre();
    let schedules: BTreeMap<&String, &Value> = centre
        .schedules
        .iter()
        .map(|(id, schedule)| (id, &schedule.status))
        .collect();
    Json(json!({
        "schedules": schedules,
        "queues": centre.figures,
        "tokenLifeSeconds": centre.token_life.as_secs(),
    }))
}
