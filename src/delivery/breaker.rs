//! Whether a bot may be called now. A bot that fails is left alone and asked with one call from time to time; one that is
//! back is called at a rate that grows, so that what waited does not fall on it all at once. Pure: time, the bot's usual
//! rate and chance are arguments.

use std::collections::VecDeque;
use std::time::Duration;

use crate::delivery::recent::Recent;
use crate::domain::HandoverId;
use crate::domain::Timestamp;

/// Half of the calls of so many seconds failed, of at least so many …
const WINDOW: usize = 30;
const LEAST_CALLS: u32 = 20;
/// … or so many failed one after the other.
const IN_A_ROW: u32 = 10;
/// So many of several handovers, while the bot is only just back.
const IN_A_ROW_WHEN_BACK: u32 = 3;
/// So many handovers are remembered that made it look away again.
const BLAMED: usize = 16;
/// The wait before the first probe; it doubles with each that fails, up to the second.
const PROBE_WAIT: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(2));
/// How many times its usual rate a bot gets while it catches up. With [`BURST`] on top it stays below twice that.
const CATCH_UP: f64 = 1.8;
/// Calls a second that every bot is taken to stand while it catches up.
const LEAST_RATE: f64 = 9.0;
/// So much of a second's calls may go at once.
const BURST: f64 = 0.1;
/// A bot that is back has caught up when for so long no call had to wait for the rate.
const CAUGHT_UP: Duration = Duration::from_secs(2);

/// What the end of a call says about the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Health,
    /// The bot is in trouble, whatever the event was.
    Trouble,
    /// The bot, or this event: several handovers have to fail before it is the bot.
    Doubt,
    Nothing,
}

/// A call that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) sign: Sign,
    pub(crate) handover: &'a HandoverId,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Timestamp,
    /// The bot wants to be left alone so long.
    pub(crate) retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    Now,
    NotBefore(Timestamp),
    /// Not before the probe under way has ended.
    AfterProbe,
}

/// The beginning or the end of an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Opened { since: Timestamp },
    Closed { since: Timestamp },
}

#[derive(Debug)]
pub(crate) struct Breaker(State);

#[derive(Debug)]
enum State {
    Closed { recent: Box<Recent<WINDOW>>, row: Row },
    Open { outage: Outage, probe: Probe },
    Back { outage: Outage, pace: Pace, row: Row },
}

/// From the opening to the closing; a bot that fails again before it has caught up is still in the same.
#[derive(Clone, Debug)]
struct Outage {
    since: Timestamp,
    /// Before the next probe.
    wait: Duration,
    /// Calls a second, before.
    usual: f64,
    /// Handovers whose failures showed it to be away again just after it was back. None of them does so a second time: it may
    /// be that one alone.
    blamed: VecDeque<HandoverId>,
}

impl Outage {
    fn new(since: Timestamp, usual: f64) -> Self {
        let (wait, _) = PROBE_WAIT;
        let blamed = VecDeque::new();
        Self {
            since,
            wait,
            usual,
            blamed,
        }
    }

    fn blaming(mut self, handover: &HandoverId) -> Self {
        if !self.blamed.contains(handover) {
            self.blamed.push_back(handover.clone());
        }
        while self.blamed.len() > BLAMED {
            self.blamed.pop_front();
        }
        self
    }
}

#[derive(Clone, Copy, Debug)]
enum Probe {
    At(Timestamp),
    /// Ends of calls that began before are of no interest.
    Sent(Timestamp),
}

/// Failures with no success between them.
#[derive(Debug, Default)]
struct Row {
    failures: u32,
    troubles: u32,
    first: Option<HandoverId>,
    /// Of other handovers than the first.
    others: u32,
}

