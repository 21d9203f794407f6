//! What the model holds, and what changes it from the side of handovers.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;

use handover_gateway::domain::BotName;
use handover_gateway::domain::Call;
use handover_gateway::domain::CallId;
use handover_gateway::domain::CallOutcome;
use handover_gateway::domain::CallRecord;
use handover_gateway::domain::EventId;
use handover_gateway::domain::Handover;
use handover_gateway::domain::HandoverEvent;
use handover_gateway::domain::HandoverId;
use handover_gateway::domain::MessageRecord;
use handover_gateway::domain::PastMessage;
use handover_gateway::domain::TenantName;
use handover_gateway::domain::Timestamp;
use handover_gateway::domain::WebhookReceipt;
use handover_gateway::store::AgentKnows;
use handover_gateway::store::AttemptMade;
use handover_gateway::store::AuditEntry;
use handover_gateway::store::CallSettled;
use handover_gateway::store::Commit;
use handover_gateway::store::Committed;
use handover_gateway::store::Exchange;
use handover_gateway::store::Exchanged;
use handover_gateway::store::Grant;
use handover_gateway::store::IdempotencyClaim;
use handover_gateway::store::IdempotencyRecord;
use handover_gateway::store::Opened;
use handover_gateway::store::Outage;
use handover_gateway::store::Target;
use handover_gateway::store::TenantState;

#[derive(Clone, Default)]
pub(super) struct Model {
    pub(super) handovers: Vec<Handover>,
    pub(super) webhook_events: Vec<(WebhookReceipt, Option<HandoverId>)>,
    pub(super) events: Vec<Logged>,
    pub(super) last_position: i64,
    pub(super) lanes: HashMap<HandoverId, Lane>,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) attempts: HashSet<(HandoverId, u64, Timestamp, u32)>,
    pub(super) messages: Vec<MessageRecord>,
    pub(super) calls: Vec<(CallRecord, Open)>,
    pub(super) keys: BTreeMap<Key, (IdempotencyRecord, Timestamp)>,
    pub(super) histories: HashMap<HandoverId, Vec<PastMessage>>,
    /// Attempts and settled calls as a timeline shows them.
    pub(super) tried: Vec<(HandoverId, AttemptMade)>,
    pub(super) ended_calls: HashMap<CallId, (CallOutcome, Timestamp)>,
    pub(super) grants: Vec<Grant>,
    pub(super) claims: HashMap<Target, u64>,
    pub(super) last_epoch: u64,
    pub(super) outages: BTreeMap<(Timestamp, BotName), Outage>,
    pub(super) tenants: HashMap<TenantName, TenantState>,
    pub(super) link_key: Option<[u8; 32]>,
    pub(super) audit: Vec<AuditEntry>,
    /// Whose erasing is over.
    pub(super) erased: HashSet<HandoverId>,
}

pub(super) type Key = (BotName, String, String);

#[derive(Clone)]
pub(super) struct Logged {
    pub(super) position: i64,
    pub(super) handover: HandoverId,
    pub(super) event: HandoverEvent,
    pub(super) deliver: bool,
}

