//! Looks after the store's disk each second: how much room there is, how large the files are, and says so once when
//! something needs a person.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytesize::ByteSize;

use crate::store::sqlite::figures::Figures;
use crate::store::sqlite::files::beside;
use crate::store::sqlite::room::Room;
use crate::store::sqlite::volume;

const EVERY: Duration = Duration::from_secs(1);
/// Four times what it is cut down to whenever it can be: somebody reads for long, or the disk is too slow.
const LARGE_WAL: u64 = 256 * 1024 * 1024;

pub(super) struct Watch {
    stop: Mutex<Option<mpsc::Sender<()>>>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

struct Eyes {
    database: PathBuf,
    wal: PathBuf,
    room: Arc<Room>,
    figures: Figures,
    wal_is_large: bool,
    is_blind: bool,
}

impl Watch {
    /// Looks once before it returns, so that the first write already knows.
    pub(super) fn start(database: &Path, room: Arc<Room>, figures: Figures) -> io::Result<Self> {
        let mut eyes = Eyes::on(database, room, figures);
        eyes.look();
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("store-watch".to_owned());
        let thread = thread.spawn(move || {
            while stopped.recv_timeout(EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                eyes.look();
            }
        })?;
        Ok(Self {
            stop: Mutex::new(Some(stop)),
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(super) fn close(&self) {
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that watches the store's disk panicked");
        }
    }
}

impl Eyes {
    fn on(database: &Path, room: Arc<Room>, figures: Figures) -> Self {
        Self {
            database: database.to_owned(),
            wal: beside(database, "-wal"),
            room,
            figures,
            wal_is_large: false,
            is_blind: false,
        }
    }

    fn look(&mut self) {
        match volume::space(&self.database) {
            Ok(space) => {
                self.figures.disk_free.set(gauge(space.free));
                self.figures.disk_size.set(gauge(space.total));
                self.figures.level.set(self.room.measured(space) as i64);
                self.is_blind = false;
            }
            Err(error) if !self.is_blind => {
                self.is_blind = true;
                tracing::warn!(%error, "the room on the store's disk cannot be told");
            }
            Err(_again) => {}
        }
        self.figures.file.set(gauge(size(&self.database)));
        let wal = size(&self.wal);
        self.figures.wal.set(gauge(wal));
        let is_large = wal > LARGE_WAL;
        if is_large && !self.wal_is_large {
            tracing::warn!(
                wal = %ByteSize(wal),
                "the store's log grows beyond its bound: a long read such as a backup holds it, or the disk is too slow"
            );
        }
        if self.wal_is_large && !is_large {
            tracing::info!(wal = %ByteSize(wal), "the store's log is within its bound again");
        }
        self.wal_is_large = is_large;
    }
}

/// A log that is not there takes no room.
fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

fn gauge(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_log_beyond_its_bound_is_noticed_and_shown() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("handover.db");
        fs::write(&database, "as large as this").unwrap();
        let figures = Figures::default();
        let mut eyes = Eyes::on(&database, Arc::new(Room::new()), figures.clone());
        eyes.look();
        assert!(!eyes.wal_is_large);
        assert_eq!((figures.file.get(), figures.wal.get()), (16, 0));
        let log = fs::File::create(folder.path().join("handover.db-wal")).unwrap();
        log.set_len(LARGE_WAL + 1).unwrap();
        eyes.look();
        assert!(eyes.wal_is_large);
        assert_eq!(figures.wal.get(), gauge(LARGE_WAL) + 1);
        log.set_len(1000).unwrap();
        eyes.look();
        assert!(!eyes.wal_is_large);
    }
}
