//! Tests from outside the crate, in one binary.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on stops"
)]

mod architecture;
mod store_contract;
mod support;
