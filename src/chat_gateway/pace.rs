//! How fast one 8x8 account is called. What matters more goes first, bots take turns, and when 8x8 asks to slow down, all
//! calls of the account do. Nothing waits longer than its caller has patience.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use crate::chat_gateway::pace_line::Line;
use crate::chat_gateway::pace_line::Waiter;
use crate::chat_gateway::speed::Speed;
use crate::chat_gateway::urgency::Urgency;

/// So many calls of one account wait at once; who comes then is told to come again.
const MOST: usize = 1024;
/// When they are to come.
const AGAIN: Duration = Duration::from_secs(1);

/// Shared by everything that calls one account.
#[derive(Debug)]
pub struct Pace(Mutex<State>);

#[derive(Debug)]
struct State {
    speed: Speed,
    line: Line,
}

enum Step {
    Go,
    /// First in line: to look again then.
    First(Duration),
    /// To be woken.
    Behind,
}

impl Pace {
    /// `per_second` is never exceeded; without it only 8x8's own complaints slow calls down.
    pub fn new(per_second: Option<u32>) -> Self {
        Self(Mutex::new(State {
            speed: Speed::new(per_second, Instant::now()),
            line: Line::default(),
        }))
    }

    /// From now on this limit holds; what was learnt of 8x8's own stays.
    pub fn limit(&self, per_second: Option<u32>) {
        self.state().speed.limit(per_second);
    }

    /// Waits for a turn. `Err` when there is none within `patience`: nothing was sent, and when to try again.
    pub(super) async fn turn(
        &self,
        urgency: Urgency,
        asker: Option<&Arc<str>>,
        patience: Duration,
    ) -> Result<(), Duration> {
        let start = Instant::now();
        let until = start + patience;
        let wake = {
            let mut state = self.state();
            if state.line.is_empty() && state.speed.take(start).is_ok() {
                return Ok(());
            }
            let held = state.speed.held(start);
            if !urgency.waits() || held > patience {
                return Err(held.max(AGAIN));
            }
            if state.line.len() >= MOST {
                return Err(AGAIN);
            }
            state.line.join(urgency, asker)
        };
        let place = Place { pace: self, wake };
        loop {
            let now = Instant::now();
            let look_again = match self.state().step(&place.wake, now) {
                Step::Go => return Ok(()),
                Step::First(after) => (now + after).min(until),
                Step::Behind => until,
            };
            if now >= until {
                return Err(self.state().speed.held(now).max(AGAIN));
            }
            tokio::select! {
                () = place.wake.notified() => {}
                () = tokio::time::sleep_until(look_again.into()) => {}
            }
        }
    }

    /// 8x8 asked to slow down. How long nothing is sent, and how many calls a second go then, where that is news.
    pub(super) fn throttled(&self, after: Option<Duration>) -> Option<(Duration, f64)> {
        self.state().speed.throttled(after, Instant::now())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn step(&mut self, waiter: &Waiter, now: Instant) -> Step {
        if !self.line.is_first(waiter) {
            return Step::Behind;
        }
        match self.speed.take(now) {
            Ok(()) => {
                self.line.served();
                Step::Go
            }
            Err(after) => Step::First(after),
        }
    }
}

/// A place in the line, given up when its caller goes away.
struct Place<'a> {
    pace: &'a Pace,
    wake: Waiter,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.pace.state();
        state.line.leave(&self.wake);
        if let Some(first) = state.line.first() {
            first.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn everybody_who_waits_has_a_turn() {
        let pace = Arc::new(Pace::new(Some(50)));
        let mut calls = JoinSet::new();
        for n in 0..80_u32 {
            let (pace, bot) = (Arc::clone(&pace), Arc::from(format!("bot {}", n % 3)));
            let urgency = [Urgency::Look, Urgency::Message, Urgency::Turn]
                .into_iter()
                .cycle()
                .nth(usize::try_from(n).unwrap())
                .unwrap();
            calls.spawn(async move { pace.turn(urgency, Some(&bot), PATIENCE).await });
        }
        while let Some(done) = calls.join_next().await {
            assert_eq!(done.unwrap(), Ok(()));
        }
        assert!(pace.state().line.is_empty());
    }

    #[tokio::test]
    async fn who_gives_up_leaves_no_hole_and_nobody_waits_beyond_their_patience() {
        let pace = Pace::new(Some(1));
        assert_eq!(pace.turn(Urgency::Turn, None, PATIENCE).await, Ok(()));
        let impatient = pace.turn(Urgency::Turn, None, Duration::from_millis(20));
        let patient = pace.turn(Urgency::Message, None, PATIENCE);
        let gone = tokio::time::timeout(Duration::from_millis(10), pace.turn(Urgency::Turn, None, PATIENCE));
        let (impatient, patient, gone) = tokio::join!(impatient, patient, gone);
        assert_eq!((impatient, patient), (Err(AGAIN), Ok(())));
        assert!(gone.is_err());
        assert!(pace.state().line.is_empty());
    }

    #[tokio::test]
    async fn typing_never_waits_and_a_long_hold_is_told_at_once() {
        let pace = Pace::new(None);
        assert_eq!(pace.turn(Urgency::Passing, None, PATIENCE).await, Ok(()));
        assert!(pace.throttled(Some(Duration::from_secs(40))).is_some());
        assert!(pace.turn(Urgency::Passing, None, PATIENCE).await.is_err());
        let after = pace.turn(Urgency::Turn, None, PATIENCE).await.unwrap_err();
        assert!(
            after > Duration::from_secs(39) && after <= Duration::from_secs(40),
            "{after:?}"
        );
    }

    #[tokio::test]
    async fn a_full_line_takes_nobody_in() {
        let pace = Pace::new(Some(1));
        while pace.turn(Urgency::Passing, None, PATIENCE).await.is_ok() {}
        for _ in 0..MOST {
            pace.state().line.join(Urgency::Message, None);
        }
        assert_eq!(pace.turn(Urgency::Turn, None, PATIENCE).await, Err(AGAIN));
    }
}
