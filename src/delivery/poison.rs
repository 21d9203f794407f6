//! Events whose rows cannot be read: after a few tries each becomes a failed delivery, so that its handover goes on.

use std::collections::HashMap;
use std::time::Duration;

use crate::delivery::DeliveryMetrics;
use crate::domain::Timestamp;
use crate::store::GivenUp;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Target;

/// So often a row is read before it is taken to stay as it is.
const TRIES: u8 = 3;
/// It is looked at again after this.
pub(crate) const AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(crate) struct Poison {
    tries: HashMap<Target, u8>,
    ripe: Vec<(Target, StoreError)>,
}

impl Poison {
    /// It could not be read once more.
    pub(crate) fn met(&mut self, target: Target, error: StoreError) {
        let tries = self.tries.entry(target.clone()).or_default();
        *tries = tries.saturating_add(1);
        if *tries >= TRIES {
            self.tries.remove(&target);
            self.ripe.push((target, error));
        }
    }

    /// It can be read after all.
    pub(crate) fn read(&mut self, target: &Target) {
        if !self.tries.is_empty() {
            self.tries.remove(target);
        }
    }

    /// Puts aside what stays unreadable.
    pub(crate) async fn set_aside(
        &mut self,
        store: &dyn Store,
        metrics: &DeliveryMetrics,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        while let Some((target, why)) = self.ripe.first() {
            let given_up = store.give_up(GivenUp::Unreadable(target.clone()), now).await?;
            if given_up > 0 {
                metrics.failed();
                tracing::error!(
                    error = why as &dyn std::error::Error,
                    "an event cannot be read, it is a failed delivery now and its handover goes on"
                );
            }
            self.ripe.remove(0);
        }
        Ok(())
    }
}
