//! The only source of time, so that tests move it instead of waiting, and so that a clock that is set does no harm.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use tokio::sync::watch;

use crate::domain::Timestamp;

/// How fast [`Clock::now`] follows a machine's clock that was set: by a tenth of the time that passes.
const SLEW: u32 = 10;
/// So far apart is more than the machine's own corrections make.
const APART: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System(Arc<Mutex<Steady>>),
    Manual(Arc<watch::Sender<Timestamp>>),
}

/// A clock that starts at the machine's, never goes back, and never jumps: an hour that somebody adds to the machine's clock
/// must not end the handovers of all who wait, and one that is taken away must not keep anybody waiting an hour longer.
#[derive(Debug)]
struct Steady {
    /// Since the machine was started: nobody sets this one.
    up: Duration,
    /// What was told then, since the epoch.
    told: Duration,
    apart: bool,
}

impl Clock {
    pub fn system() -> Self {
        let (up, wall) = (uptime(), wall());
        Self(Kind::System(Arc::new(Mutex::new(Steady::new(up, wall)))))
    }

    /// Stands still until [`Clock::advance`].
    pub fn manual(start: Timestamp) -> Self {
        Self(Kind::Manual(Arc::new(watch::Sender::new(start))))
    }

    /// For everything that waits, times out, or is put in order.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System(steady) => {
                let (up, wall) = (uptime(), wall());
                timestamp(steady.lock().unwrap_or_else(PoisonError::into_inner).read(up, wall))
            }
            Kind::Manual(now) => *now.borrow(),
        }
    }

    /// What the machine's clock says, for what others compare with theirs: signatures.
    pub fn wall(&self) -> Timestamp {
        match &self.0 {
            Kind::System(_) => timestamp(wall()),
            Kind::Manual(now) => *now.borrow(),
        }
    }

    /// Moves a manual clock; the system's goes by itself.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Kind::System(_) => {}
            Kind::Manual(now) => now.send_modify(|at| *at = at.plus(by)),
        }
    }

    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.now().plus(duration)).await;
    }

    pub async fn sleep_until(&self, at: Timestamp) {
        match &self.0 {
            Kind::System(_) => loop {
                let left = at.since(self.now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left).await;
            },
            Kind::Manual(now) => {
                let mut now = now.subscribe();
                if now.wait_for(|now| *now >= at).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

impl Steady {
    const fn new(up: Duration, wall: Duration) -> Self {
        Self {
            up,
            told: wall,
            apart: false,
        }
    }

    fn read(&mut self, up: Duration, wall: Duration) -> Duration {
        let passed = up.saturating_sub(self.up);
        let (free, most) = (self.told + passed, passed / SLEW);
        let (ahead, behind) = (wall.saturating_sub(free), free.saturating_sub(wall));
        self.told = (free + ahead.min(most)).saturating_sub(behind.min(most));
        self.up = self.up.max(up);
        self.watch(wall);
        self.told
    }

    fn watch(&mut self, wall: Duration) {
        let apart = self.told.abs_diff(wall);
        if apart > APART && !self.apart {
            self.apart = true;
            tracing::warn!("the machine's clock was set by {apart:?}: time-outs follow it slowly, signatures at once");
        } else if apart <= APART / 2 {
            self.apart = false;
        }
    }
}

fn timestamp(since_epoch: Duration) -> Timestamp {
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
fn wall() -> Duration {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(u64::try_from(shifted!(since_epoch.as_millis())).unwrap_or(u64::MAX))
}

/// Also counts the time a machine was asleep.
#[cfg(target_os = "linux")]
fn uptime() -> Duration {
    let up = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME);
    up.map(Duration::from).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn uptime() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_hours(400_000);

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn it_says_what_the_machine_says() {
        let mut steady = Steady::new(secs(7), START);
        for passed in [0, 1, 60, 3600] {
            assert_eq!(
                steady.read(secs(7 + passed), START + secs(passed)),
                START + secs(passed)
            );
        }
    }

    #[test]
    fn an_hour_that_somebody_adds_ends_nothing_early() {
        let mut steady = Steady::new(secs(0), START);
        let hour = secs(3600);
        assert_eq!(steady.read(secs(0), START + hour), START);
        assert_eq!(steady.read(secs(100), START + hour + secs(100)), START + secs(110));
        assert!(steady.apart);
        let all = secs(40_000);
        assert_eq!(steady.read(all, START + hour + all), START + hour + all);
        assert!(!steady.apart);
    }

    #[test]
    fn an_hour_that_somebody_takes_away_stops_nothing() {
        let mut steady = Steady::new(secs(0), START);
        let back = START.saturating_sub(secs(3600));
        assert_eq!(steady.read(secs(0), back), START);
        assert_eq!(steady.read(secs(100), back + secs(100)), START + secs(90));
        assert_eq!(steady.read(secs(40_000), back + secs(40_000)), back + secs(40_000));
    }

    #[test]
    fn it_never_goes_back_whatever_the_machine_says() {
        let mut steady = Steady::new(secs(0), START);
        let mut last = START;
        for (up, wall) in [(1, 9_000), (1, 0), (2, 50), (5, 1), (5, 4_000), (4, 9), (60, 0)] {
            let now = steady.read(secs(up), (START + secs(wall)).saturating_sub(secs(4_000)));
            assert!(now >= last, "{up} {wall}");
            last = now;
        }
    }

    #[tokio::test]
    async fn what_sleeps_until_a_time_does_not_wake_before_it() {
        let clock = Clock::system();
        let at = clock.now().plus(Duration::from_millis(20));
        clock.sleep_until(at).await;
        assert!(clock.now() >= at);
    }
}
