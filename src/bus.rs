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

/// Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Bus(Arc<RwLock<HashMap<BotName, broadcast::Sender<News>>>>);

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
        let bots = bots.into_iter().map(|bot| (bot, broadcast::Sender::new(CAPACITY)));
        Self(Arc::new(RwLock::new(bots.collect())))
    }

    /// From now on these are the bots. Who listens for one that is gone, or is among the `revoked`, is let go.
    pub fn replace(&self, bots: impl IntoIterator<Item = BotName>, revoked: &BTreeSet<BotName>) {
        let mut senders = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut kept = std::mem::take(&mut *senders);
        kept.retain(|bot, _| !revoked.contains(bot));
        for bot in bots {
            let sender = kept.remove(&bot).unwrap_or_else(|| broadcast::Sender::new(CAPACITY));
            senders.insert(bot, sender);
        }
    }

    /// `None` for a bot that is not configured any more.
    pub fn listen(&self, bot: &BotName) -> Option<broadcast::Receiver<News>> {
        let senders = self.0.read().unwrap_or_else(PoisonError::into_inner);
        senders.get(bot).map(broadcast::Sender::subscribe)
    }

    pub fn tell(&self, bot: &BotName, news: News) {
        let senders = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = senders.get(bot) {
            // An error says that nobody listens, which is the usual case.
            drop(sender.send(news));
        }
    }
}
