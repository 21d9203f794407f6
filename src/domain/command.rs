//! What a bot asks of a live handover, already valid.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::domain::AuthorType;
use crate::domain::EndReason;
use crate::domain::MessageId;
use crate::domain::RawJson;
use crate::domain::Stop;
use crate::domain::User;

/// A message, its text split into what 8x8 takes at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendMessage {
    pub id: MessageId,
    pub client_message_id: Option<String>,
    pub request_sha256: [u8; 32],
    /// `None`: the user, or the bot where the bot leads.
    pub author: Option<AuthorType>,
    pub text: Option<String>,
    pub parts: Vec<String>,
    pub cards: Vec<RawJson>,
    /// How long 8x8 is tried.
    pub deadline: Duration,
}

/// Also kept in the handover when it comes before 8x8 has answered the create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndHandover {
    pub reason: EndReason,
    pub message: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct UpdateHandover {
    pub queue_id: Option<String>,
    /// What the configuration says of that queue and those after it.
    pub chain: Vec<Stop>,
    pub user: Option<User>,
}
