//! The file system a store is on: whether it can be trusted with one, and how much room it has.

use std::io;
use std::path::Path;

use nix::sys::statfs;
use nix::sys::statfs::FsType;
use nix::sys::statvfs::statvfs;

use crate::store::sqlite::room::Space;

/// What a file system means for a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Volume {
    Local,
    /// Another machine has the disk and others may have the file: locks and fsync hold for nobody else.
    Network(&'static str),
    /// It may be either.
    Unclear(&'static str),
}

const NETWORK: [(FsType, &str); 6] = [
    (statfs::NFS_SUPER_MAGIC, "NFS"),
    (statfs::SMB_SUPER_MAGIC, "SMB"),
    (FsType(0xFF53_4D42), "CIFS"),
    (FsType(0xFE53_4D42), "SMB"),
    (statfs::AFS_SUPER_MAGIC, "AFS"),
    (statfs::NCP_SUPER_MAGIC, "NCP"),
];

const UNCLEAR: [(FsType, &str); 6] = [
    (statfs::FUSE_SUPER_MAGIC, "FUSE"),
    (FsType(0x0102_1997), "9P"),
    (FsType(0x00C3_6400), "Ceph"),
    (FsType(0x0BD0_0BD0), "Lustre"),
    (FsType(0x4750_4653), "GPFS"),
    (statfs::OCFS2_SUPER_MAGIC, "OCFS2"),
];

impl Volume {
    /// The file system of a file or folder that is there.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::with_type(statfs::statfs(path)?.filesystem_type()))
    }

    fn with_type(kind: FsType) -> Self {
        let name =
            |table: &[(FsType, &'static str)]| table.iter().find(|(known, _)| *known == kind).map(|(_, name)| *name);
        match (name(&NETWORK), name(&UNCLEAR)) {
            (Some(name), _) => Self::Network(name),
            (None, Some(name)) => Self::Unclear(name),
            (None, None) => Self::Local,
        }
    }
}

/// As `df` counts: what is kept back for root is neither free nor part of the whole.
pub(super) fn space(path: &Path) -> io::Result<Space> {
    let stat = statvfs(path)?;
    let block = stat.fragment_size();
    let kept_back = stat.blocks_free().saturating_sub(stat.blocks_available());
    Ok(Space {
        free: stat.blocks_available().saturating_mul(block),
        total: stat.blocks().saturating_sub(kept_back).saturating_mul(block),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_other_machines_are_told_from_disks() {
        assert_eq!(Volume::with_type(statfs::NFS_SUPER_MAGIC), Volume::Network("NFS"));
        assert_eq!(Volume::with_type(FsType(0xFE53_4D42)), Volume::Network("SMB"));
        assert_eq!(Volume::with_type(statfs::FUSE_SUPER_MAGIC), Volume::Unclear("FUSE"));
        for local in [
            statfs::EXT4_SUPER_MAGIC,
            statfs::XFS_SUPER_MAGIC,
            statfs::BTRFS_SUPER_MAGIC,
            statfs::TMPFS_MAGIC,
            statfs::OVERLAYFS_SUPER_MAGIC,
        ] {
            assert_eq!(Volume::with_type(local), Volume::Local);
        }
    }

    #[test]
    fn a_file_system_has_no_more_room_than_it_is_large() {
        let folder = tempfile::tempdir().unwrap();
        let space = space(folder.path()).unwrap();
        assert!(space.free <= space.total && space.total > 0, "{space:?}");
    }
}
