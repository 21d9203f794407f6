//! Wakes whoever waits for a bot's events, and carries the ephemeral ones, which are nowhere else.
//! A wake-up may be lost when a listener is slow; the log is the truth, so listeners read it again.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::broadcast;

use crate::domain::BotName;
use crate::domain::HandoverId;

/// So many wake-ups may wait for one slow listener.
const CAPACITY: usize = 1024;

#[derive(Clone, Debug)]
pub struct Bus(Arc<HashMap<BotName, broadcast::Sender<News>>>);

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
        Self(Arc::new(
            bots.into_iter()
                .map(|bot| (bot, broadcast::Sender::new(CAPACITY)))
                .collect(),
        ))
    }

    /// `None` for a bot that is not configured any more.
    pub fn listen(&self, bot: &BotName) -> Option<broadcast::Receiver<News>> {
        self.0.get(bot).map(broadcast::Sender::subscribe)
    }

    pub fn tell(&self, bot: &BotName, news: News) {
        if let Some(sender) = self.0.get(bot) {
            // An error says that nobody listens, which is the usual case.
            drop(sender.send(news));
        }
    }
}
