//! A store that keeps lanes in memory and settles as the contract in `store/port.rs` says. All else is not asked of it.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::MutexGuard;

use async_trait::async_trait;

use super::fake_book::Book;
use super::fake_book::Entry;
use super::fake_book::Lane;
use crate::domain::AccountId;
use crate::domain::BotName;
use crate::domain::CallRecord;
use crate::domain::ConversationId;
use crate::domain::EventContext;
use crate::domain::EventId;
use crate::domain::Handover;
use crate::domain::HandoverEvent;
use crate::domain::HandoverId;
use crate::domain::MessageId;
use crate::domain::MessageRecord;
use crate::domain::PastMessage;
use crate::domain::TenantName;
use crate::domain::Timestamp;
use crate::domain::WebhookReceipt;
use crate::store::Aside;
use crate::store::AuditEntry;
use crate::store::Backlog;
use crate::store::BacklogAsked;
use crate::store::BotEvents;
use crate::store::CallSettled;
use crate::store::Claimed;
use crate::store::Commit;
use crate::store::Committed;
use crate::store::DueLane;
use crate::store::EventPage;
use crate::store::Exchange;
use crate::store::Exchanged;
use crate::store::FailedPage;
use crate::store::GivenUp;
use crate::store::Grant;
use crate::store::HandoverFilter;
use crate::store::HandoverPage;
use crate::store::Heard;
use crate::store::HeldUp;
use crate::store::IdempotencyClaim;
use crate::store::IdempotencyRecord;
use crate::store::Kept;
use crate::store::KeptAnswer;
use crate::store::KeptWebhook;
use crate::store::Loaded;
use crate::store::Opened;
use crate::store::Outage;
use crate::store::Recover;
use crate::store::Recovered;
use crate::store::Redelivery;
use crate::store::Registration;
use crate::store::Resent;
use crate::store::Settlement;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Target;
use crate::store::TenantState;
use crate::store::Timeline;

#[derive(Default)]
pub(super) struct FakeStore(Mutex<Book>);

impl FakeStore {
    pub(super) fn state(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap()
    }

    pub(super) fn log(&self, context: &EventContext, event: HandoverEvent) {
        let mut state = self.state();
        let lane = state.lanes.entry(context.handover.clone()).or_insert_with(|| Lane {
            context: context.clone(),
            entries: VecDeque::new(),
            stopped: false,
        });
        lane.entries.push_back(Entry {
            due_at: event.at,
            event,
            context: context.clone(),
            attempts: 0,
            first_attempt_at: None,
            held: None,
        });
    }
}

#[async_trait]
impl Store for FakeStore {
    async fn due_lanes(&self, until: Timestamp, limit: usize) -> Result<Vec<DueLane>, StoreError> {
        let state = self.state();
        let due = state.lanes.values().filter(|lane| !lane.stopped).filter_map(|lane| {
            let head = lane.entries.front()?;
            (head.held.is_none() && head.due_at <= until).then(|| DueLane {
                handover: lane.context.handover.clone(),
                bot: lane.context.bot.clone(),
                due_at: head.due_at,
            })
        });
        Ok(due.take(limit).collect())
    }

    async fn due_asides(&self, until: Timestamp, limit: usize) -> Result<Vec<Aside>, StoreError> {
        let state = self.state();
        let due = state
            .asides
            .values()
            .filter(|entry| entry.held.is_none() && entry.due_at <= until);
        let asides = due.map(|entry| Aside {
            event: entry.event.id.clone(),
            handover: entry.context.handover.clone(),
            bot: entry.context.bot.clone(),
            due_at: entry.due_at,
        });
        Ok(asides.take(limit).collect())
    }

    async fn bring_forward(&self, beyond: Timestamp, now: Timestamp, _: usize) -> Result<usize, StoreError> {
        Ok(self.state().bring_forward(beyond, now))
    }