#[derive(Clone)]
pub(super) struct Lane {
    pub(super) bot: BotName,
    pub(super) head: u64,
    pub(super) tail: u64,
    pub(super) tries: Tries,
    pub(super) due_at: Timestamp,
    pub(super) stopped: bool,
    pub(super) quiet_since: Timestamp,
    /// The agent knows that it is held up.
    pub(super) told: bool,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Tries {
    pub(super) attempts: u32,
    pub(super) first_attempt_at: Option<Timestamp>,
}

#[derive(Clone)]
pub(super) struct Delivery {
    pub(super) event: EventId,
    pub(super) handover: HandoverId,
    pub(super) bot: BotName,
    pub(super) sequence: u64,
    pub(super) status: Status,
    pub(super) tries: Tries,
    pub(super) due_at: Timestamp,
    pub(super) reason: Option<&'static str>,
    pub(super) replay: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Aside,
    /// Asked for again, behind others of its handover.
    Waiting,
    Failed,
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    Yes,
    No,
}

impl Model {
    pub(super) fn find(&self, id: &HandoverId) -> Option<&Handover> {
        self.handovers.iter().find(|handover| handover.id() == id)
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Handover> {
        self.handovers.iter().filter(|handover| handover.state().is_live())
    }

    pub(super) fn has_open_call(&self, id: &HandoverId) -> bool {
        let mut calls = self.calls.iter();
        calls.any(|(call, open)| call.handover == *id && *open == Open::Yes)
    }

    pub(super) fn reserve(&mut self, claim: &IdempotencyClaim) -> Option<IdempotencyRecord> {
        let key = (claim.bot.clone(), claim.scope.clone(), claim.key.clone());
        if let Some((record, _at)) = self.keys.get(&key) {
            return Some(record.clone());
        }
        let record = IdempotencyRecord {
            request_sha256: claim.request_sha256,
            reference: claim.reference.clone(),
            answer: None,
        };
        self.keys.insert(key, (record, claim.at));
        None
    }

    pub(super) fn open(&mut self, handover: Handover, claim: Option<&IdempotencyClaim>) -> Result<Opened, Box<Opened>> {
        if let Some(record) = claim.and_then(|claim| self.reserve(claim)) {
            return Err(Box::new(Opened::KeyTaken(record)));
        }
        let (facts, on) = (&handover.facts, &handover.progress.conversation);
        let same_session = self.live().find(|other| {
            let both = facts.one_per_session && other.facts.one_per_session && facts.bot == other.facts.bot;
            both && facts.bot_session_id.is_some() && facts.bot_session_id == other.facts.bot_session_id
        });
        let same_conversation = self
            .live()
            .find(|other| on.is_some() && facts.account == other.facts.account && *on == other.progress.conversation);
        if let Some(other) = same_session
            .or(same_conversation)
            .filter(|_| handover.state().is_live())
        {
            return Err(Box::new(Opened::SessionTaken(other.id().clone())));
        }
        self.handovers.push(handover);
        Ok(Opened::Done)
    }

    pub(super) fn take(&mut self, receipt: &WebhookReceipt, handover: &HandoverId) -> Result<(), Box<Committed>> {
        let known = self
            .webhook_events
            .iter_mut()
            .find(|(known, _)| known.account == receipt.account && known.event_id == receipt.event_id);
        match known {
            None => self.webhook_events.push((receipt.clone(), Some(handover.clone()))),
            Some((known, taken @ None)) if known.sha256 == receipt.sha256 => {
                *taken = Some(handover.clone());
                if receipt.body.is_empty() {
                    *known = known.without_content();
                }
            }
            Some((known, _)) => {
                let same_body = known.sha256 == receipt.sha256;
                return Err(Box::new(Committed::Seen { same_body }));
            }
        }
        Ok(())
    }

    pub(super) fn commit(&mut self, commit: Commit) -> Result<Committed, Box<Committed>> {
        let next = &commit.handover;
        let id = next.id().clone();
        if let Some(receipt) = &commit.receipt {
            self.take(receipt, &id)?;
        }
        if let Some(record) = commit.claim.as_ref().and_then(|claim| self.reserve(claim)) {
            return Err(Box::new(Committed::KeyTaken(record)));
        }
        let stored = self.find(&id).ok_or_else(|| Box::new(Committed::Stale))?;
        if commit.changed {
            let conversation = &next.progress.conversation;
            let taken = next.state().is_live()
                && conversation.is_some()
                && self.live().any(|other| {
                    *other.id() != id
                        && other.facts.account == next.facts.account
                        && other.progress.conversation == *conversation
                });
            if stored.version + 1 != next.version || taken {
                return Err(Box::new(Committed::Stale));
            }
            self.handovers.retain(|other| *other.id() != id);
            self.handovers.push(next.clone());
        }
        self.log(&commit);
        if let (Some(knows), Some(lane)) = (commit.agent_knows, self.lanes.get_mut(&id)) {
            lane.told = knows == AgentKnows::Yes;
        }
        let calls = commit.calls.into_iter().map(|call| (call, Open::Yes));
        self.calls.extend(calls);
        self.add_message(commit.message)?;
        for settled in &commit.settled {
            self.settle_call(settled);
        }
        Ok(Committed::Done)
    }

    pub(super) fn log(&mut self, commit: &Commit) {
        let (id, deliver) = (commit.handover.id(), commit.deliver);
        for event in &commit.events {
            self.last_position += 1;
            self.events.push(Logged {
                position: self.last_position,
                handover: id.clone(),
                event: event.clone(),
                deliver,
            });
        }
        let (Some(first), Some(last)) = (commit.events.first(), commit.events.last()) else {
            return;
        };
        if !deliver {
            return;
        }
        let lane = self.lanes.entry(id.clone()).or_insert_with(|| Lane {
            bot: commit.handover.facts.bot.clone(),
            head: first.sequence - 1,
            tail: first.sequence - 1,
            tries: Tries::default(),
            due_at: first.at,
            stopped: false,
            quiet_since: first.at,
            told: false,
        });
        if lane.head == lane.tail {
            (lane.due_at, lane.quiet_since) = (first.at, first.at);
        }
        lane.tail = last.sequence;
    }

    pub(super) fn add_message(&mut self, message: Option<MessageRecord>) -> Result<(), Box<Committed>> {
        let Some(message) = message else { return Ok(()) };
        let taken = self.messages.iter().any(|other| {
            let same_client_id = other.handover == message.handover
                && other.client_message_id.is_some()
                && other.client_message_id == message.client_message_id;
            other.id == message.id || same_client_id
        });
        if taken {
            return Err(Box::new(Committed::Stale));
        }
        self.messages.push(message);
        Ok(())
    }

    pub(super) fn settle_call(&mut self, settled: &CallSettled) {
        let found = self
            .calls
            .iter_mut()
            .find(|(call, open)| call.id == settled.id && *open == Open::Yes);
        let Some((_call, open)) = found else { return };
        *open = Open::No;
        self.ended_calls
            .insert(settled.id.clone(), (settled.outcome, settled.at));
        let Some((id, status)) = &settled.message else { return };
        for message in self.messages.iter_mut().filter(|message| message.id == *id) {
            message.status = *status;
        }
    }

    pub(super) fn rewrite(&mut self, call: CallRecord) {
        let is_it = |(known, open): &&mut (CallRecord, Open)| known.id == call.id && *open == Open::Yes;
        let Some((known, _open)) = self.calls.iter_mut().find(is_it) else {
            return;
        };
        if let Call::PostMessage(part) = &call.call
            && let Some(files) = part.shown()
        {
            for message in self.messages.iter_mut().filter(|message| message.id == part.message) {
                message.attachments.clone_from(&files);
            }
        }
        known.call = call.call;
        known.deadline = call.deadline;
    }

    pub(super) fn keep_grant(&mut self, grant: Grant, at_most: usize) {
        let holder = grant.holder;
        self.grants.push(grant);
        while self.grants.iter().filter(|grant| grant.holder == holder).count() > at_most {
            let mine = self
                .grants
                .iter()
                .enumerate()
                .filter(|(_, grant)| grant.holder == holder);
            let oldest = mine.min_by_key(|(_, grant)| (grant.expires_at, &grant.family));
            let place = oldest.map(|(place, _)| place).unwrap();
            self.grants.remove(place);
        }
    }

    pub(super) fn exchange(&mut self, exchange: &Exchange) -> Exchanged {
        let Some(place) = self.grants.iter().position(|grant| grant.family == exchange.family) else {
            return Exchanged::Unknown;
        };
        let grant = &mut self.grants[place];
        if grant.refresh != exchange.given {
            self.grants.remove(place);
            return Exchanged::Revoked;
        }
        grant.refresh = exchange.refresh;
        grant.previous = Some(grant.access);
        grant.access = exchange.access;
        Exchanged::Done
    }

    pub(super) fn rows(&self) -> usize {
        self.handovers.len()
            + self.webhook_events.len()
            + self.events.len()
            + self.lanes.len()
            + self.deliveries.len()
            + self.attempts.len()
            + self.messages.len()
            + self.histories.len()
            + self.calls.len()
            + self.keys.len()
            + self.grants.len()
    }

    pub(super) fn prune(&mut self, keys_before: Timestamp, handovers_before: Timestamp) -> usize {
        let before = self.rows();
        self.keys.retain(|_key, (_record, at)| *at >= keys_before);
        self.grants.retain(|grant| grant.expires_at >= keys_before);
        self.webhook_events
            .retain(|(receipt, taken)| taken.is_some() || receipt.received_at >= keys_before);
        let over = |handover: &&Handover| {
            let ended_before = handover.progress.ended_at.is_some_and(|at| at < handovers_before);
            ended_before && !handover.state().is_live() && !self.has_open_call(handover.id())
        };
        let gone: HashSet<HandoverId> = self.handovers.iter().filter(over).map(|h| h.id().clone()).collect();
        self.handovers.retain(|handover| !gone.contains(handover.id()));
        self.webhook_events
            .retain(|(_receipt, taken)| taken.as_ref().is_none_or(|id| !gone.contains(id)));
        self.events.retain(|logged| !gone.contains(&logged.handover));
        self.lanes.retain(|id, _lane| !gone.contains(id));
        self.deliveries.retain(|delivery| !gone.contains(&delivery.handover));
        self.attempts.retain(|attempt| !gone.contains(&attempt.0));
        self.histories.retain(|id, _messages| !gone.contains(id));
        self.tried.retain(|(id, _attempt)| !gone.contains(id));
        self.messages.retain(|message| !gone.contains(&message.handover));
        self.calls.retain(|(call, _open)| !gone.contains(&call.handover));
        before - self.rows()
    }
}
