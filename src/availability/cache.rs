//! Keeps what a source said for a while. Of many who ask for one thing at once, one asks 8x8 and all get its answer; a
//! failure is kept too, so that a source that is down is not asked by every call; an old answer stands in for a missing
//! new one for as long as it is usable.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::availability::SourceError;
use crate::clock::Clock;
use crate::domain::Timestamp;

/// Ids come from calls, so there may be many; those unused for longest go.
const MOST: usize = 256;
/// The whole of one asking, tokens and repeats included: a bot's call waits for it.
const LIMIT: Duration = Duration::from_millis(2500);
/// How long 8x8 may ask for silence.
const LONGEST_SILENCE: Duration = Duration::from_mins(1);

pub(super) type Fetched<V> = Result<Got<V>, SourceError>;

#[derive(Clone)]
pub(super) struct Got<V> {
    pub(super) value: V,
    /// Until then 8x8 is not asked again.
    pub(super) fresh_for: Duration,
    /// Until then it stands in when 8x8 cannot be asked.
    pub(super) usable_for: Duration,
}

/// What is known of one thing now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known<V> {
    pub(super) value: Option<V>,
    /// When the value was got.
    pub(super) as_of: Option<Timestamp>,
    /// Why 8x8's newest word is missing.
    pub(super) problem: Option<SourceError>,
}

pub(super) struct Cache<V> {
    /// Whose and which, for the log.
    name: String,
    clock: Clock,
    /// How long a failure is kept.
    pause: Duration,
    entries: Mutex<HashMap<String, Entry<V>>>,
}

struct Entry<V> {
    kept: Option<Kept<V>>,
    problem: Option<SourceError>,
    ask_at: Timestamp,
    used_at: Timestamp,
    /// Under way. Whoever is first asks; should it give up, the next one in line does.
    flight: Option<Flight<V>>,
}

struct Kept<V> {
    value: V,
    at: Timestamp,
    usable_until: Timestamp,
}

type Flight<V> = Arc<OnceCell<Fetched<V>>>;

enum Next<V> {
    Answer(Known<V>),
    Ask(Flight<V>),
}

impl<V: Clone> Cache<V> {
    pub(super) fn new(name: String, pause: Duration, clock: Clock) -> Self {
        Self {
            name,
            clock,
            pause,
            entries: Mutex::default(),
        }
    }

    pub(super) async fn get(&self, key: &str, fetch: impl Future<Output = Fetched<V>>) -> Known<V> {
        let flight = match self.look_up(key) {
            Next::Answer(known) => return known,
            Next::Ask(flight) => flight,
        };
        let within_limit = async || {
            let fetched = tokio::time::timeout(LIMIT, fetch).await;
            fetched.unwrap_or(Err(SourceError::TimedOut))
        };
        let fetched = flight.get_or_init(within_limit).await.clone();
        self.land(key, &flight, fetched)
    }

    fn look_up(&self, key: &str) -> Next<V> {
        let now = self.clock.now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if !entries.contains_key(key) {
            make_room(&mut entries);
        }
        let entry = entries.entry(key.to_owned()).or_insert_with(|| Entry::new(now));
        entry.used_at = now;
        if now < entry.ask_at {
            return Next::Answer(entry.known(now));
        }
        Next::Ask(Arc::clone(entry.flight.get_or_insert_default()))
    }

    /// Remembers what came. The first caller to come back does it for all.
    fn land(&self, key: &str, flight: &Flight<V>, fetched: Fetched<V>) -> Known<V> {
        let now = self.clock.now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry(key.to_owned()).or_insert_with(|| Entry::new(now));
        let is_first = entry.flight.as_ref().is_none_or(|known| Arc::ptr_eq(known, flight));
        if !is_first {
            return entry.known(now);
        }
        let before = entry.problem;
        entry.take(fetched, now, self.pause);
        let (after, known) = (entry.problem, entry.known(now));
        drop(entries);
        match (before, after) {
            (before, Some(problem)) if before != after => {
                tracing::warn!(source = self.name, %problem, "8x8 does not say whether somebody is there");
            }
            (Some(_), None) => tracing::info!(source = self.name, "8x8 says again whether somebody is there"),
            (_, _) => {}
        }
        known
    }
}

impl<V: Clone> Entry<V> {
    const fn new(now: Timestamp) -> Self {
        Self {
            kept: None,
            problem: None,
            ask_at: now,
            used_at: now,
            flight: None,
        }
    }

    fn take(&mut self, fetched: Fetched<V>, now: Timestamp, pause: Duration) {
        self.flight = None;
        match fetched {
            Ok(fresh) => {
                self.problem = None;
                self.ask_at = now.plus(fresh.fresh_for);
                self.kept = Some(Kept {
                    value: fresh.value,
                    at: now,
                    usable_until: now.plus(fresh.usable_for.max(fresh.fresh_for)),
                });
            }
            Err(problem) => {
                self.problem = Some(problem);
                let asked_for = match problem {
                    SourceError::Throttled { after } => after.unwrap_or_default().min(LONGEST_SILENCE),
                    _ => Duration::ZERO,
                };
                self.ask_at = now.plus(pause.max(asked_for));
            }
        }
    }

