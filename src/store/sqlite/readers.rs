//! Two threads that read, each with a connection that cannot write, so that no read waits for the writer or keeps a
//! runtime's thread from its work.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::store::StoreError;
use crate::store::sqlite::error;

const WAITING: usize = 4096;

type Job = Box<dyn FnOnce(&Connection) + Send>;

pub(super) struct Readers {
    jobs: Mutex<Option<mpsc::SyncSender<Job>>>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl Readers {
    pub(super) fn start(connections: Vec<Connection>) -> io::Result<Self> {
        let (sender, jobs) = mpsc::sync_channel(WAITING);
        let jobs = Arc::new(Mutex::new(jobs));
        let mut threads = Vec::new();
        for connection in connections {
            let jobs = Arc::clone(&jobs);
            let thread = thread::Builder::new().name("store-reader".to_owned());
            threads.push(thread.spawn(move || run(&connection, &jobs))?);
        }
        Ok(Self {
            jobs: Mutex::new(Some(sender)),
            threads: Mutex::new(threads),
        })
    }

    /// Reads one snapshot that holds everything committed before the call.
    pub(super) async fn read<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = move |connection: &Connection| {
            // The caller may have stopped waiting.
            drop(answer.send(snapshot(connection, work)));
        };
        self.hand_over(Box::new(job))?;
        answered.await.unwrap_or_else(|_closed| Err(closed()))
    }

    pub(super) fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a reader of the store panicked");
            }
        }
    }

    fn hand_over(&self, job: Job) -> Result<(), StoreError> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = jobs.as_ref().ok_or_else(closed)?;
        sender.try_send(job).map_err(|refused| match refused {
            mpsc::TrySendError::Full(_) => error::unavailable("too many reads are waiting"),
            mpsc::TrySendError::Disconnected(_) => closed(),
        })
    }
}

fn run(connection: &Connection, jobs: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        job(connection);
    }
}

fn snapshot<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = connection.unchecked_transaction().map_err(error::failed)?;
    work(&transaction)
}

fn closed() -> StoreError {
    error::unavailable("the store is closed")
}
