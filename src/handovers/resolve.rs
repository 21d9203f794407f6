//! What became of a call that 8x8 may or may not have taken: present, absent, or could not tell. Never a guess.

use std::sync::Arc;
use std::time::Duration;

use crate::chat_gateway::ConversationView;
use crate::chat_gateway::Coverage;
use crate::chat_gateway::MessageView;
use crate::chat_gateway::NewestConversations;
use crate::domain::AgentRef;
use crate::domain::CallRecord;
use crate::domain::ConversationId;
use crate::domain::ConversationState;
use crate::domain::HandoverId;
use crate::domain::MessagePart;
use crate::domain::MessageRecord;
use crate::domain::MessageStatus;
use crate::domain::State;
use crate::domain::Timestamp;
use crate::domain::transition::Answer;
use crate::domain::transition::Input;
use crate::handovers::Handovers;
use crate::handovers::carry_out::Target;
use crate::handovers::problem;
use crate::handovers::service::Along;
use crate::handovers::session_map::Slot;

/// What 8x8 took may show only after a while: an absence counts when it still holds this long after the call.
const SETTLE: Duration = Duration::from_secs(5);
/// 8x8's clock may be this far from ours without making a message look older than its sending.
const SKEW: Duration = Duration::from_secs(2);
/// Beyond this no clock is that wrong.
const WIDE: Duration = Duration::from_mins(1);
/// Conversations and messages looked through, newest first.
const LOOK_AT: u32 = 200;
const FIRST_LOOK: Duration = Duration::from_millis(500);
const LATER_LOOK: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Present,
    Absent,
    CouldNotTell,
}

impl Handovers {
    /// Looks for a message of ours among 8x8's.
    pub(super) async fn find_message(
        &self,
        target: &Target<'_>,
        record: &CallRecord,
        part: &MessagePart,
        since: Timestamp,
    ) -> Presence {
        let Ok(ours) = self.parts.store.messages(&target.slot.id).await else {
            return Presence::CouldNotTell;
        };
        let known = Known::of(&ours, part);
        let from = known
            .earliest
            .map_or(record.created_at, |earliest| earliest.min(record.created_at));
        let Ok(theirs) = target
            .tenant
            .chat_gateway
            .list_newest(target.conversation, LOOK_AT)
            .await
        else {
            return Presence::CouldNotTell;
        };
        let settled = self.parts.clock.now() >= since.plus(SETTLE);
        match judge(&theirs, part, from, &known) {
            Presence::Absent if !settled => Presence::CouldNotTell,
            presence => presence,
        }
    }

    /// Starts looking for the conversation of a create whose answer never came.
    pub(super) fn resolve_create(self: &Arc<Self>, slot: &Arc<Slot>, since: Timestamp) {
        let (this, slot) = (Arc::clone(self), Arc::clone(slot));
        let stop = self.parts.supervisor.stop_token();
        self.parts.supervisor.run(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = this.look_for_conversation(&slot, since) => {}
            }
        });
    }

    /// Ends when the handover is not being created any more: found, proven absent, bound by an event of 8x8's, or too old.
    async fn look_for_conversation(self: &Arc<Self>, slot: &Arc<Slot>, since: Timestamp) {
        let mut pause = FIRST_LOOK;
        loop {
            self.parts.clock.sleep(pause).await;
            pause = (pause * 2).min(LATER_LOOK);
            if slot.handover.lock().await.state() != State::Creating {
                return;
            }
            let Some(tenant) = self.tenant_of(slot).await else {
                return;
            };
            let asked_at = self.parts.clock.now();
            let input = match tenant.chat_gateway.newest(LOOK_AT).await {
                Ok(found) => match ours(&found, &slot.id) {
                    Some(conversation) => Input::Created(conversation),
                    None if asked_at >= since.plus(SETTLE) && reaches_back_to(&found, &slot.id) => {
                        Input::NotCreated(problem::never_taken(&slot.id))
                    }
                    None => continue,
                },
                Err(error) => {
                    tracing::debug!(handover.id = %slot.id, error = %error, "8x8 could not say whether it took the conversation");
                    continue;
                }
            };
            match self.bind(slot, input).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(handover.id = %slot.id, error = %error, "the fate of a create could not be recorded yet");
                }
            }
        }
    }

    /// Asks 8x8 whether a conversation whose last agent left goes on. `false` when there is no answer on record.
    pub(super) async fn ask(self: &Arc<Self>, slot: &Arc<Slot>) -> bool {
        let Some(conversation) = slot.handover.lock().await.progress.conversation.clone() else {
            return false;
        };
        let Some(tenant) = self.tenant_of(slot).await else {
            return false;
        };
        let answer = match tenant.chat_gateway.get(&conversation).await {
            Ok(view) => answer(&view),
            Err(error) if error.is_not_found() => Answer::Over,
            Err(_) => Answer::CouldNotTell,
        };
        let asked = self.change(slot, Input::Asked(answer), Along::default()).await;
        if let Err(error) = &asked {
            tracing::warn!(handover.id = %slot.id, error = %error, "8x8's answer could not be recorded, it is asked again");
        }
        asked.is_ok()
    }
}

