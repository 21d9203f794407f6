//! The model as a store, behind one lock.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::MutexGuard;

use async_trait::async_trait;
use handover_gateway::domain::AccountId;
use handover_gateway::domain::BotName;
use handover_gateway::domain::CallRecord;
use handover_gateway::domain::ConversationId;
use handover_gateway::domain::EventContext;
use handover_gateway::domain::Handover;
use handover_gateway::domain::HandoverId;
use handover_gateway::domain::MessageId;
use handover_gateway::domain::MessageRecord;
use handover_gateway::domain::PastMessage;
use handover_gateway::domain::TenantName;
use handover_gateway::domain::Timestamp;
use handover_gateway::domain::WebhookReceipt;
use handover_gateway::store::AUDIT_AT_MOST;
use handover_gateway::store::Aside;
use handover_gateway::store::AuditEntry;
use handover_gateway::store::Backlog;
use handover_gateway::store::BacklogAsked;
use handover_gateway::store::BotEvent;
use handover_gateway::store::BotEvents;
use handover_gateway::store::CallSettled;
use handover_gateway::store::Claimed;
use handover_gateway::store::Commit;
use handover_gateway::store::Committed;
use handover_gateway::store::DueLane;
use handover_gateway::store::EventPage;
use handover_gateway::store::Exchange;
use handover_gateway::store::Exchanged;
use handover_gateway::store::GivenUp;
use handover_gateway::store::Grant;
use handover_gateway::store::HandoverFilter;
use handover_gateway::store::HandoverPage;
use handover_gateway::store::Heard;
use handover_gateway::store::IdempotencyClaim;
use handover_gateway::store::IdempotencyRecord;
use handover_gateway::store::Kept;
use handover_gateway::store::KeptAnswer;
use handover_gateway::store::KeptWebhook;
use handover_gateway::store::Loaded;
use handover_gateway::store::Opened;
use handover_gateway::store::Outage;
use handover_gateway::store::Reference;
use handover_gateway::store::Registration;
use handover_gateway::store::Settlement;
use handover_gateway::store::Store;
use handover_gateway::store::StoreError;
use handover_gateway::store::Target;
use handover_gateway::store::TenantState;
use handover_gateway::store::Timeline;

use crate::support::model_store::model::Model;
use crate::support::model_store::model::Open;

#[derive(Default)]
pub(crate) struct ModelStore(Mutex<Model>);

