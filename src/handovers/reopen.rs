//! A bot talks on in a conversation that is over: a new handover on it, and the words that put it into its queue again.
//!
//! The intent is written first and the words are posted once. Whatever 8x8 does not answer is looked for among its messages.

use std::sync::Arc;

use crate::domain::AuthorType;
use crate::domain::Call;
use crate::domain::CallId;
use crate::domain::CallRecord;
use crate::domain::ConversationId;
use crate::domain::EventType;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::domain::MessageId;
use crate::domain::MessagePart;
use crate::domain::Reopening;
use crate::domain::State;
use crate::domain::Timestamp;
use crate::domain::WebhookKind;
use crate::domain::WebhookReceipt;
use crate::domain::transition::Input;
use crate::domain::transition::Refused;
use crate::handovers::Bot;
use crate::handovers::CommandError;
use crate::handovers::Handovers;
use crate::handovers::Key;
use crate::handovers::apply::is_reopening;
use crate::handovers::carry_out::Target;
use crate::handovers::entry::Entry;
use crate::handovers::problem;
use crate::handovers::resolve::GIVE_UP;
use crate::handovers::resolve::Presence;
use crate::handovers::session_map::Slot;
use crate::handovers::split;
use crate::store::Opened;
use crate::store::Reference;
use crate::store::StoreError;
use crate::webhook::Decoded;
use crate::webhook::decode_kept;

/// Of the handover before, from its beginning: more than a bot and a customer say.
const EVENTS: usize = 1000;

/// A valid request to reopen a handover.
#[derive(Clone, Debug)]
pub struct ReopenHandover {
    pub handover: HandoverId,
    pub text: String,
    pub request_sha256: [u8; 32],
}

impl Handovers {
    pub async fn reopen(
        self: &Arc<Self>,
        bot: &Arc<Bot>,
        command: ReopenHandover,
        key: Option<Key>,
    ) -> Result<Handover, CommandError> {
        let (this, bot) = (Arc::clone(self), Arc::clone(bot));
        self.parts
            .supervisor
            .finish(async move { this.reopen_now(&bot, command, key).await })
            .await?
    }

    async fn reopen_now(
        self: &Arc<Self>,
        bot: &Bot,
        mut command: ReopenHandover,
        key: Option<Key>,
    ) -> Result<Handover, CommandError> {
        bot.tenant.redactor.text(&mut command.text);
        let before = self.get(&bot.name, &command.handover).await?;
        let conversation = reopenable(&before)?;
        self.end_confirmed(bot, &before, &conversation).await?;
        let now = self.parts.clock.now();
        let words = Reopening {
            message: MessageId::generate(now),
            request_sha256: command.request_sha256,
            parts: split(&command.text, bot.tenant.message_limit),
            deadline: bot.tenant.message_deadline,
            text: command.text,
        };
        let first = words.parts.first().cloned().unwrap_or_default();
        let queue = before.progress.queue.as_ref();
        let chain = queue.map(|queue| bot.tenant.chain(&queue.id)).unwrap_or_default();
        let handover = before.reopened(words, chain, now);
        let reference = Reference::Handover(handover.id().clone());
        let claim = key.as_ref().map(|key| key.claim(&bot.name, reference, now));
        failpoint!("reopen.before_intent");
        match self.parts.store.open(handover.clone(), claim).await? {
            Opened::Done => {}
            Opened::SessionTaken(taken) => return Err(CommandError::Exists(taken)),
            Opened::KeyTaken(record) => return Err(CommandError::KeyTaken(Box::new(record))),
        }
        failpoint!("reopen.after_intent");
        let slot = self.take_in(handover);
        let gateway = &bot.tenant.chat_gateway.asked_by(&bot.name);
        let post = || gateway.post(&conversation, AuthorType::User, Some(&first), &[]);
        let posted = self.while_bot_waits(bot, post).await;
        failpoint!("reopen.after_call");
        self.conclude_create(&slot, posted.map(|()| conversation.clone()), bot, key)
            .await?;
        failpoint!("reopen.after_record");
        let handover = slot.handover.lock().await.clone();
        Ok(handover)
    }

