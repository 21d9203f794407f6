//! The whole program among servers that fail, killed at every step, and checked against what all sides wrote down.
//! `scripts/chaos` runs it; `docs/reliability.md` says what each invariant means.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on stops"
)]

mod bots;
mod checker;
mod checker_tests;
mod control;
mod disk;
mod failpoints;
mod figures;
mod ledger;
mod options;
mod plays;
mod process;
mod proxy;
mod proxy_tests;
mod rig;
mod scenarios;
mod secrets;
mod setup;
mod stored;
mod traffic;
mod watch;
mod weather;
