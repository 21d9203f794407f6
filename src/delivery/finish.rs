//! The end of a dispatcher: waits for the attempts in hand and settles them, without starting anything.

use tokio::task::JoinSet;

use crate::delivery::attempt;
use crate::delivery::attempt::Ended;
use crate::delivery::attempt::Means;
use crate::delivery::attempt::What;
use crate::delivery::claims;
use crate::delivery::outages::Outages;
use crate::store::Settlement;

/// So often the last settlements are offered to a failing store.
const TRIES: u32 = 4;

pub(crate) async fn finish(
    means: &Means,
    mut attempts: JoinSet<Ended>,
    mut unsettled: Vec<Settlement>,
    mut outages: Outages,
) {
    let (store, clock) = (&*means.store, &means.clock);
    if let Err(error) = outages.write(store).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "an outage of a bot could not be written down"
        );
    }
    let mut failures = 0;
    while !(attempts.is_empty() && unsettled.is_empty()) {
        let mut next = attempts.join_next().await;
        while let Some(ended) = next {
            if let Ok(Ended {
                answer,
                started_at,
                over_at,
                what: What::Logged(claimed),
                ..
            }) = ended
            {
                let times = (started_at, over_at);
                unsettled.push(attempt::concluded(*claimed, answer, times, &outages, &means.settings));
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
