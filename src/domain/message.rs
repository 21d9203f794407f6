//! A message a bot posted, and how far it got.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::domain::FileName;
use crate::domain::HandoverId;
use crate::domain::MessageId;
use crate::domain::RawJson;
use crate::domain::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthorType {
    User,
    Bot,
}

impl AuthorType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Bot => "bot",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::Bot]
            .into_iter()
            .find(|author| author.as_str() == text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageStatus {
    /// 8x8 took it.
    Accepted,
    /// Recorded; 8x8 has not been reached yet.
    Queued,
    /// 8x8 may or may not have it; being resolved.
    Unconfirmed,
    /// 8x8 refused it, or could not be reached before the deadline.
    Failed,
}

impl MessageStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Queued => "queued",
            Self::Unconfirmed => "unconfirmed",
            Self::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Accepted, Self::Queued, Self::Unconfirmed, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

/// A file a message showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageFile {
    /// `None` where 8x8 does not have it, or not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<FileName>,
}

/// What the gateway tells the agent itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub id: MessageId,
    pub text: String,
    /// The text, split into what 8x8 takes at once.
    pub parts: Vec<String>,
    /// How long 8x8 is tried.
    pub deadline: Duration,
}

/// The record of one posted message, made before 8x8 is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    pub id: MessageId,
    pub handover: HandoverId,
    pub client_message_id: Option<String>,
    /// SHA-256 of the request body, so that a repeated `clientMessageId` with other content is noticed.
    pub request_sha256: [u8; 32],
    pub author: AuthorType,
    pub text: Option<String>,
    pub cards: Vec<RawJson>,
    /// Without what is needed for fetching.
    pub attachments: Vec<MessageFile>,
    pub status: MessageStatus,
    pub created_at: Timestamp,
    /// The gateway's own words to the agent.
    pub notice: bool,
}

/// Something said before the handover, as the agent was shown it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastMessage {
    pub author: AuthorType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<RawJson>,
}
