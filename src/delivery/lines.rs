//! Shares the slots for attempts out among the bots: each in turn gets one, as long as it has something ready, has not used
//! up its own, and holds fewer than are free. So there is always a slot for a bot that holds none, however many hang, and a
//! bot in trouble is left with few anyway, or with none but for a probe.
//!
//! What failed before and is tried again gets a fifth of the slots at most, so that it crowds out nothing that is new.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::time::Duration;

use crate::delivery::answer::Answer;
use crate::delivery::breaker::Breaker;
use crate::delivery::breaker::Call;
use crate::delivery::breaker::Leave;
use crate::delivery::breaker::Turn;
use crate::delivery::queue::Mode;
use crate::delivery::queue::Part;
use crate::delivery::queue::Queue;
use crate::delivery::queue::Room;
use crate::delivery::recent::Recent;
use crate::domain::BotName;
use crate::domain::Timestamp;
use crate::store::Target;

/// One slot of so many is for what is tried again.
const RETRY_SHARE: usize = 5;
/// A bot that is back is looked at so often, to see whether it has caught up.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Lines {
    by_bot: HashMap<BotName, Line>,
    /// The bots that could be granted a slot, in turn.
    ring: VecDeque<BotName>,
    free: usize,
    per_bot: usize,
    /// What is being tried again, and how much of it there may be.
    retrying: HashSet<Target>,
    retry_slots: usize,
    /// When bots that were held back are to be looked at again.
    alarms: BTreeSet<(Timestamp, BotName)>,
    turns: Vec<(BotName, Turn)>,
}

#[derive(Debug)]
struct Line {
    queue: Queue,
    in_flight: usize,
    /// How many of those are tried again.
    retrying: usize,
    /// Slots the bot may have now: halved by each sign of trouble, one more with each success.
    limit: usize,
    in_ring: bool,
    breaker: Breaker,
    /// The breaker said no, until something happens or the alarm rings.
    held_back: bool,
    alarm: Option<Timestamp>,
    /// Events there were for the bot.
    arrivals: Box<Recent<60>>,
}

/// Whether a target failed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Fresh,
    Retry,
}

/// A slot for one attempt, given to a target.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) bot: BotName,
    pub(crate) target: Target,
    pub(crate) kind: Kind,
}

impl Lines {
    pub(crate) fn new(slots: usize, per_bot: usize) -> Self {
        Self {
            by_bot: HashMap::new(),
            ring: VecDeque::new(),
            free: slots.max(1),
            per_bot: per_bot.max(1),
            retrying: HashSet::new(),
            retry_slots: (slots / RETRY_SHARE).max(1),
            alarms: BTreeSet::new(),
            turns: Vec::new(),
        }
    }

    /// Puts a target at the end of its bot's line.
    pub(crate) fn push(&mut self, bot: &BotName, target: Target, kind: Kind) {
        self.line(bot).queue.push(target, kind);
        self.join_ring(bot);
    }

    /// Something was logged for the bot.
    pub(crate) fn arrived(&mut self, bot: &BotName, now: Timestamp) {
        self.line(bot).arrivals.count(now);
    }

    /// The bot was away when the process before this one ended.
    pub(crate) fn restore(&mut self, bot: &BotName, since: Timestamp, usual: f64, now: Timestamp) {
        self.line(bot).breaker = Breaker::open(since, usual, now);
    }

    /// Gives out as many slots as there are free ones and bots that may take them.
    pub(crate) fn grant(&mut self, now: Timestamp) -> Vec<Granted> {
        self.ring_alarms(now);
        let mut granted = Vec::new();
        let mut passed_over = 0;
        while passed_over < self.ring.len()
            && let Some(bot) = self.ring.pop_front()
        {
            self.line(&bot).in_ring = false;
            let next = self.next_of(&bot, now);
            self.join_ring(&bot);
            match next {
                Some(next) => {
                    granted.push(next);
                    passed_over = 0;
                }
                None => passed_over += 1,
            }
        }
        granted
    }

    /// Takes a slot for something that does not stand in line; `false` when there is none.
    pub(crate) fn take_slot(&mut self, bot: &BotName) -> bool {
        let free = self.free;
        let line = self.line(bot);
        let taken = line.breaker.is_closed() && line.may_take(free);
        if taken {
            line.in_flight += 1;
            self.free -= 1;
        }
        taken
    }

    /// Gives a slot back.
    pub(crate) fn release(&mut self, bot: &BotName, target: &Target) {
        self.free += 1;
        let was_retry = !self.retrying.is_empty() && self.retrying.remove(target);
        let line = self.line(bot);
        line.in_flight = line.in_flight.saturating_sub(1);
        line.retrying = line.retrying.saturating_sub(usize::from(was_retry));
        self.join_ring(bot);
    }

    /// Gives back a slot that was granted and not used.
    pub(crate) fn withdraw(&mut self, bot: &BotName, target: &Target, now: Timestamp) {
        let line = self.line(bot);
        line.breaker.withdraw(now);
        line.held_back = false;
        self.release(bot, target);
    }

