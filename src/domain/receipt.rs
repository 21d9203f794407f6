//! What is kept of one webhook event as 8x8 sent it: enough to drop repeats, to apply it later and to pass it through.

use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;

use crate::domain::AccountId;
use crate::domain::ConversationId;
use crate::domain::Timestamp;

/// One signed webhook body. Repeats are known by (`account`, `event_id`); `sha256` tells a repeat from a forgery,
/// because 8x8's signature binds the body by CRC-32 only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookReceipt {
    pub account: AccountId,
    pub event_id: String,
    pub conversation: Option<ConversationId>,
    pub sha256: [u8; 32],
    pub body: Bytes,
    pub received_at: Timestamp,
    pub headers: WebhookHeaders,
}

impl WebhookReceipt {
    /// Enough to drop repeats.
    #[must_use]
    pub fn without_content(&self) -> Self {
        Self {
            body: Bytes::new(),
            headers: WebhookHeaders::default(),
            ..self.clone()
        }
    }
}

/// 8x8's own headers, kept only where a bot gets webhooks as they came. With the body they are what a forger needs, so
/// that no log may show them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookHeaders(pub Vec<(String, String)>);

impl WebhookHeaders {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for WebhookHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} headers", self.0.len())
    }
}