    async fn claim(&self, targets: Vec<Target>, now: Timestamp) -> Result<Vec<Claimed>, StoreError> {
        let mut state = self.state();
        state.fail()?;
        for target in &targets {
            let sequence = state.entry(target).map_or(0, |entry| entry.event.sequence);
            if state.unreadable.contains(&sequence) {
                return Err(StoreError::Inconsistent {
                    table: "event",
                    column: "extra",
                    id: sequence.to_string(),
                });
            }
        }
        let mut claimed = Vec::new();
        for target in targets {
            state.epoch += 1;
            let epoch = state.epoch;
            let Some(entry) = state.entry(&target) else { continue };
            if entry.held.is_some() || entry.due_at > now {
                continue;
            }
            entry.held = Some(epoch);
            claimed.push(Claimed {
                target,
                epoch,
                event: entry.event.clone(),
                context: entry.context.clone(),
                callback_url: None,
                attempts: entry.attempts,
                first_attempt_at: entry.first_attempt_at,
                replay: false,
            });
        }
        Ok(claimed)
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<bool>, StoreError> {
        let mut state = self.state();
        state.fail()?;
        Ok(settlements
            .into_iter()
            .map(|settlement| state.settle(settlement))
            .collect())
    }

    async fn give_up(&self, given_up: GivenUp, now: Timestamp) -> Result<usize, StoreError> {
        let GivenUp::Unreadable(target) = given_up else {
            panic!("not asked")
        };
        let mut state = self.state();
        let sequence = state.remove(&target).event.sequence;
        state.given_up.push(sequence);
        if let Some(next) = state.entry(&target) {
            next.due_at = next.due_at.max(now);
        }
        Ok(1)
    }

    async fn keep_outage(&self, outage: Outage) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.outages_fail {
            return Err(StoreError::Full);
        }
        state
            .outages
            .retain(|known| (&known.bot, known.since) != (&outage.bot, outage.since));
        state.outages.push(outage);
        Ok(())
    }

    async fn outages(&self) -> Result<Vec<Outage>, StoreError> {
        Ok(self.state().outages.clone())
    }

    async fn webhook_of(&self, _: &HandoverId, event_id: &str) -> Result<Option<KeptWebhook>, StoreError> {
        if self.state().reads_fail {
            return Err(StoreError::Unavailable("outage".into()));
        }
        Ok(self.state().webhooks.get(event_id).cloned())
    }

