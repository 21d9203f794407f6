//! What can go wrong at the start, in words for whoever starts it, and what SQLite's errors mean to a caller.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::store::StoreError;

/// Why the store cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("`{0}` is not a store: write sqlite://relative/path.db, sqlite:///absolute/path.db or sqlite::memory:")]
    Url(String),
    #[error("`{path}` cannot be written: check the folder and its owner")]
    NotWritable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "`{0}` is in use by another process: stop that one, or wait for a command such as `provision --apply` to end, or give this one a file of its own"
    )]
    InUse(PathBuf),
    #[error(
        "`{path}` is on a network share ({kind}), where neither a lock nor a write can be trusted: give the store a disk of this machine"
    )]
    Network { path: PathBuf, kind: &'static str },
    #[error("the store was written by a newer version (schema {found}, this one knows {known}): start that version")]
    Newer { found: i64, known: i64 },
    #[error("`{path}` is not a store this program can use: restore a backup, or move the file away")]
    Unusable {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error("a thread for the store cannot be started")]
    Thread(#[source] io::Error),
}

/// SQLite's errors as the decisions a caller has.
pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        // The index of the log could not grow. It is not what is trusted: the log itself is, and nothing was committed.
        Some(ErrorCode::SystemIoFailure) if is_extended(&error, rusqlite::ffi::SQLITE_IOERR_SHMSIZE) => {
            StoreError::Full
        }
        Some(ErrorCode::OperationInterrupted) => unavailable("the read took too long"),
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Broken(Box::new(error))
        }
        _ => unreadable(error),
    }
}

fn is_extended(error: &rusqlite::Error, code: i32) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == code)
}

/// Whether a row was refused because another like it is there.
pub(super) fn is_conflict(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

/// A column of another type than it was written with is damage; anything else may pass.
fn unreadable(error: rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::InvalidColumnType(_, column, _) => StoreError::Inconsistent {
            table: "unknown",
            column: "unknown",
            id: column,
        },
        other => StoreError::Unavailable(Box::new(other)),
    }
}

/// Why a call was not carried out, for each of the calls that shared the failure.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    Full,
    Unavailable(String),
    Broken(String),
}

#[derive(Debug, Error)]
#[error("{0}")]
struct Reason(String);

impl Failure {
    pub(super) fn of(error: &StoreError) -> Self {
        let text = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        match error {
            StoreError::Full => Self::Full,
            StoreError::Broken(_) => Self::Broken(text),
            StoreError::Unavailable(_) | StoreError::Inconsistent { .. } => Self::Unavailable(text),
        }
    }

    pub(super) fn error(&self) -> StoreError {
        match self {
            Self::Full => StoreError::Full,
            Self::Unavailable(text) => StoreError::Unavailable(Box::new(Reason(text.clone()))),
            Self::Broken(text) => StoreError::Broken(Box::new(Reason(text.clone()))),
        }
    }
}

pub(super) fn unavailable(why: &str) -> StoreError {
    Failure::Unavailable(why.to_owned()).error()
}

pub(super) fn broken(why: &str) -> StoreError {
    Failure::Broken(why.to_owned()).error()
}
