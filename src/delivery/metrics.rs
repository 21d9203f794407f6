//! What delivery counts. No bot, URL or text of others becomes a label.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::EncodeLabelValue;
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
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are published as they stand")]
enum Outcome {
    accepted,
    /// Any other answer than a success.
    rejected,
    /// No whole answer.
    silent,
}

impl DeliveryMetrics {
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "delivery_attempts",
            "Callbacks made to bots, by what came back",
            metrics.attempts.clone(),
        );
        registry.register(
            "delivery_in_flight",
            "Callbacks under way",
            metrics.in_flight.clone(),
        );
        registry.register(
            "delivery_failed",
            "Events that were given up and became failed deliveries",
            metrics.failed.clone(),
        );
        metrics
    }

    pub(crate) fn started(&self) {
        self.in_flight.inc();
    }

    pub(crate) fn ended(&self, answer: Answer) {
        self.in_flight.dec();
        let outcome = match (answer.accepted(), answer.fault) {
            (true, _) => Outcome::accepted,
            (false, None) => Outcome::rejected,
            (false, Some(_)) => Outcome::silent,
        };
        self.attempts.get_or_create(&Labels { outcome }).inc();
    }

    pub(crate) fn failed(&self) {
        self.failed.inc();
    }
}
