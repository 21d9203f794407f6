//! Two threads that read, each with a connection that cannot write, so that no read waits for the writer or keeps a
//! runtime's thread from its work.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::store::StoreError;
use crate::store::sqlite::error;
use crate::store::sqlite::figures::Figures;

const WAITING: usize = 4096;
/// What a snapshot needs cannot leave the log: a read that takes longer is ended, so that the log stays within its bound.
const LONGEST: Duration = Duration::from_secs(10);
/// So many of SQLite's steps lie between two looks at the time.
const STEPS: i32 = 10_000;

struct Job {
    limit: Option<Duration>,
    work: Box<dyn FnOnce(&Connection) + Send>,
}

pub(super) struct Readers {
    jobs: Mutex<Option<mpsc::SyncSender<Job>>>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl Readers {
    pub(super) fn start(connections: Vec<Connection>, figures: &Figures) -> io::Result<Self> {
        let (sender, jobs) = mpsc::sync_channel(WAITING);
        let jobs = Arc::new(Mutex::new(jobs));
        let mut threads = Vec::new();
        for connection in connections {
            let jobs = Arc::clone(&jobs);
            let figures = figures.clone();
            let thread = thread::Builder::new().name("store-reader".to_owned());
            threads.push(thread.spawn(move || run(connection, &jobs, &figures))?);
        }
        Ok(Self {
            jobs: Mutex::new(Some(sender)),
            threads: Mutex::new(threads),
        })
    }

    /// Reads one snapshot that holds everything committed before the call. A read that takes long is ended.
    pub(super) async fn read<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.read_within(Some(LONGEST), work).await
    }

    /// Likewise, for the one read that may take its time because nothing is written yet.
    pub(super) async fn read_all<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.read_within(None, work).await
    }

    async fn read_within<T, W>(&self, limit: Option<Duration>, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = move |connection: &Connection| {
            // The caller may have stopped waiting.
            drop(answer.send(snapshot(connection, work)));
        };
        let job = Job {
            limit,
            work: Box::new(job),
        };
        self.hand_over(job)?;
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

fn run(mut connection: Connection, jobs: &Mutex<mpsc::Receiver<Job>>, figures: &Figures) {
    let deadline: Arc<Mutex<Option<Instant>>> = Arc::default();
    if let Err(error) = connection.progress_handler(STEPS, Some(cut_short(&deadline, figures.clone()))) {
        tracing::error!(%error, "reads of the store cannot be limited");
    }
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        *deadline.lock().unwrap_or_else(PoisonError::into_inner) = job.limit.map(|limit| Instant::now() + limit);
        (job.work)(&connection);
    }
}

/// Asked by SQLite while it works; says whether it is to stop.
fn cut_short(deadline: &Arc<Mutex<Option<Instant>>>, figures: Figures) -> impl FnMut() -> bool + Send + use<> {
    let deadline = Arc::clone(deadline);
    move || {
        let mut deadline = deadline.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = deadline.is_some_and(|deadline| Instant::now() > deadline);
        if is_over {
            // Once a read: what is left of it has to end its transaction.
            *deadline = None;
            figures.cut_short.inc();
            tracing::warn!("a read of the store took longer than {LONGEST:?} and was ended");
        }
        is_over
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

#[cfg(test)]
mod tests {
    use super::*;

    const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

    fn count(connection: &Connection, sql: &str) -> Result<i64, StoreError> {
        connection.query_row(sql, [], |row| row.get(0)).map_err(error::failed)
    }

    #[tokio::test]
    async fn a_read_without_end_is_ended_and_the_next_one_is_served() {
        let figures = Figures::default();
        let readers = Readers::start(vec![Connection::open_in_memory().unwrap()], &figures).unwrap();
        let limit = Some(Duration::from_millis(50));
        let ended = readers.read_within(limit, |db| count(db, ENDLESS)).await;
        assert!(matches!(ended, Err(StoreError::Unavailable(_))), "{ended:?}");
        assert_eq!(figures.cut_short.get(), 1);
        assert_eq!(readers.read(|db| count(db, "SELECT 7")).await.unwrap(), 7);
    }
}
