//! What the HTTP side counts. Routes are templates: no path, tenant or text of others becomes a label.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::histogram::exponential_buckets;
use prometheus_client::registry::Registry;
use prometheus_client::registry::Unit;

/// Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    webhooks: Family<OutcomeLabels, Counter>,
    tokens: Family<OutcomeLabels, Counter>,
    connections: Gauge,
    refused_connections: Counter,
    clock_skew: Gauge<f64, AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: String,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// Counted open until dropped.
#[derive(Debug)]
pub(super) struct OpenConnection(Gauge);

impl HttpMetrics {
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(buckets),
            webhooks: Family::default(),
            tokens: Family::default(),
            connections: Gauge::default(),
            refused_connections: Counter::default(),
            clock_skew: Gauge::default(),
        };
        registry.register(
            "http_requests",
            "Requests answered, by route template and status",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Time to the start of an answer, by route template",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register(
            "webhooks",
            "Webhooks received, by what became of them",
            metrics.webhooks.clone(),
        );
        registry.register(
            "token_requests",
            "Requests at the token endpoint, by what became of them",
            metrics.tokens.clone(),
        );
        registry.register("http_connections", "Connections open now", metrics.connections.clone());
        registry.register(
            "http_connections_refused",
            "Connections closed at once, because their address had its share of them open",
            metrics.refused_connections.clone(),
        );
        registry.register_with_unit(
            "webhook_clock_skew",
            "How far this clock is ahead of 8x8's, the median over its last well-signed webhooks",
            Unit::Seconds,
            metrics.clock_skew.clone(),
        );
        metrics
    }

    pub(super) fn answered(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let labels = RequestLabels {
            method: method.to_owned(),
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels {
            method: labels.method,
            route: labels.route,
        };
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
    }

    pub(super) fn webhook(&self, outcome: &'static str) {
        self.webhooks.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    pub(super) fn token(&self, outcome: &'static str) {
        self.tokens.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    pub(super) fn refused_connection(&self) {
        self.refused_connections.inc();
    }

    pub(super) fn clock_skew(&self, seconds: f64) {
        self.clock_skew.set(seconds);
    }

    pub(super) fn open_connection(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// From a millisecond to half a minute.
fn buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_names_come_out() {
        let mut registry = Registry::default();
        let metrics = HttpMetrics::new(&mut registry);
        metrics.answered("GET", "/v1/handovers/{id}", 200, Duration::from_millis(3));
        metrics.webhook("recorded");
        metrics.token("issued");
        drop(metrics.open_connection());
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "http_requests_total{method=\"GET\",route=\"/v1/handovers/{id}\",status=\"200\"} 1",
            "http_request_duration_seconds_count{method=\"GET\",route=\"/v1/handovers/{id}\"} 1",
            "webhooks_total{outcome=\"recorded\"} 1",
            "token_requests_total{outcome=\"issued\"} 1",
            "http_connections 0",
            "http_connections_refused_total 0",
            "webhook_clock_skew_seconds 0.0",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
