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
    kind: Kind,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::answer::Fault;
    use crate::delivery::breaker::Sign;
    use crate::domain::HandoverId;

    const START: Timestamp = Timestamp::from_millis(1_763_640_000_000);

    fn push(lines: &mut Lines, bot: &str, count: usize, kind: Kind) {
        for _ in 0..count {
            let handover = HandoverId::generate(Timestamp::from_millis(0));
            lines.push(&BotName::new(bot), Target::Lane(handover), kind);
        }
    }

    fn fresh(lines: &mut Lines, bot: &str, count: usize) {
        push(lines, bot, count, Kind::Fresh);
    }

    fn granted(lines: &mut Lines) -> Vec<String> {
        let granted = lines.grant(START).into_iter();
        granted.map(|granted| granted.bot.to_string()).collect()
    }

    fn release(lines: &mut Lines, bot: &str) {
        let target = Target::Lane(HandoverId::generate(START));
        lines.release(&BotName::new(bot), &target);
    }

    /// A call ends, and gives its slot back.
    fn ends(lines: &mut Lines, granted: &Granted, status: u16, (started_at, ended_at): (Timestamp, Timestamp)) {
        let answer = Answer {
            status: Some(status),
            fault: None,
            retry_after: None,
        };
        let Target::Lane(handover) = &granted.target else {
            panic!("a lane")
        };
        let call = Call {
            sign: answer.sign(),
            handover,
            started_at,
            ended_at,
            retry_after: None,
        };
        lines.learn(&granted.bot, answer, &call);
        lines.release(&granted.bot, &granted.target);
    }

    #[test]
    fn bots_take_turns_and_one_with_a_long_line_takes_no_more_than_its_own() {
        let mut lines = Lines::new(100, 4);
        fresh(&mut lines, "flood", 100);
        fresh(&mut lines, "a", 2);
        fresh(&mut lines, "b", 1);
        assert_eq!(granted(&mut lines), ["flood", "a", "b", "flood", "a", "flood", "flood"]);
        release(&mut lines, "flood");
        fresh(&mut lines, "b", 1);
        assert_eq!(granted(&mut lines), ["flood", "b"]);
    }

    #[test]
    fn bots_that_hang_leave_slots_to_the_others() {
        let mut lines = Lines::new(16, 8);
        for hanging in ["h1", "h2", "h3", "h4", "h5"] {
            fresh(&mut lines, hanging, 100);
            assert!(!granted(&mut lines).is_empty(), "{hanging}");
        }
        assert_eq!(granted(&mut lines), [""; 0]);
        release(&mut lines, "h1");
        fresh(&mut lines, "healthy", 1);
        assert!(granted(&mut lines).contains(&"healthy".to_owned()));
    }

    #[test]
    fn a_bot_in_trouble_is_left_with_one_slot_and_wins_the_others_back() {
        let mut lines = Lines::new(100, 16);
        let bot = BotName::new("slow");
        fresh(&mut lines, "slow", 100);
        assert_eq!(lines.grant(START).len(), 16);
        let handover = HandoverId::generate(START);
        let learn = |lines: &mut Lines, answer: Answer| {
            let call = Call {
                // What the breaker makes of it is another matter.
                sign: Sign::Nothing,
                handover: &handover,
                started_at: START,
                ended_at: START,
                retry_after: None,
            };
            lines.learn(&bot, answer, &call);
            release(lines, "slow");
        };
        for _ in 0..16 {
            learn(&mut lines, Answer::fault(Fault::Timeout));
        }
        assert_eq!(lines.grant(START).len(), 1);
        let ok = Answer {
            status: Some(200),
            fault: None,
            retry_after: None,
        };
        learn(&mut lines, ok);
        assert_eq!(lines.grant(START).len(), 2);
    }

    #[test]
    fn what_is_tried_again_takes_a_fifth_of_the_slots_and_leaves_the_others_to_what_is_new() {
        let mut lines = Lines::new(20, 20);
        for failing in ["f1", "f2", "f3"] {
            push(&mut lines, failing, 50, Kind::Retry);
        }
        let retries = lines.grant(START);
        assert_eq!(retries.len(), 4);
        fresh(&mut lines, "healthy", 30);
        assert_eq!(granted(&mut lines).len(), 8, "as ever: no more than are free");
        lines.release(&retries[0].bot, &retries[0].target);
        let next = lines.grant(START);
        assert!(
            next.iter().any(|granted| granted.bot.as_str().starts_with('f')),
            "{next:?}"
        );
    }

    #[test]
    fn failing_handovers_of_a_bot_do_not_crowd_out_its_healthy_ones_and_have_their_turn_all_the_same() {
        let mut lines = Lines::new(100, 10);
        push(&mut lines, "bot", 50, Kind::Retry);
        fresh(&mut lines, "bot", 50);
        let kinds: Vec<_> = lines.grant(START).into_iter().map(|granted| granted.kind).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == Kind::Retry).count(), 2);
        assert_eq!(kinds.len(), 10);
    }

    /// Calls that take their time, in slots of a second: what each bot had of them.
    fn shares(slots: usize, per_bot: usize, bots: &[(&str, usize, u32)], seconds: u32) -> Vec<f64> {
        let mut lines = Lines::new(slots, per_bot);
        for (bot, events, _) in bots {
            fresh(&mut lines, bot, *events);
        }
        let mut under_way: Vec<(u32, Granted)> = Vec::new();
        let mut had: HashMap<BotName, f64> = HashMap::new();
        for second in 0..seconds {
            let now = START.plus(Duration::from_secs(u64::from(second)));
            let (over, still): (Vec<_>, Vec<_>) = under_way.into_iter().partition(|(until, _)| *until <= second);
            under_way = still;
            for (_, granted) in over {
                *had.entry(granted.bot.clone()).or_default() += 1.0;
                ends(&mut lines, &granted, 200, (now, now));
                fresh(&mut lines, granted.bot.as_str(), 1);
            }
            for granted in lines.grant(now) {
                let (_, _, takes) = bots.iter().find(|(bot, ..)| *bot == granted.bot.as_str()).unwrap();
                under_way.push((second + takes, granted));
            }
        }
        let share = |(bot, ..): &(&str, usize, u32)| had.get(&BotName::new(bot)).copied().unwrap_or_default();
        bots.iter().map(share).collect()
    }

    /// 1 where all have the same, 1/n where one has all.
    fn jain(shares: &[f64]) -> f64 {
        let sum: f64 = shares.iter().sum();
        let squares: f64 = shares.iter().map(|share| share * share).sum();
        sum * sum / (f64::from(u32::try_from(shares.len()).unwrap()) * squares)
    }

    #[test]
    fn a_bot_that_floods_has_no_more_than_the_others() {
        let bots: Vec<_> = ["flood", "b", "c", "d", "e"]
            .into_iter()
            .map(|bot| (bot, if bot == "flood" { 3_000 } else { 30 }, 1))
            .collect();
        let shares = shares(20, 20, &bots, 200);
        assert!(jain(&shares) >= 0.99, "{shares:?}");
    }

    #[test]
    fn with_more_bots_than_slots_none_starves_even_where_some_hang() {
        let names: Vec<String> = (0..40).map(|number| format!("b{number}")).collect();
        let all: Vec<_> = names.iter().map(|name| (name.as_str(), 50, 1)).collect();
        let even = shares(8, 8, &all, 500);
        assert!(jain(&even) >= 0.99, "{even:?}");
        // A quarter of them takes ten times as long for each call.
        let takes = |number: usize| if number.is_multiple_of(4) { 10 } else { 1 };
        let some: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(n, name)| (name.as_str(), 50, takes(n)))
            .collect();
        let uneven = shares(8, 8, &some, 2_000);
        let healthy: Vec<f64> = uneven
            .iter()
            .enumerate()
            .filter(|(n, _)| !n.is_multiple_of(4))
            .map(|(_, s)| *s)
            .collect();
        assert!(jain(&healthy) >= 0.98, "{uneven:?}");
        assert!(uneven.iter().all(|share| *share > 0.0), "{uneven:?}");
    }

    #[test]
    fn ten_thousand_handovers_of_a_bot_that_is_back_come_at_its_pace_and_others_do_not_wait() {
        let mut lines = Lines::new(256, 64);
        let bot = BotName::new("herd");
        for second in 0..60 {
            for _ in 0..50 {
                lines.arrived(&bot, START.plus(Duration::from_secs(second)));
            }
        }
        let away = START.plus(Duration::from_mins(1));
        fresh(&mut lines, "herd", 10_000);
        for granted in lines.grant(away) {
            ends(&mut lines, &granted, 503, (away, away));
        }
        assert!(matches!(lines.turns()[..], [(_, Turn::Opened { .. })]));
        assert_eq!(lines.grant(away).len(), 0, "no slots while it is away");
        fresh(&mut lines, "other", 3);
        assert_eq!(lines.grant(away).len(), 3);
        let (mut now, mut each) = (away, vec![0_usize; 300]);
        let mut all = 0;
        let back = away.plus(Duration::from_secs(20));
        while all < 9_000 {
            let mut granted = lines.grant(now);
            if granted.is_empty() {
                now = lines.next_alarm().unwrap().max(now.plus(Duration::from_millis(1)));
                granted = lines.grant(now);
            }
            for granted in granted {
                let status = if now < back { 503 } else { 200 };
                ends(&mut lines, &granted, status, (now, now));
                if status == 200 {
                    each[usize::try_from(now.since(away).as_secs()).unwrap()] += 1;
                    all += 1;
                }
            }
        }
        let peak = *each.iter().max().unwrap();
        assert!(peak <= 100, "at most twice the usual rate: {each:?}");
        assert!(peak >= 80, "and near to that: {each:?}");
        while lines.turns().is_empty() {
            for granted in lines.grant(now) {
                ends(&mut lines, &granted, 200, (now, now));
            }
            now = now.plus(Duration::from_millis(5));
        }
    }
}
