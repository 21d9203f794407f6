//! What 8x8 shows of a conversation, held against what its handover knows: what was missed, in the order in which it can
//! have happened. 8x8 gives times to messages only: who wrote was there before, and whoever left wrote nothing after.

use std::collections::BTreeSet;

use crate::chat_gateway::AssignmentView;
use crate::chat_gateway::ParticipantView;
use crate::chat_gateway::SaidView;
use crate::domain::AgentRef;
use crate::domain::AttachmentSeen;
use crate::domain::ConversationState;
use crate::domain::ConversationUpdate;
use crate::domain::Handover;
use crate::domain::MessageSeen;
use crate::domain::Origin;
use crate::domain::Queue;
use crate::domain::RawJson;
use crate::domain::Source;
use crate::domain::State;
use crate::domain::Timestamp;
use crate::domain::WebhookEvent;
use crate::domain::WebhookKind;

/// The conversation as 8x8 shows it.
#[derive(Debug)]
pub(super) struct There {
    /// Idle, or not known any more.
    pub(super) is_over: bool,
    pub(super) assigned: Option<AssignmentView>,
    /// Empty where they were not asked for.
    pub(super) participants: Vec<ParticipantView>,
    pub(super) asked_at: Timestamp,
}

/// Something no event told, and the time that decides about the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missed {
    pub(super) kind: WebhookKind,
    pub(super) at: i64,
    source: Source,
}

impl Missed {
    pub(super) fn event(self, handover: &Handover) -> Option<(WebhookEvent, i64)> {
        let conversation = handover.progress.conversation.clone()?;
        let event = WebhookEvent {
            conversation,
            source: self.source,
            kind: self.kind,
        };
        Some((event, self.at))
    }
}

impl There {
    fn assigned_to(&self, kind: &str) -> Option<&str> {
        let assigned = self.assigned.as_ref().filter(|assigned| assigned.kind == kind);
        assigned.and_then(|assigned| assigned.id.as_deref())
    }

    /// The agent it is assigned to.
    pub(super) fn agent(&self) -> Option<&str> {
        self.assigned_to("agent")
    }

    fn listed(&self, id: &str) -> Option<&ParticipantView> {
        self.participants.iter().find(|one| one.id == id)
    }

    fn has_left(&self, id: &str) -> bool {
        self.is_over || self.listed(id).is_some_and(|one| one.removed)
    }

    fn is_there(&self, id: &str) -> bool {
        let is_assigned = self.agent() == Some(id);
        !self.is_over && self.listed(id).map_or(is_assigned, |one| !one.removed)
    }
}

/// Everything missed. `said` are the messages that are not in the log, oldest first; `queue` the one it tells of.
pub(super) fn missed(
    handover: &Handover,
    there: &There,
    said: Vec<(Timestamp, SaidView)>,
    queue: Option<&str>,
) -> Vec<Missed> {
    let mut telling = Telling::new(handover, there);
    let mut coming = telling.who_came(&said);
    let mut writing: Vec<String> = said.iter().filter_map(|(_, said)| agent_of(said)).collect();
    for (at, said) in said {
        if let Some(agent) = agent_of(&said) {
            if coming.remove(&agent) {
                telling.leave_all_but(&writing);
                telling.comes(&agent, Some(at));
            }
            if let Some(place) = writing.iter().position(|one| *one == agent) {
                writing.remove(place);
            }
        }
        telling.says(at, said);
    }
    telling.leave_all_but(&[]);
    for agent in coming {
        telling.comes(&agent, None);
        telling.leave_all_but(&[]);
    }
    telling.waits(queue);
    telling.ends();
    telling.missed
}

fn agent_of(said: &SaidView) -> Option<String> {
    said.author_id.clone().filter(|_| said.author_type == "agent")
}

struct Telling<'a> {
    handover: &'a Handover,
    there: &'a There,
    present: Vec<String>,
    /// Whether anybody was there, in the handover or in what was missed.
    somebody_was: bool,
    transfer_known: bool,
    missed: Vec<Missed>,
}

impl<'a> Telling<'a> {
    fn new(handover: &'a Handover, there: &'a There) -> Self {
        let agents = &handover.progress.agents;
        Self {
            handover,
            there,
            present: agents.present().map(|agent| agent.id.clone()).collect(),
            somebody_was: matches!(handover.state(), State::Active | State::Transferring),
            transfer_known: handover.progress.transfer_seen,
            missed: Vec::new(),
        }
    }

    /// Agents whose coming no event told.
    fn who_came(&self, said: &[(Timestamp, SaidView)]) -> BTreeSet<String> {
        let listed = self.there.participants.iter().filter(|one| one.kind == "agent");
        let listed = listed.map(|one| one.id.clone());
        let assigned = self.there.agent().map(str::to_owned);
        let wrote = said.iter().filter_map(|(_, said)| agent_of(said));
        let all = listed.chain(assigned).chain(wrote);
        all.filter(|id| self.came(id, said)).collect()
    }

