//! A store in memory, written to be read: what every other store is compared with.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::MutexGuard;

use async_trait::async_trait;
use handover_gateway::domain::AccountId;
use handover_gateway::domain::BotName;
use handover_gateway::domain::CallRecord;
use handover_gateway::domain::ConversationId;
use handover_gateway::domain::EventContext;
use handover_gateway::domain::EventId;
use handover_gateway::domain::Handover;
use handover_gateway::domain::HandoverEvent;
use handover_gateway::domain::HandoverId;
use handover_gateway::domain::MessageId;
use handover_gateway::domain::MessageRecord;
use handover_gateway::domain::Timestamp;
use handover_gateway::domain::WebhookReceipt;
use handover_gateway::store::Aside;
use handover_gateway::store::Attempt;
use handover_gateway::store::BotEvent;
use handover_gateway::store::BotEvents;
use handover_gateway::store::CallSettled;
use handover_gateway::store::Claimed;
use handover_gateway::store::Commit;
use handover_gateway::store::Committed;
use handover_gateway::store::DueLane;
use handover_gateway::store::EventPage;
use handover_gateway::store::HandoverFilter;
use handover_gateway::store::HandoverPage;
use handover_gateway::store::IdempotencyClaim;
use handover_gateway::store::IdempotencyRecord;
use handover_gateway::store::Kept;
use handover_gateway::store::KeptAnswer;
use handover_gateway::store::Loaded;
use handover_gateway::store::Opened;
use handover_gateway::store::Settlement;
use handover_gateway::store::Store;
use handover_gateway::store::StoreError;
use handover_gateway::store::Target;
use handover_gateway::store::Verdict;

#[derive(Default)]
pub(crate) struct ModelStore(Mutex<Model>);

#[derive(Clone, Default)]
struct Model {
    handovers: Vec<Handover>,
    webhook_events: Vec<(WebhookReceipt, Option<HandoverId>)>,
    events: Vec<Logged>,
    last_position: i64,
    lanes: HashMap<HandoverId, Lane>,
    deliveries: Vec<Delivery>,
    attempts: HashSet<(HandoverId, u64, Timestamp, u32)>,
    messages: Vec<MessageRecord>,
    calls: Vec<(CallRecord, Open)>,
    keys: BTreeMap<Key, (IdempotencyRecord, Timestamp)>,
    claims: HashMap<Target, u64>,
    last_epoch: u64,
}

type Key = (BotName, String, String);

#[derive(Clone)]
struct Logged {
    position: i64,
    handover: HandoverId,
    event: HandoverEvent,
    deliver: bool,
}

#[derive(Clone)]
struct Lane {
    bot: BotName,
    head: u64,
    tail: u64,
    tries: Tries,
    due_at: Timestamp,
    stopped: bool,
}

#[derive(Clone, Copy, Default)]
struct Tries {
    attempts: u32,
    first_attempt_at: Option<Timestamp>,
}

#[derive(Clone)]
struct Delivery {
    event: EventId,
    handover: HandoverId,
    bot: BotName,
    sequence: u64,
    status: Status,
    tries: Tries,
    due_at: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Aside,
    Failed,
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Yes,
    No,
}

impl ModelStore {
    /// As if the process had ended and a new one begun.
    pub(crate) fn restart(&self) {
        self.lock().claims.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Model> {
        self.0.lock().unwrap()
    }

    /// All or nothing: what `work` did is kept only when it says so.
    fn change<T>(&self, work: impl FnOnce(&mut Model) -> Result<T, Box<T>>) -> T {
        let mut model = self.lock();
        let mut next = model.clone();
        match work(&mut next) {
            Ok(value) => {
                *model = next;
                value
            }
            Err(value) => *value,
        }
    }
}

impl Model {
    fn find(&self, id: &HandoverId) -> Option<&Handover> {
        self.handovers.iter().find(|handover| handover.id() == id)
    }

    fn live(&self) -> impl Iterator<Item = &Handover> {
        self.handovers.iter().filter(|handover| handover.state().is_live())
    }

    fn has_open_call(&self, id: &HandoverId) -> bool {
        let mut calls = self.calls.iter();
        calls.any(|(call, open)| call.handover == *id && *open == Open::Yes)
    }

