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
        self.verify_for(headers, body, now, &|| true).await
    }

    /// For somebody who may be allowed no more fetches of keys never seen before: then such a key counts as not available.
    pub async fn verify_for(
        &self,
        headers: &HeaderMap,
        body: Bytes,
        now: Timestamp,
        may_fetch: &(dyn Fn() -> bool + Sync),
    ) -> Result<Signed, VerifyError> {
        let claims = Claims::read(headers)?;
        let is_signed = self.signed(&claims, &body, may_fetch).await;
        match (self.is_timely(claims.sent_at(), now), is_signed) {
            (true, Ok(())) => Ok(Signed::proven(&claims, body)),
            (true, Err(error)) => Err(error),
            // Whether it is 8x8's all the same tells whose clock is wrong.
            (false, Ok(())) => Err(VerifyError::Untimely(claims.sent_at())),
            (false, Err(_)) => Err(VerifyError::STALE),
        }
    }

    async fn signed(
        &self,
        claims: &Claims<'_>,
        body: &[u8],
        may_fetch: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), VerifyError> {
        if !self.accounts.iter().any(|account| account.as_str() == claims.account) {
            return Err(VerifyError::OTHER_TENANT);
        }
        let jws = DetachedJws::parse(claims.signature).ok_or(VerifyError::MALFORMED_SIGNATURE)?;
        let key = self
            .keys
            .key_for(jws.key_id(), may_fetch)
            .await
            .map_err(|error| match error {
                KeyError::Unknown => VerifyError::UNKNOWN_KEY,
                KeyError::Unavailable => VerifyError::KeysUnavailable,
            })?;
        let covers = jws.covers(claims.signed_text(body).as_bytes(), &key);
        covers.then_some(()).ok_or(VerifyError::BAD_SIGNATURE)
    }

    /// 8x8 signs each attempt anew, so a repeat is as fresh as the first.
    fn is_timely(&self, sent_at: Timestamp, now: Timestamp) -> bool {
        now.since(sent_at) <= self.max_age && sent_at.since(now) <= MAX_AHEAD
    }
}
