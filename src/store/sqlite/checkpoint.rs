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
use crate::store::sqlite::connection::BUSY;
use crate::store::sqlite::error;

/// The pause between two checkpoints while there is something to move. When nothing is written the thread sleeps.
const PAUSE: Duration = Duration::from_millis(50);
/// While it waits for readers the writer waits for it.
const WAIT_FOR_READERS: Duration = Duration::from_millis(20);
/// Rounds before it is tried again to empty the log when somebody was in the way: about a second.
const ROUNDS_BETWEEN: u32 = 20;

/// Told by the writer after each transaction.
#[derive(Default)]
pub(super) struct WalGrew {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    grew: bool,
    /// Something in it was erased from the file: it is to be emptied.
    empty: bool,
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

    /// What is in the log must not stay in it: it is moved into the file and cut off as soon as nobody reads in it.
    pub(super) fn empty_the_log(&self) {
        let mut state = self.wal.lock();
        (state.grew, state.empty) = (true, true);
        self.wal.changed.notify_all();
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

    /// Waits for the log to grow, then for the pause. `None` when the thread is to stop.
    fn wait(&self) -> Option<Way> {
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
        let way = if std::mem::take(&mut state.empty) {
            Way::Empty
        } else {
            Way::Beside
        };
        (!state.stop).then_some(way)
    }

    /// Tries again after the pause.
    fn empty_later(&self) {
        let mut state = self.lock();
        (state.grew, state.empty) = (true, true);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Takes what no reader needs and never makes the writer wait for a lock.
    Beside,
    /// Takes all and leaves the log empty; a reader or a writer at work comes first.
    Empty,
}

fn run(connection: &Connection, wal: &WalGrew, broken: &CancellationToken) {
    let mut is_stuck = false;
    let mut rest: u32 = 0;
    while let Some(way) = wal.wait() {
        let way = if rest == 0 { way } else { Way::Beside };
        if rest > 0 {
            rest -= 1;
            wal.empty_later();
        }
        let moved = match way {
            Way::Beside => connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_row| Ok(false)),
            Way::Empty => empty(connection),
        };
        match moved.map_err(error::failed) {
            Ok(false) => is_stuck = false,
            Ok(true) => {
                rest = ROUNDS_BETWEEN;
                wal.empty_later();
            }
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

/// Whether somebody was in the way.
fn empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(WAIT_FOR_READERS)?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    connection.busy_timeout(BUSY)?;
    busy
}