    /// As [`Lines::withdraw`]; the target goes back to where it stood.
    pub(crate) fn take_back(&mut self, granted: Granted, now: Timestamp) {
        let Granted { bot, target, kind } = granted;
        self.withdraw(&bot, &target, now);
        self.push(&bot, target, kind);
    }

    pub(crate) fn learn(&mut self, bot: &BotName, answer: Answer, call: &Call<'_>) {
        let (most, now) = (self.per_bot, call.ended_at);
        let line = self.line(bot);
        if answer.overloaded() {
            line.limit = (line.limit / 2).max(1);
        } else if answer.accepted() {
            line.limit = (line.limit + 1).min(most);
        }
        let usual = line.arrivals.per_second(now);
        let turn = line.breaker.learn(call, usual, rand::random());
        line.held_back = false;
        if line.breaker.is_back() {
            self.set_alarm(bot, now.plus(LOOK_AGAIN));
        }
        self.turns.extend(turn.map(|turn| (bot.clone(), turn)));
    }

    /// Outages that began or ended since this was asked last.
    pub(crate) fn turns(&mut self) -> Vec<(BotName, Turn)> {
        std::mem::take(&mut self.turns)
    }

    /// Events a second there were for the bot before it was away.
    pub(crate) fn usual(&mut self, bot: &BotName) -> f64 {
        self.line(bot).breaker.usual().unwrap_or_default()
    }

    pub(crate) fn next_alarm(&self) -> Option<Timestamp> {
        self.alarms.first().map(|(at, _)| *at)
    }

    fn next_of(&mut self, bot: &BotName, now: Timestamp) -> Option<Granted> {
        let (free, room) = (self.free, self.retrying.len() < self.retry_slots);
        let line = self.line(bot);
        if !line.may_take(free) {
            return None;
        }
        let (part, kind) = line.next_part(room)?;
        let usual = if line.breaker.is_back() {
            line.arrivals.per_second(now)
        } else {
            0.0
        };
        match line.breaker.leave(now, usual) {
            Leave::Now => {}
            Leave::NotBefore(at) => {
                line.held_back = true;
                self.set_alarm(bot, at);
                return None;
            }
            Leave::AfterProbe => {
                line.held_back = true;
                return None;
            }
        }
        let target = line.queue.take(part)?;
        line.breaker.start(now, rand::random());
        line.in_flight += 1;
        line.retrying += usize::from(kind == Kind::Retry);
        self.free -= 1;
        if kind == Kind::Retry {
            self.retrying.insert(target.clone());
        }
        Some(Granted {
            bot: bot.clone(),
            target,
            kind: part.kind(),
        })
    }

    fn ring_alarms(&mut self, now: Timestamp) {
        while let Some((at, bot)) = self.alarms.pop_first() {
            if at > now {
                self.alarms.insert((at, bot));
                return;
            }
            let line = self.line(&bot);
            line.alarm = None;
            line.held_back = false;
            let turn = line.breaker.caught_up(now);
            if line.breaker.is_back() {
                self.set_alarm(&bot, now.plus(LOOK_AGAIN));
            }
            self.join_ring(&bot);
            self.turns.extend(turn.map(|turn| (bot, turn)));
        }
    }

    /// One alarm a bot, the earliest.
    fn set_alarm(&mut self, bot: &BotName, at: Timestamp) {
        let line = self.line(bot);
        let before = line.alarm;
        if before.is_some_and(|before| before <= at) {
            return;
        }
        line.alarm = Some(at);
        if let Some(before) = before {
            self.alarms.remove(&(before, bot.clone()));
        }
        self.alarms.insert((at, bot.clone()));
    }

    fn line(&mut self, bot: &BotName) -> &mut Line {
        let limit = self.per_bot;
        self.by_bot.entry(bot.clone()).or_insert_with(|| Line {
            queue: Queue::default(),
            in_flight: 0,
            retrying: 0,
            limit,
            in_ring: false,
            breaker: Breaker::new(),
            held_back: false,
            alarm: None,
            arrivals: Box::new(Recent::new()),
        })
    }

    fn join_ring(&mut self, bot: &BotName) {
        let line = self.line(bot);
        let has_ready = !line.queue.is_empty();
        if !line.in_ring && !line.held_back && line.in_flight < line.limit && has_ready {
            line.in_ring = true;
            self.ring.push_back(bot.clone());
        }
    }
}

impl Line {
    fn may_take(&self, free: usize) -> bool {
        self.in_flight < self.limit.min(free)
    }

    /// Which part of the queue is next, and what it counts as; `room` for another that is tried again.
    fn next_part(&self, room: bool) -> Option<(Part, Kind)> {
        let mode = if self.breaker.is_open() {
            Mode::Away
        } else if self.breaker.is_back() {
            Mode::Paced
        } else {
            Mode::Free
        };
        let own = self.retrying < (self.limit / RETRY_SHARE).max(1);
        self.queue.next(mode, Room { of_all: room, own })
    }
}
