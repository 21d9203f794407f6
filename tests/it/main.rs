//! Tests from outside the crate, in one binary.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on stops"
)]

mod agent_view;
mod architecture;
mod attachments;
mod availability;
mod bot_first;
mod callbacks;
mod canaries;
mod cards;
mod coverage;
mod doctor;
mod ends;
mod events_api;
mod floods;
mod flows;
mod formats;
mod hand_back;
mod hang_ups;
mod idempotency;
mod message_files;
mod operations;
mod pace;
mod passing;
mod problems;
mod process;
mod provision;
mod reopen;
mod routing;
mod signals;
mod signatures;
mod state_calls;
mod store_contract;
mod support;
mod tenants;
mod tokens;
mod transcripts;
mod upstream;
