//! Deletes what nobody needs any more, in small slices, so that the work in hand hardly notices.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::handovers::Handovers;
use crate::store::AUDIT_KEPT;
use crate::store::StoreError;

/// Idempotency keys and events that no handover was ever found for are kept this long.
const KEYS_FOR: Duration = Duration::from_hours(24);
const SLICE: usize = 500;
const BETWEEN_SLICES: Duration = Duration::from_millis(200);
const BETWEEN_ROUNDS: Duration = Duration::from_mins(10);

impl Handovers {
    /// Deletes until the stop; handovers that are over go after `retention`.
    pub async fn run_retention(self: Arc<Self>, retention: Duration, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let wait = if self.step_retention(retention).await {
                BETWEEN_SLICES
            } else {
                BETWEEN_ROUNDS
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.parts.clock.sleep(wait) => {}
            }
        }
    }

    /// Deletes one slice. Whether there may be more.
    pub async fn step_retention(&self, retention: Duration) -> bool {
        let (now, store) = (self.parts.clock.now(), &self.parts.store);
        let prune = async {
            let gone = store.prune(now.minus(KEYS_FOR), now.minus(retention), SLICE).await?;
            let entries = store.prune_audit(now.minus(AUDIT_KEPT), SLICE).await?;
            Ok::<_, StoreError>(gone >= SLICE || entries >= SLICE)
        };
        match prune.await {
            Ok(more) => more,
            Err(error) => {
                tracing::warn!(error = %error, "old records could not be deleted yet");
                false
            }
        }
    }
}
