//! One webhook event in.

use std::sync::Arc;

use crate::domain::ConversationId;
use crate::domain::Handover;
use crate::domain::Origin;
use crate::domain::State;
use crate::domain::WebhookEvent;
use crate::domain::WebhookKind;
use crate::domain::WebhookReceipt;
use crate::domain::transition::Input;
use crate::handovers::Handovers;
use crate::handovers::inbound::Place;
use crate::handovers::openers::is_users;
use crate::handovers::placing::is_unstarted;
use crate::handovers::service::Along;
use crate::handovers::service::ChangeError;
use crate::handovers::service::Changed;
use crate::handovers::session_map::Slot;
use crate::handovers::typing::Heard;
use crate::store::Kept;
use crate::store::StoreError;
use crate::webhook::Decoded;
use crate::webhook::decode_kept;

/// What became of an event. All of these are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    Recorded,
    /// Recorded before. Another body under the same id is somebody's forgery, or 8x8's mistake.
    Repeated {
        same_body: bool,
    },
    /// No handover is known for it yet.
    Kept,
}

impl Handovers {
    /// Applies an event that 8x8 signed. An event of a conversation nobody knows is kept: its create call may still be
    /// under way, or never have been answered.
    pub async fn apply(
        self: &Arc<Self>,
        mut event: WebhookEvent,
        mut receipt: WebhookReceipt,
    ) -> Result<Applied, ApplyError> {
        self.redact_webhook(&mut receipt, Some(&mut event));
        let this = Arc::clone(self);
        self.parts
            .supervisor
            .finish(async move { this.apply_now(event, receipt).await })
            .await?
    }

    /// Keeps a proven event that cannot be read: a repeat would read no better.
    pub async fn keep_unread(&self, mut receipt: WebhookReceipt) -> Result<Applied, ApplyError> {
        self.redact_webhook(&mut receipt, None);
        Ok(Applied::from(self.parts.store.keep_unplaced(receipt).await?))
    }

    async fn apply_now(self: &Arc<Self>, event: WebhookEvent, receipt: WebhookReceipt) -> Result<Applied, ApplyError> {
        let (event, receipt) = match self.route(&event, &receipt).await? {
            None => (event, receipt),
            Some(slot) => match self.apply_to(&slot, event, receipt).await? {
                Ok(applied) => return Ok(applied),
                Err(left) => *left,
            },
        };
        if is_ephemeral(&event) {
            return Ok(Applied::Kept);
        }
        let account = receipt.account.clone();
        failpoint!("kept.before_keep");
        let kept = self.parts.store.keep_unplaced(receipt).await?;
        failpoint!("kept.after_keep");
        // The create call may have been answered between the look and the keeping.
        if let Some(slot) = self.session_map.on_conversation(&account, &event.conversation) {
            let mut handover = slot.handover.lock().await;
            if takes_kept(&handover) {
                self.apply_kept_now_or_later(&slot, &mut handover).await;
                return Ok(Applied::from(kept));
            }
        }
        let conversation = event.conversation;
        self.look_into(Place { account, conversation });
        Ok(Applied::from(kept))
    }

    async fn apply_to(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        event: WebhookEvent,
        receipt: WebhookReceipt,
    ) -> Result<Result<Applied, Left>, ApplyError> {
        let mut handover = slot.handover.lock().await;
        if is_unstarted(&handover) {
            // What came before it was known is told first.
            self.apply_kept(slot, &mut handover).await?;
        }
        // Whose words they are is known only once 8x8 has taken those that reopen, or has not.
        if self.begins_anew(&handover, &event) || (is_reopening(&handover) && is_users(&event)) {
            return Ok(Err(Box::new((event, receipt))));
        }
        let was_bound = handover.progress.conversation.is_some();
        let backfilled = handover.progress.backfilled.len();
        let event = self.told_as(&handover, event);
        let heard = Heard::of(&event.kind);
        let along = Along {
            receipt: Some(receipt),
            ..Along::default()
        };
        let input = self.input(&handover, event);
        failpoint!("webhook.before_commit");
        let changed = self.change_locked(slot, &mut handover, input, along).await?;
        failpoint!("webhook.after_commit");
        if !was_bound && handover.progress.conversation.is_some() {
            self.apply_kept_now_or_later(slot, &mut handover).await;
        }
        self.hears(slot, &handover, backfilled);
        if let Changed::Done = changed {
            self.heard(slot, &mut handover, heard).await;
        }
        Ok(Ok(match changed {
            Changed::Done => Applied::Recorded,
            Changed::Seen { same_body } => Applied::Repeated { same_body },
        }))
    }

    /// An event as the handover's bot is told of it: agents' names as it may see them, links of our own to files.
    pub(super) fn told_as(&self, handover: &Handover, event: WebhookEvent) -> WebhookEvent {
        let mut event = self.named(handover, event);
        if let WebhookKind::Message(message) = &mut event.kind {
            for attachment in &mut message.attachments {
                let url = self
                    .parts
                    .links
                    .url(handover.id(), &attachment.id, self.parts.clock.now());
                attachment.url = Some(url);
            }
        }
        event
    }