#[derive(Debug)]
struct Pace {
    begun: Timestamp,
    /// Calls that may go now.
    ready: f64,
    counted_at: Timestamp,
    /// When a call had to wait last.
    held_back_at: Timestamp,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self(State::Closed {
            recent: Box::new(Recent::new()),
            row: Row::default(),
        })
    }

    /// One whose bot was away when the process before this one ended.
    pub(crate) fn open(since: Timestamp, usual: f64, now: Timestamp) -> Self {
        Self(State::Open {
            outage: Outage::new(since, usual),
            probe: Probe::At(now),
        })
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.0, State::Closed { .. })
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.0, State::Open { .. })
    }

    pub(crate) fn is_back(&self) -> bool {
        matches!(self.0, State::Back { .. })
    }

    /// The rate the bot was used to before the outage.
    pub(crate) fn usual(&self) -> Option<f64> {
        match &self.0 {
            State::Closed { .. } => None,
            State::Open { outage, .. } | State::Back { outage, .. } => Some(outage.usual),
        }
    }

    /// Whether a call may start now. `usual` is how many events a second there are for the bot at present.
    pub(crate) fn leave(&mut self, now: Timestamp, usual: f64) -> Leave {
        match &mut self.0 {
            State::Closed { .. } => Leave::Now,
            State::Open { probe, .. } => match *probe {
                Probe::At(at) if at <= now => Leave::Now,
                Probe::At(at) => Leave::NotBefore(at),
                Probe::Sent(_) => Leave::AfterProbe,
            },
            State::Back { outage, pace, .. } => pace.leave(now, outage.usual.max(usual)),
        }
    }

    /// A call is about to start.
    pub(crate) fn start(&mut self, now: Timestamp, jitter: f64) {
        match &mut self.0 {
            State::Closed { .. } => {}
            State::Open { probe, .. } => *probe = Probe::Sent(now),
            State::Back { pace, .. } => pace.ready -= 0.75 + 0.5 * jitter,
        }
    }

    /// It was not made after all.
    pub(crate) fn withdraw(&mut self, now: Timestamp) {
        match &mut self.0 {
            State::Open { probe, .. } => *probe = Probe::At(now),
            State::Back { pace, .. } => pace.ready += 1.0,
            State::Closed { .. } => {}
        }
    }

    /// A call has ended.
    pub(crate) fn learn(&mut self, call: &Call<'_>, usual: f64, jitter: f64) -> Option<Turn> {
        let now = call.ended_at;
        match &mut self.0 {
            State::Closed { recent, row } => {
                let opens = row.opens(call, IN_A_ROW) | counts(recent, call.sign, now);
                opens.then(|| {
                    let since = now;
                    self.leave_alone(Outage::new(since, usual), call, jitter);
                    Turn::Opened { since }
                })
            }
            State::Open { outage, probe } => {
                if matches!(probe, Probe::Sent(at) if *at <= call.started_at) {
                    let outage = outage.clone();
                    match call.sign {
                        Sign::Health | Sign::Nothing => self.welcome(outage, now),
                        Sign::Trouble | Sign::Doubt => self.leave_alone(outage, call, jitter),
                    }
                }
                None
            }
            State::Back { outage, pace, row } => {
                let is_news = call.sign == Sign::Trouble && !outage.blamed.contains(call.handover);
                if call.started_at >= pace.begun && (row.opens(call, IN_A_ROW_WHEN_BACK) || is_news) {
                    let outage = outage.clone().blaming(call.handover);
                    self.leave_alone(outage, call, jitter);
                }
                None
            }
        }
    }

    /// To be asked about once a second while the bot is back: whether it has caught up, which ends the outage.
    pub(crate) fn caught_up(&mut self, now: Timestamp) -> Option<Turn> {
        let State::Back { outage, pace, .. } = &self.0 else {
            return None;
        };
        let (since, quiet) = (outage.since, now.since(pace.held_back_at.max(pace.begun)));
        (quiet >= CAUGHT_UP).then(|| {
            *self = Self::new();
            Turn::Closed { since }
        })
    }

    fn leave_alone(&mut self, outage: Outage, call: &Call<'_>, jitter: f64) {
        let (least, most) = PROBE_WAIT;
        let wait = outage.wait.mul_f64(1.0 - 0.25 * jitter).max(least);
        let at = call.ended_at.plus(wait.max(call.retry_after.unwrap_or_default()));
        let wait = outage.wait.saturating_mul(2).min(most);
        self.0 = State::Open {
            outage: Outage { wait, ..outage },
            probe: Probe::At(at),
        };
    }

    fn welcome(&mut self, outage: Outage, now: Timestamp) {
        let pace = Pace {
            begun: now,
            ready: 1.0,
            counted_at: now,
            held_back_at: now,
        };
        self.0 = State::Back {
            outage,
            pace,
            row: Row::default(),
        };
    }
}

/// Whether too much of what was called lately failed.
fn counts(recent: &mut Recent<WINDOW>, sign: Sign, now: Timestamp) -> bool {
    match sign {
        Sign::Health => recent.count(now),
        Sign::Trouble | Sign::Doubt => recent.count_marked(now),
        Sign::Nothing => {}
    }
    let is_failure = matches!(sign, Sign::Trouble | Sign::Doubt);
    let calls = if is_failure { recent.counted(now) } else { return false };
    calls.all >= LEAST_CALLS && calls.marked.saturating_mul(2) >= calls.all
}

impl Row {
    /// Whether so many failed that it is the bot and not one handover of it.
    fn opens(&mut self, call: &Call<'_>, most: u32) -> bool {
        match call.sign {
            Sign::Health => *self = Self::default(),
            Sign::Nothing => {}
            Sign::Trouble | Sign::Doubt => {
                self.failures = self.failures.saturating_add(1);
                self.troubles = self.troubles.saturating_add(u32::from(call.sign == Sign::Trouble));
                let first = self.first.get_or_insert_with(|| call.handover.clone());
                self.others = self.others.saturating_add(u32::from(first != call.handover));
            }
        }
        let is_trouble = self.troubles.saturating_mul(2) >= self.failures;
        // One handover alone, whatever is wrong with it, makes up two thirds at most.
        let of_first = self.failures.saturating_sub(self.others).min(most - most / 3);
        (is_trouble && self.failures >= most) || of_first.saturating_add(self.others) >= most
    }
}

impl Pace {
    /// One call a second, then two, four … up to what the bot stands.
    fn leave(&mut self, now: Timestamp, usual: f64) -> Leave {
        let doublings = i32::try_from(now.since(self.begun).as_secs())
            .unwrap_or(i32::MAX)
            .min(30);
        let rate = 2.0_f64.powi(doublings).min((CATCH_UP * usual).max(LEAST_RATE));
        let earned = rate * now.since(self.counted_at).as_secs_f64();
        self.ready = (self.ready + earned).min((rate * BURST).max(1.0));
        self.counted_at = now;
        if self.ready >= 1.0 {
            return Leave::Now;
        }
        self.held_back_at = now;
        let wait = Duration::from_secs_f64((1.0 - self.ready) / rate);
        Leave::NotBefore(now.plus(wait.max(Duration::from_millis(1))))
    }
}
