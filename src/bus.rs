//! Wakes whoever waits for a bot's events, and carries the ephemeral ones, which are nowhere else.
//! A wake-up may be lost when a listener is slow; the log is the truth, so listeners read it again.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use tokio::sync::broadcast;

use crate::domain::BotName;
use crate::domain::HandoverId;

/// So many wake-ups may wait for one slow listener.
const CAPACITY: usize = 1024;

/// Cheap to clone; all clones tell the same listeners.
#[derive(Clone, Debug)]
pub struct Bus {
    lines: Arc<RwLock<HashMap<BotName, Line>>>,
    /// The settings by which its holder knows a bot, counted from the start.
    settings: u64,
}

#[derive(Debug)]
struct Line {
    sender: broadcast::Sender<News>,
    /// Who knows the bot by older settings may not listen.
    since: u64,
}

/// Something happened to a bot's handover.
#[derive(Clone, Debug)]
pub struct News {
    pub handover: HandoverId,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    /// The log grew to this sequence.
    Logged { last_sequence: u64 },
    /// An ephemeral event, rendered, with the name of its type.
    Ephemeral { name: &'static str, body: Arc<str> },
}

impl Bus {
    pub fn new(bots: impl IntoIterator<Item = BotName>) -> Self {
        let lines = bots.into_iter().map(|bot| (bot, Line::new(0)));
        Self {
            lines: Arc::new(RwLock::new(lines.collect())),
            settings: 0,
        }
    }

    /// The same for the holder of newer settings.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Self {
            lines: Arc::clone(&self.lines),
            settings: self.settings.saturating_add(1),
        }
    }

    /// From now on these are the bots. Who listens for one that is gone, or is among the `revoked`, is let go, and whoever
    /// was admitted by older settings is not let in any more.
    pub fn replace(&self, bots: impl IntoIterator<Item = BotName>, revoked: &BTreeSet<BotName>) {
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        let mut kept = std::mem::take(&mut *lines);
        kept.retain(|bot, _| !revoked.contains(bot));
        for bot in bots {
            let line = kept.remove(&bot).unwrap_or_else(|| Line::new(self.settings));
            lines.insert(bot, line);
        }
    }

    /// `None` for a bot that is not configured any more, or whose key may have been taken back.
    pub fn listen(&self, bot: &BotName) -> Option<broadcast::Receiver<News>> {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        let line = lines.get(bot).filter(|line| line.since <= self.settings);
        line.map(|line| line.sender.subscribe())
    }

    pub fn tell(&self, bot: &BotName, news: News) {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(bot) {
            // An error says that nobody listens, which is the usual case.
            drop(line.sender.send(news));
        }
    }
}

impl Line {
    fn new(since: u64) -> Self {
        Self {
            sender: broadcast::Sender::new(CAPACITY),
            since,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast::error::TryRecvError;

    use super::*;

    #[test]
    fn who_was_admitted_by_a_key_that_is_taken_back_listens_no_more() {
        let [kept, revoked, gone] = ["kept", "revoked", "gone"].map(BotName::new);
        let old = Bus::new([kept.clone(), revoked.clone(), gone.clone()]);
        let mut listening = [&kept, &revoked, &gone].map(|bot| old.listen(bot).unwrap());
        let new = old.renewed();
        new.replace([kept.clone(), revoked.clone()], &[revoked.clone()].into());
        let heard = listening.each_mut().map(|receiver| receiver.try_recv().map(drop));
        let closed = Err(TryRecvError::Closed);
        assert_eq!(heard, [Err(TryRecvError::Empty), closed.clone(), closed]);
        let may = |bus: &Bus| [&kept, &revoked, &gone].map(|bot| bus.listen(bot).is_some());
        assert_eq!((may(&old), may(&new)), ([true, false, false], [true, true, false]));
    }
}
