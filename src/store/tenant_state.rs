//! What is kept of a tenant: which webhook and channel at 8x8 are ours, and when 8x8 was last heard.

use crate::domain::Timestamp;

/// The webhook and the channel at 8x8 through which a tenant's conversations go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    pub webhook_id: String,
    pub channel_id: String,
}

/// Nothing of a tenant that was never written of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantState {
    pub registration: Option<Registration>,
    /// The last `WEB_HOOK_VERIFY`.
    pub last_verify_at: Option<Timestamp>,
    /// The last proven webhook.
    pub last_webhook_at: Option<Timestamp>,
}

/// When 8x8 was heard. What is `None` stays as it was, and no time goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    pub verify_at: Option<Timestamp>,
    pub webhook_at: Option<Timestamp>,
}
