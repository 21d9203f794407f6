//! What delivery counts. No bot, URL or text of others becomes a label.

use std::fmt;

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
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "delivery_attempts_total{outcome=\"silent\"} 1",
            "delivery_in_flight 0",
            "delivery_failed_total 1",
            "delivery_replays_total 1",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