    /// Whoever stood on the conversation last must be known to have left: the call that says so would end what follows.
    async fn end_confirmed(
        self: &Arc<Self>,
        bot: &Bot,
        before: &Handover,
        conversation: &ConversationId,
    ) -> Result<(), CommandError> {
        let account = &before.facts.account;
        let newest = self.parts.store.handover_of_conversation(account, conversation).await?;
        let newest = newest.map_or_else(|| before.id().clone(), |newest| newest.facts.id.clone());
        let Some(slot) = self.slot(&newest).await? else {
            return Ok(());
        };
        if slot.handover.lock().await.state().is_live() {
            return Err(CommandError::Exists(newest));
        }
        if slot.lane.left(bot.tenant.send_wait).await {
            Ok(())
        } else {
            Err(CommandError::EndOpen(before.id().clone()))
        }
    }

    /// Looks for the words that were to reopen a conversation. `None` while nobody can tell.
    pub(super) async fn what_became_of_words(
        &self,
        target: &Target<'_>,
        words: &Reopening,
        created_at: Timestamp,
        since: Timestamp,
    ) -> Option<Input> {
        let part = MessagePart {
            message: words.message.clone(),
            client_message_id: None,
            last: words.parts.len() == 1,
            author: AuthorType::User,
            text: words.parts.first().cloned(),
            cards: Vec::new(),
            attachments: Vec::new(),
            instead: None,
            notice: false,
        };
        let now = self.parts.clock.now();
        let record = CallRecord {
            id: CallId::generate(now),
            handover: target.slot.id.clone(),
            call: Call::PostMessage(part.clone()),
            created_at,
            deadline: since.plus(GIVE_UP),
        };
        match self.find_message(target, &record, &part, since).await {
            Presence::Present => Some(Input::Created(target.conversation.clone())),
            Presence::Absent => Some(Input::NotCreated(problem::never_reopened(&target.slot.id))),
            Presence::CouldNotTell if now >= record.deadline => {
                Some(Input::NotCreated(problem::never_known_reopened(&target.slot.id)))
            }
            Presence::CouldNotTell => None,
        }
    }
}

impl Handovers {
    /// What the customer of a conversation that is being reopened wrote, as 8x8 told it: none of it is ours in another shape.
    pub(super) async fn customers_words(&self, slot: &Slot) -> Result<Vec<String>, StoreError> {
        let handover = slot.handover.lock().await.clone();
        let (Some(conversation), Some(before), true) = (
            handover.progress.conversation.as_ref(),
            handover.facts.reopened_from.as_ref(),
            is_reopening(&handover),
        ) else {
            return Ok(Vec::new());
        };
        let kept = self.parts.store.unplaced(&handover.facts.account, conversation).await?;
        let mut words: Vec<String> = kept.iter().filter_map(said).collect();
        let page = self.parts.store.events(before, 0, EVENTS).await?;
        let told = page.into_iter().flat_map(|page| page.events);
        let told = told.filter(|event| event.kind == EventType::MessageCreated);
        words.extend(told.filter_map(|event| Some(Entry::of_event(&event)?.0.text)));
        Ok(words)
    }
}

fn said(receipt: &WebhookReceipt) -> Option<String> {
    let Decoded::Event(event) = decode_kept(receipt) else {
        return None;
    };
    let WebhookKind::Message(said) = event.kind else {
        return None;
    };
    Some(said.text)
}

/// The conversation of a handover that is over.
fn reopenable(handover: &Handover) -> Result<ConversationId, CommandError> {
    match (handover.state(), &handover.progress.conversation) {
        (State::Ended, Some(conversation)) => Ok(conversation.clone()),
        (State::Ended | State::Failed, _) => Err(CommandError::NothingToReopen(handover.id().clone())),
        (State::Creating | State::Queued | State::Active | State::Transferring | State::Bot, _) => {
            Err(CommandError::Refused(Refused::NotActive))
        }
    }
}
