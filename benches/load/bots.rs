//! Bots that take callbacks: each a port, an answer after a while, and a note of what arrived when and in which order.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::drive::micros;
use crate::events::number_in;
use crate::wire::Head;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const NOBODY: usize = usize::MAX;
const DRIP: Duration = Duration::from_secs(1);

pub(crate) struct Bots {
    pub(crate) addrs: Vec<SocketAddr>,
    pub(crate) seen: Arc<Seen>,
    _servers: JoinSet<()>,
}

/// What a bot does that is not well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Illness {
    /// Takes callbacks and answers none.
    Hangs,
    /// Answers with a byte a second.
    Drips,
    /// Closes every connection, without an answer.
    Refuses,
}

/// What all bots saw.
pub(crate) struct Seen {
    think: Duration,
    sick: Mutex<Option<(usize, Illness)>>,
    watched: AtomicUsize,
    /// When the watched bot was called.
    calls: Mutex<Vec<Instant>>,
    /// Connections and calls that a bot refused.
    pub(crate) refused: AtomicUsize,
    /// Microseconds for which a call was held that hangs or is answered too slowly.
    longest_held: AtomicU64,
    arrivals: Mutex<Option<Arc<Arrivals>>>,
    /// The newest sequence of each handover.
    newest: Mutex<HashMap<String, u64>>,
    pub(crate) accepted: AtomicUsize,
    /// Events that had come before.
    pub(crate) again: AtomicUsize,
    pub(crate) out_of_order: AtomicUsize,
}

/// When each event of a load first arrived.
pub(crate) struct Arrivals {
    since: Instant,
    first: usize,
    /// Nanoseconds since `since`; 0 while it has not arrived.
    at: Vec<AtomicU64>,
    arrived: AtomicUsize,
    /// Gets a permit back for each event that was answered.
    pub(crate) window: Option<Arc<Semaphore>>,
}

/// What an event is to a load.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Noted {
    First,
    Again,
    OfAnother,
}

impl Bots {
    pub(crate) async fn start(count: usize, think: Duration) -> Self {
        let seen = Arc::new(Seen {
            think,
            sick: Mutex::default(),
            watched: AtomicUsize::new(NOBODY),
            calls: Mutex::default(),
            refused: AtomicUsize::new(0),
            longest_held: AtomicU64::new(0),
            arrivals: Mutex::default(),
            newest: Mutex::default(),
            accepted: AtomicUsize::new(0),
            again: AtomicUsize::new(0),
            out_of_order: AtomicUsize::new(0),
        });
        let mut servers = JoinSet::new();
        let mut addrs = Vec::new();
        for bot in 0..count {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            addrs.push(listener.local_addr().expect("its address"));
            servers.spawn(listen(listener, bot, Arc::clone(&seen)));
        }
        Self {
            addrs,
            seen,
            _servers: servers,
        }
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.addrs
            .iter()
            .map(|addr| format!("http://{addr}/callback"))
            .collect()
    }
}

impl Seen {
    pub(crate) fn falls_ill(&self, bot: usize, illness: Illness) {
        *self.sick.lock().expect("no bot panics") = Some((bot, illness));
    }

    pub(crate) fn recovers(&self) {
        *self.sick.lock().expect("no bot panics") = None;
    }

    fn illness_of(&self, bot: usize) -> Option<Illness> {
        let sick = *self.sick.lock().expect("no bot panics");
        sick.filter(|(sick, _)| *sick == bot).map(|(_, illness)| illness)
    }

