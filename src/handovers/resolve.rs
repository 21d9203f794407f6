//! What became of a call that 8x8 may or may not have taken: present, absent, or could not tell. Never a guess.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::ConversationView;
use crate::chat_gateway::MessageView;
use crate::chat_gateway::NewestConversations;
use crate::chat_gateway::NewestMessages;
use crate::domain::AgentRef;
use crate::domain::Attached;
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
use crate::handovers::Tenant;
use crate::handovers::absence::shows_all_since;
use crate::handovers::absence::slack;
use crate::handovers::carry_out::Target;
use crate::handovers::problem;
use crate::handovers::service::Along;
use crate::handovers::session_map::Slot;
use crate::handovers::split;
use crate::store::StoreError;

/// What 8x8 took may show only after a while: an absence counts when it still holds this long after the call.
const SETTLE: Duration = Duration::from_secs(5);
/// 8x8's clock may be this far from ours without making a message look older than its sending.
const SKEW: Duration = Duration::from_secs(2);
/// Beyond this no clock is that wrong.
const WIDE: Duration = Duration::from_mins(1);
/// Conversations and messages looked through at a time, newest first.
const LOOK_AT: u32 = 100;
/// So many times as many conversations, where a busy account has begun that many since a create.
const PAGES: u32 = 50;
const FIRST_LOOK: Duration = Duration::from_millis(500);
const LATER_LOOK: Duration = Duration::from_mins(1);
/// A create that could not be resolved by then is given up. Should its conversation turn up, 8x8 is told that the user
/// left.
pub(super) const GIVE_UP: Duration = Duration::from_mins(10);

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
        let Ok(ours) = self.posted_there(target.slot).await else {
            return Presence::CouldNotTell;
        };
        let Ok(customers) = self.customers_words(target.slot).await else {
            return Presence::CouldNotTell;
        };
        let mut known = Known::of(&ours, part, target.tenant.message_limit);
        known.texts.extend(customers);
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

    /// What we posted into a conversation: in this handover, and in the one it was reopened from.
    async fn posted_there(&self, slot: &Slot) -> Result<Vec<MessageRecord>, StoreError> {
        let from = slot.handover.lock().await.facts.reopened_from.clone();
        let mut ours = self.parts.store.messages(&slot.id).await?;
        if let Some(from) = from {
            ours.extend(self.parts.store.messages(&from).await?);
        }
        Ok(ours)
    }

    /// Starts looking for the conversation of a create whose answer never came.
    pub(super) fn resolve_create(self: &Arc<Self>, slot: &Arc<Slot>, since: Timestamp) {
        let (this, slot) = (Arc::clone(self), Arc::clone(slot));
        self.parts
            .supervisor
            .run(async move { this.look_for_conversation(&slot, since).await });
    }

    /// Ends when the handover is not being created any more: found, proven absent, bound by an event of 8x8's, or given up.
    async fn look_for_conversation(self: &Arc<Self>, slot: &Arc<Slot>, since: Timestamp) {
        let stop = self.parts.supervisor.stop_token();
        let mut pause = FIRST_LOOK;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.parts.clock.sleep(pause) => {}
            }
            pause = (pause * 2).min(LATER_LOOK);
            if slot.handover.lock().await.state() != State::Creating {
                return;
            }
            // It may come back into the settings.
            let Some(tenant) = self.tenant_of(slot).await else {
                continue;
            };
            let known = tokio::select! {
                () = stop.cancelled() => return,
                known = self.what_became(slot, &tenant, since) => known,
            };
            let Some(input) = known else { continue };
            match self.bind(slot, input).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(handover.id = %slot.id, error = %error, "the fate of a create could not be recorded yet");
                }
            }
        }
    }

    /// What became of a create, once 8x8 shows it or it is given up.
    async fn what_became(&self, slot: &Arc<Slot>, tenant: &Tenant, since: Timestamp) -> Option<Input> {
        let (reopening, conversation, created_at) = {
            let handover = slot.handover.lock().await;
            let progress = &handover.progress;
            (
                progress.reopening.clone(),
                progress.conversation.clone(),
                handover.facts.created_at,
            )
        };
        if let (Some(words), Some(conversation)) = (reopening, conversation) {
            let target = Target {
                slot,
                tenant,
                conversation: &conversation,
                gateway: tenant.chat_gateway.clone(),
            };
            return self.what_became_of_words(&target, &words, created_at, since).await;
        }
        let asked_at = self.parts.clock.now();
        match self.what_8x8_shows(slot, tenant, asked_at >= since.plus(SETTLE)).await {
            Ok(Some(known)) => Some(known),
            Ok(None) | Err(_) if asked_at >= since.plus(GIVE_UP) => {
                Some(Input::NotCreated(problem::never_known(&slot.id)))
            }
            Ok(None) => None,
            Err(error) => {
                tracing::debug!(handover.id = %slot.id, error = %error, "8x8 could not say whether it took the conversation");
                None
            }
        }
    }

    /// Looks through 8x8's conversations, back to before the create once an absence counts. What was read in several pages is
    /// read twice before it counts: one could have slipped from one page to another between the two.
    async fn what_8x8_shows(
        &self,
        slot: &Slot,
        tenant: &Tenant,
        is_settled: bool,
    ) -> Result<Option<Input>, ChatGatewayError> {
        let channel = slot.handover.lock().await.facts.channel_id.clone();
        let is_absent =
            |found: &NewestConversations| is_settled && shows_all_since(found, &slot.id, &channel, slack(tenant));
        let is_known = |found: &NewestConversations| ours(found, &slot.id).is_some() || is_absent(found);
        let pages = if is_settled { PAGES } else { 1 };
        for look in 0..2 {
            let found = tenant.chat_gateway.newest_until(LOOK_AT, pages, is_known).await?;
            if let Some(conversation) = ours(&found, &slot.id) {
                return Ok(Some(Input::Created(conversation)));
            }
            if !is_absent(&found) {
                return Ok(None);
            }
            if found.pages <= 1 || look > 0 {
                break;
            }
        }
        Ok(Some(Input::NotCreated(problem::never_taken(&slot.id))))
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

/// What we know to have posted, or may have, in this handover.
struct Known {
    /// The earliest of the same author and text.
    earliest: Option<Timestamp>,
    accepted: usize,
    /// Of these, those without files.
    plain: usize,
    /// Those whose own fate was never known.
    unconfirmed: usize,
    /// Others that show a file of this one's, or may.
    with_same_files: usize,
    texts: HashSet<String>,
}

impl Known {
    /// A long message went out in several posts: each is looked at by itself.
    fn of(ours: &[MessageRecord], part: &MessagePart, limit: usize) -> Self {
        let mut known = Self {
            earliest: None,
            accepted: 0,
            plain: 0,
            unconfirmed: 0,
            with_same_files: 0,
            texts: HashSet::new(),
        };
        let files = files_of(part);
        for message in ours {
            let mut ids = message.attachments.iter().filter_map(|file| file.id.as_deref());
            if message.id != part.message
                && message.status != MessageStatus::Failed
                && ids.any(|id| files.contains(&id))
            {
                known.with_same_files += 1;
            }
            let text = message.text.as_deref().unwrap_or_default();
            // What says nothing is a post all the same.
            let parts = if text.is_empty() {
                vec![String::new()]
            } else {
                split(text, limit)
            };
            let wanted = part.text.as_deref().unwrap_or_default();
            let is_same = |text: &&String| *text == wanted && message.author == part.author;
            let same = parts.iter().filter(is_same).count();
            let with_files =
                usize::from(!message.attachments.is_empty() && parts.first().is_some_and(|text| is_same(&text)));
            known.texts.extend(parts);
            if message.id == part.message || same == 0 {
                continue;
            }
            known.earliest = known
                .earliest
                .map_or(Some(message.created_at), |at| Some(at.min(message.created_at)));
            match message.status {
                MessageStatus::Accepted => {
                    known.accepted += same;
                    known.plain += same - with_files;
                }
                MessageStatus::Unconfirmed => known.unconfirmed += same,
                MessageStatus::Queued | MessageStatus::Failed => {}
            }
        }
        known
    }
}

/// More of the same text by the same author than could be others of ours: this one is there. It is absent only when
/// nothing at 8x8 could be it in another shape, trimmed or rewritten, and the list holds all that matters.
fn judge(list: &NewestMessages, part: &MessagePart, from: Timestamp, known: &Known) -> Presence {
    if !part.attachments.is_empty() {
        return judge_by_files(list, part, from, known);
    }
    let is_ours = |message: &&MessageView| !matches!(message.author_type.as_str(), "agent" | "system");
    let same = |message: &&MessageView| {
        message.author_type == part.author.as_str() && message.text == part.text.as_deref().unwrap_or_default()
    };
    let since = |earliest: Timestamp| {
        let in_time = move |message: &&MessageView| message.created_at.is_none_or(|at| at >= earliest);
        list.messages.iter().filter(is_ours).filter(in_time)
    };
    let near = since(from.minus(SKEW))
        .filter(same)
        .filter(|message| message.attachments.is_empty());
    let near = near.count();
    let wide = since(from.minus(WIDE)).filter(same).count();
    // What shows files and says nothing is no text of ours in another shape.
    let may_be_text = |message: &&MessageView| !message.text.is_empty() || message.attachments.is_empty();
    let mut near_by = since(from.minus(SKEW)).filter(may_be_text);
    let is_strange = near_by.any(|message| !known.texts.contains(&message.text));
    let oldest = list.messages.iter().filter_map(|message| message.created_at).min();
    let is_complete = list.is_all || oldest.is_some_and(|at| at < from.minus(WIDE));
    if near > known.accepted + known.unconfirmed {
        Presence::Present
    } else if wide <= known.plain && is_complete && !is_strange {
        Presence::Absent
    } else {
        Presence::CouldNotTell
    }
}

/// More messages show a file of this one's than there are others of ours with it: this one is there. It is absent only when no message without
/// files could be it, shown without them.
fn judge_by_files(list: &NewestMessages, part: &MessagePart, from: Timestamp, known: &Known) -> Presence {
    let files = files_of(part);
    let shows_ours = |message: &&MessageView| message.attachments.iter().any(|id| files.contains(&id.as_str()));
    let shown = list.messages.iter().filter(shows_ours).count();
    if shown > known.with_same_files {
        return Presence::Present;
    }
    let could_be = |message: &MessageView| {
        message.author_type == part.author.as_str()
            && message.text == part.text.as_deref().unwrap_or_default()
            && message.attachments.is_empty()
            && message.created_at.is_none_or(|at| at >= from.minus(WIDE))
    };
    let oldest = list.messages.iter().filter_map(|message| message.created_at).min();
    let is_complete = list.is_all || oldest.is_some_and(|at| at < from.minus(WIDE));
    if is_complete && shown == known.with_same_files && !list.messages.iter().any(could_be) {
        Presence::Absent
    } else {
        Presence::CouldNotTell
    }
}

fn files_of(part: &MessagePart) -> Vec<&str> {
    part.attachments.iter().filter_map(Attached::id).collect()
}

/// The conversation that carries our key.
fn ours(found: &NewestConversations, handover: &HandoverId) -> Option<ConversationId> {
    let mut theirs = found.conversations.iter();
    theirs
        .find(|view| view.handover.as_ref() == Some(handover))
        .map(|view| view.id.clone())
}

pub(super) fn is_idle(view: &ConversationView) -> bool {
    view.state == Some(ConversationState::Idle)
}

fn answer(view: &ConversationView) -> Answer {
    if is_idle(view) {
        return Answer::Over;
    }
    let assigned_to = |kind: &str| view.assignment.as_ref().filter(|assignment| assignment.kind == kind);
    let agent = assigned_to("agent").and_then(|assignment| assignment.id.clone());
    Answer::GoesOn {
        agent: agent.map(|id| AgentRef { id, name: None }),
        in_queue: assigned_to("queue").is_some(),
    }
}
