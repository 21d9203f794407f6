//! What one bot may ask of the bot API at a time, so that no other notices; and what is said to those without a good key.
//! Kept by the bots' names, so that it outlives a change of their settings.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use axum::extract::Request;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;

use crate::domain::BotName;
use crate::http::problem::Refusal;
use crate::http::problem::refused;
use crate::http::seldom::Seldom;
use crate::http::tokens::Peer;
use crate::http::tokens::network;
use crate::problem::Problem;
use crate::problem::ProblemCode;
use crate::token_bucket::Budgets;
use crate::token_bucket::Rate;

/// Of the connections, for the calls of one bot; and as many again for its streams and long polls.
const SHARE: usize = 4;
const SMALLEST_SHARE: usize = 16;
/// Wrong keys an address may try at once, and each second, before it is told to slow down. A right key always passes.
const WRONG_KEYS: Rate = Rate::new(2.0, 200.0);
const ADDRESSES: usize = 10_000;
const BOTS: usize = 10_000;
/// Seconds after which a bot's own calls may have ended.
const AGAIN: u64 = 1;

/// Cheap to clone; all clones count together.
#[derive(Clone)]
pub struct ApiLimits {
    inner: Arc<Inner>,
    trusted_proxies: Arc<[IpNet]>,
}

struct Inner {
    at_once: usize,
    rates: Mutex<Budgets<BotName>>,
    calls: Mutex<HashMap<BotName, usize>>,
    follows: Mutex<HashMap<BotName, usize>>,
    strangers: Mutex<Budgets<IpAddr>>,
    seldom: Seldom,
}

/// Something of a bot's that goes on, until it is dropped.
pub(super) struct Place {
    inner: Arc<Inner>,
    kind: Kind,
    bot: BotName,
}

#[derive(Clone, Copy)]
enum Kind {
    Call,
    /// A long poll or a stream.
    Follow,
}

/// Filled in as soon as a request's bot is known, and emptied with its answer.
#[derive(Clone, Default)]
struct Held(Arc<OnceLock<Place>>);

impl ApiLimits {
    /// `per_second` calls of each bot, and twice as many in a burst; of `connections` no bot gets more than its share.
    pub fn new(per_second: u32, connections: usize) -> Self {
        let rate = Rate::new(f64::from(per_second), 2.0 * f64::from(per_second));
        let inner = Inner {
            at_once: (connections / SHARE).max(SMALLEST_SHARE),
            rates: Mutex::new(Budgets::new(rate, BOTS)),
            calls: Mutex::default(),
            follows: Mutex::default(),
            strangers: Mutex::new(Budgets::new(WRONG_KEYS, ADDRESSES)),
            seldom: Seldom::default(),
        };
        Self {
            inner: Arc::new(inner),
            trusted_proxies: Arc::new([]),
        }
    }

    /// The same counts, with other proxies that are believed.
    #[must_use]
    pub fn trusting(&self, proxies: Vec<IpNet>) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            trusted_proxies: proxies.into(),
        }
    }

    /// One call of a bot that is known by its key.
    pub(super) fn admit(&self, bot: &BotName, parts: &Parts) -> Result<(), Refusal> {
        let mut rates = self.inner.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = rates.take(bot.clone(), Instant::now());
        drop(rates);
        taken.map_err(|after| too_many("this bot calls more often than server.bot_rate_limit allows", after))?;
        if let Some(held) = parts.extensions.get::<Held>() {
            let detail = "too many calls of this bot are still running; wait for their answers";
            let place = self.enter(bot, Kind::Call, detail)?;
            drop(held.0.set(place));
        }
        Ok(())
    }

    /// A long poll or a stream.
    pub(super) fn follow(&self, bot: &BotName) -> Result<Place, Refusal> {
        let detail = "this bot has too many streams and long polls open; close some, or follow /v1/events instead";
        self.enter(bot, Kind::Follow, detail)
    }

    fn enter(&self, bot: &BotName, kind: Kind, detail: &str) -> Result<Place, Refusal> {
        let mut counts = self.inner.counts(kind);
        let count = counts.entry(bot.clone()).or_default();
        if *count >= self.inner.at_once {
            return Err(too_many(detail, Duration::from_secs(AGAIN)));
        }
        *count += 1;
        Ok(Place {
            inner: Arc::clone(&self.inner),
            kind,
            bot: bot.clone(),
        })
    }

    /// A call without a good key: refused, and refused otherwise when its address has tried many.
    pub(super) fn stranger(&self, parts: &Parts, detail: &str) -> Refusal {
        let from = Peer::of(&parts.extensions).origin(&parts.headers, &self.trusted_proxies);
        let mut strangers = self.inner.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        let tried = strangers.take(network(from), Instant::now());
        drop(strangers);
        if let Some(left_out) = self.inner.seldom.due("key") {
            tracing::warn!(left_out, "a call came without a key of any bot");
        }
        match tried {
            Ok(()) => refused(ProblemCode::Unauthorized, detail),
            Err(after) => too_many(
                "too many calls without a key of any bot came from this address; check the key, and wait for `Retry-After`",
                after,
            ),
        }
    }
}

