//! Where the database is: reads the URL, makes the folder and the file, keeps other processes out.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use uuid::Uuid;

use crate::store::sqlite::error::OpenError;
use crate::store::sqlite::restore;
use crate::store::sqlite::volume::Volume;

/// The database file, held for this process until dropped.
pub(super) struct Files {
    pub(super) database: PathBuf,
    /// Locked; the lock goes with the file handle, so also with a killed process.
    _lock: fs::File,
    /// For `sqlite::memory:`.
    folder: Option<PrivateFolder>,
}

impl Files {
    pub(super) fn take(url: &str) -> Result<Self, OpenError> {
        let files = Self::hold(url)?;
        let database = &files.database;
        if let Some(aside) = restore::finish(database).map_err(not_writable(database))? {
            tracing::warn!(
                "a restore was broken off and is done now, the store before it is `{}`",
                aside.display()
            );
        }
        private_file(database).map_err(not_writable(database))?;
        Ok(files)
    }

    /// Keeps other processes out, whatever is there.
    pub(super) fn hold(url: &str) -> Result<Self, OpenError> {
        let (database, folder) = if let Some(database) = path(url)? {
            (database, None)
        } else {
            let folder = PrivateFolder::create()?;
            (folder.0.join("handover.db"), Some(folder))
        };
        let parent = folder_of(&database);
        create_folder(parent).map_err(not_writable(parent))?;
        trusted(parent)?;
        let lock = lock(&database)?;
        Ok(Self {
            database,
            _lock: lock,
            folder,
        })
    }

    /// Whether the file outlives the process that holds it.
    pub(super) fn is_kept(&self) -> bool {
        self.folder.is_none()
    }
}

/// A folder of this store alone, removed with it.
struct PrivateFolder(PathBuf);

impl PrivateFolder {
    fn create() -> Result<Self, OpenError> {
        let path = std::env::temp_dir().join(format!("handover-gateway-{}", Uuid::now_v7().simple()));
        create_folder(&path).map_err(not_writable(&path))?;
        Ok(Self(path))
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(
                "the temporary folder {} could not be removed: {error}",
                self.0.display()
            );
        }
    }
}

/// Where the file of a URL is; `None` for one that goes with its process.
pub(super) fn path(url: &str) -> Result<Option<PathBuf>, OpenError> {
    let wrong = || OpenError::Url(url.to_owned());
    match url.strip_prefix("sqlite:").ok_or_else(wrong)? {
        ":memory:" => Ok(None),
        rest => match rest.strip_prefix("//") {
            Some(path) if !path.is_empty() && !path.ends_with('/') => Ok(Some(PathBuf::from(path))),
            _ => Err(wrong()),
        },
    }
}

/// The file of that name with something added to it.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}

pub(super) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// What is renamed or made in a folder is there after a power cut once the folder is on disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// A share of another machine may lose what it said it had, and let a second gateway in.
fn trusted(folder: &Path) -> Result<(), OpenError> {
    match Volume::of(folder) {
        Ok(Volume::Local) => Ok(()),
        Ok(Volume::Network(kind)) => Err(OpenError::Network {
            path: folder.to_owned(),
            kind,
        }),
        Ok(Volume::Unclear(kind)) => {
            tracing::warn!(
                "the store is on {kind}: make sure that it is a disk of this machine, for a share can lose what was acknowledged"
            );
            Ok(())
        }
        Err(error) => {
            tracing::warn!(%error, "the kind of the store's file system cannot be told");
            Ok(())
        }
    }
}

pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn lock(database: &Path) -> Result<fs::File, OpenError> {
    let path = beside(database, ".lock");
    let file = private_file(&path).map_err(not_writable(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(OpenError::InUse(database.to_owned())),
        Err(fs::TryLockError::Error(error)) => Err(not_writable(&path)(error)),
    }
}

/// What is written holds what people said: only this user may read it. The log beside the database takes its mode.
pub(super) fn private_file(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path)
}

/// Of a file that was made with another mode.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

pub(super) fn not_writable(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::NotWritable { path, source }
}
