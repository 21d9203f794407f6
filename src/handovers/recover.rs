//! A live handover rebuilt from what 8x8 shows of its conversation, where the store was lost. What was said before stays
//! 8x8's to tell: the bot has heard it, and a transcript reads it from there.

use std::sync::Arc;

use crate::chat_gateway::ConversationView;
use crate::chat_gateway::ParticipantView;
use crate::domain::Facts;
use crate::domain::Handover;
use crate::domain::Origin;
use crate::domain::Queue;
use crate::domain::Source;
use crate::domain::State;
use crate::domain::Timestamp;
use crate::domain::User;
use crate::domain::WebhookEvent;
use crate::domain::WebhookKind;
use crate::domain::transition;
use crate::domain::transition::Input;
use crate::handovers::compare;
use crate::handovers::compare::There;
use crate::handovers::resolve::is_idle;
use crate::store::Commit;
use crate::store::Committed;
use crate::store::Opened;
use crate::store::Store;
use crate::store::StoreError;

/// An open conversation of 8x8's that carries the key of a handover nobody here knows.
#[derive(Clone, Debug)]
pub struct Orphan {
    pub view: ConversationView,
    pub participants: Vec<ParticipantView>,
}

/// What a handover is rebuilt in.
pub struct Rebuild<'a> {
    pub store: &'a dyn Store,
    /// Whether its events are to be delivered to an address.
    pub deliver: bool,
    pub now: Timestamp,
}

impl Rebuild<'_> {
    /// Writes it as if 8x8 had just told of it. `None` when another handover stands on the conversation.
    pub async fn write(&self, facts: Facts, orphan: Orphan) -> Result<Option<Handover>, StoreError> {
        let begun = begun(facts, &orphan);
        if !matches!(self.store.open(begun.clone(), None).await?, Opened::Done) {
            return Ok(None);
        }
        let mut handover = begun;
        for input in begin(&handover, &orphan) {
            handover = self.change(handover, input).await?;
        }
        for input in self.found(&handover, orphan) {
            handover = self.change(handover, input).await?;
        }
        Ok(Some(handover))
    }

    fn found(&self, handover: &Handover, orphan: Orphan) -> Vec<Input> {
        let there = There {
            is_over: is_idle(&orphan.view),
            assigned: orphan.view.assignment,
            participants: orphan.participants,
            asked_at: self.now,
        };
        let missed = compare::missed(handover, &there, Vec::new(), None);
        let events = missed.into_iter().filter_map(|missed| missed.event(handover));
        events.map(|(event, at)| Input::Backfilled { event, at }).collect()
    }

    async fn change(&self, handover: Handover, input: Input) -> Result<Handover, StoreError> {
        // None of these is a bot's wish, so none is refused.
        let Ok(next) = transition::next(&handover, input, self.now) else {
            return Ok(handover);
        };
        let commit = Commit {
            handover: next.next.clone(),
            changed: next.changed,
            events: next.events,
            deliver: self.deliver,
            calls: next.calls,
            settled: Vec::new(),
            message: next.message,
            receipt: None,
            claim: None,
            agent_knows: None,
        };
        match self.store.commit(commit).await? {
            Committed::Done => Ok(next.next),
            Committed::Seen { .. } | Committed::Stale | Committed::KeyTaken(_) => {
                Err(StoreError::Unavailable("somebody else writes to the store".into()))
            }
        }
    }
}

fn begun(facts: Facts, orphan: &Orphan) -> Handover {
    let user: User = orphan.view.user.clone();
    match facts.origin {
        Origin::Bot => {
            let mut handover = Handover::creating(facts, User::default());
            handover.progress.user = Arc::new(user);
            handover
        }
        Origin::Channel => Handover::led_by_bot(facts, user, orphan.view.id.clone()),
    }
}

/// How it stands first: taken by 8x8, or led by the bot, perhaps waiting in a queue by now.
fn begin(handover: &Handover, orphan: &Orphan) -> Vec<Input> {
    if handover.state() == State::Creating {
        return vec![Input::Created(orphan.view.id.clone())];
    }
    let read = |kind| Input::Backfilled {
        event: WebhookEvent {
            conversation: orphan.view.id.clone(),
            source: Source {
                event_type: Source::RECONCILED.to_owned(),
                event_id: String::new(),
                timestamp: None,
            },
            kind,
        },
        at: handover.facts.created_at.as_millis(),
    };
    let assigned = orphan.view.assignment.as_ref();
    let queue = assigned.filter(|assigned| assigned.kind == "queue");
    let queue = queue.and_then(|queue| queue.id.clone());
    let waits = queue.map(|id| read(WebhookKind::Queued(Queue { id, name: None })));
    [Some(read(WebhookKind::UserJoined)), waits]
        .into_iter()
        .flatten()
        .collect()
}