/// Our other messages of the same author and text.
struct Known {
    earliest: Option<Timestamp>,
    accepted: usize,
    /// Those whose own fate was never known.
    unconfirmed: usize,
}

impl Known {
    fn of(ours: &[MessageRecord], part: &MessagePart) -> Self {
        let same: Vec<&MessageRecord> = ours
            .iter()
            .filter(|message| message.author == part.author && message.text == part.text && message.id != part.message)
            .collect();
        let count = |status| same.iter().filter(|message| message.status == status).count();
        Self {
            earliest: same.iter().map(|message| message.created_at).min(),
            accepted: count(MessageStatus::Accepted),
            unconfirmed: count(MessageStatus::Unconfirmed),
        }
    }
}

/// More of the same text by the same author than could be others of ours: this one is there. Where a message could be
/// this one or an older one, as one of the history, that is said.
fn judge(theirs: &[MessageView], part: &MessagePart, from: Timestamp, known: &Known) -> Presence {
    let same = |message: &&MessageView| {
        message.author_type == part.author.as_str() && message.text == part.text.as_deref().unwrap_or_default()
    };
    let after = |earliest: Timestamp| {
        let in_time = |message: &&MessageView| message.created_at.is_none_or(|at| at >= earliest);
        theirs.iter().filter(same).filter(in_time).count()
    };
    let (near, wide) = (after(from.minus(SKEW)), after(from.minus(WIDE)));
    let oldest = theirs.iter().filter_map(|message| message.created_at).min();
    let complete =
        theirs.len() < usize::try_from(LOOK_AT).unwrap_or(usize::MAX) || oldest.is_some_and(|at| at < from.minus(WIDE));
    if near > known.accepted + known.unconfirmed {
        Presence::Present
    } else if wide <= known.accepted && complete {
        Presence::Absent
    } else {
        Presence::CouldNotTell
    }
}

/// The conversation that carries our key.
fn ours(found: &NewestConversations, handover: &HandoverId) -> Option<ConversationId> {
    let mut theirs = found.conversations.iter();
    theirs
        .find(|view| view.handover.as_ref() == Some(handover))
        .map(|view| view.id.clone())
}

/// Whether the list goes so far back that what is not in it is not there: it holds everything, or a conversation whose
/// handover is older than this one. Handover ids sort by time.
fn reaches_back_to(found: &NewestConversations, handover: &HandoverId) -> bool {
    match found.coverage {
        Coverage::All => true,
        Coverage::Newest => found
            .conversations
            .iter()
            .filter_map(|view| view.handover.as_ref())
            .any(|known| known < handover),
        Coverage::Part => false,
    }
}

fn answer(view: &ConversationView) -> Answer {
    if view.state == Some(ConversationState::Idle) {
        return Answer::Over;
    }
    let assigned_to = |kind: &str| view.assignment.as_ref().filter(|assignment| assignment.kind == kind);
    let agent = assigned_to("agent").and_then(|assignment| assignment.id.clone());
    Answer::GoesOn {
        agent: agent.map(|id| AgentRef { id, name: None }),
        in_queue: assigned_to("queue").is_some(),
    }
}
