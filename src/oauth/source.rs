//! One credential's tokens: the one in force, its renewal by one caller while the others wait for it, and a pause after a
//! fetch that failed.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use bytes::BytesMut;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use reqwest::Client;
use secrecy::SecretString;
use thiserror::Error;
use tokio::sync::OnceCell;
use url::Url;

use crate::domain::Timestamp;
use crate::oauth::Grant;
use crate::oauth::answer::Answer;

/// A token is renewed so long before it expires, or after three quarters of its time where that is later.
const MARGIN: Duration = Duration::from_mins(1);
/// So soon after a token was given up for being refused, the next is kept: another would be no better.
const REJECT_PAUSE: Duration = Duration::from_secs(5);
/// After a fetch that was refused: passwords that are wrong may be locked where they are checked.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);
const SILENT_PAUSE: Duration = Duration::from_secs(1);
const ANSWER_LIMIT: usize = 64 * 1024;

#[derive(Debug)]
pub struct TokenSource {
    client: Client,
    grant: Grant,
    timeout: Duration,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenFault {
    #[error("the token endpoint gave no answer that counts")]
    Silent,
    #[error("the token endpoint refused with status {0}")]
    Refused(u16),
    #[error("the token endpoint's answer holds no token")]
    Unreadable,
}

type Fetched = Result<Answer, TokenFault>;

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    refresh_token: Option<SecretString>,
    rejected_at: Option<Timestamp>,
    /// The last fetch failed; none is made until then.
    paused: Option<(TokenFault, Timestamp)>,
    /// Whoever is first fetches; should it give up, the next one in line does.
    flight: Option<Arc<OnceCell<Fetched>>>,
}

#[derive(Clone, Debug)]
struct Held {
    authorization: HeaderValue,
    renew_at: Timestamp,
    expires_at: Timestamp,
}

impl TokenSource {
    /// `client` follows no redirects and dials only what the token endpoint may be.
    pub fn new(client: Client, grant: Grant, timeout: Duration) -> Self {
        Self {
            client,
            grant,
            timeout,
            state: Mutex::default(),
        }
    }

    pub const fn token_url(&self) -> &Url {
        self.grant.token_url()
    }

    /// The value of an `Authorization` header that is good now.
    pub async fn authorization(&self, now: Timestamp) -> Result<HeaderValue, TokenFault> {
        let (flight, refresh_token) = {
            let mut state = self.state();
            if let Some(answer) = state.answer(now) {
                return answer;
            }
            let flight = state.flight.get_or_insert_with(Arc::default);
            (Arc::clone(flight), state.refresh_token.clone())
        };
        let fetched = flight.get_or_init(|| self.fetch(refresh_token)).await.clone();
        self.state().land(&flight, fetched, now)
    }

    /// Takes note that a token was refused where it was presented: the next is fetched anew.
    pub fn reject(&self, authorization: &HeaderValue, now: Timestamp) {
        let mut state = self.state();
        let is_it = |held: &Held| held.authorization == *authorization;
        if state.held.as_ref().is_some_and(is_it) && state.rejected_at.is_none_or(|at| now.since(at) >= REJECT_PAUSE) {
            state.held = None;
            state.rejected_at = Some(now);
        }
    }

    /// By the refresh token if there is one; when that is not taken, by the grant itself.
    async fn fetch(&self, refresh_token: Option<SecretString>) -> Fetched {
        if let Some(form) = refresh_token.and_then(|token| self.grant.refresh_form(&token)) {
            match self.ask(form).await {
                Err(TokenFault::Refused(_) | TokenFault::Unreadable) => {}
                answer => return answer,
            }
        }
        self.ask(self.grant.form()).await
    }

