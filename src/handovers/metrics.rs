//! What is counted of handovers and 8x8's record of them. No tenant, bot or text of others becomes a label.

use std::fmt;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::EncodeLabelValue;
use prometheus_client::encoding::LabelValueEncoder;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Cheap to clone; all clones count together.
#[derive(Clone, Debug, Default)]
pub struct HandoverMetrics {
    comparisons: Family<Labels, Counter>,
    backfilled: Counter,
    late: Counter,
    fell_silent: Counter,
    silent: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: Compared,
}

/// What a comparison with 8x8 came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Compared {
    Same,
    /// Something was missed, and is told now.
    Behind,
    /// The handover changed meanwhile.
    Moved,
    /// 8x8 or the store could not be asked.
    Failed,
}

impl HandoverMetrics {
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "comparisons",
            "Looks at what 8x8 keeps of a live handover's conversation, by what came of them",
            metrics.comparisons.clone(),
        );
        registry.register(
            "backfilled_events",
            "Events told to bots that were read from 8x8 because no webhook had told them",
            metrics.backfilled.clone(),
        );
        registry.register(
            "late_webhooks",
            "Webhooks that told what had been read from 8x8 before",
            metrics.late.clone(),
        );
        registry.register(
            "conversations_without_webhooks",
            "Conversations for which no webhook came within 30 s of their create",
            metrics.fell_silent.clone(),
        );
        registry.register(
            "handovers_without_webhooks",
            "Live handovers no webhook ever came for: they are kept up by polling",
            metrics.silent.clone(),
        );
        metrics
    }

    pub(super) fn compared(&self, outcome: Compared) {
        self.comparisons.get_or_create(&Labels { outcome }).inc();
    }

    pub(super) fn backfilled(&self, events: u64) {
        self.backfilled.inc_by(events);
    }

    pub(super) fn late(&self) {
        self.late.inc();
    }

    pub(super) fn fell_silent(&self) {
        self.fell_silent.inc();
        self.silent.inc();
    }

    pub(super) fn silent_no_longer(&self) {
        self.silent.dec();
    }
}

impl EncodeLabelValue for Compared {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let name = match self {
            Self::Same => "same",
            Self::Behind => "behind",
            Self::Moved => "moved",
            Self::Failed => "failed",
        };
        name.encode(encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_names_come_out() {
        let mut registry = Registry::default();
        let metrics = HandoverMetrics::new(&mut registry);
        metrics.compared(Compared::Behind);
        metrics.backfilled(2);
        metrics.late();
        metrics.fell_silent();
        metrics.silent_no_longer();
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "comparisons_total{outcome=\"behind\"} 1",
            "backfilled_events_total 2",
            "late_webhooks_total 1",
            "conversations_without_webhooks_total 1",
            "handovers_without_webhooks 0",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
