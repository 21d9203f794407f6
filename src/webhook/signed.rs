//! A webhook that was proven. Only this folder's checks can make one.

use aws_lc_rs::digest;
use bytes::Bytes;

use crate::domain::AccountId;
use crate::domain::ConversationId;
use crate::domain::Timestamp;
use crate::domain::WebhookHeaders;
use crate::domain::WebhookReceipt;
use crate::webhook::signed_content::Claims;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    account: AccountId,
    customer: Option<String>,
    event_id: String,
    retry: u64,
    transmission_time: Timestamp,
    sha256: [u8; 32],
    body: Bytes,
}

impl Signed {
    /// By 8x8's signature.
    pub(super) fn proven(claims: &Claims<'_>, body: Bytes) -> Self {
        Self {
            account: AccountId::new(claims.account),
            customer: Some(claims.customer.to_owned()),
            event_id: claims.event_id.to_owned(),
            retry: claims.retry,
            transmission_time: claims.sent_at(),
            sha256: sha256(&body),
            body,
        }
    }

    /// By someone in between who is trusted. An event without an id is known by its bytes.
    pub(super) fn vouched(account: AccountId, event_id: Option<&str>, body: Bytes, now: Timestamp) -> Self {
        let sha256 = sha256(&body);
        let by_bytes = || {
            sha256
                .iter()
                .fold("sha256:".to_owned(), |id, byte| format!("{id}{byte:02x}"))
        };
        Self {
            account,
            customer: None,
            event_id: event_id.map_or_else(by_bytes, str::to_owned),
            retry: 0,
            transmission_time: now,
            sha256,
            body,
        }
    }

    pub const fn account(&self) -> &AccountId {
        &self.account
    }

    /// 8x8's customer; unknown where there was no signature.
    pub fn customer(&self) -> Option<&str> {
        self.customer.as_deref()
    }

    pub fn event_id(&self) -> &str {
        &self.event_id
    }

    /// Which attempt of 8x8's this is, from 0.
    pub const fn retry(&self) -> u64 {
        self.retry
    }

    pub const fn transmission_time(&self) -> Timestamp {
        self.transmission_time
    }

    /// As received.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// What is kept of it.
    pub fn receipt(&self, conversation: Option<ConversationId>, received_at: Timestamp) -> WebhookReceipt {
        WebhookReceipt {
            account: self.account.clone(),
            event_id: self.event_id.clone(),
            conversation,
            sha256: self.sha256,
            body: self.body.clone(),
            received_at,
            headers: WebhookHeaders::default(),
        }
    }
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, bytes);
    let mut sha256 = [0; 32];
    for (to, from) in sha256.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    sha256
}
