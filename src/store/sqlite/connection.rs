//! Opens connections with the settings everything else relies on, and brings the schema up to date.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;

use crate::store::sqlite::error::OpenError;
use crate::store::sqlite::files::Files;

/// In order; the number of those applied stands in `PRAGMA user_version`.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_init.sql"),
    include_str!("../../../migrations/sqlite/0002_attachments.sql"),
    include_str!("../../../migrations/sqlite/0003_history.sql"),
    include_str!("../../../migrations/sqlite/0004_grants.sql"),
    include_str!("../../../migrations/sqlite/0005_outages.sql"),
    include_str!("../../../migrations/sqlite/0006_redelivery.sql"),
    include_str!("../../../migrations/sqlite/0007_privacy.sql"),
];

pub(super) const BUSY: Duration = Duration::from_secs(5);
const STATEMENTS: usize = 128;

/// The connection that writes, its schema up to date.
pub(super) fn writer(files: &Files) -> Result<Connection, OpenError> {
    let database = &files.database;
    let mut connection = open(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let ready = durable(&connection, files).and_then(|()| migrate(&mut connection));
    match ready {
        Ok(Schema::UpToDate) => Ok(connection),
        Ok(Schema::Newer(found)) => Err(OpenError::Newer { found, known: known() }),
        Err(source) => Err(unusable(database)(source)),
    }
}

/// A connection that moves the log into the file.
pub(super) fn checkpointer(files: &Files) -> Result<Connection, OpenError> {
    let connection = open(&files.database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    synchronous(&connection, files).map_err(unusable(&files.database))?;
    Ok(connection)
}

/// A connection that can only read.
pub(super) fn reader(files: &Files) -> Result<Connection, OpenError> {
    open(&files.database, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// A connection for a command, with no settings of its own but patience.
pub(super) fn plain(database: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(database, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

fn open(database: &Path, access: OpenFlags) -> Result<Connection, OpenError> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let prepared = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(database, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.pragma_update(None, "cache_size", -65_536)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        Ok(connection)
    };
    prepared().map_err(unusable(database))
}

fn durable(connection: &Connection, files: &Files) -> rusqlite::Result<()> {
    // Takes effect before the first table only; later it changes nothing.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    synchronous(connection, files)?;
    // What is deleted is overwritten, on pages that become free too.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "wal_autocheckpoint", 16_000)?;
    connection.pragma_update(None, "journal_size_limit", 67_108_864)
}

/// A file that goes with the process has no power cut to survive.
fn synchronous(connection: &Connection, files: &Files) -> rusqlite::Result<()> {
    let level = if files.is_kept() { "FULL" } else { "OFF" };
    connection.pragma_update(None, "synchronous", level)
}

pub(super) enum Schema {
    UpToDate,
    Newer(i64),
}

pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<Schema> {
    let mut version = schema(connection)?;
    if version > known() {
        return Ok(Schema::Newer(version));
    }
    let applied = usize::try_from(version).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(applied) {
        version += 1;
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version)?;
        failpoint!("start.while_migrating");
        transaction.commit()?;
    }
    Ok(Schema::UpToDate)
}

/// How many migrations a file has had.
pub(super) fn schema(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// How many there are.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

fn unusable(database: &Path) -> impl FnOnce(rusqlite::Error) -> OpenError {
    let path = database.to_owned();
    move |source| OpenError::Unusable { path, source }
}
