//! What `store/port.rs` promises, asked of every store there is, and of a model in memory that is plain enough to trust.

mod attachments;
mod audit;
mod backlogs;
mod commits;
mod erasing;
mod files;
pub(crate) mod fixtures;
mod grants;
mod histories;
mod inbox;
mod keys;
mod lanes;
mod pages;
mod past;
mod pruning;
mod redelivery;
pub(crate) mod stand;
mod steps;
mod tenants;
mod wal;
