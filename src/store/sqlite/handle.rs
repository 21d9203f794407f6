//! The open store: its file, its threads, and who holds what.

use std::sync::Arc;

use rusqlite::Connection;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::store::StoreError;
use crate::store::StoreSettings;
use crate::store::sqlite::checkpoint::Checkpointer;
use crate::store::sqlite::checkpoint::WalGrew;
use crate::store::sqlite::claims::Claims;
use crate::store::sqlite::connection;
use crate::store::sqlite::error;
use crate::store::sqlite::error::OpenError;
use crate::store::sqlite::files::Files;
use crate::store::sqlite::readers::Readers;
use crate::store::sqlite::writer::Writer;

/// One process has it: a second that opens the same file is refused.
///
/// A write is handed over when its future is first polled and carried out from then on, whether or not the caller keeps
/// waiting. A dropped `claim` frees what it took; a dropped `settle` settles.
pub struct SqliteStore {
    pub(super) writer: Writer,
    readers: Readers,
    pub(super) checkpointer: Checkpointer,
    pub(super) claims: Claims,
    pub(super) clock: Clock,
    broken: CancellationToken,
    /// Last, so that the lock and a temporary folder outlive the threads.
    _files: Files,
}

impl SqliteStore {
    pub fn open(settings: &StoreSettings, clock: Clock) -> Result<Self, OpenError> {
        let files = Files::take(&settings.url)?;
        let writing = connection::writer(&files)?;
        let reading = vec![connection::reader(&files)?, connection::reader(&files)?];
        let moving = connection::checkpointer(&files)?;
        let broken = CancellationToken::new();
        let wal = Arc::new(WalGrew::default());
        let readers = Readers::start(reading).map_err(OpenError::Thread)?;
        let checkpointer = Checkpointer::start(moving, Arc::clone(&wal), broken.clone()).map_err(OpenError::Thread)?;
        let writer = Writer::start(writing, wal, broken.clone()).map_err(OpenError::Thread)?;
        Ok(Self {
            writer,
            readers,
            checkpointer,
            claims: Claims::default(),
            clock,
            broken,
            _files: files,
        })
    }

    /// Cancelled when a write failed in a way that leaves unknown what is on disk: every call answers
    /// [`StoreError::Broken`] from then on, and the process must stop and recover at its next start.
    pub fn broken(&self) -> CancellationToken {
        self.broken.clone()
    }

    /// Refuses new calls, carries out those it took, and waits for its threads. Blocks for as long as that takes.
    pub fn close(&self) {
        self.readers.close();
        self.checkpointer.close();
        self.writer.close();
    }

    pub(super) async fn read<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        if self.broken.is_cancelled() {
            return Err(error::broken("an earlier write failed"));
        }
        self.readers.read(work).await
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}