    fn known(&self, now: Timestamp) -> Known<V> {
        let kept = self.kept.as_ref().filter(|kept| now < kept.usable_until);
        Known {
            value: kept.map(|kept| kept.value.clone()),
            as_of: kept.map(|kept| kept.at),
            problem: self.problem,
        }
    }
}

impl<V> fmt::Debug for Cache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn make_room<V>(entries: &mut HashMap<String, Entry<V>>) {
    if entries.len() < MOST {
        return;
    }
    let longest_unused = entries.iter().min_by_key(|(_, entry)| entry.used_at);
    if let Some(key) = longest_unused.map(|(key, _)| key.clone()) {
        entries.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Duration = Duration::from_secs(10);
    const USABLE: Duration = Duration::from_mins(1);

    fn cache() -> (Cache<u32>, Clock) {
        let clock = Clock::manual(Timestamp::from_millis(1_000_000));
        (Cache::new("acme statistics".to_owned(), FRESH, clock.clone()), clock)
    }

    fn fresh(value: u32) -> impl Future<Output = Fetched<u32>> {
        std::future::ready(Ok(Got {
            value,
            fresh_for: FRESH,
            usable_for: USABLE,
        }))
    }

    fn never() -> impl Future<Output = Fetched<u32>> {
        std::future::poll_fn(|_context| panic!("8x8 is asked although the answer is fresh"))
    }

    #[tokio::test]
    async fn an_answer_is_used_while_it_is_fresh_and_asked_for_after() {
        let (cache, clock) = cache();
        let first = cache.get("101", fresh(1)).await;
        assert_eq!((first.value, first.as_of), (Some(1), Some(clock.now())));
        clock.advance(Duration::from_secs(9));
        assert_eq!(cache.get("101", never()).await, first);
        assert_eq!(cache.get("102", fresh(7)).await.value, Some(7));
        clock.advance(Duration::from_secs(1));
        assert_eq!(cache.get("101", fresh(2)).await.value, Some(2));
    }

    #[tokio::test]
    async fn an_old_answer_stands_in_until_it_is_too_old() {
        let (cache, clock) = cache();
        let got_at = clock.now();
        cache.get("101", fresh(1)).await;
        clock.advance(FRESH);
        let stale = cache.get("101", async { Err(SourceError::TimedOut) }).await;
        let known = Known {
            value: Some(1),
            as_of: Some(got_at),
            problem: Some(SourceError::TimedOut),
        };
        assert_eq!(stale, known);
        assert_eq!(cache.get("101", never()).await, known, "a failure is kept too");
        clock.advance(USABLE);
        let gone = cache.get("101", async { Err(SourceError::Unreachable) }).await;
        assert_eq!((gone.value, gone.as_of), (None, None));
        assert_eq!(gone.problem, Some(SourceError::Unreachable));
        clock.advance(FRESH);
        let back = cache.get("101", fresh(3)).await;
        assert_eq!((back.value, back.problem), (Some(3), None));
    }

    #[tokio::test]
    async fn many_who_ask_at_once_are_one_asking() {
        let (cache, _clock) = cache();
        let asked = std::sync::atomic::AtomicU32::new(0);
        let ask = || {
            cache.get("101", async {
                let count = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                tokio::task::yield_now().await;
                fresh(count).await
            })
        };
        let answers = futures_util::future::join_all((0..20).map(|_| ask())).await;
        assert!(answers.iter().all(|known| known.value == Some(0)), "{answers:?}");
    }

    #[tokio::test]
    async fn the_next_in_line_asks_when_the_first_goes_away() {
        let (cache, _clock) = cache();
        let first = cache.get("101", std::future::pending());
        let gone = tokio::time::timeout(Duration::from_millis(5), first).await;
        assert!(gone.is_err());
        assert_eq!(cache.get("101", fresh(5)).await.value, Some(5));
    }

    #[tokio::test]
    async fn a_source_that_limits_the_rate_is_left_alone_as_long_as_it_asks() {
        let (cache, clock) = cache();
        let after = Some(Duration::from_secs(30));
        cache.get("101", async { Err(SourceError::Throttled { after }) }).await;
        clock.advance(Duration::from_secs(29));
        cache.get("101", never()).await;
        clock.advance(Duration::from_secs(1));
        assert_eq!(cache.get("101", fresh(1)).await.value, Some(1));
    }

    #[tokio::test]
    async fn the_number_of_entries_is_bounded() {
        let (cache, clock) = cache();
        for id in 0..1000_u32 {
            clock.advance(Duration::from_millis(1));
            cache.get(&id.to_string(), fresh(id)).await;
        }
        assert_eq!(cache.entries.lock().unwrap().len(), MOST);
        assert_eq!(cache.get("999", never()).await.value, Some(999));
    }
}
