//! The one thread that writes. It takes whatever waits, gives each job a savepoint of one transaction, and answers all of
//! them once that is on disk: under load many commits share one wait for the disk, alone a commit waits for nobody.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread;

use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::store::StoreError;
use crate::store::sqlite::checkpoint::WalGrew;
use crate::store::sqlite::error;
use crate::store::sqlite::error::Failure;
use crate::store::sqlite::figures::Figures;
use crate::store::sqlite::room::Room;

/// So many jobs may wait; one more is refused, so that a slow disk is felt outside instead of filling the memory.
const WAITING: usize = 4096;
/// So many jobs share a transaction.
const GROUP: usize = 256;

/// Who learns what became of transactions.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) wal: Arc<WalGrew>,
    pub(super) room: Arc<Room>,
    pub(super) figures: Figures,
}

/// What a job did: whether its writes are kept, and what its caller is told.
pub(super) enum Wrote<T> {
    Keep(T),
    /// Nothing of it is kept: the caller learns why.
    Undo(T),
}

pub(super) struct Writer {
    jobs: Mutex<Option<mpsc::SyncSender<Box<dyn Job>>>>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
    broken: CancellationToken,
}

impl Writer {
    pub(super) fn start(connection: Connection, told: Told, broken: CancellationToken) -> io::Result<Self> {
        let (sender, jobs) = mpsc::sync_channel(WAITING);
        let group = Group {
            connection,
            broken: broken.clone(),
            told,
        };
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || group.run(&jobs))?;
        Ok(Self {
            jobs: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            broken,
        })
    }

    /// Hands a job over at once, before the first wait: it is carried out even when the caller stops waiting.
    pub(super) async fn write<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<Wrote<T>, StoreError> + Send + 'static,
    {
        self.write_then(work, |_committed| ()).await
    }

    /// As [`Writer::write`]; `after` runs on the writer's thread once it is known whether the writes are on disk, before
    /// the caller is told and also when the caller has gone.
    pub(super) async fn write_then<T, W, A>(&self, work: W, after: A) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<Wrote<T>, StoreError> + Send + 'static,
        A: FnOnce(bool) + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let task = Task {
            work: Some(work),
            after,
            answer,
            result: None,
        };
        self.hand_over(Box::new(task))?;
        match answered.await {
            Ok(result) => result,
            Err(_closed) => Err(self.gone()),
        }
    }

    /// Carries out what was handed over, then ends the thread.
    pub(super) fn close(&self) {
        drop(lock(&self.jobs).take());
        let thread = lock(&self.thread).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            self.broken.cancel();
        }
    }

    fn hand_over(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        if self.broken.is_cancelled() {
            return Err(self.gone());
        }
        let jobs = lock(&self.jobs);
        let Some(sender) = jobs.as_ref() else {
            return Err(self.gone());
        };
        sender.try_send(job).map_err(|refused| match refused {
            mpsc::TrySendError::Full(_) => error::unavailable("too many writes are waiting for the disk"),
            mpsc::TrySendError::Disconnected(_) => self.gone(),
        })
    }

    fn gone(&self) -> StoreError {
        if self.broken.is_cancelled() {
            error::broken("an earlier write failed")
        } else {
            error::unavailable("the store is closed")
        }
    }
}

trait Job: Send {
    /// Runs inside the job's savepoint.
    fn run(&mut self, connection: &Connection) -> Run;
    /// Whether it failed for want of room, alone or with its group.
    fn found_no_room(&self) -> bool;
    /// Tells the caller, after the transaction.
    fn end(self: Box<Self>, transaction: Result<(), &Failure>);
}

enum Run {
    Keep,
    Undo,
    Failed(Failure),
}

struct Task<T, W, A> {
    work: Option<W>,
    after: A,
    answer: oneshot::Sender<Result<T, StoreError>>,
    result: Option<Result<T, StoreError>>,
}