    /// What the handover is changed by: for a bot that is passed 8x8's webhooks on, also where nothing else changes.
    fn input(&self, handover: &Handover, event: WebhookEvent) -> Input {
        if self.parts.tenants.passes_on(&handover.facts) {
            Input::Passed(event)
        } else {
            Input::Webhook(event)
        }
    }

    /// The handover an event belongs to: the newest on its conversation, or by our key in `CONVERSATION_UPDATE`. The key
    /// names the one that made the conversation, which may have been reopened since.
    async fn route(&self, event: &WebhookEvent, receipt: &WebhookReceipt) -> Result<Option<Arc<Slot>>, StoreError> {
        let account = &receipt.account;
        if let Some(slot) = self.session_map.on_conversation(account, &event.conversation)
            && slot.handover.lock().await.state().is_live()
        {
            return Ok(Some(slot));
        }
        let stored = self
            .parts
            .store
            .handover_of_conversation(account, &event.conversation)
            .await?;
        if let Some(newest) = stored {
            return Ok(Some(self.take_in(newest)));
        }
        if let WebhookKind::ConversationUpdate(update) = &event.kind
            && let Some(id) = &update.handover
            && let Some(slot) = self.slot(id).await?
        {
            let handover = slot.handover.lock().await;
            if &handover.facts.account == account && stands_on(&handover, &event.conversation) {
                drop(handover);
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    /// As [`Handovers::apply_kept`]; when the store is away, again when it is back. What was kept is safe meanwhile.
    pub(super) async fn apply_kept_now_or_later(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        handover: &mut tokio::sync::MutexGuard<'_, Handover>,
    ) {
        if let Err(error) = self.apply_kept(slot, handover).await {
            tracing::warn!(handover.id = %slot.id, error = %error, "events that came early could not be applied yet");
            let (this, slot) = (Arc::clone(self), Arc::clone(slot));
            self.parts.supervisor.run(async move {
                let again = || async {
                    let mut handover = slot.handover.lock().await;
                    this.apply_kept(&slot, &mut handover).await
                };
                this.until_it_works(again).await;
            });
        }
    }

    /// Applies what was kept for a conversation before its handover was known, oldest first, under the slot's lock, so
    /// that newer events wait their turn.
    pub(super) async fn apply_kept(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        handover: &mut tokio::sync::MutexGuard<'_, Handover>,
    ) -> Result<(), ChangeError> {
        let Some(conversation) = handover.progress.conversation.clone() else {
            return Ok(());
        };
        for receipt in self
            .parts
            .store
            .unplaced(&handover.facts.account, &conversation)
            .await?
        {
            if let Decoded::Event(event) = decode_kept(&receipt) {
                if self.begins_anew(handover, &event) {
                    let account = handover.facts.account.clone();
                    self.look_into(Place { account, conversation });
                    break;
                }
                let along = Along {
                    receipt: Some(receipt),
                    ..Along::default()
                };
                let backfilled = handover.progress.backfilled.len();
                let event = self.told_as(handover, *event);
                let input = self.input(handover, event);
                self.change_locked(slot, handover, input, along).await?;
                failpoint!("kept.after_apply");
                self.hears(slot, handover, backfilled);
            }
        }
        Ok(())
    }
}

/// Whether the store or the process kept an event from being recorded: 8x8 is to repeat it.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    CutOff(#[from] crate::supervisor::CutOff),
    #[error("the event could not be applied")]
    Unexpected,
}

impl From<ChangeError> for ApplyError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Store(error) => Self::Store(error),
            // An event is never refused and brings no idempotency key.
            ChangeError::Refused(_) | ChangeError::KeyTaken(_) => Self::Unexpected,
        }
    }
}

impl From<Kept> for Applied {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::New => Self::Kept,
            Kept::Seen { same_body } => Self::Repeated { same_body },
        }
    }
}

/// An event, and its receipt, that the handover it was for does not take.
type Left = Box<(WebhookEvent, WebhookReceipt)>;

/// What was kept for a conversation goes to the handover that stands on it; to one that is over only where a later one
/// cannot begin.
pub(super) fn takes_kept(handover: &Handover) -> bool {
    handover.state().is_live() && !is_reopening(handover) || handover.facts.origin == Origin::Bot
}

/// The bot talks on in what a customer began, and 8x8 has not said whether it took that.
pub(super) fn is_reopening(handover: &Handover) -> bool {
    let is_in_doubt = handover.state() == State::Creating && handover.progress.reopening.is_some();
    is_in_doubt && handover.facts.origin == Origin::Channel
}

/// Worth nothing later.
fn is_ephemeral(event: &WebhookEvent) -> bool {
    matches!(event.kind, WebhookKind::Typing { .. } | WebhookKind::OwnTyping)
}

fn stands_on(handover: &Handover, conversation: &ConversationId) -> bool {
    handover
        .progress
        .conversation
        .as_ref()
        .is_none_or(|known| known == conversation)
}
