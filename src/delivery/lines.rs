//! Shares the slots for attempts out among the bots: each in turn gets one, as long as it has something ready, has not used
//! up its own, and holds fewer than are free. So there is always a slot for a bot that holds none, however many hang, and a
//! bot in trouble is left with few anyway.

use std::collections::HashMap;
use std::collections::VecDeque;

use crate::delivery::answer::Answer;
use crate::domain::BotName;
use crate::store::Target;

#[derive(Debug)]
pub(crate) struct Lines {
    by_bot: HashMap<BotName, Line>,
    /// The bots that could be granted a slot, in turn.
    ring: VecDeque<BotName>,
    free: usize,
    per_bot: usize,
}

#[derive(Debug)]
struct Line {
    ready: VecDeque<Target>,
    in_flight: usize,
    /// Slots the bot may have now: halved by each sign of trouble, one more with each success.
    limit: usize,
    in_ring: bool,
}

/// A slot for one attempt, given to a target.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) bot: BotName,
    pub(crate) target: Target,
}

impl Lines {
    pub(crate) fn new(slots: usize, per_bot: usize) -> Self {
        Self {
            by_bot: HashMap::new(),
            ring: VecDeque::new(),
            free: slots.max(1),
            per_bot: per_bot.max(1),
        }
    }

    /// Puts a target at the end of its bot's line.
    pub(crate) fn push(&mut self, bot: &BotName, target: Target) {
        self.line(bot).ready.push_back(target);
        self.join_ring(bot);
    }

    /// Gives out as many slots as there are free ones and bots that may take them.
    pub(crate) fn grant(&mut self) -> Vec<Granted> {
        let mut granted = Vec::new();
        let mut passed_over = 0;
        while passed_over < self.ring.len()
            && let Some(bot) = self.ring.pop_front()
        {
            let free = self.free;
            let line = self.line(&bot);
            line.in_ring = false;
            if line.may_take(free)
                && let Some(target) = line.ready.pop_front()
            {
                line.in_flight += 1;
                self.free -= 1;
                self.join_ring(&bot);
                granted.push(Granted { bot, target });
                passed_over = 0;
            } else {
                self.join_ring(&bot);
                passed_over += 1;
            }
        }
        granted
    }

    /// Takes a slot for something that does not stand in line; `false` when there is none.
    pub(crate) fn take_slot(&mut self, bot: &BotName) -> bool {
        let free = self.free;
        let line = self.line(bot);
        let taken = line.may_take(free);
        if taken {
            line.in_flight += 1;
            self.free -= 1;
        }
        taken
    }

    /// Gives a slot back.
    pub(crate) fn release(&mut self, bot: &BotName) {
        self.free += 1;
        let line = self.line(bot);
        line.in_flight = line.in_flight.saturating_sub(1);
        self.join_ring(bot);
    }

    pub(crate) fn learn(&mut self, bot: &BotName, answer: Answer) {
        let most = self.per_bot;
        let line = self.line(bot);
        if answer.overloaded() {
            line.limit = (line.limit / 2).max(1);
        } else if answer.accepted() {
            line.limit = (line.limit + 1).min(most);
        }
    }

    fn line(&mut self, bot: &BotName) -> &mut Line {
        let limit = self.per_bot;
        self.by_bot.entry(bot.clone()).or_insert_with(|| Line {
            ready: VecDeque::new(),
            in_flight: 0,
            limit,
            in_ring: false,
        })
    }

    fn join_ring(&mut self, bot: &BotName) {
        let line = self.line(bot);
        if !line.in_ring && line.in_flight < line.limit && !line.ready.is_empty() {
            line.in_ring = true;
            self.ring.push_back(bot.clone());
        }
    }
}

impl Line {
    fn may_take(&self, free: usize) -> bool {
        self.in_flight < self.limit.min(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::answer::Fault;
    use crate::domain::HandoverId;
    use crate::domain::Timestamp;

    fn push(lines: &mut Lines, bot: &str, count: usize) {
        for _ in 0..count {
            let handover = HandoverId::generate(Timestamp::from_millis(0));
            lines.push(&BotName::new(bot), Target::Lane(handover));
        }
    }

    fn granted(lines: &mut Lines) -> Vec<String> {
        lines
            .grant()
            .into_iter()
            .map(|granted| granted.bot.to_string())
            .collect()
    }

    #[test]
    fn bots_take_turns_and_one_with_a_long_line_takes_no_more_than_its_own() {
        let mut lines = Lines::new(100, 4);
        push(&mut lines, "flood", 100);
        push(&mut lines, "a", 2);
        push(&mut lines, "b", 1);
        assert_eq!(granted(&mut lines), ["flood", "a", "b", "flood", "a", "flood", "flood"]);
        lines.release(&BotName::new("flood"));
        push(&mut lines, "b", 1);
        assert_eq!(granted(&mut lines), ["flood", "b"]);
    }

    #[test]
    fn bots_that_hang_leave_slots_to_the_others() {
        let mut lines = Lines::new(16, 8);
        for hanging in ["h1", "h2", "h3", "h4", "h5"] {
            push(&mut lines, hanging, 100);
            assert!(!granted(&mut lines).is_empty(), "{hanging}");
        }
        assert_eq!(granted(&mut lines), [""; 0]);
        lines.release(&BotName::new("h1"));
        push(&mut lines, "healthy", 1);
        assert!(granted(&mut lines).contains(&"healthy".to_owned()));
    }

    #[test]
    fn a_bot_in_trouble_is_left_with_one_slot_and_wins_the_others_back() {
        let mut lines = Lines::new(100, 16);
        let bot = BotName::new("slow");
        push(&mut lines, "slow", 100);
        assert_eq!(lines.grant().len(), 16);
        for _ in 0..16 {
            lines.learn(&bot, Answer::fault(Fault::Timeout));
            lines.release(&bot);
        }
        assert_eq!(lines.grant().len(), 1);
        let ok = Answer {
            status: Some(200),
            fault: None,
            retry_after: None,
        };
        lines.learn(&bot, ok);
        lines.release(&bot);
        assert_eq!(lines.grant().len(), 2);
    }
}