impl ModelStore {
    /// As if the process had ended and a new one begun.
    pub(crate) fn restart(&self) {
        self.lock().claims.clear();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Model> {
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
        let free = model.webhook_events.iter().filter(|(_receipt, taken)| taken.is_none());
        let place = |receipt: &WebhookReceipt| Some((receipt.account.clone(), receipt.conversation.clone()?));
        let unplaced: BTreeSet<_> = free.filter_map(|(receipt, _taken)| place(receipt)).collect();
        Ok(Loaded {
            handovers,
            calls,
            unplaced: unplaced.into_iter().collect(),
        })
    }

    async fn open(&self, handover: Handover, claim: Option<IdempotencyClaim>) -> Result<Opened, StoreError> {
        Ok(self.change(|model| model.open(handover, claim.as_ref())))
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        Ok(self.change(|model| model.commit(commit)))
    }

    async fn settle_calls(&self, settled: Vec<CallSettled>) -> Result<(), StoreError> {
        let mut model = self.lock();
        for settled in &settled {
            model.settle_call(settled);
        }
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

    async fn webhook_of(&self, handover: &HandoverId, event_id: &str) -> Result<Option<KeptWebhook>, StoreError> {
        let model = self.lock();
        let mut events = model.webhook_events.iter();
        let found = events.find(|(receipt, of)| {
            receipt.event_id == event_id && of.as_ref() == Some(handover) && !receipt.body.is_empty()
        });
        Ok(found.map(|(receipt, _)| KeptWebhook {
            headers: receipt.headers.clone(),
            body: receipt.body.clone(),
        }))
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

    async fn keep_history(&self, id: &HandoverId, messages: Vec<PastMessage>) -> Result<(), StoreError> {
        let mut model = self.lock();
        if !model.is_erased(id) {
            model.histories.entry(id.clone()).or_insert(messages);
        }
        Ok(())
    }

    async fn history(&self, id: &HandoverId) -> Result<Vec<PastMessage>, StoreError> {
        Ok(self.lock().histories.get(id).cloned().unwrap_or_default())
    }

    async fn timeline(&self, id: &HandoverId, limit: usize) -> Result<Timeline, StoreError> {
        Ok(self.lock().timeline(id, limit))
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
        let is_erased = match &claim.reference {
            Reference::Handover(about) | Reference::Message(about, _) => model.is_erased(about),
            Reference::Nothing => false,
        };
        let answer = if is_erased { answer.erased() } else { answer };
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

    async fn link_key(&self, offered: [u8; 32]) -> Result<[u8; 32], StoreError> {
        Ok(*self.lock().link_key.get_or_insert(offered))
    }

    async fn rewrite_call(&self, call: CallRecord) -> Result<(), StoreError> {
        self.lock().rewrite(call);
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

    async fn bring_forward(&self, beyond: Timestamp, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        Ok(self.lock().bring_forward(beyond, now, limit))
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

    async fn give_up(&self, given_up: GivenUp, now: Timestamp) -> Result<usize, StoreError> {
        Ok(self.lock().give_up(&given_up, now))
    }

    async fn backlog(&self, asked: BacklogAsked) -> Result<Vec<Backlog>, StoreError> {
        Ok(self.lock().backlog(asked))
    }

    async fn keep_outage(&self, outage: Outage) -> Result<(), StoreError> {
        self.lock().keep_outage(outage);
        Ok(())
    }

    async fn outages(&self) -> Result<Vec<Outage>, StoreError> {
        Ok(self.lock().outages.values().cloned().collect())
    }

    async fn tenant_state(&self, tenant: &TenantName) -> Result<TenantState, StoreError> {
        Ok(self.lock().tenants.get(tenant).cloned().unwrap_or_default())
    }

    async fn keep_registration(
        &self,
        tenant: &TenantName,
        registration: Option<Registration>,
    ) -> Result<(), StoreError> {
        self.lock().tenants.entry(tenant.clone()).or_default().registration = registration;
        Ok(())
    }

    async fn keep_heard(&self, tenant: &TenantName, heard: Heard) -> Result<(), StoreError> {
        let mut model = self.lock();
        let state = model.tenants.entry(tenant.clone()).or_default();
        state.last_verify_at = state.last_verify_at.max(heard.verify_at);
        state.last_webhook_at = state.last_webhook_at.max(heard.webhook_at);
        Ok(())
    }

    async fn keep_grant(&self, grant: Grant, at_most: usize) -> Result<(), StoreError> {
        self.lock().keep_grant(grant, at_most);
        Ok(())
    }

    async fn grant(&self, family: &str) -> Result<Option<Grant>, StoreError> {
        let model = self.lock();
        Ok(model.grants.iter().find(|grant| grant.family == family).cloned())
    }

    async fn exchange_grant(&self, exchange: Exchange) -> Result<Exchanged, StoreError> {
        Ok(self.lock().exchange(&exchange))
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

    async fn append_audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.lock().audit.push(entry);
        Ok(())
    }

    async fn audit_log(&self, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(self.lock().audit.iter().rev().take(limit).cloned().collect())
    }

    async fn prune_audit(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut model = self.lock();
        let (all, mut place) = (model.audit.len(), 0);
        let at_most = usize::try_from(AUDIT_AT_MOST).unwrap();
        model.audit.retain(|entry| {
            place += 1;
            place > limit || (entry.at >= before && all - place < at_most)
        });
        Ok(all - model.audit.len())
    }

    async fn begin_erasing(&self, handover: Handover, entry: Option<AuditEntry>) -> Result<bool, StoreError> {
        Ok(self.lock().begin_erasing(handover, entry))
    }

    async fn erase_slice(&self, id: &HandoverId, limit: usize) -> Result<usize, StoreError> {
        assert!(limit > 0, "a slice of nothing never ends");
        Ok(self.lock().erase(id))
    }

    async fn erasable(&self, ended_before: Timestamp, limit: usize) -> Result<Vec<HandoverId>, StoreError> {
        Ok(self.lock().erasable(ended_before, limit))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
