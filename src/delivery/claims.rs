//! Takes and ends claims at the store, and how long a failing store is left alone.

use std::time::Duration;

use crate::domain::Timestamp;
use crate::store::Claimed;
use crate::store::Settlement;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Target;

/// The wait after the first failure; it doubles with each up to the second.
const WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

pub(crate) fn wait_after(failures: u32) -> Duration {
    let (first, most) = WAIT;
    first.saturating_mul(2_u32.saturating_pow(failures)).min(most)
}

pub(crate) async fn settle(store: &dyn Store, settlements: Vec<Settlement>) -> Result<Vec<bool>, StoreError> {
    if settlements.is_empty() {
        return Ok(Vec::new());
    }
    store.settle(settlements).await
}

/// What could be claimed, and what could not be read.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) claimed: Vec<Claimed>,
    pub(crate) unreadable: Vec<(Target, StoreError)>,
}

pub(crate) async fn claim(store: &dyn Store, targets: Vec<Target>, now: Timestamp) -> Result<Taken, StoreError> {
    if targets.is_empty() {
        return Ok(Taken::default());
    }
    match store.claim(targets.clone(), now).await {
        Ok(claimed) => Ok(Taken {
            claimed,
            unreadable: Vec::new(),
        }),
        Err(StoreError::Inconsistent { .. }) => claim_one_by_one(store, targets, now).await,
        Err(error) => Err(error),
    }
}

/// A row that cannot be read must not hold up the lanes beside it.
async fn claim_one_by_one(store: &dyn Store, targets: Vec<Target>, now: Timestamp) -> Result<Taken, StoreError> {
    let mut all = Taken::default();
    for target in targets {
        match store.claim(vec![target.clone()], now).await {
            Ok(claimed) => all.claimed.extend(claimed),
            Err(error @ StoreError::Inconsistent { .. }) => all.unreadable.push((target, error)),
            Err(error) if all.claimed.is_empty() => return Err(error),
            // What was claimed already must be tried; the next claim meets the same error.
            Err(_) => return Ok(all),
        }
    }
    Ok(all)
}
