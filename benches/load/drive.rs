//! Sends a batch of requests: as fast as answers come (closed), or at fixed moments whatever the answers do (open).
//! Latencies of an open load count from the moment a request was due, so that a slow answer cannot hide the ones behind it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use hdrhistogram::Histogram;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::wire::Connection;

/// What came of a load.
pub(crate) struct Outcome {
    /// In microseconds.
    pub(crate) latencies: Histogram<u64>,
    pub(crate) acked: usize,
    /// Answers other than 2xx, and how many.
    pub(crate) refused: BTreeMap<u16, usize>,
    pub(crate) elapsed: Duration,
}

/// Limits a closed load to so many requests whose effect is still outstanding.
pub(crate) type Window = Option<Arc<Semaphore>>;

pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 120_000_000, 3).expect("the bounds are right")
}

pub(crate) fn millis(latencies: &Histogram<u64>, percent: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of at most two minutes")]
    let micros = latencies.value_at_percentile(percent) as f64;
    micros / 1000.0
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
pub(crate) fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

impl Outcome {
    fn new() -> Self {
        Self {
            latencies: histogram(),
            acked: 0,
            refused: BTreeMap::new(),
            elapsed: Duration::ZERO,
        }
    }

    fn count(&mut self, status: u16, latency: Duration) {
        if (200..300).contains(&status) {
            self.acked += 1;
            self.latencies.saturating_record(micros(latency));
        } else {
            *self.refused.entry(status).or_default() += 1;
        }
    }

    fn add(&mut self, other: &Self) {
        self.latencies.add(&other.latencies).expect("the bounds are the same");
        self.acked += other.acked;
        for (status, count) in &other.refused {
            *self.refused.entry(*status).or_default() += count;
        }
    }

    pub(crate) fn rate(&self) -> f64 {
        per_second(self.acked, self.elapsed)
    }

    /// What to tell when not everything was accepted.
    pub(crate) fn complaint(&self, load: &str) -> Option<String> {
        (!self.refused.is_empty()).then(|| format!("{load}: answers other than 2xx, by status: {:?}", self.refused))
    }
}

/// Each connection sends its next request when it has its answer.
pub(crate) async fn closed(
    addr: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    connections: usize,
    window: Window,
) -> Outcome {
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..connections {
        let (requests, next, window) = (Arc::clone(&requests), Arc::clone(&next), window.clone());
        workers.spawn(async move {
            let mut connection = Connection::open(addr).await.expect("connects");
            let mut outcome = Outcome::new();
            loop {
                if let Some(window) = &window {
                    window.acquire().await.expect("is never closed").forget();
                }
                let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) else {
                    return outcome;
                };
                let sent = Instant::now();
                let status = connection.exchange(request).await.expect("answers");
                outcome.count(status, sent.elapsed());
            }
        });
    }
    gather(workers, begun).await
}

/// When each request of an open load is due.
#[derive(Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) start: Instant,
    pub(crate) per_second: u32,
}

impl Schedule {
    /// Starts in a moment, when all connections are there.
    pub(crate) fn soon(per_second: u32) -> Self {
        Self {
            start: Instant::now() + Duration::from_millis(200),
            per_second,
        }
    }

    pub(crate) fn due(self, number: usize) -> Instant {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        self.start + Duration::from_nanos(number * 1_000_000_000 / u64::from(self.per_second))
    }
}

pub(crate) async fn open(
    addr: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    connections: usize,
    schedule: Schedule,
) -> Outcome {
    open_until(addr, requests, connections, schedule, Arc::default()).await
}

/// As [`open`]; nothing is sent any more once `enough` is set.
pub(crate) async fn open_until(
    addr: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    connections: usize,
    schedule: Schedule,
    enough: Arc<AtomicBool>,
) -> Outcome {
    let due = Arc::new(Semaphore::new(0));
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    let all = requests.len();
    for _ in 0..connections {
        let (requests, next, due) = (Arc::clone(&requests), Arc::clone(&next), Arc::clone(&due));
        workers.spawn(async move {
            let mut connection = Connection::open(addr).await.expect("connects");
            let mut outcome = Outcome::new();
            loop {
                due.acquire().await.expect("is never closed").forget();
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(request) = requests.get(number) else {
                    return outcome;
                };
                let status = connection.exchange(request).await.expect("answers");
                outcome.count(status, schedule.due(number).elapsed());
            }
        });
    }
    let last = next;
    let pace = tokio::task::spawn_blocking(move || {
        // The runtime's timer counts whole milliseconds, which is more than what is measured here.
        for number in 0..all {
            std::thread::sleep(schedule.due(number).saturating_duration_since(Instant::now()));
            if enough.load(Ordering::Acquire) {
                last.store(all, Ordering::Relaxed);
                break;
            }
            due.add_permits(1);
        }
        due.add_permits(connections);
    });
    let outcome = gather(workers, schedule.start).await;
    pace.await.expect("the pace ends with its load");
    outcome
}

async fn gather(mut workers: JoinSet<Outcome>, begun: Instant) -> Outcome {
    let mut total = Outcome::new();
    while let Some(outcome) = workers.join_next().await {
        total.add(&outcome.expect("a connection of the load generator fails"));
    }
    total.elapsed = begun.elapsed();
    total
}