    async fn backlog(&self, _: BacklogAsked) -> Result<Vec<Backlog>, StoreError> {
        panic!("not asked")
    }
    async fn load(&self) -> Result<Loaded, StoreError> {
        panic!("not asked")
    }
    async fn open(&self, _: Handover, _: Option<IdempotencyClaim>) -> Result<Opened, StoreError> {
        panic!("not asked")
    }
    async fn commit(&self, _: Commit) -> Result<Committed, StoreError> {
        panic!("not asked")
    }
    async fn settle_calls(&self, _: Vec<CallSettled>) -> Result<(), StoreError> {
        panic!("not asked")
    }
    async fn keep_unplaced(&self, _: WebhookReceipt) -> Result<Kept, StoreError> {
        panic!("not asked")
    }
    async fn unplaced(&self, _: &AccountId, _: &ConversationId) -> Result<Vec<WebhookReceipt>, StoreError> {
        panic!("not asked")
    }
    async fn handover(&self, _: &HandoverId) -> Result<Option<Handover>, StoreError> {
        panic!("not asked")
    }
    async fn handover_of_conversation(
        &self,
        _: &AccountId,
        _: &ConversationId,
    ) -> Result<Option<Handover>, StoreError> {
        panic!("not asked")
    }
    async fn handovers(&self, _: HandoverFilter) -> Result<HandoverPage, StoreError> {
        panic!("not asked")
    }
    async fn events(&self, _: &HandoverId, _: u64, _: usize) -> Result<Option<EventPage>, StoreError> {
        panic!("not asked")
    }
    async fn bot_events(&self, _: &BotName, _: i64, _: usize) -> Result<BotEvents, StoreError> {
        panic!("not asked")
    }
    async fn bot_position(&self, _: &BotName) -> Result<i64, StoreError> {
        panic!("not asked")
    }
    async fn message(&self, _: &HandoverId, _: &MessageId) -> Result<Option<MessageRecord>, StoreError> {
        panic!("not asked")
    }
    async fn message_by_client_id(&self, _: &HandoverId, _: &str) -> Result<Option<MessageRecord>, StoreError> {
        panic!("not asked")
    }
    async fn messages(&self, _: &HandoverId) -> Result<Vec<MessageRecord>, StoreError> {
        panic!("not asked")
    }
    async fn keep_history(&self, _: &HandoverId, _: Vec<PastMessage>) -> Result<(), StoreError> {
        panic!("not asked")
    }
    async fn history(&self, _: &HandoverId) -> Result<Vec<PastMessage>, StoreError> {
        panic!("not asked")
    }
    async fn timeline(&self, _: &HandoverId, _: usize) -> Result<Timeline, StoreError> {
        panic!("not asked")
    }
    async fn idempotency(&self, _: &BotName, _: &str, _: &str) -> Result<Option<IdempotencyRecord>, StoreError> {
        panic!("not asked")
    }
    async fn keep_answer(&self, _: IdempotencyClaim, _: KeptAnswer) -> Result<(), StoreError> {
        panic!("not asked")
    }
    async fn release_key(&self, _: &BotName, _: &str, _: &str) -> Result<(), StoreError> {
        panic!("not asked")
    }
    async fn tenant_state(&self, _: &TenantName) -> Result<TenantState, StoreError> {
        panic!("not asked")
    }
    async fn keep_registration(&self, _: &TenantName, _: Option<Registration>) -> Result<(), StoreError> {
        panic!("not asked")
    }
    async fn keep_heard(&self, _: &TenantName, _: Heard) -> Result<(), StoreError> {
        panic!("not asked")
    }
    async fn keep_grant(&self, _: Grant, _: usize) -> Result<(), StoreError> {
        panic!("not asked")
    }
    async fn grant(&self, _: &str) -> Result<Option<Grant>, StoreError> {
        panic!("not asked")
    }
    async fn exchange_grant(&self, _: Exchange) -> Result<Exchanged, StoreError> {
        panic!("not asked")
    }
    async fn prune(&self, _: Timestamp, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        panic!("not asked")
    }
    async fn rewrite_call(&self, _: CallRecord) -> Result<(), StoreError> {
        panic!("not asked")
    }
    async fn link_key(&self, _: [u8; 32]) -> Result<[u8; 32], StoreError> {
        panic!("not asked")
    }
    async fn append_audit(&self, _: AuditEntry) -> Result<(), StoreError> {
        panic!("not asked")
    }
    async fn audit_log(&self, _: usize) -> Result<Vec<AuditEntry>, StoreError> {
        panic!("not asked")
    }
    async fn prune_audit(&self, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        panic!("not asked")
    }
    async fn begin_erasing(&self, _: Handover, _: Option<AuditEntry>) -> Result<bool, StoreError> {
        panic!("not asked")
    }
    async fn erase_slice(&self, _: &HandoverId, _: usize) -> Result<usize, StoreError> {
        panic!("not asked")
    }
    async fn erasable(&self, _: Timestamp, _: usize) -> Result<Vec<HandoverId>, StoreError> {
        panic!("not asked")
    }
    async fn ping(&self) -> Result<(), StoreError> {
        panic!("not asked")
    }
}

#[async_trait]
impl Redelivery for FakeStore {
    async fn failed_deliveries(&self, _: &BotName, _: Option<&EventId>, _: usize) -> Result<FailedPage, StoreError> {
        panic!("not asked")
    }
    async fn resend(&self, _: &BotName, _: &EventId, _: Timestamp) -> Result<Option<Resent>, StoreError> {
        panic!("not asked")
    }
    async fn recover(&self, _: Recover) -> Result<Recovered, StoreError> {
        panic!("not asked")
    }
    async fn held_up(&self, _: Timestamp, _: Option<HeldUp>, _: usize) -> Result<Vec<HeldUp>, StoreError> {
        panic!("not asked")
    }
    async fn caught_up(&self, _: Timestamp, _: Option<HandoverId>, _: usize) -> Result<Vec<HandoverId>, StoreError> {
        panic!("not asked")
    }
}
