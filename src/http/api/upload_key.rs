//! The idempotency key of an upload. What a file is, is known at its end only, so a repeat is compared while it is read;
//! what is kept before 8x8 has answered says what to look for there.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::Deserialize;
use serde::Serialize;

use crate::domain::HandoverId;
use crate::handovers::Bot;
use crate::handovers::Key;
use crate::handovers::Sought;
use crate::http::ApiState;
use crate::http::answer::keep_refusal;
use crate::http::idempotency::Call;
use crate::http::key_fate::Fate;
use crate::http::key_fate::fate;
use crate::http::problem::Refusal;
use crate::http::problem::in_progress;
use crate::http::running_keys::Running;
use crate::problem::Problem;
use crate::store::KeptAnswer;
use crate::store::Reference;
use crate::store::StoreError;

/// Marks what is kept beside a key that has no answer yet.
const OPEN: StatusCode = StatusCode::PROCESSING;

/// A key that runs here until it is dropped.
pub(super) struct UploadKey {
    state: ApiState,
    bot: Arc<Bot>,
    handover: HandoverId,
    key: Key,
    _running: Running,
}

/// What an earlier call with the key left behind, with the hash of its file.
pub(super) enum Earlier {
    Answered([u8; 32], KeptAnswer),
    /// 8x8 may have the file.
    Unanswered([u8; 32], Sought),
    /// 8x8 does not have the file.
    Nothing([u8; 32]),
}

#[derive(Serialize, Deserialize)]
enum Open {
    Unanswered(Sought),
    Nothing,
}

impl UploadKey {
    /// `None` for a call without a key.
    pub(super) fn take(
        state: &ApiState,
        bot: &Arc<Bot>,
        handover: &HandoverId,
        call: &Call,
    ) -> Result<Option<Self>, Refusal> {
        let Some(key) = call.key_for([0; 32]) else {
            return Ok(None);
        };
        // Whether it is the same file is not known yet.
        let running = state.running.start(&bot.name, &key).map_err(|_taken| in_progress())?;
        Ok(Some(Self {
            state: state.clone(),
            bot: Arc::clone(bot),
            handover: handover.clone(),
            key,
            _running: running,
        }))
    }

    pub(super) async fn earlier(&self) -> Result<Option<Earlier>, Refusal> {
        let store = self.state.handovers.store();
        let record = store
            .idempotency(&self.bot.name, &self.key.scope, &self.key.key)
            .await?;
        let Some((sha256, answer)) = record.and_then(|record| Some((record.request_sha256, record.answer?))) else {
            return Ok(None);
        };
        if answer.status != OPEN.as_u16() {
            return Ok(Some(Earlier::Answered(sha256, answer)));
        }
        let missing = |_unreadable| StoreError::Inconsistent {
            table: "idempotency",
            column: "body",
            id: self.handover.to_string(),
        };
        Ok(Some(match serde_json::from_str(&answer.body).map_err(missing)? {
            Open::Unanswered(sought) => Earlier::Unanswered(sha256, sought),
            Open::Nothing => Earlier::Nothing(sha256),
        }))
    }

    /// Before 8x8 can have the whole file. Without this on record the file must not be ended.
    pub(super) async fn intend(&self, sha256: [u8; 32], sought: &Sought) -> Result<(), StoreError> {
        self.write(sha256, open(&Open::Unanswered(sought.clone()))).await
    }

    pub(super) async fn keep(&self, sha256: [u8; 32], answer: KeptAnswer) {
        if let Err(error) = self.write(sha256, answer).await {
            tracing::warn!(error = %error, "the answer to an upload could not be kept; a repeat looks for the file at 8x8");
        }
    }

    /// A definite refusal is kept; otherwise a repeat looks for the file, or gives it again.
    pub(super) async fn settle(&self, sha256: [u8; 32], sought: &Sought, refusal: &Problem) {
        let kept = match fate(refusal) {
            Fate::Kept => keep_refusal(&Box::new(refusal.clone())),
            Fate::Freed => open(&Open::Nothing),
            Fate::Open => open(&Open::Unanswered(sought.clone())),
        };
        self.keep(sha256, kept).await;
    }

    async fn write(&self, sha256: [u8; 32], answer: KeptAnswer) -> Result<(), StoreError> {
        let key = Key {
            request_sha256: sha256,
            ..self.key.clone()
        };
        let about = Reference::Handover(self.handover.clone());
        let claim = key.claim(&self.bot.name, about, self.state.clock.now());
        self.state.handovers.store().keep_answer(claim, answer).await
    }
}

fn open(open: &Open) -> KeptAnswer {
    KeptAnswer {
        status: OPEN.as_u16(),
        content_type: String::new(),
        location: None,
        body: serde_json::to_string(open).unwrap_or_default(),
    }
}
