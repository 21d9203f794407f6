//! What was said in a handover, from what is recorded, and from 8x8 where the gateway was away. What 8x8 adds is read each
//! time and kept nowhere.

use std::sync::Arc;
use std::time::Duration;

use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::ParticipantView;
use crate::chat_gateway::PastMessages;
use crate::domain::BotName;
use crate::domain::EventType;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::domain::MessageRecord;
use crate::domain::Origin;
use crate::domain::Timestamp;
use crate::handovers::CommandError;
use crate::handovers::Handovers;
use crate::handovers::Tenant;
use crate::handovers::backfill;
use crate::handovers::backfill::Known;
use crate::handovers::backfill::Missed;
use crate::handovers::entry::Entry;
use crate::handovers::fill_in::fill_in;
use crate::handovers::newest::Newest;
use crate::handovers::service::LINGER;
use crate::handovers::split;
use crate::store::HandoverFilter;

const EVENTS: usize = 1000;
/// 8x8's clock may be so far from ours.
const SKEW: Duration = Duration::from_secs(2);
/// A reader waits no longer for 8x8.
pub(super) const ASK_FOR: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Transcript {
    pub handover: Handover,
    /// Oldest first.
    pub entries: Vec<Entry>,
    /// As 8x8 lists them; `None` when it could not be asked.
    pub participants: Option<Vec<ParticipantView>>,
    /// Whether 8x8 was asked for what is not recorded here, and answered in full.
    pub complete: bool,
    /// Older ones, for which there was no room.
    pub left_out: usize,
}

impl Transcript {
    fn erased(handover: Handover) -> Self {
        Self {
            handover,
            entries: Vec::new(),
            participants: None,
            complete: false,
            left_out: 0,
        }
    }
}

impl Handovers {
    pub async fn transcript(&self, bot: &BotName, id: &HandoverId) -> Result<Transcript, CommandError> {
        let handover = self.get(bot, id).await?;
        if handover.is_erased() {
            // What 8x8 still has is not brought back either.
            return Ok(Transcript::erased(handover));
        }
        let tenant = self.parts.tenants.tenant(&handover.facts.tenant);
        let mut entries = Newest::default();
        let mut known = Vec::new();
        for past in self.parts.store.history(id).await? {
            known.push(Known::new(
                past.author.as_str(),
                past.text.as_deref().unwrap_or_default(),
                handover.facts.created_at,
            ));
            entries.push(Entry::of_history(past, &handover));
        }
        let limit = tenant.as_ref().map_or(usize::MAX, |tenant| tenant.message_limit);
        for message in self.parts.store.messages(id).await? {
            known.extend(parts(&message, limit));
            entries.push(Entry::of_posted(message, &handover));
        }
        self.received(id, &mut entries, &mut known).await?;
        // Beyond what there was room for, what is known cannot be told from what is missing.
        let from = entries.reaches_back_to().map(|at| at.plus(SKEW));
        let from = from.unwrap_or_else(|| handover.facts.created_at.minus(SKEW));
        let asked = self.ask_for_past(tenant.as_ref(), &handover, from).await;
        let is_all = asked.said.as_ref().is_some_and(|said| said.is_all);
        if let Some(said) = asked.said {
            let next = self.next(&handover).await?;
            let until = until(&handover, next.as_ref());
            if let Some(next) = next.filter(|next| next.facts.origin == Origin::Channel) {
                self.taken_by(&next, until, &mut known).await?;
            }
            let missed = match (handover.facts.recovered_at, handover.facts.origin) {
                (Some(_), _) => Missed::Everyone,
                (None, Origin::Bot) => Missed::Agents,
                (None, Origin::Channel) => Missed::AgentsAndUser,
            };
            let mut missing = backfill::missing(said.messages, &known, (from, until), missed);
            fill_in(tenant.as_deref(), &handover, &mut missing).await;
            self.redact_read(&handover.facts.account, missing.iter_mut().map(|(_, said)| said));
            for (at, said) in missing {
                entries.push(Entry::of_8x8s(at, said, &handover));
            }
        }
        let (mut entries, left_out) = entries.in_order();
        // A link lasts a while only: each reader gets fresh ones.
        let now = self.parts.clock.now();
        for attachment in entries.iter_mut().flat_map(|entry| &mut entry.attachments) {
            let file = attachment.id.as_deref();
            attachment.url = file.map(|file| self.parts.links.url(id, file, now));
        }
        Ok(Transcript {
            handover,
            entries,
            participants: asked.participants,
            complete: is_all && left_out == 0,
            left_out,
        })
    }

