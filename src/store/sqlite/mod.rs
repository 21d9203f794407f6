//! The embedded store: one SQLite file, one thread that writes it in groups, two that read.

mod audit;
mod calls;
mod checkpoint;
mod claims;
mod commit;
mod connection;
mod erase;
mod error;
mod files;
mod grants;
mod handle;
mod handovers;
mod history;
mod idempotency;
mod inbox;
mod lanes;
mod log;
mod messages;
mod own_keys;
mod prune;
mod readers;
mod settle;
mod store;
mod tenant_state;
mod timeline;
mod writer;

pub use error::OpenError;
pub use handle::SqliteStore;