    async fn ask(&self, form: String) -> Fetched {
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        let mut request = self
            .client
            .post(self.token_url().clone())
            .header(header::CONTENT_TYPE, form_type)
            .header(header::ACCEPT, HeaderValue::from_static("application/json"))
            .timeout(self.timeout)
            .body(form);
        if let Some(value) = self.grant.authorization() {
            request = request.header(header::AUTHORIZATION, value);
        }
        let mut response = request.send().await.map_err(|_silence| TokenFault::Silent)?;
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(TokenFault::Silent);
        }
        if !status.is_success() {
            return Err(TokenFault::Refused(status.as_u16()));
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|_silence| TokenFault::Silent)? {
            if body.len() + chunk.len() > ANSWER_LIMIT {
                return Err(TokenFault::Unreadable);
            }
            body.extend_from_slice(&chunk);
        }
        Answer::read(&body).ok_or(TokenFault::Unreadable)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// `None` when a token must be fetched.
    fn answer(&self, now: Timestamp) -> Option<Result<HeaderValue, TokenFault>> {
        let good = self.held.as_ref().filter(|held| now < held.expires_at);
        match (good, &self.paused) {
            (Some(held), _) if now < held.renew_at => Some(Ok(held.authorization.clone())),
            (Some(held), Some((_, until))) if now < *until => Some(Ok(held.authorization.clone())),
            (None, Some((fault, until))) if now < *until => Some(Err(*fault)),
            _ => None,
        }
    }

    /// Remembers what a fetch brought. The first caller to come back does it for all.
    fn land(
        &mut self,
        flight: &Arc<OnceCell<Fetched>>,
        fetched: Fetched,
        now: Timestamp,
    ) -> Result<HeaderValue, TokenFault> {
        let is_first = self.flight.as_ref().is_some_and(|known| Arc::ptr_eq(known, flight));
        if is_first {
            self.flight = None;
        }
        match fetched {
            Ok(answer) => {
                let authorization = answer.authorization.clone();
                if is_first {
                    self.take(answer, now);
                }
                Ok(authorization)
            }
            Err(fault) => {
                if is_first {
                    tracing::warn!(error = %fault, "a bearer token could not be fetched");
                    let pause = match fault {
                        TokenFault::Silent => SILENT_PAUSE,
                        TokenFault::Refused(_) | TokenFault::Unreadable => REFUSED_PAUSE,
                    };
                    self.paused = Some((fault, now.plus(pause)));
                }
                let good = self.held.as_ref().filter(|held| now < held.expires_at);
                good.map(|held| held.authorization.clone()).ok_or(fault)
            }
        }
    }

    fn take(&mut self, answer: Answer, now: Timestamp) {
        let good_for = answer.good_for;
        self.paused = None;
        if answer.refresh_token.is_some() {
            self.refresh_token = answer.refresh_token;
        }
        self.held = Some(Held {
            authorization: answer.authorization,
            renew_at: now.plus(good_for.saturating_sub(MARGIN.min(good_for / 4))),
            expires_at: now.plus(good_for),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).plus(Duration::from_secs(seconds))
    }

    fn state(seconds: u64) -> State {
        let mut state = State::default();
        let body = format!(r#"{{"access_token":"a","expires_in":{seconds}}}"#);
        state.take(Answer::read(body.as_bytes()).unwrap(), at(0));
        state
    }

    #[test]
    fn a_token_is_used_until_a_minute_before_it_expires_or_three_quarters_of_its_time() {
        for (good_for, used_until) in [(3600, 3540), (60, 45)] {
            let state = state(good_for);
            assert!(matches!(state.answer(at(used_until - 1)), Some(Ok(_))));
            assert!(state.answer(at(used_until)).is_none());
        }
    }

    #[test]
    fn when_a_renewal_fails_the_old_token_is_used_as_long_as_it_is_good() {
        let mut state = state(3600);
        let flight = Arc::default();
        state.flight = Some(Arc::clone(&flight));
        let old = state.land(&flight, Err(TokenFault::Refused(400)), at(3550));
        assert_eq!(old.unwrap(), "Bearer a");
        assert!(
            matches!(state.answer(at(3560)), Some(Ok(_))),
            "and nobody asks again at once"
        );
        assert!(state.answer(at(3581)).is_none());
        state.paused = Some((TokenFault::Silent, at(3700)));
        assert_eq!(state.answer(at(3600)), Some(Err(TokenFault::Silent)));
    }
}
