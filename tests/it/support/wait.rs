//! Waiting for a condition, always with a deadline.

use std::time::Duration;

use tokio::time::Instant;

/// Long enough for a loaded machine; a condition that holds is seen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What `look` gives once it gives something; `None` when it did not in time.
pub(crate) async fn within<T>(limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look().await {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// As [`within`], for a condition that must come to hold.
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    match within(PATIENCE, look).await {
        Some(found) => found,
        None => panic!("{what}: not within {PATIENCE:?}"),
    }
}

/// Watches a condition that must go on holding for a while.
pub(crate) async fn always(what: &str, during: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let broken = within(during, async || (!holds().await).then_some(())).await;
    assert!(broken.is_none(), "{what}: no longer so");
}
