//! Events are posted to their bot again because it asked: one of them, or all that failed since a time.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::BotName;
use crate::domain::EventId;
use crate::domain::Timestamp;
use crate::handovers::CommandError;
use crate::handovers::Handovers;
use crate::store::Actor;
use crate::store::AuditEntry;
use crate::store::Recover;
use crate::store::Recovered;
use crate::store::Resent;
use crate::store::audit;

/// What is recovered goes out no faster than one in this time, beside all that happens meanwhile.
const APART: Duration = Duration::from_millis(20);
/// Deliveries put back in one transaction, or a few more.
const SLICE: usize = 100;

impl Handovers {
    /// Has an event posted again, and its handover go on where the bot had stopped it.
    pub async fn resend(
        self: &Arc<Self>,
        bot: &BotName,
        event: EventId,
        request_id: Option<String>,
    ) -> Result<Resent, CommandError> {
        let (this, bot) = (Arc::clone(self), bot.clone());
        self.parts
            .supervisor
            .finish(async move { this.resend_now(&bot, &event, request_id).await })
            .await?
    }

    async fn resend_now(
        &self,
        bot: &BotName,
        event: &EventId,
        request_id: Option<String>,
    ) -> Result<Resent, CommandError> {
        let (store, now) = (&self.parts.store, self.parts.clock.now());
        let resent = store.resend(bot, event, now).await?.ok_or(CommandError::NoDelivery)?;
        let entry = AuditEntry::new(now, &Actor::Bot(bot.clone()), "delivery.resend")
            .target(event.to_string())
            .request_id(request_id)
            .count("resumed", usize::from(resent.resumed));
        audit(&**store, entry).await?;
        tracing::info!(handover.id = %resent.handover, bot = %bot, resumed = resent.resumed,
            "event {} is posted again, its bot asked for it", resent.sequence);
        self.parts.wake.lane(&resent.handover, bot);
        Ok(resent)
    }

    /// Has all of the bot's deliveries that failed since then posted again, a slice in a transaction.
    pub async fn recover(
        self: &Arc<Self>,
        bot: &BotName,
        since: Timestamp,
        request_id: Option<String>,
    ) -> Result<Recovered, CommandError> {
        let (this, bot) = (Arc::clone(self), bot.clone());
        self.parts
            .supervisor
            .finish(async move { this.recover_now(&bot, since, request_id).await })
            .await?
    }

    async fn recover_now(
        &self,
        bot: &BotName,
        since: Timestamp,
        request_id: Option<String>,
    ) -> Result<Recovered, CommandError> {
        let store = &self.parts.store;
        store.takes_bulk()?;
        let until = self.parts.clock.now();
        let mut all = Recovered::default();
        let ended = loop {
            let place = u32::try_from(all.deliveries).unwrap_or(u32::MAX);
            let slice = Recover {
                bot: bot.clone(),
                since,
                until,
                now: self.parts.clock.now(),
                start: until.plus(APART.saturating_mul(place)),
                apart: APART,
                limit: SLICE,
            };
            match store.recover(slice).await {
                Ok(slice) if slice.deliveries == 0 => break Ok(()),
                Ok(slice) => {
                    all.deliveries += slice.deliveries;
                    all.resumed += slice.resumed;
                }
                Err(error) => break Err(error),
            }
        };
        let entry = AuditEntry::new(until, &Actor::Bot(bot.clone()), "delivery.recover")
            .request_id(request_id)
            .outcome(if ended.is_ok() { "done" } else { "in-part" })
            .count("deliveries", all.deliveries)
            .count("resumed", all.resumed);
        audit(&**store, entry).await?;
        tracing::info!(bot = %bot, deliveries = all.deliveries, resumed = all.resumed,
            "failed deliveries are made again, their bot asked for it");
        self.parts.ephemerals.wake().nudge();
        ended?;
        Ok(all)
    }
}
