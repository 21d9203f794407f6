//! `POST /reload` on the operator's port: for where no signal can be sent. Reading and taking up is for whoever holds the
//! other end.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Response;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::http::StatusState;
use crate::http::problem::refused;
use crate::http::problem::too_slow;
use crate::problem::ProblemCode;

/// One is done after the other; more than these are told to come again.
const WAITING: usize = 4;
const PATIENCE: Duration = Duration::from_secs(20);

/// Cheap to clone; all clones go to the same place.
#[derive(Clone, Debug)]
pub struct ReloadWishes(mpsc::Sender<ReloadWish>);

/// Somebody waits for the outcome.
#[derive(Debug)]
pub struct ReloadWish(oneshot::Sender<ReloadOutcome>);

/// Keys, never values.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TakenUp {
    pub changed: Vec<String>,
    pub need_restart: Vec<String>,
}

/// `Err` has every fault.
pub type ReloadOutcome = Result<TakenUp, Vec<String>>;

impl ReloadWishes {
    pub fn new() -> (Self, mpsc::Receiver<ReloadWish>) {
        let (wishes, asked) = mpsc::channel(WAITING);
        (Self(wishes), asked)
    }

    /// `None` when nobody is there to do it, or it takes too long.
    async fn outcome(&self) -> Option<ReloadOutcome> {
        let (wish, answer) = oneshot::channel();
        self.0.try_send(ReloadWish(wish)).ok()?;
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
    }
}

impl ReloadWish {
    pub fn answer(self, outcome: ReloadOutcome) {
        // Whoever asked may have hung up: it is done all the same.
        drop(self.0.send(outcome));
    }
}

pub(super) async fn reload(State(state): State<StatusState>) -> Response {
    match state.reload.outcome().await {
        Some(Ok(taken_up)) => Json(taken_up).into_response(),
        Some(Err(faults)) => {
            let detail = format!(
                "the new settings cannot be used, nothing changes: {}",
                faults.join("; ")
            );
            refused(ProblemCode::InvalidRequest, &detail).into_response()
        }
        None => too_slow("the outcome is not known; look at the log or at /audit, or try again").into_response(),
    }
}
