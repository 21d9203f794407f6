//! From the log to the bots: each handover's events in order, every bot at its own pace, each event at least once.

mod answer;
mod attempt;
mod backlog;
mod board;
mod bot;
mod breaker;
mod callback;
mod callback_auth;
mod claims;
mod dispatcher;
mod ephemeral;
mod finish;
mod lanes;
mod lines;
mod metrics;
mod outages;
mod poison;
mod probe;
mod queue;
mod recent;
mod retry;
mod roster;
mod settings;
mod signing;
mod survey;
#[cfg(test)]
mod tests;
mod wake;

pub use backlog::BacklogKeeper;
pub use bot::BotDelivery;
pub use bot::CallbackAuth;
pub use bot::CallbackFormat;
pub use dispatcher::Dispatcher;
pub use dispatcher::DispatcherParts;
pub use dispatcher::Progress;
pub use ephemeral::Ephemerals;
pub use metrics::DeliveryMetrics;
pub use probe::Probe;
pub use probe::ProbeSignature;
pub use probe::Probed;
pub use roster::Roster;
pub use roster::RosterError;
pub use settings::DeliverySettings;
pub use signing::SigningKey;
pub use signing::SigningKeyError;
pub use wake::Wake;
