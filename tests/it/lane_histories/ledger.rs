//! What the bots saw, and what the store says without being asked through the gateway.

use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use rusqlite::Connection;

use crate::lane_histories::steps::BOTS;
use crate::lane_histories::steps::How;
use crate::support::bot::Bots;
use crate::support::bot::Callback;
use crate::support::reply::Reply;

/// Delivered, as the store has it.
const DONE: &str = "SELECT e.id FROM event e JOIN lane l ON l.handover = e.handover
 LEFT JOIN delivery d ON d.event = e.id
 WHERE e.sequence <= l.head AND (d.event IS NULL OR d.status = 'done')";

/// Lanes and single events that something is still to be done about.
const UNDER_WAY: &str = "SELECT (SELECT count(*) FROM lane WHERE head < tail AND stopped = 0)
 + (SELECT count(*) FROM delivery d JOIN lane l ON l.handover = d.handover WHERE d.status = 'aside' AND l.stopped = 0)";

const FAILED: &str = "SELECT event FROM delivery WHERE status = 'failed'";

/// What waits for somebody to lift a 410.
const STOPPED: &str = "SELECT e.id FROM event e JOIN lane l ON l.handover = e.handover
 LEFT JOIN delivery d ON d.event = e.id
 WHERE l.stopped = 1 AND (e.sequence > l.head OR d.status IN ('aside', 'waiting')) ORDER BY e.handover, e.sequence";

#[derive(Clone)]
pub(crate) struct Ledger {
    pub(crate) bots: Bots,
    shared: Arc<Shared>,
}

struct Shared {
    how: Mutex<HashMap<String, How>>,
    /// Events that were delivered and that nobody asked for since.
    done: Mutex<HashSet<String>>,
    again: Mutex<Vec<String>>,
}

impl Ledger {
    pub(crate) async fn open() -> Self {
        let bots = Bots::start().await;
        let how = BOTS.map(|bot| (bot.to_owned(), How::Well));
        let shared = Arc::new(Shared {
            how: Mutex::new(how.into()),
            done: Mutex::default(),
            again: Mutex::default(),
        });
        let watched = Arc::clone(&shared);
        bots.answer(1, Reply::status(204), move |callback| {
            watched.watch(callback);
            false
        });
        for (how, reply) in [
            (How::Fails, Reply::status(500)),
            (How::Overloaded, Reply::status(503)),
            (How::Throttles, Reply::status(429).header("retry-after", "20")),
            (How::Gone, Reply::status(410)),
            (How::Hangs, Reply::hang()),
            (How::Cuts, Reply::close()),
        ] {
            let now = Arc::clone(&shared);
            bots.answer(usize::MAX, reply, move |callback| {
                now.how.lock().unwrap()[&callback.bot] == how
            });
        }
        Self { bots, shared }
    }

    pub(crate) fn answers(&self, bot: &str, how: How) {
        self.shared.how.lock().unwrap().insert(bot.to_owned(), how);
    }

    /// An event is asked for: it may come again.
    pub(crate) fn asked_for(&self, event: &str) {
        self.shared.done.lock().unwrap().remove(event);
    }

    /// From now on what the store has as delivered is not to come again.
    pub(crate) fn note_done(&self, store: &Store) {
        self.shared.done.lock().unwrap().extend(store.done());
    }

    /// What came again without being asked for.
    pub(crate) fn again(&self) -> Vec<String> {
        self.shared.again.lock().unwrap().clone()
    }

    pub(crate) fn accepted(&self) -> HashSet<String> {
        let callbacks = self.bots.callbacks();
        let good = callbacks.iter().filter(|callback| callback.answered == Some(204));
        good.map(|callback| callback.id().to_owned()).collect()
    }

    /// Of each handover, the sequences that came from the head of its lane, in the order in which they came.
    pub(crate) fn heads(&self) -> HashMap<String, Vec<u64>> {
        self.sequences(0, |callback| callback.data()["late"] != true)
    }

    /// Of each handover, what was posted again because somebody asked, from the so manieth callback on.
    pub(crate) fn replays(&self, from: usize) -> HashMap<String, Vec<u64>> {
        self.sequences(from, |callback| callback.header("handover-replay") == "1")
    }

    fn sequences(&self, from: usize, matches: impl Fn(&Callback) -> bool) -> HashMap<String, Vec<u64>> {
        let mut all: HashMap<String, Vec<u64>> = HashMap::new();
        for callback in self
            .bots
            .callbacks()
            .iter()
            .skip(from)
            .filter(|callback| matches(callback))
        {
            let sequences = all.entry(callback.handover().to_owned()).or_default();
            sequences.push(callback.sequence());
        }
        all
    }
}

impl Shared {
    fn watch(&self, callback: &Callback) {
        if self.done.lock().unwrap().contains(callback.id()) {
            let again = format!("{} {}", callback.handover(), callback.sequence());
            self.again.lock().unwrap().push(again);
        }
    }
}

/// The file beside the gateway that uses it.
pub(crate) struct Store(Connection);

impl Store {
    pub(crate) fn of(path: &Path) -> Self {
        Self(Connection::open(path).unwrap())
    }

    fn done(&self) -> HashSet<String> {
        self.ids(DONE).into_iter().collect()
    }

    pub(crate) fn failed(&self) -> HashSet<String> {
        self.ids(FAILED).into_iter().collect()
    }

    /// By handover and sequence.
    pub(crate) fn stopped(&self) -> Vec<String> {
        self.ids(STOPPED)
    }

    pub(crate) fn under_way(&self) -> usize {
        let count: i64 = self.0.query_row(UNDER_WAY, [], |row| row.get(0)).unwrap();
        usize::try_from(count).unwrap()
    }

    fn ids(&self, sql: &str) -> Vec<String> {
        let mut statement = self.0.prepare_cached(sql).unwrap();
        statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }
}
