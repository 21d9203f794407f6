//! What the operator sets: the compiled-in defaults, files and the environment become one [`Settings`], or one list of
//! everything that is wrong with them. Nobody but the composition root and the commands sees the whole.

mod availability;
mod bot;
mod check;
mod choice;
mod describe;
mod findings;
mod key_hash;
mod known;
mod load;
mod marks;
mod read;
mod reload;
mod secrets;
mod sections;
mod shape;
mod tenant;
mod value;

pub use availability::AgentsCountKind;
pub use availability::ScheduleSourceKind;
pub use availability::StatisticsSourceKind;
pub use availability::TenantScheduleSettings;
pub use availability::TenantStatisticsSettings;
pub use availability::WhenUnknown;
pub use bot::AgentNames;
pub use bot::AuthKind;
pub use bot::BotAuthSettings;
pub use bot::BotFormat;
pub use bot::BotSettings;
pub use bot::Duplicate;
pub use findings::Finding;
pub use findings::SettingsFaults;
pub use key_hash::KeyHash;
pub use key_hash::KeyHashError;
pub use load::from_process;
pub use load::load;
pub use marks::Marks;
pub use reload::Changes;
pub use sections::AdminSettings;
pub use sections::ServerSettings;
pub use sections::Settings;
pub use sections::TlsSettings;
pub use tenant::ClientSettings;
pub use tenant::QueueSettings;
pub use tenant::RedactSettings;
pub use tenant::TenantAuth;
pub use tenant::TenantSettings;
pub use tenant::TenantWebhookSettings;
pub use tenant::WebhookProof;

pub use crate::delivery::DeliverySettings;
pub use crate::outbound::OutboundSettings;
pub use crate::store::StoreSettings;
pub use crate::telemetry::LogFormat;
pub use crate::telemetry::TelemetrySettings;

#[cfg(test)]
mod tests;
