//! What the gateway answers over HTTP: the bot API, 8x8's webhooks, and the operator's port. The only folder that knows
//! axum.

mod accept;
mod answer;
pub mod api;
mod api_limits;
mod audit_log;
mod bot_auth;
mod current;
mod docs;
mod extract;
mod idempotency;
mod key_fate;
mod metrics;
mod not_here;
mod observe;
mod ops;
mod problem;
mod query;
mod reload;
mod router;
mod running_keys;
mod seldom;
mod server;
mod shares;
mod slow_heads;
mod status;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;
mod webhook;
mod webhook_answer;
mod webhook_guard;

/// What [`serve`] serves.
pub use axum::Router;

pub use api::ApiState;
pub use api::CheckCallbackUrl;
pub use api_limits::ApiLimits;
pub use bot_auth::BotKeys;
pub use current::CurrentRouter;
pub use docs::openapi;
pub use metrics::HttpMetrics;
pub use ops::OpsState;
pub use ops::Readiness;
pub use reload::ReloadOutcome;
pub use reload::ReloadWish;
pub use reload::ReloadWishes;
pub use reload::TakenUp;
pub use router::PublicLimits;
pub use router::admin_router;
pub use router::public_router;
pub use running_keys::RunningKeys;
pub use server::Listener;
pub use server::ServerLimits;
pub use server::serve;
pub use shares::TrustedProxies;
pub use status::AdminTokens;
pub use status::StatusState;
pub use tls::Certificate;
pub use tls::Tls;
pub use tls::TlsError;
pub use tokens::Login;
pub use tokens::Tokens;
pub use webhook::WebhookRoute;
pub use webhook::WebhookState;
pub use webhook_guard::WebhookGuard;
