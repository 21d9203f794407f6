//! Counts what became of a load.

use std::time::Duration;

use serde_json::{Value, json};

#[derive(Default)]
pub(super) struct Tally {
    /// Events, without their repeats.
    pub(super) sent: u64,
    pub(super) acked: u64,
    /// Events sent again on purpose after they were acknowledged.
    pub(super) repeated: u64,
    /// Attempts that were not acknowledged.
    pub(super) failures: u64,
    /// Of acknowledged attempts.
    pub(super) latencies: Vec<Duration>,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.acked += other.acked;
        self.repeated += other.repeated;
        self.failures += other.failures;
        self.latencies.extend(other.latencies);
    }

    pub(super) fn report(mut self, sending: Duration, signing: Duration) -> Value {
        self.latencies.sort_unstable();
        let at = |percent: usize| {
            let rank = (self.latencies.len() * percent).div_ceil(100).max(1);
            self.latencies
                .get(rank - 1)
                .map(|latency| latency.as_secs_f64() * 1000.0)
        };
        json!({
            "sent": self.sent,
            "acked": self.acked,
            "repeated": self.repeated,
            "failures": self.failures,
            "seconds": sending.as_secs_f64(),
            "signSeconds": signing.as_secs_f64(),
            "latencyMs": {"p50": at(50), "p90": at(90), "p99": at(99), "max": at(100)},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let latencies = (1..=200).rev().map(Duration::from_millis).collect();
        let report = Tally {
            latencies,
            ..Tally::default()
        }
        .report(Duration::ZERO, Duration::ZERO);
        assert_eq!(
            report["latencyMs"],
            json!({"p50": 100.0, "p90": 180.0, "p99": 198.0, "max": 200.0})
        );
    }
}
