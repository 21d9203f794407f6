//! The newest entries of the audit log, for the operator.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::response::IntoResponse as _;
use axum::response::Response;
use serde::Deserialize;
use serde::Serialize;

use crate::domain::Timestamp;
use crate::http::StatusState;
use crate::http::problem::refused;
use crate::problem::ProblemCode;
use crate::store::AuditEntry;

const USUAL: usize = 100;
const AT_MOST: usize = 1000;

#[derive(Deserialize)]
pub(super) struct Asked {
    limit: Option<usize>,
}

#[derive(Serialize)]
struct AuditLog {
    data: Vec<Entry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(serialize_with = "Timestamp::rfc3339")]
    at: Timestamp,
    actor: String,
    action: String,
    target: Option<String>,
    request_id: Option<String>,
    outcome: String,
    counts: BTreeMap<String, u64>,
}

impl From<AuditEntry> for Entry {
    fn from(entry: AuditEntry) -> Self {
        Self {
            at: entry.at,
            actor: entry.actor,
            action: entry.action,
            target: entry.target,
            request_id: entry.request_id,
            outcome: entry.outcome,
            counts: entry.counts,
        }
    }
}

/// `GET /audit?limit=`, newest first.
pub(super) async fn audit_log(
    State(state): State<StatusState>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let limit = match asked {
        Ok(Query(asked)) => asked.limit.unwrap_or(USUAL).clamp(1, AT_MOST),
        Err(_rejected) => {
            let detail = "limit is a number from 1 to 1000";
            return refused(ProblemCode::InvalidRequest, detail).into_response();
        }
    };
    match state.store.audit_log(limit).await {
        Ok(entries) => {
            let data = entries.into_iter().map(Entry::from).collect();
            Json(AuditLog { data }).into_response()
        }
        Err(_) => refused(ProblemCode::StoreUnavailable, "the store cannot be read now").into_response(),
    }
}
