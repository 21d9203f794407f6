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
mod disk_faults;
mod disk_full;
mod doctor;
mod ends;
mod erasure;
mod events_api;
mod failpoints;
mod floods;
mod flows;
mod formats;
mod golden;
mod hand_back;
mod hang_ups;
mod idempotency;
mod lane_histories;
mod message_files;
mod notices;
mod operations;
mod outages;
mod pace;
mod passing;
mod problems;
mod process;
mod provision;
mod reconcile;
mod recover;
mod redaction;
mod redelivery;
mod reload;
mod reload_reach;
mod reopen;
mod rotation;
mod routing;
mod signals;
mod signatures;
mod state_calls;
mod store_command;
mod store_contract;
mod support;
mod tenants;
mod tls;
mod tokens;
mod transcripts;
mod upstream;
