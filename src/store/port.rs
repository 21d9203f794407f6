//! The contract of a store. Each method is one transaction, named from the domain.
//!
//! What every back end promises:
//!
//! * **Durable.** A method that returns `Ok` has its changes on disk. One that returns an error changed nothing, except
//!   `StoreError::Broken`, after which nothing is known and the process must stop.
//! * **Whole.** `commit` and `open` write all of what they are given or none of it; a webhook event's receipt, the
//!   handover's new state, its events and its calls can not be seen apart.
//! * **In order.** `commit` is compare-and-set on the handover's version, so that a handover's events have the numbers
//!   1, 2, 3 … in the order of their commits. A bot's events have positions that rise in the order of their commits.
//! * **Once.** A webhook event is known by (account, event id): the second commit that brings it changes nothing and says
//!   `Seen`. An idempotency key is known by (bot, scope, key): the second that brings it says `KeyTaken`.
//! * **One holder.** `claim` gives a lane's head to one caller at a time, the lowest undelivered event of the lane and no
//!   other. The claim ends by `settle` with its epoch, or with the process that held it: claims are not durable, a new
//!   process finds every lane free. What was in flight then is tried again; the bot drops repeats by the event's id.
//! * **Nothing skipped.** A lane moves past an event only when it was delivered, or in the transaction that puts it aside
//!   or among the failed deliveries.

use async_trait::async_trait;

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
use crate::store::Redelivery;
use crate::store::Registration;
use crate::store::Settlement;
use crate::store::StoreError;
use crate::store::Target;
use crate::store::TenantState;
use crate::store::Timeline;

#[async_trait]
pub trait Store: Redelivery + Send + Sync {
    /// Live handovers, those with open calls, the open calls, and the conversations that have unplaced events.
    async fn load(&self) -> Result<Loaded, StoreError>;

    /// Writes the intent to create a conversation, before 8x8 is asked. The handover has version 0 and no events.
    async fn open(&self, handover: Handover, claim: Option<IdempotencyClaim>) -> Result<Opened, StoreError>;

    /// Writes a transition.
    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError>;

    /// Settles calls that change nothing else.
    async fn settle_calls(&self, settled: Vec<CallSettled>) -> Result<(), StoreError>;

    /// Changes what an open call says and until when it is tried, so that what is known of it by now outlives the process; its message shows the call's
    /// files from then on.
    async fn rewrite_call(&self, call: CallRecord) -> Result<(), StoreError>;

    /// Keeps a signed webhook event that no handover is known for yet, or that could not be read (no conversation).
    async fn keep_unplaced(&self, receipt: WebhookReceipt) -> Result<Kept, StoreError>;

    /// The kept events of a conversation that no handover has taken yet, oldest first. `commit` with the receipt takes one.
    async fn unplaced(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
    ) -> Result<Vec<WebhookReceipt>, StoreError>;

    /// A webhook event of a handover as it came, by 8x8's id of it.
    async fn webhook_of(&self, handover: &HandoverId, event_id: &str) -> Result<Option<KeptWebhook>, StoreError>;

    async fn handover(&self, id: &HandoverId) -> Result<Option<Handover>, StoreError>;

    /// The newest handover that stood on this conversation, live or over.
    async fn handover_of_conversation(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
    ) -> Result<Option<Handover>, StoreError>;

    /// A bot's handovers, newest first.
    async fn handovers(&self, filter: HandoverFilter) -> Result<HandoverPage, StoreError>;

    /// A handover's events after a sequence, oldest first; `None` when there is no such handover. A page may end before
    /// `limit`, at about [`crate::store::PAGE_BYTES`]; only an empty one says that there is no more.
    async fn events(&self, id: &HandoverId, after: u64, limit: usize) -> Result<Option<EventPage>, StoreError>;

    /// A bot's events after a position, oldest first, in pages that end likewise.
    async fn bot_events(&self, bot: &BotName, after: i64, limit: usize) -> Result<BotEvents, StoreError>;

    /// The position of a bot's newest event, 0 when there is none.
    async fn bot_position(&self, bot: &BotName) -> Result<i64, StoreError>;

    async fn message(&self, handover: &HandoverId, id: &MessageId) -> Result<Option<MessageRecord>, StoreError>;

    async fn message_by_client_id(&self, handover: &HandoverId, id: &str) -> Result<Option<MessageRecord>, StoreError>;

    /// A handover's messages, oldest first.
    async fn messages(&self, handover: &HandoverId) -> Result<Vec<MessageRecord>, StoreError>;

    /// Keeps what was said before a handover, once. It is deleted with the handover.
    async fn keep_history(&self, id: &HandoverId, messages: Vec<PastMessage>) -> Result<(), StoreError>;

    /// What was kept of it, oldest first.
    async fn history(&self, id: &HandoverId) -> Result<Vec<PastMessage>, StoreError>;

    /// What happened to a handover, the newest `limit` of each kind, read at one moment. Empty for one there is not.
    async fn timeline(&self, id: &HandoverId, limit: usize) -> Result<Timeline, StoreError>;

    async fn idempotency(&self, bot: &BotName, scope: &str, key: &str)
    -> Result<Option<IdempotencyRecord>, StoreError>;

