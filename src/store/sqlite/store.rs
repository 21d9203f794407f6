//! The store as its callers see it: each method goes to the writer or to a reader, and is written where its table is.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;

use crate::domain::AccountId;
use crate::domain::BotName;
use crate::domain::CallRecord;
use crate::domain::ConversationId;
use crate::domain::Handover;
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
use crate::store::GivenUp;
use crate::store::Grant;
use crate::store::HandoverFilter;
use crate::store::HandoverPage;
use crate::store::Heard;
use crate::store::IdempotencyClaim;
use crate::store::IdempotencyRecord;
use crate::store::Kept;
use crate::store::KeptAnswer;
use crate::store::KeptWebhook;
use crate::store::Loaded;
use crate::store::Opened;
use crate::store::Outage;
use crate::store::Registration;
use crate::store::Settlement;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Target;
use crate::store::TenantState;
use crate::store::Timeline;
use crate::store::rows;
use crate::store::sqlite::audit;
use crate::store::sqlite::backlog;
use crate::store::sqlite::calls;
use crate::store::sqlite::commit;
use crate::store::sqlite::erase;
use crate::store::sqlite::give_up;
use crate::store::sqlite::grants;
use crate::store::sqlite::handovers;
use crate::store::sqlite::history;
use crate::store::sqlite::idempotency;
use crate::store::sqlite::inbox;
use crate::store::sqlite::lanes;
use crate::store::sqlite::log;
use crate::store::sqlite::messages;
use crate::store::sqlite::opened::SqliteStore;
use crate::store::sqlite::outages;
use crate::store::sqlite::own_keys;
use crate::store::sqlite::prune;
use crate::store::sqlite::settle;
use crate::store::sqlite::tenant_state;
use crate::store::sqlite::timeline;
use crate::store::sqlite::writer::Wrote;

#[async_trait]
impl Store for SqliteStore {
    async fn load(&self) -> Result<Loaded, StoreError> {
        self.readers.read_all(handovers::load).await
    }

    async fn open(&self, handover: Handover, claim: Option<IdempotencyClaim>) -> Result<Opened, StoreError> {
        self.disk.room.for_new()?;
        let row = handovers::NewHandover::of(&handover)?;
        let open = move |db: &Connection| handovers::open(db, &handover, &row, claim.as_ref());
        self.writer.write(open).await
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        if commit.brings_new() {
            self.disk.room.for_new()?;
        }
        let texts = commit::Texts::of(&commit)?;
        self.writer.write(move |db| commit::commit(db, &commit, &texts)).await
    }

    async fn settle_calls(&self, settled: Vec<CallSettled>) -> Result<(), StoreError> {
        let settle = move |db: &Connection| {
            settled
                .iter()
                .try_for_each(|settled| calls::settle(db, settled))
                .map(Wrote::Keep)
        };
        self.writer.write(settle).await
    }

    async fn rewrite_call(&self, call: CallRecord) -> Result<(), StoreError> {
        let texts = calls::Rewritten::of(&call)?;
        let rewrite = move |db: &Connection| calls::rewrite(db, &call, &texts).map(Wrote::Keep);
        self.writer.write(rewrite).await
    }

    async fn keep_unplaced(&self, receipt: WebhookReceipt) -> Result<Kept, StoreError> {
        self.disk.room.for_new()?;
        self.writer.write(move |db| inbox::keep_unplaced(db, &receipt)).await
    }

    async fn unplaced(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
    ) -> Result<Vec<WebhookReceipt>, StoreError> {
        let (account, conversation) = (account.clone(), conversation.clone());
        self.read(move |db| inbox::unplaced(db, &account, &conversation)).await
    }

    async fn webhook_of(&self, handover: &HandoverId, event_id: &str) -> Result<Option<KeptWebhook>, StoreError> {
        let (handover, event_id) = (handover.clone(), event_id.to_owned());
        self.read(move |db| inbox::webhook_of(db, &handover, &event_id)).await
    }

    async fn handover(&self, id: &HandoverId) -> Result<Option<Handover>, StoreError> {
        let id = id.clone();
        self.read(move |db| handovers::handover(db, &id)).await
    }

    async fn handover_of_conversation(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
    ) -> Result<Option<Handover>, StoreError> {
        let (account, conversation) = (account.clone(), conversation.clone());
        self.read(move |db| handovers::of_conversation(db, &account, &conversation))
            .await
    }

    async fn handovers(&self, filter: HandoverFilter) -> Result<HandoverPage, StoreError> {
        self.read(move |db| log::handovers(db, &filter)).await
    }

