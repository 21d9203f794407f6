//! Why a bot's call was not carried out, as the decision its caller has to take.

use thiserror::Error;

use crate::availability::AvailabilityAnswer;
use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::PropertiesError;
use crate::domain::HandoverId;
use crate::domain::transition::Refused;
use crate::handovers::service::ChangeError;
use crate::store::IdempotencyRecord;
use crate::store::StoreError;
use crate::supervisor::CutOff;

#[derive(Debug, Error)]
pub enum CommandError {
    #[error("no such handover")]
    NotFound,
    #[error("the bot was never to be given such an event")]
    NoDelivery,
    #[error("the session has a live handover already")]
    Exists(HandoverId),
    #[error(transparent)]
    Refused(#[from] Refused),
    /// 8x8 never had a conversation of it.
    #[error("there is no conversation to reopen")]
    NothingToReopen(HandoverId),
    /// 8x8 has not confirmed yet that the user left: whatever is said now would be cut off by that.
    #[error("the end of the handover before has not reached 8x8 yet")]
    EndOpen(HandoverId),
    /// Neither the call, nor the bot, nor the tenant says which channel to use.
    #[error("no channel is configured")]
    NoChannel,
    /// 8x8 names no webhook of the channel.
    #[error("the channel has no webhook")]
    NoWebhook,
    /// The create asks for agents, and none are there.
    #[error("no agents are there")]
    AgentsUnavailable(Box<AvailabilityAnswer>),
    /// `properties` would overwrite what the gateway sets; names where.
    #[error(transparent)]
    Properties(#[from] PropertiesError),
    /// Another call holds the idempotency key.
    #[error("the idempotency key is taken")]
    KeyTaken(Box<IdempotencyRecord>),
    /// The same `clientMessageId` came with other content.
    #[error("the client message id was used for another message")]
    OtherMessage,
    /// The message was refused or given up; the same `clientMessageId` does not make it another.
    #[error("the message failed before")]
    MessageFailed,
    /// So many calls to 8x8 wait for this handover that no more are taken.
    #[error("too many messages wait for 8x8")]
    LaneFull,
    /// A file the message names by its address could not be had; nothing of the message was posted.
    #[error("a file of the message could not be fetched")]
    Unfetched {
        place: usize,
        why: String,
        handover: HandoverId,
    },
    /// 8x8 said no, or was not reached, or did not say.
    #[error("8x8 did not carry it out")]
    ChatGateway {
        #[source]
        error: ChatGatewayError,
        handover: Option<HandoverId>,
    },
    /// 8x8 answered, and the store could not take the answer: it is kept in mind and recorded when the store is back.
    #[error("8x8's answer could not be recorded yet")]
    Unrecorded(HandoverId),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    CutOff(#[from] CutOff),
}

impl From<ChangeError> for CommandError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(refused) => Self::Refused(refused),
            ChangeError::Store(error) => Self::Store(error),
            ChangeError::KeyTaken(record) => Self::KeyTaken(Box::new(record)),
        }
    }
}
