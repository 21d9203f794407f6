//! What delivery counts. No bot, URL or text of others becomes a label.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::EncodeLabelValue;
use prometheus_client::encoding::LabelValueEncoder;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::delivery::answer::Answer;

/// Cheap to clone; all clones count together.
#[derive(Clone, Debug, Default)]
pub struct DeliveryMetrics {
    attempts: Family<Labels, Counter>,
    in_flight: Gauge,
    failed: Counter,
    replays: Counter,
    breakers_open: Gauge,
    waiting: Gauge,
    oldest_seconds: Gauge,
    over_quota: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Outcome {
    Accepted,
    /// Any other answer than a success.
    Rejected,
    /// No whole answer.
    Silent,
}

impl DeliveryMetrics {
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "delivery_attempts",
            "Callbacks made to bots, by what came back",
            metrics.attempts.clone(),
        );
        registry.register("delivery_in_flight", "Callbacks under way", metrics.in_flight.clone());
        registry.register(
            "delivery_failed",
            "Events that were given up and became failed deliveries",
            metrics.failed.clone(),
        );
        registry.register(
            "delivery_replays",
            "Callbacks made because somebody asked for an event again",
            metrics.replays.clone(),
        );
        registry.register(
            "delivery_breakers_open",
            "Bots that fail and are tried with one call at a time, or have not caught up since",
            metrics.breakers_open.clone(),
        );
        registry.register(
            "delivery_waiting",
            "Events that wait to be delivered, counted about once a second",
            metrics.waiting.clone(),
        );
        registry.register(
            "delivery_oldest_seconds",
            "Age of the oldest event that waits to be delivered, 0 when none does",
            metrics.oldest_seconds.clone(),
        );
        registry.register(
            "delivery_over_quota",
            "Events that became failed deliveries because more waited than a quota allows",
            metrics.over_quota.clone(),
        );
        metrics
    }

    pub(crate) fn started(&self) {
        self.in_flight.inc();
    }

    pub(crate) fn ended(&self, answer: Answer) {
        self.in_flight.dec();
        let outcome = match (answer.accepted(), answer.fault) {
            (true, _) => Outcome::Accepted,
            (false, None) => Outcome::Rejected,
            (false, Some(_)) => Outcome::Silent,
        };
        self.attempts.get_or_create(&Labels { outcome }).inc();
    }

    pub(crate) fn replayed(&self) {
        self.replays.inc();
    }

    pub(crate) fn failed(&self) {
        self.failed.inc();
    }

    pub(crate) fn breaker_opened(&self) {
        self.breakers_open.inc();
    }

    pub(crate) fn breaker_closed(&self) {
        self.breakers_open.dec();
    }

    pub(crate) fn waiting(&self, events: u64, oldest: Duration) {
        self.waiting.set(i64::try_from(events).unwrap_or(i64::MAX));
        self.oldest_seconds
            .set(i64::try_from(oldest.as_secs()).unwrap_or(i64::MAX));
    }

    pub(crate) fn gave_up_for_quota(&self, events: u64) {
        self.failed.inc_by(events);
        self.over_quota.inc_by(events);
    }
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let name = match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Silent => "silent",
        };
        name.encode(encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::answer::Fault;

    #[test]
    fn the_published_names_come_out() {
        let mut registry = Registry::default();
        let metrics = DeliveryMetrics::new(&mut registry);
        metrics.started();
        metrics.ended(Answer::fault(Fault::Timeout));
        metrics.failed();
        metrics.replayed();
        metrics.breaker_opened();
        metrics.waiting(7, Duration::from_millis(90_500));
        metrics.gave_up_for_quota(2);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "delivery_attempts_total{outcome=\"silent\"} 1",
            "delivery_in_flight 0",
            "delivery_failed_total 3",
            "delivery_replays_total 1",
            "delivery_breakers_open 1",
            "delivery_waiting 7",
            "delivery_oldest_seconds 90",
            "delivery_over_quota_total 2",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
