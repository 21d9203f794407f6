//! A stand-in 8x8, as a real HTTP server: what the demo, bot developers and the tests talk to. It shares no code with
//! the gateway, so that the two cannot agree by mistake.
//!
//! It serves the Chat Gateway API (`/chat-gateway/v1`: webhooks, channels, keys, conversations, messages, attachments), validates
//! as strictly as 8x8's documentation reads, signs and repeats webhook events, and has agents that follow a script or
//! the control API under `/sandbox`.
//!
//! Not built yet: post-agent assignments, schedules and statistics. They answer 404.
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
