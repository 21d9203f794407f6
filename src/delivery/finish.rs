//! The end of a dispatcher: waits for the attempts in hand and settles them, without starting anything.

use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::delivery::attempt::Ended;
use crate::delivery::attempt::Left;
use crate::delivery::claims;
use crate::store::Settlement;
use crate::store::Store;

/// So often the last settlements are offered to a failing store.
const TRIES: u32 = 4;

pub(crate) async fn finish(
    store: &dyn Store,
    clock: &Clock,
    mut attempts: JoinSet<Ended>,
    mut unsettled: Vec<Settlement>,
) {
    let mut failures = 0;
    while !(attempts.is_empty() && unsettled.is_empty()) {
        let mut next = attempts.join_next().await;
        while let Some(ended) = next {
            if let Ok(Ended {
                left: Left::Settle(settlement),
                ..
            }) = ended
            {
                unsettled.push(settlement);
            }
            next = attempts.try_join_next();
        }
        match claims::settle(store, unsettled.clone()).await {
            Ok(_) => unsettled.clear(),
            Err(error) if failures == TRIES && attempts.is_empty() => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "{} deliveries could not be written down, they will be made again",
                    unsettled.len()
                );
                return;
            }
            Err(_) => {
                clock.sleep(claims::wait_after(failures)).await;
                failures = (failures + 1).min(TRIES);
            }
        }
    }
}
