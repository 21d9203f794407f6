//! Decides whether 8x8 sent a webhook, just now, and to us. The cheap questions come first.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use crate::chat_gateway::KeyError;
use crate::chat_gateway::KeySource;
use crate::domain::AccountId;
use crate::domain::Timestamp;
use crate::webhook::error::VerifyError;
use crate::webhook::jws::DetachedJws;
use crate::webhook::signed::Signed;
use crate::webhook::signed_content::Claims;

/// How far 8x8's clock may be ahead of ours.
const MAX_AHEAD: Duration = Duration::from_mins(1);

#[derive(Clone, Debug)]
pub struct Verifier {
    keys: Arc<KeySource>,
    accounts: Vec<AccountId>,
    max_age: Duration,
}

impl Verifier {
    /// `accounts` are 8x8's tenant ids that are ours; with none, nothing is.
    pub const fn new(keys: Arc<KeySource>, accounts: Vec<AccountId>, max_age: Duration) -> Self {
        Self {
            keys,
            accounts,
            max_age,
        }
    }

    /// `body` is every byte as received: nothing may have been decoded, trimmed or written anew before.
    pub async fn verify(&self, headers: &HeaderMap, body: Bytes, now: Timestamp) -> Result<Signed, VerifyError> {
        let claims = Claims::read(headers)?;
        self.fresh(claims.sent_at(), now)?;
        if !self.accounts.iter().any(|account| account.as_str() == claims.account) {
            return Err(VerifyError::OTHER_TENANT);
        }
        let jws = DetachedJws::parse(claims.signature).ok_or(VerifyError::MALFORMED_SIGNATURE)?;
        let key = self.keys.key(jws.key_id()).await.map_err(|error| match error {
            KeyError::Unknown => VerifyError::UNKNOWN_KEY,
            KeyError::Unavailable => VerifyError::KeysUnavailable,
        })?;
        if jws.covers(claims.signed_text(&body).as_bytes(), &key) {
            Ok(Signed::proven(&claims, body))
        } else {
            Err(VerifyError::BAD_SIGNATURE)
        }
    }

    /// 8x8 signs each attempt anew, so a repeat is as fresh as the first.
    fn fresh(&self, sent_at: Timestamp, now: Timestamp) -> Result<(), VerifyError> {
        if now.since(sent_at) > self.max_age || sent_at.since(now) > MAX_AHEAD {
            return Err(VerifyError::STALE);
        }
        Ok(())
    }
}
