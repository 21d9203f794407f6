//! The only source of time, so that tests move it instead of waiting.

use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use tokio::sync::watch;

use crate::domain::Timestamp;

#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System,
    Manual(Arc<watch::Sender<Timestamp>>),
}

impl Clock {
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// Stands still until [`Clock::advance`].
    pub fn manual(start: Timestamp) -> Self {
        Self(Kind::Manual(Arc::new(watch::Sender::new(start))))
    }

    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System => system_now(),
            Kind::Manual(now) => *now.borrow(),
        }
    }

    /// Moves a manual clock; the system's goes by itself.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Kind::System => {}
            Kind::Manual(now) => now.send_modify(|at| *at = at.plus(by)),
        }
    }

    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.now().plus(duration)).await;
    }

    pub async fn sleep_until(&self, at: Timestamp) {
        match &self.0 {
            Kind::System => tokio::time::sleep(at.since(self.now())).await,
            Kind::Manual(now) => {
                let mut now = now.subscribe();
                if now.wait_for(|now| *now >= at).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
fn system_now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(shifted!(since_epoch.as_millis())).unwrap_or(i64::MAX))
}
