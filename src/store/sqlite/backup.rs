//! Copies a whole store, as it was at one moment, into a file that was not there: also while a gateway writes it.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use bytesize::ByteSize;
use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::backup::Backup;
use rusqlite::backup::StepResult;
use rusqlite::config::DbConfig;
use uuid::Uuid;

use crate::store::sqlite::connection;
use crate::store::sqlite::files::Files;
use crate::store::sqlite::files::beside;
use crate::store::sqlite::files::create_folder;
use crate::store::sqlite::files::folder_of;
use crate::store::sqlite::files::private_file;
use crate::store::sqlite::files::sync_folder;
use crate::store::sqlite::maintenance;
use crate::store::sqlite::maintenance::MaintenanceError;
use crate::store::sqlite::maintenance::unreadable;
use crate::store::sqlite::maintenance::unwritable;
use crate::store::sqlite::room::Level;
use crate::store::sqlite::room::Space;
use crate::store::sqlite::volume;

/// Between two tries at a file that somebody has locked.
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackedUp {
    pub from: PathBuf,
    pub to: PathBuf,
    pub schema: i64,
    pub bytes: u64,
}

/// Copies the store of a URL to a file. Never overwrites; the file is there whole or not at all.
pub fn backup(url: &str, to: &Path) -> Result<BackedUp, MaintenanceError> {
    let from = maintenance::existing(url)?;
    absent(to)?;
    has_room(&from, to)?;
    let source = source(&from).map_err(unreadable(&from))?;
    let schema = maintenance::schema_of_ours(&source, &from)?;
    let bytes = publish(&source, to)?;
    Ok(BackedUp {
        from,
        to: to.to_owned(),
        schema,
        bytes,
    })
}

/// A copy beside its store must not fill the disk of a gateway that runs.
fn has_room(from: &Path, to: &Path) -> Result<(), MaintenanceError> {
    let needed = from.metadata().map_err(unwritable(from))?.len();
    let space = volume::space(folder_of(to)).map_err(unwritable(to))?;
    let after = Space {
        free: space.free.saturating_sub(needed),
        total: space.total,
    };
    if Level::of(after, Level::Plenty) == Level::Exhausted {
        return Err(MaintenanceError::NoRoom {
            path: to.to_owned(),
            needed: ByteSize(needed),
            free: ByteSize(space.free),
        });
    }
    Ok(())
}

/// Reading takes part in SQLite's own locks, which are files to be written. The log is never tidied up from here: by the
/// end of a long copy it may be another store's.
fn source(file: &Path) -> rusqlite::Result<Connection> {
    let source = connection::plain(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    source.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    source.pragma_update(None, "query_only", true)?;
    Ok(source)
}

/// Copies the store of one URL to another, where there is none yet. The gateway must be stopped, so that nothing is
/// accepted that the copy has not.
pub fn copy(url: &str, to_url: &str) -> Result<BackedUp, MaintenanceError> {
    let to = maintenance::kept(to_url)?;
    let from = maintenance::existing(url)?;
    absent(&to)?;
    let held = Files::take(url)?;
    create_folder(folder_of(&to)).map_err(unwritable(&to))?;
    let copied = backup(url, &to);
    drop(held);
    copied.map(|copied| BackedUp { from, ..copied })
}

fn absent(file: &Path) -> Result<(), MaintenanceError> {
    // Also a link that leads nowhere.
    match file.symlink_metadata() {
        Ok(_there) => Err(MaintenanceError::Exists(file.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unwritable(file)(error)),
    }
}

/// Copies under another name, checks and syncs the copy, then gives it its name.
fn publish(source: &Connection, to: &Path) -> Result<u64, MaintenanceError> {
    let part = Part::new(to);
    private_file(&part.0).map_err(unwritable(&part.0))?;
    pages(source, &part.0)?;
    let copy = fs::File::open(&part.0).map_err(unwritable(&part.0))?;
    copy.sync_all().map_err(unwritable(&part.0))?;
    let bytes = copy.metadata().map_err(unwritable(&part.0))?.len();
    let check = immutable(&part.0).map_err(unreadable(&part.0))?;
    maintenance::sound(&check, "quick_check", &part.0)?;
    drop(check);
    name(&part.0, to)?;
    sync_folder(folder_of(to)).map_err(unwritable(to))?;
    Ok(bytes)
}

/// All in one step, since a step that finds the file changed would begin anew: under load a copy in pieces never ends.
fn pages(source: &Connection, to: &Path) -> Result<(), MaintenanceError> {
    let mut copy = connection::plain(to, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(unreadable(to))?;
    // It is synced as a whole afterwards, or thrown away.
    copy.pragma_update(None, "journal_mode", "OFF")
        .map_err(unreadable(to))?;
    copy.pragma_update(None, "synchronous", "OFF").map_err(unreadable(to))?;
    let backup = Backup::new(source, &mut copy).map_err(unreadable(to))?;
    while backup.step(-1).map_err(unreadable(to))? != StepResult::Done {
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Opens a file that nobody writes, without leaving anything beside it.
fn immutable(file: &Path) -> rusqlite::Result<Connection> {
    let plain = file.display().to_string();
    let escaped = plain.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags)
}

/// A name that is taken meanwhile is left alone.
fn name(part: &Path, to: &Path) -> Result<(), MaintenanceError> {
    match fs::hard_link(part, to) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(MaintenanceError::Exists(to.to_owned())),
        // A file system without links.
        Err(_no_links) => {
            absent(to)?;
            fs::rename(part, to).map_err(unwritable(to))
        }
    }
}

/// A file under way, removed with all that SQLite puts beside it unless it was given its name.
struct Part(PathBuf);

impl Part {
    fn new(to: &Path) -> Self {
        Self(beside(to, &format!(".part-{}", Uuid::now_v7().simple())))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let file = beside(&self.0, suffix);
            match fs::remove_file(&file) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(%error, "`{}` could not be removed", file.display()),
            }
        }
    }
}
