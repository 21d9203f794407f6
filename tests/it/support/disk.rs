//! A disk that is small enough to be filled: a file system of its own where one can be mounted, otherwise one that only
//! says so.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use nix::mount::MntFlags;
use nix::mount::MsFlags;
use nix::sys::statvfs::statvfs;
use tempfile::TempDir;

use super::faulty_disk::FaultyDisk;
use super::world::Setup;
use super::world::show;

const SIZE: &str = "size=32m";
const FILLER: &str = "filler";

pub(crate) enum SmallDisk {
    Mounted(TempDir),
    Pretended(FaultyDisk),
}

impl SmallDisk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        match nix::mount::mount(
            Some("tmpfs"),
            folder.path(),
            Some("tmpfs"),
            MsFlags::empty(),
            Some(SIZE),
        ) {
            Ok(()) => Self::Mounted(folder),
            Err(error) => {
                show(&format!(
                    "no file system can be mounted here ({error}): a disk that pretends to be full stands in"
                ));
                Self::Pretended(FaultyDisk::new())
            }
        }
    }

    pub(crate) fn under(&self, setup: &mut Setup) {
        match self {
            Self::Mounted(folder) => {
                let store = folder.path().join("data/handover.db");
                setup.config.set("store.url", format!("sqlite://{}", store.display()));
            }
            Self::Pretended(disk) => disk.under(setup),
        }
    }

    /// Leaves so little that nothing new is to be taken, and enough for what was accepted.
    pub(crate) fn fill_almost(&self) {
        match self {
            Self::Mounted(folder) => fill(folder.path(), 1_200_000),
            Self::Pretended(disk) => disk.begin("low"),
        }
    }

    /// Leaves nothing.
    pub(crate) fn fill(&self) {
        match self {
            Self::Mounted(folder) => fill(folder.path(), 0),
            Self::Pretended(disk) => disk.begin("full"),
        }
    }

    pub(crate) fn free(&self) {
        match self {
            Self::Mounted(folder) => fs::remove_file(folder.path().join(FILLER)).unwrap(),
            Self::Pretended(disk) => {
                for fault in ["low", "full"] {
                    if disk.order(fault).exists() {
                        disk.end(fault);
                    }
                }
            }
        }
    }

    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Mounted(_) => "a tmpfs of 32 MiB",
            Self::Pretended(_) => "a pretended disk",
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Self::Mounted(folder) = self {
            nix::mount::umount2(folder.path(), MntFlags::MNT_DETACH).unwrap();
        }
    }
}

/// Writes until no more than so many bytes are left.
fn fill(folder: &Path, leave: u64) {
    let path: PathBuf = folder.join(FILLER);
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    loop {
        let stat = statvfs(folder).unwrap();
        let left = stat.blocks_available() * stat.fragment_size();
        if left <= leave {
            return;
        }
        let piece = usize::try_from((left - leave).min(1024 * 1024)).unwrap();
        if file.write_all(&vec![b'x'; piece]).is_err() {
            return;
        }
    }
}