impl<T, W, A> Job for Task<T, W, A>
where
    T: Send,
    W: FnOnce(&Connection) -> Result<Wrote<T>, StoreError> + Send,
    A: FnOnce(bool) + Send,
{
    fn run(&mut self, connection: &Connection) -> Run {
        let Some(work) = self.work.take() else {
            return Run::Undo;
        };
        let (run, result) = match work(connection) {
            Ok(Wrote::Keep(value)) => (Run::Keep, Ok(value)),
            Ok(Wrote::Undo(value)) => (Run::Undo, Ok(value)),
            Err(error) => (Run::Failed(Failure::of(&error)), Err(error)),
        };
        self.result = Some(result);
        run
    }

    fn found_no_room(&self) -> bool {
        matches!(self.result, Some(Err(StoreError::Full)))
    }

    fn end(self: Box<Self>, transaction: Result<(), &Failure>) {
        let result = match (transaction, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(error::unavailable("the job was not run")),
            (Err(failure), _) => Err(failure.error()),
        };
        (self.after)(result.is_ok());
        // The caller may have stopped waiting: the work is done all the same.
        drop(self.answer.send(result));
    }
}

struct Group {
    connection: Connection,
    broken: CancellationToken,
    told: Told,
}

impl Group {
    fn run(self, jobs: &mpsc::Receiver<Box<dyn Job>>) {
        let mut waiting = Vec::with_capacity(GROUP);
        // After `waiting`, so that it is dropped first: who waited for a job that panicked learns that all is broken.
        let guard = BrokenByPanic(self.broken.clone());
        while let Ok(job) = jobs.recv() {
            waiting.push(job);
            waiting.extend(jobs.try_iter().take(GROUP - 1));
            let transaction = self.transaction(&mut waiting);
            if let Err(failure @ Failure::Broken(why)) = &transaction {
                tracing::error!("the store failed while writing, nothing more is accepted: {why}");
                self.broken.cancel();
                end_all(&mut waiting, Err(failure));
                for job in jobs.try_iter() {
                    job.end(Err(failure));
                }
                break;
            }
            let found_no_room =
                matches!(transaction, Err(Failure::Full)) || waiting.iter().any(|job| job.found_no_room());
            if found_no_room {
                self.told.room.ran_out();
                self.told.figures.full.inc();
            }
            end_all(&mut waiting, transaction.as_ref().copied());
            self.told.wal.tell();
        }
        drop(guard);
    }

    fn transaction(&self, jobs: &mut [Box<dyn Job>]) -> Result<(), Failure> {
        failpoint!("store.before_transaction", Failure::Full);
        self.execute("BEGIN IMMEDIATE")?;
        for job in jobs {
            if let Err(failure) = self.savepoint(job.as_mut()) {
                self.roll_back();
                return Err(failure);
            }
        }
        failpoint!("store.before_commit");
        self.execute("COMMIT").inspect_err(|_failed| self.roll_back())?;
        failpoint!("store.after_commit");
        Ok(())
    }

    /// One job. An error that ends the whole transaction is returned; one of its own stays with the job.
    fn savepoint(&self, job: &mut dyn Job) -> Result<(), Failure> {
        self.execute("SAVEPOINT job")?;
        match job.run(&self.connection) {
            Run::Keep => {}
            Run::Undo => self.execute("ROLLBACK TO job")?,
            Run::Failed(failure) => {
                if matches!(failure, Failure::Broken(_)) || self.connection.is_autocommit() {
                    return Err(failure);
                }
                self.execute("ROLLBACK TO job")?;
            }
        }
        self.execute("RELEASE job")
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(failure) = self.execute("ROLLBACK")
        {
            tracing::error!("the store could not roll back: {failure:?}");
            self.broken.cancel();
        }
    }

    fn execute(&self, sql: &'static str) -> Result<(), Failure> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(|_rows| ())
            .map_err(|error| Failure::of(&error::failed(error)))
    }
}

/// A job that panics takes the thread with it: then nothing is known, as after a failed write.
struct BrokenByPanic(CancellationToken);

impl Drop for BrokenByPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.cancel();
        }
    }
}

