//! Starts every task, waits for all of them, and stops them in two stages: first asked, then cut off.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Cheap to clone; all clones share the same tasks and the same stop.
#[derive(Clone, Debug, Default)]
pub struct Supervisor {
    tracker: TaskTracker,
    stop: CancellationToken,
    failed: Arc<AtomicBool>,
}

/// The task was cut off before it had an answer: the process is stopping, or the task panicked.
#[derive(Debug, thiserror::Error)]
#[error("the work was cut off")]
pub struct CutOff;

impl Supervisor {
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the process is to stop; long-lived tasks end by it.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task that lives as long as the process. One that ends unasked, or panics, stops all others.
    pub fn start(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (stop, failed) = (self.stop.clone(), self.failed.clone());
        let guard = StopOnDrop { name, stop, failed };
        drop(self.tracker.spawn(async move {
            task.await;
            drop(guard);
        }));
    }

    /// Runs a piece of work to its end whether or not the caller keeps waiting, so that a client that hangs up does not
    /// tear a change apart.
    pub async fn finish<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, CutOff> {
        let (answer, answered) = oneshot::channel();
        self.run(async move {
            // The caller may have hung up: the work is done all the same.
            drop(answer.send(work.await));
        });
        answered.await.map_err(|_closed| CutOff)
    }

    /// Runs a piece of work that nobody waits for, but the stop does.
    pub fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.tracker.spawn(work));
    }

    /// Asks all tasks to end.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for all tasks, at most `grace`. `false` when some were still running.
    pub async fn stopped(&self, grace: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(grace, self.tracker.wait()).await.is_ok()
    }

    /// Whether a task ended that should not have.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }
}

struct StopOnDrop {
    name: &'static str,
    stop: CancellationToken,
    failed: Arc<AtomicBool>,
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if !self.stop.is_cancelled() {
            tracing::error!(task = self.name, "task ended unasked, stopping the process");
            self.failed.store(true, Ordering::Release);
            self.stop.cancel();
        }
    }
}
