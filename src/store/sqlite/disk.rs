//! What looks after the store's disk beside those who read and write: the room that is left, the log's way into the file,
//! the figures of both.

use std::io;
use std::sync::Arc;

use prometheus_client::registry::Registry;
use rusqlite::Connection;
use tokio_util::sync::CancellationToken;

use crate::store::sqlite::checkpoint::Checkpointer;
use crate::store::sqlite::checkpoint::WalGrew;
use crate::store::sqlite::figures::Figures;
use crate::store::sqlite::files::Files;
use crate::store::sqlite::room::Room;
use crate::store::sqlite::watch::Watch;
use crate::store::sqlite::writer::Told;

pub(super) struct Disk {
    pub(super) room: Arc<Room>,
    figures: Figures,
    watch: Watch,
    checkpointer: Checkpointer,
}

impl Disk {
    /// Also who has to be told of what is written and read. `moving` is the connection that moves the log.
    pub(super) fn start(files: &Files, moving: Connection, broken: &CancellationToken) -> io::Result<(Self, Told)> {
        let told = Told {
            wal: Arc::<WalGrew>::default(),
            room: Arc::new(Room::new()),
            figures: Figures::default(),
        };
        let disk = Self {
            room: Arc::clone(&told.room),
            figures: told.figures.clone(),
            watch: Watch::start(&files.database, Arc::clone(&told.room), told.figures.clone())?,
            checkpointer: Checkpointer::start(moving, Arc::clone(&told.wal), broken.clone())?,
        };
        Ok((disk, told))
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        self.figures.register(registry);
    }

    /// What is in the log must not stay in it.
    pub(super) fn empty_the_log(&self) {
        self.checkpointer.empty_the_log();
    }

    pub(super) fn close(&self) {
        self.watch.close();
        self.checkpointer.close();
    }
}
