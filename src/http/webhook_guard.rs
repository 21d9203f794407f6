//! What webhooks that prove nothing may cost, and whether it is our own clock that refuses 8x8's.
//!
//! A webhook that is signed with a key we know is always looked at, wherever it comes from: that costs less than the request
//! around it. What an address may only do so often is have 8x8 asked for keys that nobody knows.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use serde::de::IgnoredAny;

use crate::domain::Timestamp;
use crate::http::metrics::HttpMetrics;
use crate::http::seldom::Seldom;
use crate::http::tokens::network;
use crate::http::webhook_answer::WebhookAnswer;
use crate::token_bucket::Budgets;
use crate::token_bucket::Rate;
use crate::webhook::ClockHealth;
use crate::webhook::VerifyError;

/// Less than a tenant has in all, so that one address cannot use it up when 8x8 changes its key.
const FETCHES: Rate = Rate::new(0.2, 5.0);
const ADDRESSES: usize = 10_000;

/// Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct WebhookGuard(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    fetches: Mutex<Budgets<IpAddr>>,
    clock: ClockHealth,
    seldom: Seldom,
    metrics: HttpMetrics,
}

impl WebhookGuard {
    pub fn new(metrics: HttpMetrics) -> Self {
        Self(Arc::new(Inner {
            fetches: Mutex::new(Budgets::new(FETCHES, ADDRESSES)),
            clock: ClockHealth::default(),
            seldom: Seldom::default(),
            metrics,
        }))
    }

    /// Whether 8x8 may be asked for a key because of this address.
    pub(super) fn may_fetch(&self, from: IpAddr) -> bool {
        let mut fetches = self.0.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        fetches.take(network(from), Instant::now()).is_ok()
    }

    /// A webhook is 8x8's and of now.
    pub(super) fn timely(&self, sent_at: Timestamp, now: Timestamp) {
        self.record(sent_at, now, true);
    }

    /// A webhook is 8x8's and of another time. The answer where that is our fault.
    pub(super) fn untimely(&self, sent_at: Timestamp, now: Timestamp) -> Option<WebhookAnswer> {
        let skew = self.record(sent_at, now, false);
        if !self.0.clock.is_off(now) {
            return None;
        }
        if let Some(left_out) = self.0.seldom.due("clock") {
            let off = Duration::from_millis(skew.unsigned_abs());
            let direction = if skew < 0 { "behind" } else { "ahead" };
            tracing::error!(
                left_out,
                "the clock of this machine is probably wrong: it seems to be {off:?} {direction}, and most webhooks of 8x8's are \
                 refused for it; set it (NTP)"
            );
        }
        Some(WebhookAnswer::ClockOff)
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure for a graph")]
    fn record(&self, sent_at: Timestamp, now: Timestamp, timely: bool) -> i64 {
        self.0.clock.record(sent_at, now, timely);
        let skew = self.0.clock.skew().unwrap_or_default();
        self.0.metrics.clock_skew(skew as f64 / 1000.0);
        skew
    }

    /// Each kind of it is one line of log a while.
    pub(super) fn unproven(&self, body: &[u8], code: &'static str) -> WebhookAnswer {
        if serde_json::from_slice::<IgnoredAny>(body).is_err() {
            return WebhookAnswer::NotJson;
        }
        if let Some(left_out) = self.0.seldom.due(code) {
            tracing::warn!(code, left_out, "a webhook was not proven to be 8x8's");
        }
        WebhookAnswer::Unproven(code)
    }

    /// As [`WebhookGuard::unproven`], for what is 8x8's.
    pub(super) fn stale(&self, body: &[u8]) -> WebhookAnswer {
        self.unproven(body, VerifyError::STALE_CODE)
    }
}
