//! A bot posts a message: recorded first, then posted to 8x8 in its lane; the bot waits a little for the fate.

use std::sync::Arc;

use crate::domain::Attached;
use crate::domain::AuthorType;
use crate::domain::HandoverId;
use crate::domain::MessageId;
use crate::domain::MessageRecord;
use crate::domain::MessageStatus;
use crate::domain::RawJson;
use crate::domain::SendMessage;
use crate::domain::transition::Input;
use crate::domain::transition::Refused;
use crate::handovers::Bot;
use crate::handovers::CommandError;
use crate::handovers::Handovers;
use crate::handovers::Key;
use crate::handovers::service::Along;
use crate::handovers::split;
use crate::handovers::ticket::Fate;
use crate::handovers::ticket::Ticket;
use crate::store::Reference;

/// A valid message.
#[derive(Clone, Debug)]
pub struct PostMessage {
    pub handover: HandoverId,
    pub author: Option<AuthorType>,
    pub text: Option<String>,
    pub cards: Vec<RawJson>,
    pub attachments: Vec<Attached>,
    pub client_message_id: Option<String>,
    pub request_sha256: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    pub message: MessageId,
    pub status: MessageStatus,
    /// The message was posted before under its `clientMessageId`.
    pub replayed: bool,
}

impl Handovers {
    pub async fn send(
        self: &Arc<Self>,
        bot: &Arc<Bot>,
        message: PostMessage,
        key: Option<Key>,
    ) -> Result<Posted, CommandError> {
        let (this, bot) = (Arc::clone(self), Arc::clone(bot));
        self.parts
            .supervisor
            .finish(async move { this.send_now(&bot, message, key).await })
            .await?
    }

    async fn send_now(
        self: &Arc<Self>,
        bot: &Bot,
        mut message: PostMessage,
        key: Option<Key>,
    ) -> Result<Posted, CommandError> {
        message.redact(&bot.tenant.redactor);
        let slot = self.slot_of(&bot.name, &message.handover).await?;
        let now = self.parts.clock.now();
        let id = MessageId::generate(now);
        let ticket = Ticket::new();
        {
            let mut handover = slot.handover.lock().await;
            if let Some(before) = self.posted_before(&message).await? {
                return Ok(before);
            }
            if slot.lane.is_full() {
                return Err(CommandError::LaneFull);
            }
            let reference = Reference::Message(message.handover.clone(), id.clone());
            let along = Along {
                claim: key.map(|key| key.claim(&bot.name, reference, now)),
                ticket: Some(ticket.clone()),
                ..Along::default()
            };
            let command = SendMessage {
                id: id.clone(),
                client_message_id: message.client_message_id,
                request_sha256: message.request_sha256,
                author: message.author,
                parts: message
                    .text
                    .as_deref()
                    .map(|text| split(text, bot.tenant.message_limit))
                    .unwrap_or_default(),
                text: message.text,
                cards: message.cards,
                attachments: message.attachments,
                deadline: bot.tenant.message_deadline,
            };
            failpoint!("message.before_intent");
            self.change_locked(&slot, &mut handover, Input::Send(command), along)
                .await?;
            failpoint!("message.after_intent");
        }
        let fate = ticket.wait(bot.tenant.send_wait).await;
        failpoint!("message.before_answer");
        let status = status_of(fate, message.handover)?;
        Ok(Posted {
            message: id,
            status,
            replayed: false,
        })
    }

    async fn posted_before(&self, message: &PostMessage) -> Result<Option<Posted>, CommandError> {
        let Some(client_id) = &message.client_message_id else {
            return Ok(None);
        };
        match self
            .parts
            .store
            .message_by_client_id(&message.handover, client_id)
            .await?
        {
            Some(record) if record.request_sha256 != message.request_sha256 => Err(CommandError::OtherMessage),
            Some(record) if record.status == MessageStatus::Failed => Err(CommandError::MessageFailed),
            Some(MessageRecord { id, status, .. }) => Ok(Some(Posted {
                message: id,
                status,
                replayed: true,
            })),
            None => Ok(None),
        }
    }
}

/// How the message stands, or why nothing came of it.
fn status_of(fate: Fate, handover: HandoverId) -> Result<MessageStatus, CommandError> {
    match fate {
        Fate::Done => Ok(MessageStatus::Accepted),
        Fate::Open(status) => Ok(status),
        Fate::Unconfirmed => Ok(MessageStatus::Unconfirmed),
        // The conversation ended while the message waited.
        Fate::Failed(None) => Err(CommandError::Refused(Refused::Ended)),
        Fate::Unfetched { place, why } => Err(CommandError::Unfetched { place, why, handover }),
        Fate::Failed(Some(error)) => Err(CommandError::ChatGateway {
            error,
            handover: Some(handover),
        }),
    }
}
