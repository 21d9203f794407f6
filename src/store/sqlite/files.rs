//! Where the database is: reads the URL, makes the folder and the file, keeps other processes out.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use uuid::Uuid;

use crate::store::sqlite::error::OpenError;

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
        let (database, folder) = match url.strip_prefix("sqlite:") {
            Some(":memory:") => {
                let folder = PrivateFolder::create()?;
                (folder.0.join("handover.db"), Some(folder))
            }
            Some(rest) => match rest.strip_prefix("//") {
                Some(path) if !path.is_empty() && !path.ends_with('/') => (PathBuf::from(path), None),
                _ => return Err(OpenError::Url(url.to_owned())),
            },
            None => return Err(OpenError::Url(url.to_owned())),
        };
        if let Some(parent) = database.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            create_folder(parent).map_err(not_writable(parent))?;
        }
        let lock = lock(&database)?;
        private_file(&database).map_err(not_writable(&database))?;
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

fn create_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn lock(database: &Path) -> Result<fs::File, OpenError> {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let file = private_file(&path).map_err(not_writable(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(OpenError::InUse(database.to_owned())),
        Err(fs::TryLockError::Error(error)) => Err(not_writable(&path)(error)),
    }
}

/// What is written holds what people said: only this user may read it. The log beside the database takes its mode.
fn private_file(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path)
}

fn not_writable(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::NotWritable { path, source }
}