    fn reserve(&mut self, claim: &IdempotencyClaim) -> Option<IdempotencyRecord> {
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

    fn open(&mut self, handover: Handover, claim: Option<&IdempotencyClaim>) -> Result<Opened, Box<Opened>> {
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

    fn take(&mut self, receipt: &WebhookReceipt, handover: &HandoverId) -> Result<(), Box<Committed>> {
        let known = self
            .webhook_events
            .iter_mut()
            .find(|(known, _)| known.account == receipt.account && known.event_id == receipt.event_id);
        match known {
            None => self.webhook_events.push((receipt.clone(), Some(handover.clone()))),
            Some((known, taken @ None)) if known.sha256 == receipt.sha256 => *taken = Some(handover.clone()),
            Some((known, _)) => {
                let same_body = known.sha256 == receipt.sha256;
                return Err(Box::new(Committed::Seen { same_body }));
            }
        }
        Ok(())
    }

    fn commit(&mut self, commit: Commit) -> Result<Committed, Box<Committed>> {
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
        let calls = commit.calls.into_iter().map(|call| (call, Open::Yes));
        self.calls.extend(calls);
        self.add_message(commit.message)?;
        if let Some(settled) = &commit.settled {
            self.settle_call(settled);
        }
        Ok(Committed::Done)
    }

    fn log(&mut self, commit: &Commit) {
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
        });
        if lane.head == lane.tail {
            lane.due_at = first.at;
        }
        lane.tail = last.sequence;
    }

