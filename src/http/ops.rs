//! What the operator's port answers: alive, ready, figures.

use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use crate::http::accept::accepts;
use crate::http::problem::chain;
use crate::store::Store;
use crate::store::StoreError;

/// What the figures are written in.
const OPEN_METRICS: &str = "application/openmetrics-text";
const OPEN_METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The older format, for whoever does not ask for `OpenMetrics`. As long as there are only counters, gauges and histograms
/// the same text is valid in both: `# UNIT` and `# EOF` are comments there.
const PLAIN_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// A store that takes longer is as good as gone.
const PING: Duration = Duration::from_secs(2);

const STARTING: u8 = 0;
const READY: u8 = 1;
const DRAINING: u8 = 2;

#[derive(Clone)]
pub struct OpsState {
    pub readiness: Readiness,
    pub store: Arc<dyn Store>,
    pub registry: Arc<Registry>,
}

/// Whether the process takes work. Cheap to clone; all clones say the same.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicU8>);

impl Readiness {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire) == READY
    }

    /// Everything was started. Changes nothing once it drains.
    pub fn started(&self) {
        if self
            .0
            .compare_exchange(STARTING, READY, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            tracing::debug!("it was started before, or is draining");
        }
    }

    /// No new work is to be sent here.
    pub fn drain(&self) {
        self.0.store(DRAINING, Ordering::Release);
    }
}

pub(super) async fn livez() -> &'static str {
    "alive\n"
}

pub(super) async fn readyz(State(state): State<OpsState>) -> (StatusCode, &'static str) {
    match state.readiness.0.load(Ordering::Acquire) {
        STARTING => return (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        DRAINING => return (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        _ => {}
    }
    match tokio::time::timeout(PING, state.store.ping()).await {
        Ok(Ok(())) => (StatusCode::OK, "ready\n"),
        // The store says once that its disk is full.
        Ok(Err(StoreError::Full)) => (StatusCode::SERVICE_UNAVAILABLE, "disk full\n"),
        Ok(Err(error)) => {
            tracing::warn!(error = chain(&error), "not ready, the store takes no writes");
            (StatusCode::SERVICE_UNAVAILABLE, "store unavailable\n")
        }
        Err(_elapsed) => (StatusCode::SERVICE_UNAVAILABLE, "store too slow\n"),
    }
}

pub(super) async fn metrics(State(state): State<OpsState>, headers: HeaderMap) -> Response {
    let mut body = String::new();
    match text::encode(&mut body, &state.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, metrics_type(&headers))], body).into_response(),
        Err(_writing_to_a_string_does_not_fail) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn metrics_type(headers: &HeaderMap) -> &'static str {
    if accepts(headers, OPEN_METRICS) {
        OPEN_METRICS_TYPE
    } else {
        PLAIN_TYPE
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn figures_are_open_metrics_only_for_who_asks() {
        let asks = |text| {
            metrics_type(&HeaderMap::from_iter([(
                header::ACCEPT,
                HeaderValue::from_static(text),
            )]))
        };
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        assert_eq!(asks(prometheus), OPEN_METRICS_TYPE);
        for other in ["text/plain", "*/*", "text/html,application/xml;q=0.9,*/*;q=0.8"] {
            assert_eq!(asks(other), PLAIN_TYPE, "{other}");
        }
        assert_eq!(metrics_type(&HeaderMap::new()), PLAIN_TYPE);
    }

    #[test]
    fn what_drains_does_not_become_ready_again() {
        let readiness = Readiness::new();
        assert!(!readiness.is_ready());
        readiness.started();
        assert!(readiness.is_ready());
        readiness.drain();
        readiness.started();
        assert!(!readiness.is_ready());
    }
}
