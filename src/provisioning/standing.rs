//! What a running gateway knows of a tenant's registration, shared by all who need it.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::domain::AccountId;
use crate::domain::TenantName;
use crate::domain::Timestamp;
use crate::store::Heard;
use crate::store::Registration;
use crate::store::TenantState;

const NEVER: i64 = i64::MIN;

/// Cheap to clone; all clones say the same.
#[derive(Clone, Debug)]
pub struct Standing(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tenant: TenantName,
    account: AccountId,
    configured_channel: Option<String>,
    registration: RwLock<Option<Registration>>,
    verify_at: AtomicI64,
    webhook_at: AtomicI64,
    /// Webhooks refused since the last good one.
    refused: AtomicU64,
    /// Live handovers no webhook came for.
    silent: AtomicUsize,
    /// Whether somebody was told of that since the last good one.
    silence_told: AtomicBool,
}

/// As it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub tenant: TenantName,
    pub account: AccountId,
    pub channel_id: Option<String>,
    pub webhook_id: Option<String>,
    pub is_configured: bool,
    pub last_verify_at: Option<Timestamp>,
    pub last_webhook_at: Option<Timestamp>,
    /// Refused since then.
    pub webhooks_refused: u64,
    /// Live handovers no webhook came for.
    pub handovers_without_webhooks: usize,
}

impl Standing {
    pub fn new(tenant: TenantName, account: AccountId, configured_channel: Option<String>) -> Self {
        Self(Arc::new(Inner {
            tenant,
            account,
            configured_channel,
            registration: RwLock::new(None),
            verify_at: AtomicI64::new(NEVER),
            webhook_at: AtomicI64::new(NEVER),
            refused: AtomicU64::new(0),
            silent: AtomicUsize::new(0),
            silence_told: AtomicBool::new(false),
        }))
    }

    pub fn tenant(&self) -> &TenantName {
        &self.0.tenant
    }

    /// Whether it is the same one, not another of the same tenant.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The channel that was found; one that the configuration names goes before it.
    pub fn registered_channel(&self) -> Option<String> {
        self.registration().map(|registration| registration.channel_id)
    }

    pub fn is_configured(&self) -> bool {
        self.0.configured_channel.is_some()
    }

    pub fn registration(&self) -> Option<Registration> {
        self.0
            .registration
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn heard_verify(&self, now: Timestamp) {
        self.0.verify_at.fetch_max(now.as_millis(), Ordering::Relaxed);
    }

    pub fn heard_webhook(&self, now: Timestamp) {
        self.0.webhook_at.fetch_max(now.as_millis(), Ordering::Relaxed);
        self.0.refused.store(0, Ordering::Relaxed);
        self.0.silence_told.store(false, Ordering::Relaxed);
    }

    /// A webhook came that was not proven, or to a wrong address.
    pub fn refused_webhook(&self) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// No webhook came for a handover. How many were refused, where that is news.
    pub fn falls_silent(&self) -> Option<u64> {
        self.0.silent.fetch_add(1, Ordering::Relaxed);
        let is_news = !self.0.silence_told.swap(true, Ordering::Relaxed);
        is_news.then(|| self.0.refused.load(Ordering::Relaxed))
    }

    pub fn silent_no_longer(&self) {
        self.0.silent.fetch_sub(1, Ordering::Relaxed);
    }

    pub fn heard(&self) -> Heard {
        let at = |cell: &AtomicI64| {
            let millis = cell.load(Ordering::Relaxed);
            (millis != NEVER).then(|| Timestamp::from_millis(millis))
        };
        Heard {
            verify_at: at(&self.0.verify_at),
            webhook_at: at(&self.0.webhook_at),
        }
    }

    pub fn snapshot(&self) -> Snapshot {
        let (registration, heard) = (self.registration(), self.heard());
        Snapshot {
            tenant: self.0.tenant.clone(),
            account: self.0.account.clone(),
            is_configured: self.is_configured(),
            webhook_id: registration.as_ref().map(|one| one.webhook_id.clone()),
            channel_id: self
                .0
                .configured_channel
                .clone()
                .or_else(|| registration.map(|one| one.channel_id)),
            last_verify_at: heard.verify_at,
            last_webhook_at: heard.webhook_at,
            webhooks_refused: self.0.refused.load(Ordering::Relaxed),
            handovers_without_webhooks: self.0.silent.load(Ordering::Relaxed),
        }
    }

    /// Takes up what was kept.
    pub fn restore(&self, kept: TenantState) {
        self.set_registration(kept.registration);
        if let Some(at) = kept.last_verify_at {
            self.heard_verify(at);
        }
        if let Some(at) = kept.last_webhook_at {
            self.heard_webhook(at);
        }
    }

    pub(super) fn set_registration(&self, registration: Option<Registration>) {
        *self.0.registration.write().unwrap_or_else(PoisonError::into_inner) = registration;
    }
}