    async fn events(&self, id: &HandoverId, after: u64, limit: usize) -> Result<Option<EventPage>, StoreError> {
        let id = id.clone();
        self.read(move |db| log::events(db, &id, after, limit)).await
    }

    async fn bot_events(&self, bot: &BotName, after: i64, limit: usize) -> Result<BotEvents, StoreError> {
        let bot = bot.clone();
        self.read(move |db| log::bot_events(db, &bot, after, limit)).await
    }

    async fn bot_position(&self, bot: &BotName) -> Result<i64, StoreError> {
        let bot = bot.clone();
        self.read(move |db| log::bot_position(db, &bot)).await
    }

    async fn message(&self, handover: &HandoverId, id: &MessageId) -> Result<Option<MessageRecord>, StoreError> {
        let (handover, id) = (handover.clone(), id.clone());
        self.read(move |db| messages::message(db, &handover, &id)).await
    }

    async fn message_by_client_id(&self, handover: &HandoverId, id: &str) -> Result<Option<MessageRecord>, StoreError> {
        let (handover, id) = (handover.clone(), id.to_owned());
        self.read(move |db| messages::by_client_id(db, &handover, &id)).await
    }

    async fn messages(&self, handover: &HandoverId) -> Result<Vec<MessageRecord>, StoreError> {
        let handover = handover.clone();
        self.read(move |db| messages::messages(db, &handover)).await
    }

    async fn keep_history(&self, id: &HandoverId, messages: Vec<PastMessage>) -> Result<(), StoreError> {
        let (id, messages) = (id.clone(), rows::to_json(&messages)?);
        let keep = move |db: &Connection| history::keep(db, &id, &messages).map(Wrote::Keep);
        self.writer.write(keep).await
    }

    async fn history(&self, id: &HandoverId) -> Result<Vec<PastMessage>, StoreError> {
        let id = id.clone();
        self.read(move |db| history::read(db, &id)).await
    }

    async fn timeline(&self, id: &HandoverId, limit: usize) -> Result<Timeline, StoreError> {
        let id = id.clone();
        self.read(move |db| timeline::timeline(db, &id, limit)).await
    }

    async fn idempotency(
        &self,
        bot: &BotName,
        scope: &str,
        key: &str,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        let (bot, scope, key) = (bot.clone(), scope.to_owned(), key.to_owned());
        self.read(move |db| idempotency::find(db, &bot, &scope, &key)).await
    }

    async fn keep_answer(&self, claim: IdempotencyClaim, answer: KeptAnswer) -> Result<(), StoreError> {
        let keep = move |db: &Connection| idempotency::keep_answer(db, &claim, &answer).map(Wrote::Keep);
        self.writer.write(keep).await
    }

    async fn release_key(&self, bot: &BotName, scope: &str, key: &str) -> Result<(), StoreError> {
        let (bot, scope, key) = (bot.clone(), scope.to_owned(), key.to_owned());
        let release = move |db: &Connection| idempotency::release(db, &bot, &scope, &key).map(Wrote::Keep);
        self.writer.write(release).await
    }

    async fn link_key(&self, offered: [u8; 32]) -> Result<[u8; 32], StoreError> {
        let keep = move |db: &Connection| own_keys::link_key(db, &offered).map(Wrote::Keep);
        self.writer.write(keep).await
    }

    async fn due_lanes(&self, until: Timestamp, limit: usize) -> Result<Vec<DueLane>, StoreError> {
        let claims = self.claims.clone();
        self.read(move |db| lanes::due_lanes(db, &claims, until, limit)).await
    }

    async fn due_asides(&self, until: Timestamp, limit: usize) -> Result<Vec<Aside>, StoreError> {
        let claims = self.claims.clone();
        self.read(move |db| lanes::due_asides(db, &claims, until, limit)).await
    }

    async fn bring_forward(&self, beyond: Timestamp, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let bring = move |db: &Connection| lanes::bring_forward(db, beyond, now, limit).map(Wrote::Keep);
        self.writer.write(bring).await
    }

