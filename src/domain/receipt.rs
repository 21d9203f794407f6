//! What is kept of one webhook event as 8x8 sent it: enough to drop repeats, to apply it later and to pass it through.

use bytes::Bytes;

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
}
