//! One run a key: the first call runs to its end even when its caller hangs up, a repeat is told what came of it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::IntoResponse as _;
use axum::response::Response;

use crate::domain::HandBack;
use crate::domain::HandoverId;
use crate::domain::State;
use crate::domain::transition;
use crate::handovers::Bot;
use crate::handovers::CommandError;
use crate::handovers::Key;
use crate::http::ApiState;
use crate::http::answer::Answer;
use crate::http::answer::Told;
use crate::http::answer::keep_refusal;
use crate::http::answer::replay;
use crate::http::api::accepted;
use crate::http::api::created;
use crate::http::api::posted;
use crate::http::api::scheduled;
use crate::http::key_fate::Fate;
use crate::http::key_fate::fate;
use crate::http::observe::request_id;
use crate::http::problem::Refusal;
use crate::http::problem::in_progress;
use crate::http::problem::invalid;
use crate::http::problem::refused;
use crate::http::running_keys::Taken;
use crate::problem::FieldError;
use crate::problem::Problem;
use crate::problem::ProblemCode;
use crate::store::IdempotencyRecord;
use crate::store::KeptAnswer;
use crate::store::Reference;

const HEADER: &str = "idempotency-key";
const LONGEST: usize = 255;

/// Method and path of a POST, and its idempotency key when it has one.
#[derive(Clone, Debug)]
pub(super) struct Call {
    method_and_path: String,
    path: String,
    key: Option<String>,
    request_id: Option<String>,
}

impl Call {
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// What log and audit log call it by.
    pub(super) fn request_id(&self) -> Option<String> {
        self.request_id.clone()
    }

    /// The key, when it came with one.
    pub(super) fn key_for(&self, request_sha256: [u8; 32]) -> Option<Key> {
        self.key.clone().map(|key| Key {
            scope: self.method_and_path.clone(),
            key,
            request_sha256,
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let path = parts.uri.path().to_owned();
        let method_and_path = format!("{} {path}", parts.method);
        Ok(Self {
            method_and_path,
            path,
            key: key_of(&parts.headers)?,
            request_id: request_id(&parts.headers),
        })
    }
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let visible = |bytes: &[u8]| (1..=LONGEST).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(text) if values.next().is_none() && visible(text.as_bytes()) => Ok(Some(text.to_owned())),
        Ok(_) | Err(_) => {
            let message = format!("must be 1 to {LONGEST} visible ASCII characters, given once");
            Err(invalid(vec![FieldError {
                pointer: "/headers/Idempotency-Key".to_owned(),
                message,
            }]))
        }
    }
}

/// What a repeat whose first call left no answer is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Makes {
    /// A handover: 201, once 8x8 is known to have it.
    Handover,
    /// A change of this handover, or a message in it: 202.
    ChangeOf(HandoverId),
    /// The hand-back of this handover: 201, once 8x8 is known to have it.
    HandBack(HandoverId),
    /// Nothing that could be told of: the call may run again.
    Nothing,
}

/// A keyed call, ready to run.
pub(super) struct Once {
    pub(super) bot: Arc<Bot>,
    pub(super) call: Call,
    pub(super) request_sha256: [u8; 32],
    pub(super) makes: Makes,
}

impl Once {
    /// A call that changes a handover, as all but the create do.
    pub(super) fn change_of(id: &HandoverId, bot: &Arc<Bot>, call: Call, request_sha256: [u8; 32]) -> Self {
        Self {
            bot: Arc::clone(bot),
            call,
            request_sha256,
            makes: Makes::ChangeOf(id.clone()),
        }
    }
}

/// Runs the call, or tells what came of its first run.
pub(super) async fn once<Run, Running>(state: &ApiState, once: Once, run: Run) -> Result<Response, Refusal>
where
    Run: FnOnce(Option<Key>) -> Running + Send + 'static,
    Running: Future<Output = Result<Answer, Refused>> + Send + 'static,
{
    let own = state.clone();
    let finished = state
        .supervisor
        .finish(async move { once.answer(&own, run).await })
        .await;
    finished.map_err(CommandError::from)?
}

/// Why a call made nothing.
pub(super) enum Refused {
    /// Someone else holds the key.
    KeyTaken(Box<IdempotencyRecord>),
    Told(Refusal),
}

impl From<CommandError> for Refused {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::KeyTaken(record) => Self::KeyTaken(record),
            other => Self::Told(other.into()),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Told(refusal)
    }
}

impl Once {
    async fn answer<Run, Running>(self, state: &ApiState, run: Run) -> Result<Response, Refusal>
    where
        Run: FnOnce(Option<Key>) -> Running + Send,
        Running: Future<Output = Result<Answer, Refused>> + Send,
    {
        let Some(key) = self.call.key_for(self.request_sha256) else {
            return match run(None).await {
                Ok(answer) => Ok(answer.into_response()),
                Err(Refused::Told(refusal)) => Err(self.completed(refusal)),
                Err(Refused::KeyTaken(_)) => Err(in_progress()),
            };
        };
        let running = state.running.start(&self.bot.name, &key);
        let before = state
            .handovers
            .store()
            .idempotency(&self.bot.name, &key.scope, &key.key)
            .await?;
        let _running = running.map_err(|taken| match taken {
            Taken::SameRequest => in_progress(),
            // The one that runs may be the wrong one: nobody is to take a new key for what was carried out under this one.
            Taken::OtherRequest if is_of(&key, before.as_ref()) => in_progress(),
            Taken::OtherRequest => mismatch(),
        })?;
        if let Some(record) = before
            && let Some(response) = self.told_again(state, &key, record).await?
        {
            return Ok(response);
        }
        match run(Some(key.clone())).await {
            Ok(answer) => {
                failpoint!("key.before_keep");
                self.keep(state, &key, answer.about.clone(), answer.keep()).await;
                failpoint!("key.after_keep");
                Ok(answer.into_response())
            }
            Err(Refused::Told(refusal)) => Err(self.settle(state, &key, refusal).await),
            // Another process runs it, or has just done so.
            Err(Refused::KeyTaken(record)) => self.told_again(state, &key, *record).await?.ok_or_else(in_progress),
        }
    }

