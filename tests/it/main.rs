//! Tests from outside the crate, in one binary.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on stops"
)]

mod architecture;
mod attachments;
mod callbacks;
mod doctor;
mod events_api;
mod flows;
mod formats;
mod hang_ups;
mod idempotency;
mod operations;
mod passing;
mod problems;
mod process;
mod provision;
mod routing;
mod signals;
mod signatures;
mod store_contract;
mod support;
mod tokens;
mod upstream;