    /// Keeps the answer of a call; with `claim` also its key, for calls that reserved none before.
    async fn keep_answer(&self, claim: IdempotencyClaim, answer: KeptAnswer) -> Result<(), StoreError>;

    /// Frees a key whose call did nothing, so that the same key may try again.
    async fn release_key(&self, bot: &BotName, scope: &str, key: &str) -> Result<(), StoreError>;

    /// The key links are signed with: the one that was offered first, whoever offers another.
    async fn link_key(&self, offered: [u8; 32]) -> Result<[u8; 32], StoreError>;

    /// Lanes with something to deliver that nobody holds, due at or before `until`, those that wait longest first.
    async fn due_lanes(&self, until: Timestamp, limit: usize) -> Result<Vec<DueLane>, StoreError>;

    /// Events retried beside their lane, likewise.
    async fn due_asides(&self, until: Timestamp, limit: usize) -> Result<Vec<Aside>, StoreError>;

    /// Has at most `limit` of the lanes and of the events beside them, that wait for a time after `beyond`, wait until `now`
    /// only. How many.
    async fn bring_forward(&self, beyond: Timestamp, now: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// The heads of those targets that have something due by `now` and that nobody holds. `Inconsistent` when one of them
    /// cannot be read: then none is claimed.
    async fn claim(&self, targets: Vec<Target>, now: Timestamp) -> Result<Vec<Claimed>, StoreError>;

    /// Ends claims. For each settlement, in their order: whether its claim still held, and the lane has more to deliver
    /// at once.
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<bool>, StoreError>;

    /// Makes events that nobody holds failed deliveries, in slices: how many at this call. Their lanes go on after them.
    async fn give_up(&self, given_up: GivenUp, now: Timestamp) -> Result<usize, StoreError>;

    /// What waits for each bot that something waits for, stopped lanes aside.
    async fn backlog(&self, asked: BacklogAsked) -> Result<Vec<Backlog>, StoreError>;

    /// Keeps an outage, known by its bot and its beginning, in place of what was known of it; the oldest go where there are
    /// more than [`crate::store::OUTAGES_KEPT`] of a bot.
    async fn keep_outage(&self, outage: Outage) -> Result<(), StoreError>;

    /// The outages kept, oldest first.
    async fn outages(&self) -> Result<Vec<Outage>, StoreError>;

    /// What is kept of a tenant; empty for one that nothing is known of.
    async fn tenant_state(&self, tenant: &TenantName) -> Result<TenantState, StoreError>;

    /// Keeps which webhook and channel at 8x8 are the tenant's, in place of any before; `None` forgets them.
    async fn keep_registration(
        &self,
        tenant: &TenantName,
        registration: Option<Registration>,
    ) -> Result<(), StoreError>;

    /// Keeps when 8x8 was last heard; a time that is not later than the one kept changes nothing.
    async fn keep_heard(&self, tenant: &TenantName, heard: Heard) -> Result<(), StoreError>;

    /// Keeps a log-in, and of its holder's at most `at_most`: the oldest go.
    async fn keep_grant(&self, grant: Grant, at_most: usize) -> Result<(), StoreError>;

    /// A log-in by the part its tokens share, whether or not its time is over.
    async fn grant(&self, family: &str) -> Result<Option<Grant>, StoreError>;

    /// Puts new tokens in the place of a refresh token, if it is the good one; of two at the same time one wins.
    async fn exchange_grant(&self, exchange: Exchange) -> Result<Exchanged, StoreError>;

    /// Deletes at most `limit` rows that nobody needs any more: unplaced events and idempotency keys older than
    /// `keys_before`, grants whose time was over then, handovers that ended before `handovers_before` with all that hangs on them. How many went.
    async fn prune(
        &self,
        keys_before: Timestamp,
        handovers_before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError>;

    /// Adds an entry to the audit log, at its end. No entry is ever changed.
    async fn append_audit(&self, entry: AuditEntry) -> Result<(), StoreError>;

    /// The newest entries of the audit log, newest first.
    async fn audit_log(&self, limit: usize) -> Result<Vec<AuditEntry>, StoreError>;

    /// Deletes at most `limit` of the oldest entries of the audit log: those older than `before`, and those above
    /// [`crate::store::AUDIT_AT_MOST`]. How many went.
    async fn prune_audit(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Writes a handover that is over as it is without what people said and who they are, with an entry of the audit log;
    /// from then on nothing of that is kept of it any more. `false`: the stored version is not the one it was computed from.
    async fn begin_erasing(&self, handover: Handover, entry: Option<AuditEntry>) -> Result<bool, StoreError>;

    /// Erases the same in at most `limit` rows of what hangs on it. How many; 0 when nothing is left, or only calls that
    /// 8x8 has not confirmed yet.
    async fn erase_slice(&self, id: &HandoverId, limit: usize) -> Result<usize, StoreError>;

    /// Handovers that ended before then and have words and names left, with nothing to be delivered or to be told 8x8; and
    /// those whose erasing was begun. Oldest first.
    async fn erasable(&self, ended_before: Timestamp, limit: usize) -> Result<Vec<HandoverId>, StoreError>;

    /// Whether there is room for work in bulk, such as resending what failed: [`StoreError::Full`] before anything else is
    /// refused.
    fn takes_bulk(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Whether the store takes something new now.
    async fn ping(&self) -> Result<(), StoreError>;
}