    fn add_message(&mut self, message: Option<MessageRecord>) -> Result<(), Box<Committed>> {
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

    fn settle_call(&mut self, settled: &CallSettled) {
        let found = self
            .calls
            .iter_mut()
            .find(|(call, open)| call.id == settled.id && *open == Open::Yes);
        let Some((_call, open)) = found else { return };
        *open = Open::No;
        let Some((id, status)) = &settled.message else { return };
        for message in self.messages.iter_mut().filter(|message| message.id == *id) {
            message.status = *status;
        }
    }

    fn claim(&mut self, target: Target, now: Timestamp) -> Option<Claimed> {
        if self.claims.contains_key(&target) {
            return None;
        }
        let (logged, tries) = match &target {
            Target::Lane(id) => {
                let lane = self.lanes.get(id).filter(|lane| lane.is_due(now))?;
                (self.first_after(id, lane.head)?, lane.tries)
            }
            Target::Aside(event) => {
                let due = |delivery: &&Delivery| delivery.event == *event && self.is_due(delivery, now);
                let delivery = self.deliveries.iter().find(due)?;
                let logged = self.events.iter().find(|logged| logged.event.id == *event)?;
                (logged, delivery.tries)
            }
        };
        let handover = self.find(&logged.handover)?;
        let claimed = Claimed {
            target: target.clone(),
            epoch: self.last_epoch + 1,
            event: logged.event.clone(),
            context: EventContext::of(handover),
            callback_url: handover.facts.callback_url.clone(),
            attempts: tries.attempts,
            first_attempt_at: tries.first_attempt_at,
        };
        self.last_epoch += 1;
        self.claims.insert(target, claimed.epoch);
        Some(claimed)
    }

    fn first_after(&self, id: &HandoverId, head: u64) -> Option<&Logged> {
        let later = |logged: &&Logged| logged.handover == *id && logged.deliver && logged.event.sequence > head;
        self.events
            .iter()
            .filter(later)
            .min_by_key(|logged| logged.event.sequence)
    }

    fn is_due(&self, delivery: &Delivery, now: Timestamp) -> bool {
        let stopped = self.lanes.get(&delivery.handover).is_none_or(|lane| lane.stopped);
        delivery.status == Status::Aside && delivery.due_at <= now && !stopped
    }

    fn settle(&mut self, settlement: &Settlement) -> bool {
        if self.claims.get(&settlement.target) != Some(&settlement.epoch) {
            return false;
        }
        self.claims.remove(&settlement.target);
        match &settlement.target {
            Target::Lane(id) => self.settle_lane(&id.clone(), settlement).unwrap_or(false),
            Target::Aside(event) => {
                self.settle_aside(&event.clone(), settlement);
                false
            }
        }
    }

    fn settle_lane(&mut self, id: &HandoverId, settlement: &Settlement) -> Option<bool> {
        let (sequence, now) = (settlement.sequence, settlement.at);
        let bot = self.lanes.get(id)?.bot.clone();
        let logged = self
            .events
            .iter()
            .find(|logged| logged.handover == *id && logged.event.sequence == sequence)?;
        let event = logged.event.id.clone();
        self.count_attempt(id, sequence, settlement.attempt.as_ref());
        let lane = self.lanes.get_mut(id)?;
        let tries = lane.tries.and(settlement.attempt.as_ref());
        let left = |status, due_at| Delivery {
            event: event.clone(),
            handover: id.clone(),
            bot: bot.clone(),
            sequence,
            status,
            tries,
            due_at,
        };
        match &settlement.verdict {
            Verdict::Done => {}
            Verdict::Again { at } => {
                (lane.tries, lane.due_at) = (tries, *at);
                return Some(*at <= now);
            }
            Verdict::Aside { at } => self.deliveries.push(left(Status::Aside, *at)),
            Verdict::Failed { .. } => self.deliveries.push(left(Status::Failed, now)),
            Verdict::Stop => {
                (lane.tries, lane.due_at, lane.stopped) = (tries, now, true);
                return Some(false);
            }
        }
        (lane.head, lane.tries, lane.due_at) = (sequence, Tries::default(), now);
        Some(lane.head < lane.tail)
    }

    fn settle_aside(&mut self, event: &EventId, settlement: &Settlement) {
        let mut deliveries = self.deliveries.iter_mut();
        let Some(delivery) = deliveries.find(|delivery| delivery.event == *event) else {
            return;
        };
        let (id, sequence) = (delivery.handover.clone(), delivery.sequence);
        delivery.tries = delivery.tries.and(settlement.attempt.as_ref());
        (delivery.status, delivery.due_at) = match &settlement.verdict {
            Verdict::Done => (Status::Done, settlement.at),
            Verdict::Again { at } | Verdict::Aside { at } => (Status::Aside, *at),
            Verdict::Failed { .. } => (Status::Failed, settlement.at),
            Verdict::Stop => {
                self.lanes.entry(id.clone()).and_modify(|lane| lane.stopped = true);
                (Status::Aside, settlement.at)
            }
        };
        self.count_attempt(&id, sequence, settlement.attempt.as_ref());
    }

    fn count_attempt(&mut self, id: &HandoverId, sequence: u64, attempt: Option<&Attempt>) {
        if let Some(attempt) = attempt {
            self.attempts
                .insert((id.clone(), sequence, attempt.started_at, attempt.number));
        }
    }

    fn rows(&self) -> usize {
        self.handovers.len()
            + self.webhook_events.len()
            + self.events.len()
            + self.lanes.len()
            + self.deliveries.len()
            + self.attempts.len()
            + self.messages.len()
            + self.calls.len()
            + self.keys.len()
    }

    fn prune(&mut self, keys_before: Timestamp, handovers_before: Timestamp) -> usize {
        let before = self.rows();
        self.keys.retain(|_key, (_record, at)| *at >= keys_before);
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
        self.messages.retain(|message| !gone.contains(&message.handover));
        self.calls.retain(|(call, _open)| !gone.contains(&call.handover));
        before - self.rows()
    }
}

impl Lane {
    fn is_due(&self, now: Timestamp) -> bool {
        self.head < self.tail && !self.stopped && self.due_at <= now
    }
}

impl Tries {
    fn and(self, attempt: Option<&Attempt>) -> Self {
        attempt.map_or(self, |attempt| Self {
            attempts: self.attempts + 1,
            first_attempt_at: self.first_attempt_at.or(Some(attempt.started_at)),
        })
    }
}

#[async_trait]
impl Store for ModelStore {
    async fn load(&self) -> Result<Loaded, StoreError> {
        let model = self.lock();
        let mut handovers: Vec<Handover> = model.live().cloned().collect();
        handovers.sort_by_key(|handover| (handover.facts.bot.clone(), handover.id().clone()));
        let over = |h: &&Handover| !h.state().is_live() && model.has_open_call(h.id());
        let mut closing: Vec<Handover> = model.handovers.iter().filter(over).cloned().collect();
        closing.sort_by_key(|handover| handover.id().clone());
        handovers.append(&mut closing);
        let open = model.calls.iter().filter(|(_call, open)| *open == Open::Yes);
        let mut calls: Vec<CallRecord> = open.map(|(call, _open)| call.clone()).collect();
        calls.sort_by_key(|call| call.handover.clone());
        Ok(Loaded { handovers, calls })
    }