    async fn claim(&self, targets: Vec<Target>, now: Timestamp) -> Result<Vec<Claimed>, StoreError> {
        self.disk.room.for_claims()?;
        let reserved = self.claims.reserve(targets);
        let found = self.read(move |db| lanes::heads(db, reserved, now)).await?;
        // From here on nothing waits: either the caller gets the claims, or dropping `found` has freed them.
        Ok(found.into_iter().map(lanes::Head::claimed).collect())
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<bool>, StoreError> {
        let (claims, after) = (self.claims.clone(), self.claims.clone());
        let ended = Arc::new(settle::Ended::default());
        let told = Arc::clone(&ended);
        let settle = move |db: &Connection| settle::settle(db, &claims, &settlements, &ended).map(Wrote::Keep);
        let free = move |committed: bool| after.end_settling(&told.take(), committed);
        self.writer.write_then(settle, free).await
    }

    async fn give_up(&self, given_up: GivenUp, now: Timestamp) -> Result<usize, StoreError> {
        let mut plan = self.read(move |db| give_up::plan(db, given_up)).await?;
        let targets = plan.goes.iter().map(give_up::Goes::target).collect();
        let reserved = self.claims.reserve(targets);
        plan.goes
            .retain(|goes| reserved.iter().any(|free| *free.target() == goes.target()));
        let work = move |db: &Connection| give_up::carry_out(db, &plan, now).map(Wrote::Keep);
        self.writer.write_then(work, move |_committed| drop(reserved)).await
    }

    async fn backlog(&self, asked: BacklogAsked) -> Result<Vec<Backlog>, StoreError> {
        self.read(move |db| backlog::backlog(db, asked)).await
    }

    async fn keep_outage(&self, outage: Outage) -> Result<(), StoreError> {
        let keep = move |db: &Connection| outages::keep(db, &outage).map(Wrote::Keep);
        self.writer.write(keep).await
    }

    async fn outages(&self) -> Result<Vec<Outage>, StoreError> {
        self.read(outages::all).await
    }

    async fn tenant_state(&self, tenant: &TenantName) -> Result<TenantState, StoreError> {
        let tenant = tenant.clone();
        self.read(move |db| tenant_state::find(db, &tenant)).await
    }

    async fn keep_registration(
        &self,
        tenant: &TenantName,
        registration: Option<Registration>,
    ) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        let keep = move |db: &Connection| tenant_state::keep_registration(db, &tenant, registration.as_ref());
        self.writer.write(move |db| keep(db).map(Wrote::Keep)).await
    }

    async fn keep_heard(&self, tenant: &TenantName, heard: Heard) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.writer
            .write(move |db| tenant_state::keep_heard(db, &tenant, heard).map(Wrote::Keep))
            .await
    }

    async fn keep_grant(&self, grant: Grant, at_most: usize) -> Result<(), StoreError> {
        let keep = move |db: &Connection| grants::keep(db, &grant, at_most).map(Wrote::Keep);
        self.writer.write(keep).await
    }

    async fn grant(&self, family: &str) -> Result<Option<Grant>, StoreError> {
        let family = family.to_owned();
        self.read(move |db| grants::find(db, &family)).await
    }

    async fn exchange_grant(&self, exchange: Exchange) -> Result<Exchanged, StoreError> {
        let change = move |db: &Connection| grants::exchange(db, &exchange).map(Wrote::Keep);
        self.writer.write(change).await
    }

    async fn prune(
        &self,
        keys_before: Timestamp,
        handovers_before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let prune = move |db: &Connection| prune::prune(db, keys_before, handovers_before, limit).map(Wrote::Keep);
        self.writer.write(prune).await
    }

    fn takes_bulk(&self) -> Result<(), StoreError> {
        self.disk.room.for_bulk()
    }

    async fn append_audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        let append = move |db: &Connection| audit::append(db, &entry).map(Wrote::Keep);
        self.writer.write(append).await
    }

    async fn audit_log(&self, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |db| audit::newest(db, limit)).await
    }

    async fn prune_audit(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let prune = move |db: &Connection| audit::prune(db, before, limit).map(Wrote::Keep);
        self.writer.write(prune).await
    }

    async fn begin_erasing(&self, handover: Handover, entry: Option<AuditEntry>) -> Result<bool, StoreError> {
        let texts = erase::Texts::of(&handover)?;
        let begin = move |db: &Connection| erase::begin(db, &handover, &texts, entry.as_ref());
        self.writer.write(begin).await
    }

    async fn erase_slice(&self, id: &HandoverId, limit: usize) -> Result<usize, StoreError> {
        let id = id.clone();
        let erase = move |db: &Connection| erase::slice(db, &id, limit).map(Wrote::Keep);
        let gone = self.writer.write(erase).await?;
        self.disk.empty_the_log();
        Ok(gone)
    }

    async fn erasable(&self, ended_before: Timestamp, limit: usize) -> Result<Vec<HandoverId>, StoreError> {
        self.read(move |db| erase::due(db, ended_before, limit)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.disk.room.for_new()?;
        let now = self.clock.now();
        self.writer
            .write(move |db| prune::check(db, now).map(Wrote::Keep))
            .await
    }
}