    /// The answer of an earlier run; `None` when it came to nothing, and the call may run anew.
    async fn told_again(
        &self,
        state: &ApiState,
        key: &Key,
        record: IdempotencyRecord,
    ) -> Result<Option<Response>, Refusal> {
        if record.request_sha256 != key.request_sha256 {
            return Err(mismatch());
        }
        if let Some(kept) = record.answer {
            return Ok(Some(replay(kept)));
        }
        let told = match &record.reference {
            Reference::Message(handover, message) => {
                let message = state.handovers.store().message(handover, message).await?;
                message
                    .map(|message| posted(handover, &message.id, message.status))
                    .transpose()?
            }
            Reference::Nothing => None,
            Reference::Handover(id) => match (state.handovers.get(&self.bot.name, id).await, &self.makes) {
                (Err(CommandError::NotFound), _) => None,
                (Err(error), _) => return Err(error.into()),
                (Ok(_), Makes::Nothing) => None,
                (Ok(handover), Makes::ChangeOf(_)) => Some(accepted(&handover)?),
                (Ok(handover), Makes::HandBack(_)) => match handover.progress.hand_back {
                    Some(HandBack::Scheduled) => Some(scheduled(&handover)?),
                    Some(HandBack::Calling) => {
                        return Err(CommandError::from(transition::Refused::HandBackUnderWay).into());
                    }
                    // It runs anew, and 8x8 says whether it has it.
                    Some(HandBack::Unknown | HandBack::AtJoin) | None => None,
                },
                (Ok(handover), Makes::Handover) => match handover.state() {
                    State::Creating => return Err(unresolved(&handover.facts.id)),
                    State::Failed => None,
                    State::Queued | State::Active | State::Transferring | State::Bot | State::Ended => {
                        Some(created(&handover)?)
                    }
                },
            },
        };
        if told.is_none() {
            state
                .handovers
                .store()
                .release_key(&self.bot.name, &key.scope, &key.key)
                .await?;
        }
        Ok(told.map(|answer| {
            Answer {
                told: Told::Again,
                ..answer
            }
            .into_response()
        }))
    }

    /// Keeps a definite refusal, frees the key of a call that did nothing, and leaves it where nobody knows.
    async fn settle(&self, state: &ApiState, key: &Key, refusal: Refusal) -> Refusal {
        let refusal = self.completed(refusal);
        match fate(&refusal) {
            Fate::Kept => {
                if let Some(id) = refusal.handover_id.clone() {
                    self.keep(state, key, Reference::Handover(id), keep_refusal(&refusal))
                        .await;
                }
            }
            Fate::Freed => {
                if let Err(error) = state
                    .handovers
                    .store()
                    .release_key(&self.bot.name, &key.scope, &key.key)
                    .await
                {
                    tracing::warn!(error = %error, "an idempotency key could not be freed; it stays taken until it expires");
                }
            }
            Fate::Open => {}
        }
        refusal
    }

    /// Says which handover it is about, and where it was asked.
    fn completed(&self, mut refusal: Refusal) -> Refusal {
        refusal.instance = Some(self.call.path.clone());
        if let (Fate::Kept, None, Makes::ChangeOf(id) | Makes::HandBack(id)) =
            (fate(&refusal), &refusal.handover_id, &self.makes)
        {
            refusal.handover_id = Some(id.clone());
        }
        refusal
    }

    async fn keep(&self, state: &ApiState, key: &Key, about: Reference, answer: KeptAnswer) {
        let claim = key.claim(&self.bot.name, about, state.clock.now());
        if let Err(error) = state.handovers.store().keep_answer(claim, answer).await {
            tracing::warn!(error = %error, "an answer could not be kept; a repeat is told the present state");
        }
    }
}

fn is_of(key: &Key, record: Option<&IdempotencyRecord>) -> bool {
    record.is_some_and(|record| record.request_sha256 == key.request_sha256)
}

pub(super) fn mismatch() -> Refusal {
    refused(
        ProblemCode::IdempotencyMismatch,
        "this Idempotency-Key was used for a request with another body; take a new key",
    )
}

fn unresolved(id: &HandoverId) -> Refusal {
    let detail = "8x8 has not said yet whether it took the conversation; it is being looked for. Repeat with the same \
                  Idempotency-Key to learn the outcome";
    Box::new(Problem::new(ProblemCode::UpstreamTimeout, detail).about(id.clone()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_key_is_visible_ascii_of_at_most_255() {
        assert_eq!(key_of(&headers(&[])).unwrap(), None);
        assert_eq!(key_of(&headers(&["a-1"])).unwrap().as_deref(), Some("a-1"));
        let longest = "k".repeat(255);
        assert_eq!(key_of(&headers(&[&longest])).unwrap(), Some(longest.clone()));
        let too_long = format!("{longest}k");
        for values in [&[""][..], &["a b"], &["a", "b"], &[&too_long]] {
            assert_eq!(key_of(&headers(values)).unwrap_err().status, 422, "{values:?}");
        }
        let mut other = HeaderMap::new();
        other.insert(HEADER, HeaderValue::from_bytes("é".as_bytes()).unwrap());
        assert!(key_of(&other).is_err());
    }
}