    async fn open(&self, handover: Handover, claim: Option<IdempotencyClaim>) -> Result<Opened, StoreError> {
        Ok(self.change(|model| model.open(handover, claim.as_ref())))
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        Ok(self.change(|model| model.commit(commit)))
    }

    async fn settle_call(&self, settled: CallSettled) -> Result<(), StoreError> {
        self.lock().settle_call(&settled);
        Ok(())
    }

    async fn keep_unplaced(&self, receipt: WebhookReceipt) -> Result<Kept, StoreError> {
        let mut model = self.lock();
        let mut known = model.webhook_events.iter().map(|(known, _taken)| known);
        if let Some(known) = known.find(|known| known.account == receipt.account && known.event_id == receipt.event_id)
        {
            let same_body = known.sha256 == receipt.sha256;
            return Ok(Kept::Seen { same_body });
        }
        model.webhook_events.push((receipt, None));
        Ok(Kept::New)
    }

    async fn unplaced(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
    ) -> Result<Vec<WebhookReceipt>, StoreError> {
        let model = self.lock();
        let free = model.webhook_events.iter().filter(|(receipt, taken)| {
            taken.is_none() && receipt.account == *account && receipt.conversation.as_ref() == Some(conversation)
        });
        Ok(free.map(|(receipt, _taken)| receipt.clone()).collect())
    }

    async fn handover(&self, id: &HandoverId) -> Result<Option<Handover>, StoreError> {
        Ok(self.lock().find(id).cloned())
    }

    async fn handover_of_conversation(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
    ) -> Result<Option<Handover>, StoreError> {
        let model = self.lock();
        let stood = model.handovers.iter().filter(|handover| {
            handover.facts.account == *account && handover.progress.conversation.as_ref() == Some(conversation)
        });
        let newest = stood.max_by_key(|handover| (handover.state().is_live(), handover.id().clone()));
        Ok(newest.cloned())
    }

    async fn handovers(&self, filter: HandoverFilter) -> Result<HandoverPage, StoreError> {
        let model = self.lock();
        let wanted = model.handovers.iter().filter(|handover| {
            handover.facts.bot == filter.bot
                && (filter.states.is_empty() || filter.states.contains(&handover.state()))
                && (filter.conversation.is_none() || filter.conversation == handover.progress.conversation)
                && (filter.bot_session_id.is_none() || filter.bot_session_id == handover.facts.bot_session_id)
                && filter.before.as_ref().is_none_or(|before| handover.id() < before)
        });
        let mut handovers: Vec<Handover> = wanted.cloned().collect();
        handovers.sort_by(|one, other| other.id().cmp(one.id()));
        let more = handovers.len() > filter.limit;
        handovers.truncate(filter.limit);
        Ok(HandoverPage { handovers, more })
    }

    async fn events(&self, id: &HandoverId, after: u64, limit: usize) -> Result<Option<EventPage>, StoreError> {
        let model = self.lock();
        let Some(handover) = model.find(id) else {
            return Ok(None);
        };
        let later = model
            .events
            .iter()
            .filter(|logged| logged.handover == *id && logged.event.sequence > after);
        Ok(Some(EventPage {
            context: EventContext::of(handover),
            state: handover.state(),
            events: later.take(limit).map(|logged| logged.event.clone()).collect(),
        }))
    }

    async fn bot_events(&self, bot: &BotName, after: i64, limit: usize) -> Result<BotEvents, StoreError> {
        let model = self.lock();
        let events = model.events.iter().filter_map(|logged| {
            let handover = model.find(&logged.handover)?;
            let wanted = handover.facts.bot == *bot && logged.position > after;
            wanted.then(|| BotEvent {
                position: logged.position,
                context: EventContext::of(handover),
                event: logged.event.clone(),
            })
        });
        let events = events.take(limit).collect();
        Ok(BotEvents { events })
    }

