//! The idempotency key of a call, before it is known what the call will have made.

use crate::domain::BotName;
use crate::domain::Timestamp;
use crate::store::IdempotencyClaim;
use crate::store::Reference;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Method and path.
    pub scope: String,
    pub key: String,
    pub request_sha256: [u8; 32],
}

impl Key {
    pub fn claim(&self, bot: &BotName, reference: Reference, at: Timestamp) -> IdempotencyClaim {
        IdempotencyClaim {
            bot: bot.clone(),
            scope: self.scope.clone(),
            key: self.key.clone(),
            request_sha256: self.request_sha256,
            reference,
            at,
        }
    }
}