    fn came(&self, id: &str, said: &[(Timestamp, SaidView)]) -> bool {
        let is_back = self.there.agent() == Some(id) && self.there.listed(id).is_some_and(|one| !one.removed);
        let is_back = is_back && !self.there.is_over;
        let wrote_after = |after: i64| {
            let by_them = |said: &SaidView| agent_of(said).as_deref() == Some(id);
            said.iter().any(|(at, said)| by_them(said) && at.as_millis() > after)
        };
        let has_past = self.handover.facts.reopened_from.is_some();
        match self.handover.progress.agents.get(id) {
            Some(agent) if agent.is_present() => false,
            Some(agent) => is_back || wrote_after(agent.left_at().unwrap_or(i64::MAX)),
            // Whoever is listed may have been there before the conversation was reopened.
            None if has_past => is_back || wrote_after(i64::MIN),
            None => self.there.listed(id).is_some() || self.there.is_there(id) || wrote_after(i64::MIN),
        }
    }

    fn comes(&mut self, id: &str, wrote_at: Option<Timestamp>) {
        let is_new = self.handover.progress.agents.get(id).is_none();
        if self.present.is_empty() && self.somebody_was && is_new {
            self.is_transferred();
        }
        let found = wrote_at.map_or_else(|| self.found_at(), |at| at.as_millis().saturating_sub(1));
        // As early as it can be: a leave that 8x8 tells late is later.
        let at = match self.handover.progress.agents.get(id) {
            Some(_) => found,
            None => self.known_until().min(found),
        };
        self.push(WebhookKind::AgentJoined(agent(id)), at);
        self.present.push(id.to_owned());
        self.somebody_was = true;
    }

    /// Those whom 8x8 shows as gone leave, but for those who have yet to say something.
    fn leave_all_but(&mut self, writing: &[String]) {
        let is_gone = |id: &&String| self.there.has_left(id) && !writing.contains(id);
        let gone: Vec<String> = self.present.iter().filter(is_gone).cloned().collect();
        for id in gone {
            self.present.retain(|one| *one != id);
            self.push(WebhookKind::AgentLeft(agent(&id)), self.found_at());
        }
    }

    fn is_transferred(&mut self) {
        if !self.transfer_known {
            self.push(WebhookKind::Transfer, self.found_at());
        }
        // The next agent's coming ends it.
        self.transfer_known = false;
    }

    fn says(&mut self, at: Timestamp, said: SaidView) {
        let attachment = |id: String| AttachmentSeen {
            id,
            filename: None,
            content_type: None,
            url: None,
        };
        let source = Source {
            event_type: Source::RECONCILED.to_owned(),
            event_id: said.id.unwrap_or_default(),
            timestamp: Some(at.as_millis()),
        };
        let kind = WebhookKind::Message(MessageSeen {
            is_echo: false,
            sender_type: said.author_type,
            sender: agent(&said.author_id.unwrap_or_default()),
            text: said.text,
            attachments: said.attachments.into_iter().map(attachment).collect(),
            cards: said.cards,
        });
        self.missed.push(Missed {
            kind,
            at: at.as_millis(),
            source,
        });
    }

    /// In a queue, with nobody there.
    fn waits(&mut self, known: Option<&str>) {
        let Some(id) = self.there.assigned_to("queue").map(str::to_owned) else {
            return;
        };
        let progress = &self.handover.progress;
        let known = match self.handover.state() {
            State::Queued if !self.somebody_was => known == Some(id.as_str()),
            State::Transferring if self.missed.is_empty() => {
                let queue = progress.queue.as_ref();
                progress.transfer_seen && queue.is_some_and(|queue| queue.id == id)
            }
            State::Queued | State::Active | State::Transferring => false,
            // What stands assigned while the bot leads says nothing.
            State::Creating | State::Bot | State::Ended | State::Failed => true,
        };
        if self.there.is_over || known || !self.present.is_empty() {
            return;
        }
        if self.somebody_was {
            self.is_transferred();
        }
        let queue = Queue { id, name: None };
        self.push(WebhookKind::Queued(queue), self.found_at());
    }

    fn ends(&mut self) {
        if !self.there.is_over {
            return;
        }
        let user_left = self
            .there
            .participants
            .iter()
            .any(|one| one.kind == "user" && one.removed);
        let kind = if user_left && self.handover.facts.origin == Origin::Channel {
            WebhookKind::UserLeft
        } else {
            WebhookKind::ConversationUpdate(ConversationUpdate {
                state: Some(ConversationState::Idle),
                agent: None,
                queue_id: None,
                handover: None,
                fingerprint: 0,
                raw: RawJson::default(),
            })
        };
        self.push(kind, self.found_at());
    }

    /// Not before what is known already.
    fn found_at(&self) -> i64 {
        self.there.asked_at.as_millis().max(self.known_until())
    }

    fn known_until(&self) -> i64 {
        let progress = &self.handover.progress;
        let created = self.handover.facts.created_at.as_millis();
        let marks = progress.state_mark.max(progress.routing.mark);
        marks.unwrap_or(created).max(created)
    }

    fn push(&mut self, kind: WebhookKind, at: i64) {
        let source = Source {
            event_type: Source::RECONCILED.to_owned(),
            event_id: String::new(),
            timestamp: None,
        };
        self.missed.push(Missed { kind, at, source });
    }
}

fn agent(id: &str) -> AgentRef {
    AgentRef {
        id: id.to_owned(),
        name: None,
    }
}