    async fn bot_position(&self, bot: &BotName) -> Result<i64, StoreError> {
        let all = self.bot_events(bot, 0, usize::MAX).await?;
        Ok(all.events.last().map_or(0, |event| event.position))
    }

    async fn message(&self, handover: &HandoverId, id: &MessageId) -> Result<Option<MessageRecord>, StoreError> {
        let all = self.messages(handover).await?;
        Ok(all.into_iter().find(|message| message.id == *id))
    }

    async fn message_by_client_id(&self, handover: &HandoverId, id: &str) -> Result<Option<MessageRecord>, StoreError> {
        let all = self.messages(handover).await?;
        Ok(all
            .into_iter()
            .find(|message| message.client_message_id.as_deref() == Some(id)))
    }

    async fn messages(&self, handover: &HandoverId) -> Result<Vec<MessageRecord>, StoreError> {
        let model = self.lock();
        let mine = model.messages.iter().filter(|message| message.handover == *handover);
        Ok(mine.cloned().collect())
    }

    async fn idempotency(
        &self,
        bot: &BotName,
        scope: &str,
        key: &str,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        let key = (bot.clone(), scope.to_owned(), key.to_owned());
        Ok(self.lock().keys.get(&key).map(|(record, _at)| record.clone()))
    }

    async fn keep_answer(&self, claim: IdempotencyClaim, answer: KeptAnswer) -> Result<(), StoreError> {
        let mut model = self.lock();
        model.reserve(&claim);
        let key = (claim.bot, claim.scope, claim.key);
        if let Some((record, _at)) = model.keys.get_mut(&key)
            && record.request_sha256 == claim.request_sha256
        {
            record.answer = Some(answer);
        }
        Ok(())
    }

    async fn release_key(&self, bot: &BotName, scope: &str, key: &str) -> Result<(), StoreError> {
        let key = (bot.clone(), scope.to_owned(), key.to_owned());
        let mut model = self.lock();
        if model
            .keys
            .get(&key)
            .is_some_and(|(record, _at)| record.answer.is_none())
        {
            model.keys.remove(&key);
        }
        Ok(())
    }

    async fn due_lanes(&self, until: Timestamp, limit: usize) -> Result<Vec<DueLane>, StoreError> {
        let model = self.lock();
        let free = model
            .lanes
            .iter()
            .filter(|(id, lane)| lane.is_due(until) && !model.claims.contains_key(&Target::Lane((*id).clone())));
        let mut due: Vec<DueLane> = free
            .map(|(id, lane)| DueLane {
                handover: id.clone(),
                bot: lane.bot.clone(),
                due_at: lane.due_at,
            })
            .collect();
        due.sort_by_key(|lane| (lane.due_at, lane.handover.clone()));
        due.truncate(limit);
        Ok(due)
    }

    async fn due_asides(&self, until: Timestamp, limit: usize) -> Result<Vec<Aside>, StoreError> {
        let model = self.lock();
        let free = model.deliveries.iter().filter(|delivery| {
            let target = Target::Aside(delivery.event.clone());
            model.is_due(delivery, until) && !model.claims.contains_key(&target)
        });
        let mut due: Vec<Aside> = free
            .map(|delivery| Aside {
                event: delivery.event.clone(),
                handover: delivery.handover.clone(),
                bot: delivery.bot.clone(),
                due_at: delivery.due_at,
            })
            .collect();
        due.sort_by_key(|aside| (aside.due_at, aside.event.clone()));
        due.truncate(limit);
        Ok(due)
    }

    async fn claim(&self, targets: Vec<Target>, now: Timestamp) -> Result<Vec<Claimed>, StoreError> {
        let mut model = self.lock();
        Ok(targets
            .into_iter()
            .filter_map(|target| model.claim(target, now))
            .collect())
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<bool>, StoreError> {
        let mut model = self.lock();
        Ok(settlements.iter().map(|settlement| model.settle(settlement)).collect())
    }

    async fn prune(
        &self,
        keys_before: Timestamp,
        handovers_before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        // The order in which rows go, and so what is left in between, is each store's own.
        assert!(limit > 0, "a slice of nothing never ends");
        Ok(self.lock().prune(keys_before, handovers_before))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