fn end_all(jobs: &mut Vec<Box<dyn Job>>, transaction: Result<(), &Failure>) {
    for job in jobs.drain(..) {
        job.end(transaction);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(connection: Connection) -> (Writer, CancellationToken, Told) {
        connection
            .execute_batch("CREATE TABLE note (text TEXT NOT NULL)")
            .unwrap();
        let broken = CancellationToken::new();
        let told = Told {
            wal: Arc::default(),
            room: Arc::new(Room::new()),
            figures: Figures::default(),
        };
        let writer = Writer::start(connection, told.clone(), broken.clone()).unwrap();
        (writer, broken, told)
    }

    fn note(db: &Connection, text: &str) -> Result<Wrote<()>, StoreError> {
        db.execute("INSERT INTO note (text) VALUES (?1)", [text])
            .map_err(error::failed)?;
        Ok(Wrote::Keep(()))
    }

    async fn notes(writer: &Writer) -> i64 {
        let count = |db: &Connection| {
            let count = db.query_row("SELECT count(*) FROM note", [], |row| row.get(0));
            count.map(Wrote::Keep).map_err(error::failed)
        };
        writer.write(count).await.unwrap()
    }

    #[tokio::test]
    async fn a_job_that_fails_or_is_undone_leaves_the_others_of_its_group_alone() {
        let (writer, _broken, _told) = writer(Connection::open_in_memory().unwrap());
        let failing = writer.write(|db| {
            note(db, "half")?;
            db.execute("INSERT INTO nowhere VALUES (1)", [])
                .map_err(error::failed)?;
            Ok(Wrote::Keep(()))
        });
        let undone = writer.write(|db| note(db, "undone").map(|_kept| Wrote::Undo(7)));
        let (good, failing, undone) = tokio::join!(writer.write(|db| note(db, "good")), failing, undone);
        assert!(good.is_ok());
        assert!(matches!(failing, Err(StoreError::Unavailable(_))));
        assert_eq!(undone.unwrap(), 7);
        assert_eq!(notes(&writer).await, 1);
    }

    #[tokio::test]
    async fn a_full_disk_refuses_what_does_not_fit_and_nothing_else() {
        let connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "max_page_count", 8).unwrap();
        let (writer, broken, told) = writer(connection);
        let large = "x".repeat(100_000);
        let refused = writer.write(move |db| note(db, &large)).await;
        assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
        assert!(
            told.room.for_new().is_err(),
            "what is new waits, so that a settlement gets what room there is"
        );
        assert_eq!(told.figures.full.get(), 1);
        writer.write(|db| note(db, "small")).await.unwrap();
        assert_eq!(notes(&writer).await, 1);
        assert!(!broken.is_cancelled());
    }

    #[tokio::test]
    async fn a_disk_that_cannot_be_trusted_ends_all_writing() {
        let (writer, broken, _told) = writer(Connection::open_in_memory().unwrap());
        let told = Arc::new(Mutex::new(None));
        let after = Arc::clone(&told);
        let unwritten = writer.write_then(|db| note(db, "x"), move |committed| *lock(&after) = Some(committed));
        let failing = writer.write::<(), _>(|_db| Err(error::broken("the disk is gone")));
        let (_first, failed) = tokio::join!(unwritten, failing);
        assert!(matches!(failed, Err(StoreError::Broken(_))), "{failed:?}");
        assert!(lock(&told).is_some());
        broken.cancelled().await;
        let later = writer.write(|db| note(db, "later")).await;
        assert!(matches!(later, Err(StoreError::Broken(_))), "{later:?}");
    }

    #[tokio::test]
    async fn a_job_that_panics_breaks_the_store() {
        let (writer, broken, _told) = writer(Connection::open_in_memory().unwrap());
        let panicking = writer.write::<(), _>(|_db| panic!("as if by a mistake of ours"));
        let failed = panicking.await;
        assert!(matches!(failed, Err(StoreError::Broken(_))), "{failed:?}");
        assert!(broken.is_cancelled());
    }
}
