//! What commands do with a store's file: bring it to the schema of this program, and what backup, restore and copy share.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use bytesize::ByteSize;
use rusqlite::Connection;
use rusqlite::OpenFlags;
use thiserror::Error;

use crate::store::StoreError;
use crate::store::sqlite::connection;
use crate::store::sqlite::error::OpenError;
use crate::store::sqlite::files;
use crate::store::sqlite::files::Files;

/// Why a command could not do what it was told. Nothing was changed.
#[derive(Debug, Error)]
pub enum MaintenanceError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("`{0}` goes with its process: there is nothing to keep, set store.url to a file")]
    NotKept(String),
    #[error("PostgreSQL is not built yet: give another SQLite file, such as sqlite:///srv/handover.db")]
    PostgreSql,
    #[error("there is no store at `{0}`: check store.url and the folder this is run in")]
    Missing(PathBuf),
    #[error("there is no backup at `{0}`: check the name and the folder this is run in")]
    NoBackup(PathBuf),
    #[error("`{0}` is there already and is not overwritten: give another name, or move it away")]
    Exists(PathBuf),
    #[error("`{0}` holds a store already: stop its gateway and say --force, then it is put aside and not deleted")]
    Occupied(PathBuf),
    #[error("`{0}` is no store of this program: none of its tables are there")]
    Foreign(PathBuf),
    #[error("`{path}` was written by a newer version (schema {found}, this one knows {known}): use that version")]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("`{path}` is damaged: {fault}. Take another backup")]
    Damaged { path: PathBuf, fault: String },
    #[error("`{path}` cannot be read")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error("`{path}` cannot be made the store")]
    Unusable {
        path: PathBuf,
        #[source]
        source: StoreError,
    },
    #[error("`{path}` needs {needed}, and its disk would be full with that ({free} free): give another disk")]
    NoRoom {
        path: PathBuf,
        needed: ByteSize,
        free: ByteSize,
    },
    #[error("`{path}` cannot be written")]
    Unwritable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl MaintenanceError {
    /// Whether the command was called wrongly, in contrast to what it found.
    pub fn is_wrong_usage(&self) -> bool {
        match self {
            Self::Open(OpenError::Url(_)) | Self::NotKept(_) | Self::PostgreSql => true,
            Self::Open(
                OpenError::NotWritable { .. }
                | OpenError::InUse(_)
                | OpenError::Network { .. }
                | OpenError::Newer { .. }
                | OpenError::Unusable { .. }
                | OpenError::Thread(_),
            )
            | Self::Missing(_)
            | Self::NoBackup(_)
            | Self::Exists(_)
            | Self::Occupied(_)
            | Self::Foreign(_)
            | Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::Unreadable { .. }
            | Self::Unusable { .. }
            | Self::NoRoom { .. }
            | Self::Unwritable { .. } => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    pub file: PathBuf,
    pub from: i64,
    pub to: i64,
}

/// Brings the schema of a store up to date, as a gateway does at its start. The gateway must be stopped.
pub fn migrate(url: &str) -> Result<Migrated, MaintenanceError> {
    let file = existing(url)?;
    let files = Files::take(url)?;
    let from = {
        let connection = connection::plain(&file, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(unreadable(&file))?;
        schema_of_ours(&connection, &file)?
    };
    drop(connection::writer(&files)?);
    Ok(Migrated {
        file,
        from,
        to: connection::known(),
    })
}

/// The file of a store that is to be there.
pub(super) fn existing(url: &str) -> Result<PathBuf, MaintenanceError> {
    let file = kept(url)?;
    if file.is_file() {
        Ok(file)
    } else {
        Err(MaintenanceError::Missing(file))
    }
}

pub(super) fn kept(url: &str) -> Result<PathBuf, MaintenanceError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Err(MaintenanceError::PostgreSql);
    }
    files::path(url)?.ok_or_else(|| MaintenanceError::NotKept(url.to_owned()))
}

/// The schema of a file that is a store this program can use.
pub(super) fn schema_of_ours(connection: &Connection, file: &Path) -> Result<i64, MaintenanceError> {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('handover', 'event', 'lane')";
    let found: i64 = connection
        .query_row(tables, [], |row| row.get(0))
        .map_err(unreadable(file))?;
    let schema = connection::schema(connection).map_err(unreadable(file))?;
    if found != 3 || schema < 1 {
        return Err(MaintenanceError::Foreign(file.to_owned()));
    }
    let known = connection::known();
    if schema > known {
        return Err(MaintenanceError::Newer {
            path: file.to_owned(),
            found: schema,
            known,
        });
    }
    Ok(schema)
}

/// How thoroughly a file is looked at: whether its pages fit together, or also whether indexes agree with tables.
pub(super) fn sound(connection: &Connection, check: &str, file: &Path) -> Result<(), MaintenanceError> {
    let verdict: String = connection
        .pragma_query_value(None, check, |row| row.get(0))
        .map_err(unreadable(file))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(MaintenanceError::Damaged {
        path: file.to_owned(),
        fault: verdict.lines().next().unwrap_or_default().to_owned(),
    })
}

pub(super) fn unreadable(path: &Path) -> impl FnOnce(rusqlite::Error) -> MaintenanceError {
    let path = path.to_owned();
    move |source| MaintenanceError::Unreadable { path, source }
}

pub(super) fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> MaintenanceError {
    let path = path.to_owned();
    move |source| MaintenanceError::Unwritable { path, source }
}
