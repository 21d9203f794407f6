//! Keeps what waits for bots within its quotas. Beyond them the oldest events become failed deliveries: listed, still in
//! the log, and no reason to refuse anything that 8x8 sends. Counts are refreshed about once a second, not with each event.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::delivery::DeliveryMetrics;
use crate::delivery::DeliverySettings;
use crate::domain::BotName;
use crate::domain::Timestamp;
use crate::store::Backlog;
use crate::store::BacklogAsked;
use crate::store::GivenUp;
use crate::store::Store;
use crate::store::StoreError;

/// Undelivered events a handover may have.
const PER_HANDOVER: u64 = 1_000;
/// Bytes of undelivered events a bot may have.
const BYTES_PER_BOT: u64 = 256 * 1024 * 1024;
/// Fewer events cannot take up that much, since a webhook is a mebibyte at most.
const WEIGH_FROM: u64 = BYTES_PER_BOT / (1024 * 1024);
/// Bytes are counted with every so manieth look.
const WEIGH_EVERY: u32 = 10;
/// So many slices of events go between two counts.
const SLICES: u32 = 20;
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Of the time at most one part in so many goes into counting, however much there is to count.
const SPARING: u32 = 20;

pub struct BacklogKeeper {
    store: Arc<dyn Store>,
    clock: Clock,
    metrics: DeliveryMetrics,
    events_per_bot: u64,
    looks: u32,
    /// Bots beyond their quota, and how many of their events were given up for it.
    over: HashMap<BotName, u64>,
}

impl BacklogKeeper {
    pub fn new(store: Arc<dyn Store>, clock: Clock, settings: &DeliverySettings, metrics: DeliveryMetrics) -> Self {
        Self {
            store,
            clock,
            metrics,
            events_per_bot: u64::try_from(settings.backlog_per_bot).unwrap_or(u64::MAX),
            looks: 0,
            over: HashMap::new(),
        }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        let mut wait = LOOK_EVERY;
        loop {
            tokio::select! {
                () = self.clock.sleep(wait) => {}
                () = stop.cancelled() => return,
            }
            let begun = self.clock.now();
            wait = match self.step().await {
                // What came meanwhile is as old as what is left.
                Ok(given_up) if given_up > 0 => Duration::ZERO,
                Ok(_) => LOOK_EVERY.max(self.clock.now().since(begun).saturating_mul(SPARING)),
                Err(StoreError::Broken(_)) => return stop.cancelled().await,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "what waits for bots could not be counted"
                    );
                    LOOK_EVERY.saturating_mul(5)
                }
            };
        }
    }

    /// Looks once, and brings each bot that is beyond its quota back to it, or nearer: how many events that were.
    pub async fn step(&mut self) -> Result<u64, StoreError> {
        let asked = BacklogAsked {
            long_lane: PER_HANDOVER,
            weigh_from: if self.looks.is_multiple_of(WEIGH_EVERY) {
                WEIGH_FROM
            } else {
                u64::MAX
            },
        };
        self.looks = self.looks.wrapping_add(1);
        let backlogs = self.store.backlog(asked).await?;
        let now = self.clock.now();
        let events = backlogs.iter().map(|backlog| backlog.events).sum();
        let oldest = backlogs.iter().filter_map(|backlog| backlog.oldest_at).min();
        self.metrics
            .waiting(events, oldest.map(|at| now.since(at)).unwrap_or_default());
        let mut all = 0;
        for backlog in &backlogs {
            all += self.keep_within(backlog, now).await?;
        }
        self.over.retain(|bot, given_up| {
            let still = backlogs.iter().any(|backlog| backlog.bot == *bot && self.events_per_bot < backlog.events);
            let goes_on = still || *given_up == 0;
            if !goes_on {
                tracing::info!(%bot, "what waits for bot {bot} is within its quota again, {given_up} events were given up");
            }
            goes_on
        });
        Ok(all)
    }

    async fn keep_within(&mut self, backlog: &Backlog, now: Timestamp) -> Result<u64, StoreError> {
        let mut gone = 0;
        for (handover, events) in &backlog.long_lanes {
            let oldest = |events| GivenUp::OfLane(handover.clone(), events);
            gone += self.give_up(oldest, events.saturating_sub(PER_HANDOVER), now).await?;
        }
        let too_many = backlog.events.saturating_sub(self.events_per_bot);
        let left = too_many.max(too_heavy(backlog)).saturating_sub(gone);
        gone += self
            .give_up(|events| GivenUp::OfBot(backlog.bot.clone(), events), left, now)
            .await?;
        self.tell(backlog, gone);
        Ok(gone)
    }

    /// Slice by slice, between which others have their turn at the store; counting anew for each would cost more.
    async fn give_up(&self, oldest: impl Fn(u64) -> GivenUp, most: u64, now: Timestamp) -> Result<u64, StoreError> {
        let mut left = most;
        for _slice in 0..SLICES {
            if left == 0 {
                break;
            }
            let gone = self.store.give_up(oldest(left), now).await?;
            if gone == 0 {
                break;
            }
            left = left.saturating_sub(u64::try_from(gone).unwrap_or(u64::MAX));
        }
        Ok(most - left)
    }

    /// Once for each time a bot is beyond its quota.
    fn tell(&mut self, backlog: &Backlog, gone: u64) {
        if gone == 0 {
            return;
        }
        self.metrics.gave_up_for_quota(gone);
        let bot = &backlog.bot;
        let before = self.over.entry(bot.clone()).or_default();
        if *before == 0 {
            tracing::warn!(%bot, events = backlog.events,
                "more waits for bot {bot} than its quota allows, the oldest events become failed deliveries");
        }
        *before += gone;
    }
}

/// About how many events make up the bytes that are too many.
fn too_heavy(backlog: &Backlog) -> u64 {
    let Some(bytes) = backlog.bytes.filter(|bytes| *bytes > BYTES_PER_BOT) else {
        return 0;
    };
    let share = u128::from(backlog.events) * u128::from(bytes - BYTES_PER_BOT) / u128::from(bytes);
    u64::try_from(share).unwrap_or(u64::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_events_are_too_heavy_as_make_up_what_is_too_much() {
        let backlog = |bytes| Backlog {
            bot: BotName::new("support"),
            events: 1_000,
            bytes,
            oldest_at: None,
            long_lanes: Vec::new(),
        };
        assert_eq!(too_heavy(&backlog(None)), 0);
        assert_eq!(too_heavy(&backlog(Some(BYTES_PER_BOT))), 0);
        assert_eq!(too_heavy(&backlog(Some(BYTES_PER_BOT * 2))), 501);
    }
}