/// Around everything that a bot may call.
pub(super) async fn held(mut request: Request, next: Next) -> Response {
    let held = Held::default();
    request.extensions_mut().insert(held.clone());
    let response = next.run(request).await;
    drop(held);
    response
}

fn too_many(detail: &str, after: Duration) -> Refusal {
    let seconds = after.as_secs().saturating_add(1);
    Box::new(Problem::new(ProblemCode::RateLimited, detail).retry_after(seconds))
}

impl Inner {
    fn counts(&self, kind: Kind) -> std::sync::MutexGuard<'_, HashMap<BotName, usize>> {
        let counts = match kind {
            Kind::Call => &self.calls,
            Kind::Follow => &self.follows,
        };
        counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.inner.counts(self.kind);
        if let Some(count) = counts.get_mut(&self.bot) {
            *count = count.saturating_sub(1);
        }
        counts.retain(|_, count| *count > 0);
    }
}

impl fmt::Debug for ApiLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiLimits")
    }
}

#[cfg(test)]
mod tests {
    use axum::http;

    use super::*;

    fn parts() -> Parts {
        http::Request::new(()).into_parts().0
    }

    #[test]
    fn one_bot_is_slowed_down_and_another_does_not_notice() {
        let limits = ApiLimits::new(5, 64);
        let (loud, quiet) = (BotName::new("loud"), BotName::new("quiet"));
        for _ in 0..10 {
            assert!(limits.admit(&loud, &parts()).is_ok());
        }
        let refusal = limits.admit(&loud, &parts()).unwrap_err();
        assert_eq!((refusal.status, refusal.retry_after), (429, Some(1)));
        assert!(limits.admit(&quiet, &parts()).is_ok());
    }

    #[test]
    fn a_bot_has_its_share_of_streams_and_gets_it_back() {
        let limits = ApiLimits::new(5, 100);
        let (bot, other) = (BotName::new("bot"), BotName::new("other"));
        let mut open: Vec<_> = (0..25).map(|_| limits.follow(&bot).ok().unwrap()).collect();
        assert_eq!(limits.follow(&bot).err().unwrap().status, 429);
        assert!(limits.follow(&other).is_ok());
        open.pop();
        assert!(limits.follow(&bot).is_ok());
        open.clear();
        assert!(limits.inner.follows.lock().unwrap().is_empty());
    }

    #[test]
    fn who_tries_key_after_key_is_told_to_slow_down() {
        let limits = ApiLimits::new(5, 100);
        let statuses: Vec<u16> = (0..210).map(|_| limits.stranger(&parts(), "no").status).collect();
        assert!(statuses[..200].iter().all(|status| *status == 401), "{statuses:?}");
        assert!(statuses[202..].iter().all(|status| *status == 429), "{statuses:?}");
        assert!(limits.admit(&BotName::new("bot"), &parts()).is_ok());
    }
}
