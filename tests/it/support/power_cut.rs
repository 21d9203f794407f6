//! What a disk holds after the power went: of all that was written and synced everything, of what was not synced yet any
//! part, whole or torn.

use std::path::Path;

use rand::RngExt as _;
use rand::rngs::StdRng;

const HEAD: usize = 16;
/// The least that a disk writes whole.
const SECTOR: usize = 512;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Write,
    Sync,
    Size,
}

/// One entry of the record that `faulty_disk.c` keeps.
struct Entry<'a> {
    kind: Kind,
    /// 0 the database, 1 its log.
    file: usize,
    offset: usize,
    data: &'a [u8],
    /// Where it ends in the record.
    end: u64,
}

pub(crate) struct Record(Vec<u8>);

impl Record {
    pub(crate) fn read(path: &Path) -> Self {
        Self(std::fs::read(path).unwrap())
    }

    /// The same writes by a program that never synced: what a check must not take for a good one.
    pub(crate) fn without_syncs(&self) -> Self {
        let mut writes = Vec::new();
        let mut at = 0;
        for entry in self.entries() {
            let end = usize::try_from(entry.end).unwrap();
            if entry.kind != Kind::Sync {
                writes.extend_from_slice(&self.0[at..end]);
            }
            at = end;
        }
        Self(writes)
    }

    fn entries(&self) -> Vec<Entry<'_>> {
        let mut entries = Vec::new();
        let mut at = 0;
        // The last entry may have been cut off with the process.
        while let Some(head) = self.0.get(at..at + HEAD) {
            let length = usize::try_from(u32::from_le_bytes(head[4..8].try_into().unwrap())).unwrap();
            let Some(data) = self.0.get(at + HEAD..at + HEAD + length) else {
                break;
            };
            at += HEAD + length;
            entries.push(Entry {
                kind: match head[0] {
                    1 => Kind::Write,
                    2 => Kind::Sync,
                    3 => Kind::Size,
                    other => panic!("an entry of kind {other}"),
                },
                file: usize::from(head[1]) - 1,
                offset: usize::try_from(u64::from_le_bytes(head[8..16].try_into().unwrap())).unwrap(),
                data,
                end: u64::try_from(at).unwrap(),
            });
        }
        entries
    }

    /// Moments at which the power may go, after one of them.
    pub(crate) fn moments(&self, after: u64) -> Vec<u64> {
        let ends = self.entries().into_iter().map(|entry| entry.end);
        ends.filter(|end| *end >= after).collect()
    }

    /// Writes what is left of the store when the power goes at a moment.
    pub(crate) fn cut(&self, moment: u64, random: &mut StdRng, store: &Path) {
        let mut entries = self.entries();
        entries.retain(|entry| entry.end <= moment);
        let mut files = [Vec::new(), Vec::new()];
        for (file, bytes) in files.iter_mut().enumerate() {
            let synced = entries
                .iter()
                .rposition(|entry| entry.file == file && entry.kind == Kind::Sync)
                .map_or(0, |place| place + 1);
            for (place, entry) in entries.iter().enumerate().filter(|(_, entry)| entry.file == file) {
                if place < synced {
                    apply(bytes, entry, |_sector| true);
                } else {
                    match random.random_range(0..3) {
                        0 => {}
                        1 => apply(bytes, entry, |_sector| true),
                        _ => apply(bytes, entry, |_sector| random.random_bool(0.5)),
                    }
                }
            }
        }
        std::fs::write(store, &files[0]).unwrap();
        std::fs::write(format!("{}-wal", store.display()), &files[1]).unwrap();
    }
}

fn apply(bytes: &mut Vec<u8>, entry: &Entry<'_>, mut keeps: impl FnMut(usize) -> bool) {
    match entry.kind {
        Kind::Sync => {}
        Kind::Size => bytes.resize(entry.offset, 0),
        Kind::Write => {
            for (number, sector) in entry.data.chunks(SECTOR).enumerate() {
                let start = entry.offset + number * SECTOR;
                if keeps(number) {
                    if bytes.len() < start + sector.len() {
                        bytes.resize(start + sector.len(), 0);
                    }
                    bytes[start..start + sector.len()].copy_from_slice(sector);
                }
            }
        }
    }
}
