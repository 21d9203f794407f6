//! What a handover's log knows of what 8x8 keeps too: everything said, and the queue 8x8 was last known to have it in.

use serde::Deserialize;

use crate::domain::EventType;
use crate::domain::Handover;
use crate::domain::HandoverEvent;
use crate::domain::Queue;
use crate::handovers::Handovers;
use crate::handovers::backfill::Known;
use crate::handovers::entry::Entry;
use crate::handovers::transcript;
use crate::store::StoreError;

const EVENTS: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) said: Vec<Known>,
    /// The queue of the newest `handover.queued` that nobody came or left after.
    pub(super) queue: Option<String>,
}

impl Handovers {
    /// Under the handover's lock, so that nothing is missing in it.
    pub(super) async fn told(&self, handover: &Handover, message_limit: usize) -> Result<Told, StoreError> {
        let (id, store) = (handover.id(), &self.parts.store);
        let mut told = Told::default();
        for past in store.history(id).await? {
            told.said.push(Known::new(
                past.author.as_str(),
                past.text.as_deref().unwrap_or_default(),
                handover.facts.created_at,
            ));
        }
        for message in store.messages(id).await? {
            told.said.extend(transcript::parts(&message, message_limit));
        }
        let mut after = 0;
        while let Some(page) = store.events(id, after, EVENTS).await? {
            let Some(last) = page.events.last() else { break };
            after = last.sequence;
            for event in &page.events {
                told.learn(event);
            }
        }
        Ok(told)
    }
}

impl Told {
    fn learn(&mut self, event: &HandoverEvent) {
        #[derive(Deserialize)]
        struct Queued {
            queue: Queue,
        }
        if event.kind == EventType::MessageCreated {
            let said = Entry::of_event(event);
            let known = said.map(|(entry, theirs_at)| Known::new(&entry.author.kind, &entry.text, theirs_at));
            self.said.extend(known);
        } else if event.kind == EventType::HandoverQueued {
            let queued: Option<Queued> = serde_json::from_str(event.extra.as_str()).ok();
            self.queue = queued.map(|queued| queued.queue.id);
        } else if matches!(event.kind, EventType::AgentJoined | EventType::AgentLeft) {
            self.queue = None;
        }
    }
}
