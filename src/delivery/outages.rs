//! When each bot was away. For that long nothing of it is given up, however often the process is started meanwhile.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

use crate::delivery::DeliveryMetrics;
use crate::delivery::board::Board;
use crate::delivery::breaker::Turn;
use crate::domain::BotName;
use crate::domain::Timestamp;
use crate::store::OUTAGES_KEPT;
use crate::store::Outage;
use crate::store::Store;
use crate::store::StoreError;

#[derive(Debug, Default)]
pub(crate) struct Outages {
    by_bot: HashMap<BotName, VecDeque<Outage>>,
    /// Changes the store does not know of yet.
    unwritten: Vec<Outage>,
}

/// How far an event's clocks are behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Away {
    /// For so long they stood still since its first attempt.
    pub(crate) so_far: Duration,
    /// They stand still now.
    pub(crate) now: bool,
}

impl Outages {
    /// As the process before this one left them: a bot that was away is so still, until it answers.
    pub(crate) async fn restored(
        store: &dyn Store,
        board: &mut Board,
        metrics: &DeliveryMetrics,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut outages = Self::default();
        for outage in store.outages().await? {
            let (bot, since) = (&outage.bot, outage.since);
            if outage.until.is_none() {
                metrics.breaker_opened();
                board.restore(bot, since, f64::from(outage.usual_per_minute) / 60.0, now);
                tracing::warn!(%bot, %since, "bot {bot} was away when the gateway ended, it is tried with one call at a time");
            }
            outages.of(bot).push_back(outage.clone());
        }
        Ok(outages)
    }

    /// Takes note of outages that began or ended, each with the events a second its bot was used to, and tells of them.
    pub(crate) fn take(&mut self, turns: Vec<(BotName, Turn, f64)>, metrics: &DeliveryMetrics, now: Timestamp) {
        for (bot, turn, usual) in turns {
            match turn {
                Turn::Opened { since } => {
                    metrics.breaker_opened();
                    self.opened(&bot, since, per_minute(usual));
                    tracing::warn!(%bot, "bot {bot} fails, it is tried with one call at a time; what is for it waits");
                }
                Turn::Closed { since } => {
                    metrics.breaker_closed();
                    self.closed(&bot, now);
                    let after = now.since(since);
                    tracing::info!(%bot, "bot {bot} is back after {after:?} and has caught up");
                }
            }
        }
    }

    fn opened(&mut self, bot: &BotName, since: Timestamp, usual_per_minute: u32) {
        let outage = Outage {
            bot: bot.clone(),
            since,
            until: None,
            usual_per_minute,
        };
        let known = self.of(bot);
        known.push_back(outage.clone());
        // Two become one that is longer than both: more time, not less.
        if known.len() > OUTAGES_KEPT
            && let Some(oldest) = known.pop_front()
            && let Some(next) = known.front_mut()
        {
            next.since = oldest.since;
        }
        self.unwritten.push(outage);
    }

    fn closed(&mut self, bot: &BotName, until: Timestamp) {
        let Some(outage) = self.of(bot).back_mut().filter(|outage| outage.until.is_none()) else {
            return;
        };
        outage.until = Some(until);
        let outage = outage.clone();
        self.unwritten.push(outage);
    }

    /// What of the time from `from` to `to` the bot was away.
    pub(crate) fn away(&self, bot: &BotName, from: Timestamp, to: Timestamp) -> Away {
        let Some(outages) = self.by_bot.get(bot) else {
            return Away::default();
        };
        let mut away = Away::default();
        // Newest first: what was over before `from` is of no interest, nor is what is older still.
        for outage in outages.iter().rev() {
            let until = outage.until.unwrap_or(to);
            if until <= from && outage.until.is_some() {
                break;
            }
            away.now |= outage.until.is_none();
            away.so_far += until.min(to).since(outage.since.max(from));
        }
        away
    }

    /// Tells the store. What it does not take is offered again.
    pub(crate) async fn write(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        while let Some(outage) = self.unwritten.first() {
            store.keep_outage(outage.clone()).await?;
            self.unwritten.remove(0);
        }
        Ok(())
    }

    fn of(&mut self, bot: &BotName) -> &mut VecDeque<Outage> {
        self.by_bot.entry(bot.clone()).or_default()
    }
}

/// Events a minute, rounded up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float saturates, and a rate is not negative"
)]
fn per_minute(per_second: f64) -> u32 {
    (per_second * 60.0).ceil() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_763_640_000_000 + seconds * 1000)
    }

    #[test]
    fn only_what_lies_in_the_time_asked_for_counts() {
        let bot = BotName::new("support");
        let mut outages = Outages::default();
        assert_eq!(outages.away(&bot, at(0), at(100)), Away::default());
        outages.opened(&bot, at(10), 0);
        outages.closed(&bot, at(20));
        outages.opened(&bot, at(50), 0);
        let seconds = |from, to| outages.away(&bot, at(from), at(to)).so_far.as_secs();
        assert_eq!(
            [seconds(0, 60), seconds(15, 55), seconds(30, 40), seconds(20, 70)],
            [20, 10, 0, 20]
        );
        assert!(outages.away(&bot, at(0), at(60)).now);
        outages.closed(&bot, at(60));
        assert!(!outages.away(&bot, at(0), at(70)).now);
        assert_eq!(outages.away(&bot, at(0), at(1_000)).so_far.as_secs(), 20);
        assert_eq!(outages.away(&BotName::new("other"), at(0), at(100)), Away::default());
    }

    #[test]
    fn a_bot_that_comes_and_goes_takes_bounded_room_and_loses_no_time() {
        let bot = BotName::new("support");
        let mut outages = Outages::default();
        let many = i64::try_from(OUTAGES_KEPT).unwrap() * 2;
        for number in 0..many {
            outages.opened(&bot, at(number * 10), 0);
            outages.closed(&bot, at(number * 10 + 5));
        }
        assert_eq!(outages.by_bot[&bot].len(), OUTAGES_KEPT);
        let away = outages.away(&bot, at(0), at(many * 10)).so_far;
        assert!(
            away >= Duration::from_secs(u64::try_from(many).unwrap() * 5),
            "{away:?}"
        );
    }
}
