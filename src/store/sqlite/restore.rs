//! Puts a backup in the place of a store. The swap is decided by one rename: whatever dies before it has changed nothing,
//! whatever dies after it is brought to its end by the next who opens the store.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::OpenFlags;

use crate::domain::Timestamp;
use crate::store::Actor;
use crate::store::AuditEntry;
use crate::store::StoreError;
use crate::store::sqlite::audit;
use crate::store::sqlite::connection;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::files;
use crate::store::sqlite::files::Files;
use crate::store::sqlite::files::beside;
use crate::store::sqlite::files::folder_of;
use crate::store::sqlite::files::private_file;
use crate::store::sqlite::files::sync_folder;
use crate::store::sqlite::maintenance;
use crate::store::sqlite::maintenance::MaintenanceError;
use crate::store::sqlite::maintenance::unreadable;
use crate::store::sqlite::maintenance::unwritable;

/// A copy that is being made and checked.
const COPY: &str = ".restore-copy";
/// A copy that is good: it is to be the store.
const READY: &str = ".restore-ready";
/// What it replaced, with a number.
const ASIDE: &str = ".before-restore-";

/// A bot that reads its events by cursor has seen positions that the backup does not know. New ones begin beyond them, so
/// that none of these is skipped.
const SKIP_POSITIONS: &str = "UPDATE sqlite_sequence SET seq = seq + 1000000 WHERE name = 'event'";

/// Whether a store that is there is put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    No,
    Yes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    pub from: PathBuf,
    pub to: PathBuf,
    /// The backup's own.
    pub schema: i64,
    pub bytes: u64,
    /// Where the store is now that was there before.
    pub aside: Option<PathBuf>,
}

/// Makes a backup the store of a URL. The gateway must be stopped; the backup is left as it is.
pub fn restore(url: &str, from: &Path, replace: Replace, now: Timestamp) -> Result<Restored, MaintenanceError> {
    let to = maintenance::kept(url)?;
    if !from.is_file() {
        return Err(MaintenanceError::NoBackup(from.to_owned()));
    }
    if is_store(&to) && replace == Replace::No {
        return Err(MaintenanceError::Occupied(to));
    }
    let held = Files::hold(url)?;
    let copy = beside(&to, COPY);
    let entry = AuditEntry::new(now, &Actor::Cli, "store.restore");
    let schema = prepare(from, &copy, &entry).inspect_err(|_failed| discard(&copy))?;
    let bytes = copy.metadata().map_err(unwritable(&copy))?.len();
    fs::rename(&copy, beside(&to, READY)).map_err(unwritable(&to))?;
    sync_folder(folder_of(&to)).map_err(unwritable(&to))?;
    let aside = finish(&to).map_err(unwritable(&to))?;
    entry.log();
    drop(held);
    Ok(Restored {
        from: from.to_owned(),
        to,
        schema,
        bytes,
        aside,
    })
}

/// An empty file is none: it is what is left of a start that failed.
fn is_store(file: &Path) -> bool {
    let size = |file: &Path| file.metadata().map_or(0, |metadata| metadata.len());
    size(file) > 0 || size(&beside(file, "-wal")) > 0
}

/// A copy of the backup with its log folded in, checked, brought to this schema, and marked as restored.
fn prepare(from: &Path, copy: &Path, entry: &AuditEntry) -> Result<i64, MaintenanceError> {
    discard(copy);
    for suffix in ["", "-wal"] {
        let (source, target) = (beside(from, suffix), beside(copy, suffix));
        if suffix.is_empty() || source.is_file() {
            private_file(&target).map_err(unwritable(&target))?;
            fs::copy(&source, &target).map_err(unwritable(&target))?;
            files::make_private(&target).map_err(unwritable(&target))?;
        }
    }
    let mut connection = connection::plain(copy, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(unreadable(from))?;
    let schema = check(&connection, from)?;
    connection::migrate(&mut connection).map_err(unreadable(from))?;
    mark(&connection, entry).map_err(unmarked(from))?;
    // Folds the log into the file and takes it away, so that one rename moves all of it.
    connection
        .pragma_update(None, "journal_mode", "DELETE")
        .map_err(unreadable(from))?;
    connection
        .close()
        .map_err(|(_connection, error)| unreadable(from)(error))?;
    fs::File::open(copy)
        .and_then(|file| file.sync_all())
        .map_err(unwritable(copy))?;
    Ok(schema)
}

/// What the restored store has and its backup had not.
fn mark(connection: &Connection, entry: &AuditEntry) -> Result<(), StoreError> {
    connection.execute(SKIP_POSITIONS, []).map_err(failed)?;
    audit::append(connection, entry)
}

fn unmarked(from: &Path) -> impl FnOnce(StoreError) -> MaintenanceError {
    let path = from.to_owned();
    move |source| MaintenanceError::Unusable { path, source }
}

fn check(connection: &Connection, from: &Path) -> Result<i64, MaintenanceError> {
    // First whether it is one at all: a stranger's file is told as such, and not as damaged.
    let schema = match maintenance::schema_of_ours(connection, from) {
        Err(MaintenanceError::Unreadable { path, source }) if is_no_database(&source) => {
            tracing::debug!(%source, "the file cannot be opened");
            return Err(MaintenanceError::Foreign(path));
        }
        other => other?,
    };
    maintenance::sound(connection, "integrity_check", from)?;
    Ok(schema)
}

fn is_no_database(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase)
}

/// Brings a restore to its end that was decided: puts what is there aside, its log first so that no log is ever beside
/// another store, and gives the copy its name. Says where the old store went.
pub(super) fn finish(database: &Path) -> io::Result<Option<PathBuf>> {
    let ready = beside(database, READY);
    if !ready.exists() {
        return Ok(None);
    }
    let aside = aside(database);
    for suffix in ["-wal", "-journal", "-shm", ""] {
        let old = beside(database, suffix);
        match old.metadata() {
            // The index of the log is made anew by whoever reads the log.
            Ok(metadata) if suffix == "-shm" || metadata.len() == 0 => fs::remove_file(&old)?,
            Ok(_worth_keeping) => fs::rename(&old, beside(&aside, suffix))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    fs::rename(&ready, database)?;
    sync_folder(folder_of(database))?;
    tracing::info!("`{}` is the restored store", database.display());
    Ok(aside.exists().then_some(aside))
}

/// The first name that no store was put aside under; the same again while one is only half moved.
fn aside(database: &Path) -> PathBuf {
    let name = |number| beside(database, &format!("{ASIDE}{number}"));
    let mut number = 1_u32;
    while name(number).exists() {
        number = number.saturating_add(1);
    }
    name(number)
}

fn discard(copy: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let file = beside(copy, suffix);
        if let Err(error) = fs::remove_file(&file)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "`{}` could not be removed", file.display());
        }
    }
}
