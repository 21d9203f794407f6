//! The figures of queues, as `cc/v1` and the clusters serve them: one form, made from XML, times in seconds.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::answer::Answer;
use super::schedules::plain;
use crate::sandbox::centre::Figures;
use crate::sandbox::problem::Problem;
use crate::sandbox::state::{Shared, State as Sandbox};

pub(super) async fn queues(State(shared): State<Shared>) -> Response {
    plain(&json!({"queue": all(&shared)}))
}

pub(super) async fn queue(State(shared): State<Shared>, Path(id): Path<String>) -> Answer {
    one(&shared, &id)
}

/// A cluster's listing of all has one level more.
pub(super) async fn cluster_queues(State(shared): State<Shared>) -> Response {
    plain(&json!({"queues": {"queue": all(&shared)}}))
}

/// The id is followed by the format; XML is not built.
pub(super) async fn cluster_queue(State(shared): State<Shared>, Path(file): Path<String>) -> Answer {
    let id = file.strip_suffix(".json").ok_or_else(Problem::no_such_route)?;
    one(&shared, id)
}

fn one(shared: &Sandbox, id: &str) -> Answer {
    let figures = shared.centre().figures.get(id).cloned();
    let figures = figures.ok_or_else(|| Problem::not_found("queue", id))?;
    Ok(plain(&json!({"queue": view(id, &name(shared, id), &figures)})))
}

fn all(shared: &Sandbox) -> Vec<Value> {
    let figures = shared.centre().figures.clone();
    figures
        .iter()
        .map(|(id, figures)| view(id, &name(shared, id), figures))
        .collect()
}

pub(super) fn name(shared: &Sandbox, id: &str) -> String {
    let world = shared.world();
    world
        .queue(id)
        .map_or_else(|| id.to_owned(), |queue| queue.name.clone())
}

fn view(id: &str, name: &str, figures: &Figures) -> Value {
    json!({
        "queue-id": id.parse::<u64>().map_or_else(|_| json!(id), |id| json!(id)),
        "queue-name": name,
        "media-type": "chat",
        "queue-size": figures.waiting,
        "longest-wait-time": 0,
        "assigned-agent-count": figures.everyone(),
        "enabled-agent-count": figures.everyone(),
        "agent-count-waitTransact": figures.available,
        "agent-count-busy": figures.busy,
        "agent-count-workOffline": figures.offline,
        "agent-count-onBreak": figures.on_break,
        "agent-count-postProcess": figures.wrap_up,
        "agent-count-loggedOut": figures.logged_out,
        "thirty-min-avg-wait-time": figures.average_wait_seconds.unwrap_or(0.0),
    })
}

impl Figures {
    pub(super) fn logged_in(&self) -> u64 {
        self.available + self.busy + self.wrap_up + self.on_break + self.offline
    }

    fn everyone(&self) -> u64 {
        self.logged_in() + self.logged_out
    }
}
