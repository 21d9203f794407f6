//! What a caller can do about a store that did not do what was asked.

use thiserror::Error;

#[derive(Debug, Error)]
pub enum StoreError {
    /// Nothing was changed; the same call may work later.
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The disk is full: nothing was changed, and nothing new can be until there is room.
    #[error("the store's disk is full")]
    Full,
    /// What was written cannot be trusted to be on disk: the process must stop and recover at its next start.
    #[error("the store failed while writing")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row that should not be there: a person must look.
    #[error("{table}.{column} of {id} cannot be read")]
    Inconsistent {
        table: &'static str,
        column: &'static str,
        id: String,
    },
}
