//! A stand-in 8x8, as a real HTTP server: what the demo, bot developers and the tests talk to. It shares no code with
//! the gateway, so that the two cannot agree by mistake.
//!
//! It serves the Chat Gateway API (`/chat-gateway/v1`: webhooks, channels, keys, conversations, messages, attachments,
//! post-agent assignments), validates as strictly as 8x8's documentation reads, signs and repeats webhook events, and has
//! agents that follow a script or the control API under `/sandbox`.
//!
//! Beside it are schedules (`/cc/v1/schedules`, `/api/provisioning/schedules`), the figures of queues (`/cc/v1/stats/rt`,
//! `/api/rtstats/stats`, `/analytics/cc/v5/realtime-metrics`) and tokens (`/oauth/v2/token`), each with its own credentials.
//!
//! # Control API
//!
//! ```text
#![doc = include_str!("control/help.txt")]
//! ```

mod options;
mod server;

mod api;
mod control;

mod agents;
mod centre;
mod load;
mod notifier;
mod signer;
mod state;
mod world;

mod clock;
mod faults;
mod ids;
mod ledger;
mod problem;
mod validate;

#[cfg(test)]
mod tests;

pub use options::{Options, Pace, Script};
pub use server::Sandbox;
pub use signer::{SignedHeaders, Signer, SignerError};