    async fn received(
        &self,
        id: &HandoverId,
        entries: &mut Newest,
        known: &mut Vec<Known>,
    ) -> Result<(), CommandError> {
        let mut after = 0;
        while let Some(page) = self.parts.store.events(id, after, EVENTS).await? {
            let Some(last) = page.events.last() else { break };
            after = last.sequence;
            let said = page
                .events
                .iter()
                .filter(|event| event.kind == EventType::MessageCreated);
            for (entry, theirs_at) in said.filter_map(Entry::of_event) {
                known.push(Known::new(&entry.author.kind, &entry.text, theirs_at));
                entries.push(entry);
            }
        }
        Ok(())
    }

    async fn ask_for_past(&self, tenant: Option<&Arc<Tenant>>, handover: &Handover, from: Timestamp) -> Past {
        let (Some(tenant), Some(conversation)) = (tenant, &handover.progress.conversation) else {
            // Where there is no conversation nothing was said in it.
            let nothing = PastMessages {
                messages: Vec::new(),
                is_all: true,
            };
            return Past {
                said: handover.progress.conversation.is_none().then_some(nothing),
                participants: None,
            };
        };
        let gateway = &tenant.chat_gateway;
        let (said, participants) = tokio::join!(
            tokio::time::timeout(ASK_FOR, gateway.said_since(conversation, from)),
            tokio::time::timeout(ASK_FOR, gateway.participants(conversation)),
        );
        let mut said = answered(handover.id(), said.ok());
        if let Some(said) = &mut said {
            self.redact_read(&handover.facts.account, &mut said.messages);
        }
        Past {
            said,
            participants: answered(handover.id(), participants.ok()),
        }
    }

    /// The one after this on the same conversation.
    async fn next(&self, handover: &Handover) -> Result<Option<Handover>, CommandError> {
        let filter = HandoverFilter {
            bot: handover.facts.bot.clone(),
            states: Vec::new(),
            conversation: handover.progress.conversation.clone(),
            bot_session_id: None,
            before: None,
            limit: 200,
        };
        let page = self.parts.store.handovers(filter).await?;
        let later = page.handovers.into_iter().filter(|other| other.id() > handover.id());
        Ok(later.min_by_key(|other| other.facts.created_at))
    }

    /// What a customer said that the next handover was opened for, while its bot was being found.
    async fn taken_by(&self, next: &Handover, until: Timestamp, known: &mut Vec<Known>) -> Result<(), CommandError> {
        let mut of_next = Vec::new();
        self.received(next.id(), &mut Newest::default(), &mut of_next).await?;
        known.extend(of_next.into_iter().filter(|said| said.at < until));
        Ok(())
    }
}

/// What was said later on the same conversation belongs to the handover after this one.
fn until(handover: &Handover, next: Option<&Handover>) -> Timestamp {
    let next = next.map(|next| next.facts.created_at.minus(SKEW));
    let over = handover.progress.ended_at.map(|at| at.plus(LINGER));
    let all = Timestamp::from_millis(i64::MAX);
    next.unwrap_or(all).min(over.unwrap_or(all))
}

struct Past {
    said: Option<PastMessages>,
    participants: Option<Vec<ParticipantView>>,
}

pub(super) fn answered<T>(id: &HandoverId, answer: Option<Result<T, ChatGatewayError>>) -> Option<T> {
    match answer {
        Some(Ok(answer)) => Some(answer),
        Some(Err(error)) => {
            tracing::warn!(handover.id = %id, error = %error, "8x8 could not be asked what it keeps of a conversation");
            None
        }
        None => {
            tracing::warn!(handover.id = %id, "8x8 took too long to tell what it keeps of a conversation");
            None
        }
    }
}

/// 8x8 has a long message in several.
pub(super) fn parts(message: &MessageRecord, limit: usize) -> Vec<Known> {
    let text = message.text.as_deref().unwrap_or_default();
    let known = |part: &String| Known::new(message.author.as_str(), part, message.created_at);
    split(text, limit).iter().map(known).collect()
}
