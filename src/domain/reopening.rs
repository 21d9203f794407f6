//! A new handover on the conversation of one that is over: the user's words put it into its last queue again.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::domain::Facts;
use crate::domain::HandBack;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::domain::MessageId;
use crate::domain::Origin;
use crate::domain::Routing;
use crate::domain::Stop;
use crate::domain::Timestamp;
use crate::domain::User;

/// The message that reopens. It is posted once; until 8x8 has it, or is known not to, it is kept here and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reopening {
    pub message: MessageId,
    pub request_sha256: [u8; 32],
    /// The text as 8x8 takes it; the first part reopens, the others follow. Empty once the reopening failed.
    pub parts: Vec<String>,
    /// How long 8x8 is tried with the parts after the first.
    pub deadline: Duration,
    pub text: String,
}

impl Handover {
    /// A handover about to be reopened. `chain` is what the configuration says of its last queue.
    #[must_use]
    pub fn reopened(&self, words: Reopening, chain: Vec<Stop>, now: Timestamp) -> Self {
        let (old, queue) = (&self.progress, &self.progress.queue);
        let facts = Facts {
            id: HandoverId::generate(now),
            queue_id: queue.as_ref().map(|queue| queue.id.clone()),
            reopened_from: Some(self.id().clone()),
            created_at: now,
            recovered_at: None,
            ..(*self.facts).clone()
        };
        let mut new = Self::creating(facts, User::clone(&old.user));
        new.progress.conversation.clone_from(&old.conversation);
        new.progress.queue.clone_from(queue);
        new.progress.conversation_seen = old.conversation_seen;
        // What 8x8 still has to tell of the time before is older than this.
        new.progress.state_mark = old.state_mark;
        let plan = queue
            .as_ref()
            .map(|queue| old.routing.plan_from(&queue.id, chain))
            .unwrap_or_default();
        new.progress.routing = Routing {
            list: old.routing.list.clone(),
            plan,
            mark: old.routing.mark,
            ..Routing::default()
        };
        if new.facts.origin == Origin::Channel {
            // 8x8 sends them back as the user's, perhaps when this handover is over again: they open no other.
            for text in &words.parts {
                new.progress.own_words.add(text);
            }
        }
        new.progress.hand_back = HandBack::left_over(old.hand_back);
        new.progress.reopening = Some(Box::new(words));
        new
    }
}

impl Reopening {
    /// Nobody needs the words any more.
    pub(crate) fn forget_words(&mut self) {
        self.parts.clear();
        self.text.clear();
    }
}
