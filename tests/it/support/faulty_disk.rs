//! A disk that fails as a test says: `faulty_disk.c`, compiled and loaded into the gateway's process.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::world::Setup;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/faulty_disk.c");

pub(crate) struct FaultyDisk {
    folder: TempDir,
}

impl FaultyDisk {
    pub(crate) fn new() -> Self {
        let disk = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(disk.library())
            .args([SOURCE, "-ldl", "-lpthread"])
            .output()
            .unwrap();
        assert!(compiled.status.success(), "{compiled:?}");
        std::fs::create_dir(disk.folder.path().join("orders")).unwrap();
        disk
    }

    /// Puts the store on it.
    pub(crate) fn under(&self, setup: &mut Setup) {
        let store = self.store();
        setup.config.set("store.url", format!("sqlite://{}", store.display()));
        setup.environment = self.environment();
    }

    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        vec![
            ("LD_PRELOAD".to_owned(), text(self.library())),
            ("FAULTY_DISK".to_owned(), text(self.order(""))),
            ("FAULTY_DISK_STORE".to_owned(), text(self.store())),
        ]
    }

    pub(crate) fn store(&self) -> PathBuf {
        // As the kernel names it.
        self.folder.path().canonicalize().unwrap().join("handover.db")
    }

    pub(crate) fn order(&self, name: &str) -> PathBuf {
        self.folder.path().join("orders").join(name)
    }

    /// From now on it fails in this way.
    pub(crate) fn begin(&self, fault: &str) {
        std::fs::write(self.order(fault), "").unwrap();
    }

    pub(crate) fn end(&self, fault: &str) {
        std::fs::remove_file(self.order(fault)).unwrap();
    }

    /// Whether a sync has failed.
    pub(crate) fn sync_failed(&self) -> bool {
        self.order("sync-failed").exists()
    }

    pub(crate) fn record(&self) -> PathBuf {
        self.order("record")
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("faulty_disk.so")
    }
}

/// How much is on a file.
pub(crate) fn length(path: &Path) -> u64 {
    path.metadata().unwrap().len()
}
