//! Analytics for Contact Center v5, and the tokens it takes. Times are in milliseconds.

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{StatusCode, header};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::answer::Answer;
use super::schedules::plain;
use super::statistics::name;
use crate::sandbox::centre::Figures;
use crate::sandbox::clock;
use crate::sandbox::problem::Problem;
use crate::sandbox::state::Shared;

const LARGEST_SIZE: usize = 1000;

pub(super) async fn token(State(shared): State<Shared>, body: Bytes) -> Response {
    let grant = form_urlencoded::parse(&body).find(|(key, _)| key == "grant_type");
    let grant = grant.map(|(_, value)| value.into_owned()).unwrap_or_default();
    if grant != "client_credentials" {
        let error = json!({"ErrorCode": "invalid_request", "Error": format!("Unsupported grant type : {grant}")});
        return (StatusCode::BAD_REQUEST, plain(&error)).into_response();
    }
    let mut centre = shared.centre();
    let token = centre.new_token();
    // Numbers are text here.
    plain(&json!({
        "access_token": token,
        "token_type": "BearerToken",
        "expires_in": centre.token_life.as_secs().to_string(),
        "issued_at": clock::now_ms().to_string(),
        "api_product_list": "[analytics realtime-api]",
        "api_product_list_json": ["analytics realtime-api"],
        "status": "approved",
        "scope": "",
        "refresh_token_expires_in": "0",
        "refresh_count": "0",
        "client_id": shared.options.analytics_key,
    }))
}

pub(super) async fn queues(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Answer {
    let asked = Asked::read(query.as_deref())?;
    let figures = shared.centre().figures.clone();
    let known = |id: &&String| !figures.contains_key(*id);
    if let Some(id) = asked.queue_ids.iter().find(known) {
        return Err(bad(&format!("Queue {id} is not known")));
    }
    let wanted = |id: &String| asked.queue_ids.is_empty() || asked.queue_ids.contains(id);
    let rows: Vec<Value> = figures
        .iter()
        .filter(|(id, _)| wanted(id))
        .map(|(id, figures)| asked.view(id, &name(&shared, id), figures))
        .collect();
    Ok(asked.page(&rows))
}

pub(super) async fn queue(State(shared): State<Shared>, Path(id): Path<String>, RawQuery(query): RawQuery) -> Answer {
    let asked = Asked::read(query.as_deref())?;
    let figures = shared.centre().figures.get(&id).cloned();
    let figures = figures.ok_or_else(|| bad(&format!("Queue {id} is not known")))?;
    Ok(plain(&asked.view(&id, &name(&shared, &id), &figures)))
}

/// Who the agents are; only the summary is built.
pub(super) async fn agents(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Answer {
    let asked = Asked::read(query.as_deref())?;
    if !asked.summary {
        return Err(bad("only summary=true is served here"));
    }
    let agents = &shared.options.agents;
    let rows: Vec<Value> = agents
        .iter()
        .map(|(id, name)| json!({"id": id, "name": name, "groupId": "1", "groupName": "Everyone"}))
        .collect();
    Ok(asked.page(&rows))
}

#[derive(Default)]
struct Asked {
    metrics: Vec<String>,
    queue_ids: Vec<String>,
    page: usize,
    size: Option<usize>,
    summary: bool,
}

impl Asked {
    fn read(query: Option<&str>) -> Result<Self, Problem> {
        let mut asked = Self::default();
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let number = || {
                value
                    .parse()
                    .map_err(|_not_a_number| bad(&format!("Field '{key}' must be a number")))
            };
            match key.as_ref() {
                // Repeated or joined by commas.
                "metrics" => asked.metrics.extend(value.split(',').map(str::to_owned)),
                "queue-ids" => asked.queue_ids.extend(value.split(',').map(str::to_owned)),
                "page" => asked.page = number()?,
                "size" => asked.size = Some(number()?),
                "summary" => asked.summary = value == "true",
                "timezone" | "includeTotals" => {}
                _ => return Err(bad(&format!("Unknown field '{key}'"))),
            }
        }
        if asked.size.is_some_and(|size| size > LARGEST_SIZE) {
            return Err(bad(&format!(
                "Field 'size' must be less than or equal to {LARGEST_SIZE}"
            )));
        }
        Ok(asked)
    }

    fn view(&self, id: &str, name: &str, figures: &Figures) -> Value {
        let all = metrics(figures);
        let wanted = |key: &str| self.metrics.is_empty() || self.metrics.iter().any(|metric| metric == key);
        let shown: Vec<Value> = all
            .into_iter()
            .filter(|(key, _)| wanted(key))
            .map(|(key, value)| json!({"key": key, "value": value}))
            .collect();
        json!({"id": id, "name": name, "metrics": shown})
    }

    fn page(&self, rows: &[Value]) -> Response {
        let size = self.size.unwrap_or(100).max(1);
        let shown: Vec<&Value> = rows.iter().skip(self.page.saturating_mul(size)).take(size).collect();
        let headers = [
            ("X-Page-Size", size),
            ("X-Page", self.page),
            ("X-Total-Pages", rows.len().div_ceil(size)),
            ("X-Total-Elements", rows.len()),
        ];
        (
            headers.map(|(name, number)| (name, number.to_string())),
            [(header::CONTENT_TYPE, "application/json")],
            json!(shown).to_string(),
        )
            .into_response()
    }
}

fn metrics(figures: &Figures) -> Vec<(&'static str, Value)> {
    // Null without traffic.
    let wait = figures.average_wait_seconds.map(|seconds| seconds * 1000.0);
    vec![
        ("enabled.rt", json!(figures.logged_in())),
        ("eligible.rt", json!(figures.available + figures.busy)),
        ("availableIdle.rt", json!(figures.available)),
        ("offering.rt", json!(0)),
        ("handling.rt", json!(figures.busy)),
        ("wrapUp.rt", json!(figures.wrap_up)),
        ("busy.rt", json!(figures.busy)),
        ("busyOther.rt", json!(0)),
        ("onBreak.rt", json!(figures.on_break)),
        ("workingOffline.rt", json!(figures.offline)),
        ("interactionsWaitInQueue.rt", json!(figures.waiting.to_string())),
        ("interactionsAvgWaitTime.int-30m", json!(wait)),
    ]
}

fn bad(message: &str) -> Problem {
    Problem::message(StatusCode::BAD_REQUEST, &format!("Bad request: {message}"))
}