    fn refuses(&self, bot: usize) -> bool {
        let refuses = self.illness_of(bot) == Some(Illness::Refuses);
        if refuses {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        refuses
    }

    /// From now on notes when this bot is called.
    pub(crate) fn watch(&self, bot: usize) {
        self.watched.store(bot, Ordering::Release);
    }

    fn called(&self, bot: usize) {
        if self.watched.load(Ordering::Acquire) == bot {
            self.calls.lock().expect("no bot panics").push(Instant::now());
        }
    }

    /// When the watched bot was called, in order.
    pub(crate) fn calls(&self) -> Vec<Instant> {
        self.calls.lock().expect("no bot panics").clone()
    }

    fn held(&self, time: Duration) {
        self.longest_held.fetch_max(micros(time), Ordering::AcqRel);
    }

    pub(crate) fn longest_held(&self) -> Duration {
        Duration::from_micros(self.longest_held.load(Ordering::Acquire))
    }

    /// From now on notes the arrival of events `first..first + count`.
    pub(crate) fn expect(&self, first: usize, count: usize, window: Option<Arc<Semaphore>>) -> Arc<Arrivals> {
        let arrivals = Arc::new(Arrivals {
            since: Instant::now(),
            first,
            at: (0..count).map(|_| AtomicU64::new(0)).collect(),
            arrived: AtomicUsize::new(0),
            window,
        });
        *self.arrivals.lock().expect("no bot panics") = Some(Arc::clone(&arrivals));
        arrivals
    }

    fn arrived(&self, head: &Head<'_>, body: &[u8]) -> Option<Arc<Arrivals>> {
        let arrivals = self.arrivals.lock().expect("no bot panics").clone();
        let noted = match (&arrivals, number_in(body)) {
            (Some(arrivals), Some(number)) => arrivals.note(number),
            _ => Noted::OfAnother,
        };
        if noted == Noted::Again {
            self.again.fetch_add(1, Ordering::Relaxed);
        }
        let sequence: Option<u64> = head.field("handover-sequence").and_then(|text| text.parse().ok());
        if let (Some(handover), Some(sequence)) = (head.field("handover-id"), sequence) {
            let mut newest = self.newest.lock().expect("no bot panics");
            let last = newest.entry(handover.to_owned()).or_insert(0);
            if sequence > *last + 1 {
                self.out_of_order.fetch_add(1, Ordering::Relaxed);
            }
            *last = sequence.max(*last);
        }
        arrivals.filter(|_| noted == Noted::First)
    }
}

impl Arrivals {
    fn note(&self, number: usize) -> Noted {
        let Some(at) = number.checked_sub(self.first).and_then(|place| self.at.get(place)) else {
            return Noted::OfAnother;
        };
        let nanos = u64::try_from(self.since.elapsed().as_nanos())
            .unwrap_or(u64::MAX)
            .max(1);
        let first_time = at
            .compare_exchange(0, nanos, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if !first_time {
            return Noted::Again;
        }
        self.arrived.fetch_add(1, Ordering::AcqRel);
        Noted::First
    }

    pub(crate) fn count(&self) -> usize {
        self.arrived.load(Ordering::Acquire)
    }

    /// When the event at this place of its batch arrived.
    pub(crate) fn at(&self, place: usize) -> Option<Instant> {
        let nanos = self.at.get(place)?.load(Ordering::Acquire);
        (nanos > 0).then(|| self.since + Duration::from_nanos(nanos))
    }

    pub(crate) fn last(&self) -> Option<Instant> {
        (0..self.at.len()).filter_map(|place| self.at(place)).max()
    }

    /// Waits until so many have arrived, or for so long. Whether they have.
    pub(crate) async fn wait_for(&self, count: usize, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        while self.count() < count {
            if Instant::now() > until {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    }
}

async fn listen(listener: TcpListener, bot: usize, seen: Arc<Seen>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("accepts");
        if seen.refuses(bot) {
            continue;
        }
        let seen = Arc::clone(&seen);
        connections.spawn(async move {
            // The gateway may close a connection at any time.
            drop(serve(stream, bot, &seen).await);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: TcpStream, bot: usize, seen: &Seen) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8 * 1024);
    loop {
        let (length, arrivals) = loop {
            if let Some(head) = Head::read(&buffer)
                && buffer.len() >= head.length + head.body
            {
                if seen.refuses(bot) {
                    return Ok(());
                }
                seen.called(bot);
                let body = buffer.get(head.length..).unwrap_or_default();
                break (head.length + head.body, seen.arrived(&head, body));
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        if let Some(illness) = seen.illness_of(bot) {
            return hold(stream, illness, seen).await;
        }
        buffer.drain(..length);
        if !seen.think.is_zero() {
            tokio::time::sleep(seen.think).await;
        }
        stream.write_all(OK).await?;
        seen.accepted.fetch_add(1, Ordering::Relaxed);
        if let Some(window) = arrivals.and_then(|arrivals| arrivals.window.clone()) {
            window.add_permits(1);
        }
    }
}

/// Until the gateway has had enough and closes the connection.
async fn hold(mut stream: TcpStream, illness: Illness, seen: &Seen) -> io::Result<()> {
    let taken = Instant::now();
    match illness {
        Illness::Refuses => return Ok(()),
        Illness::Hangs => closed(&mut stream).await,
        Illness::Drips => {
            for byte in OK.chunks(1) {
                let is_open = stream.write_all(byte).await.is_ok();
                if !is_open || tokio::time::timeout(DRIP, closed(&mut stream)).await.is_ok() {
                    break;
                }
            }
        }
    }
    seen.held(taken.elapsed());
    Ok(())
}

/// What is left of the request is read over.
async fn closed(stream: &mut TcpStream) {
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}
