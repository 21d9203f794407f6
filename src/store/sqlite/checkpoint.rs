//! Moves what was written from the log into the file, beside the writer, so that the log stays small and the writer
//! seldom has to.

use std::io;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tokio_util::sync::CancellationToken;

use crate::store::StoreError;
use crate::store::sqlite::error;

/// The pause between two checkpoints while there is something to move. When nothing is written the thread sleeps.
const PAUSE: Duration = Duration::from_millis(50);

/// Told by the writer after each transaction.
#[derive(Default)]
pub(super) struct WalGrew {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    grew: bool,
    stop: bool,
}

pub(super) struct Checkpointer {
    wal: Arc<WalGrew>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Checkpointer {
    pub(super) fn start(connection: Connection, wal: Arc<WalGrew>, broken: CancellationToken) -> io::Result<Self> {
        let told = Arc::clone(&wal);
        let thread = thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || run(&connection, &told, &broken))?;
        Ok(Self {
            wal,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(super) fn close(&self) {
        self.wal.lock().stop = true;
        self.wal.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the store's checkpoint thread panicked");
        }
    }
}

impl WalGrew {
    pub(super) fn tell(&self) {
        let mut state = self.lock();
        if !state.grew {
            state.grew = true;
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the log to grow, then for the pause. `false` when the thread is to stop.
    fn wait(&self) -> bool {
        let state = self.lock();
        let state = self
            .changed
            .wait_while(state, |state| !state.grew && !state.stop)
            .unwrap_or_else(PoisonError::into_inner);
        let (mut state, _timed_out) = self
            .changed
            .wait_timeout_while(state, PAUSE, |state| !state.stop)
            .unwrap_or_else(PoisonError::into_inner);
        state.grew = false;
        !state.stop
    }
}

fn run(connection: &Connection, wal: &WalGrew, broken: &CancellationToken) {
    let mut is_stuck = false;
    while wal.wait() {
        // Passive: it takes what no reader needs and never makes the writer wait for a lock.
        let moved = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_row| Ok(()));
        match moved.map_err(error::failed) {
            Ok(()) => is_stuck = false,
            Err(StoreError::Broken(why)) => {
                tracing::error!("the store's log cannot be moved into its file, nothing more is accepted: {why}");
                broken.cancel();
            }
            // Tried again after each write: said once.
            Err(_again) if is_stuck => {}
            Err(why) => {
                is_stuck = true;
                tracing::warn!("the store's log cannot be moved into its file for now, it is tried again: {why}");
            }
        }
    }
}
