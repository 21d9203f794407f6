//! Who is next to call 8x8: the most urgent first, within that one bot after the other, within that by arrival. Now and
//! then the least urgent, so that nothing starves. Pure.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::chat_gateway::urgency::Urgency;

/// Every so many turns one is given from the other end.
const FROM_THE_END: u32 = 8;

/// Known by its address.
pub(super) type Waiter = Arc<Notify>;

#[derive(Debug, Default)]
pub(super) struct Line {
    classes: BTreeMap<Urgency, Class>,
    len: usize,
    served: u32,
}

/// Bots in the order of their turns, each with its calls.
type Class = VecDeque<(Option<Arc<str>>, VecDeque<Waiter>)>;

impl Line {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn join(&mut self, urgency: Urgency, asker: Option<&Arc<str>>) -> Waiter {
        let waiter = Arc::new(Notify::new());
        let class = self.classes.entry(urgency).or_default();
        match class.iter_mut().find(|(known, _)| known.as_ref() == asker) {
            Some((_, calls)) => calls.push_back(Arc::clone(&waiter)),
            None => class.push_back((asker.cloned(), VecDeque::from([Arc::clone(&waiter)]))),
        }
        self.len += 1;
        waiter
    }

    pub(super) fn first(&self) -> Option<&Waiter> {
        let class = self.classes.get(&self.next_class()?)?;
        class.front()?.1.front()
    }

    pub(super) fn is_first(&self, waiter: &Waiter) -> bool {
        self.first().is_some_and(|first| Arc::ptr_eq(first, waiter))
    }

    /// The first has its turn: its bot goes to the end of the others.
    pub(super) fn served(&mut self) {
        let Some(urgency) = self.next_class() else { return };
        let Some(class) = self.classes.get_mut(&urgency) else {
            return;
        };
        if let Some((asker, mut calls)) = class.pop_front() {
            calls.pop_front();
            self.len -= 1;
            if !calls.is_empty() {
                class.push_back((asker, calls));
            }
        }
        self.tidy(urgency);
        self.served = self.served.wrapping_add(1);
    }

    /// Does nothing when it had its turn.
    pub(super) fn leave(&mut self, waiter: &Waiter) {
        let mut left = None;
        for (urgency, class) in &mut self.classes {
            for (_, calls) in class.iter_mut() {
                let before = calls.len();
                calls.retain(|other| !Arc::ptr_eq(other, waiter));
                if calls.len() < before {
                    left = Some(*urgency);
                    self.len -= 1;
                }
            }
            class.retain(|(_, calls)| !calls.is_empty());
        }
        if let Some(urgency) = left {
            self.tidy(urgency);
        }
    }

    fn next_class(&self) -> Option<Urgency> {
        let mut classes = self.classes.keys().copied();
        if self.served % FROM_THE_END == FROM_THE_END - 1 {
            classes.next_back()
        } else {
            classes.next()
        }
    }

    fn tidy(&mut self, urgency: Urgency) {
        if self.classes.get(&urgency).is_some_and(VecDeque::is_empty) {
            self.classes.remove(&urgency);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_more_overtakes_and_a_bots_calls_keep_their_order() {
        let mut line = Line::default();
        let (a, b) = (Arc::from("a"), Arc::from("b"));
        let asked = [
            (Urgency::Look, &a, "look"),
            (Urgency::Receipt, &a, "receipt"),
            (Urgency::Message, &a, "a1"),
            (Urgency::Message, &a, "a2"),
            (Urgency::Message, &b, "b1"),
            (Urgency::Turn, &b, "end"),
        ];
        let names = asked.map(|(urgency, bot, name)| (line.join(urgency, Some(bot)), name));
        let mut order = Vec::new();
        while let Some(first) = line.first() {
            let name = names.iter().find(|(waiter, _)| Arc::ptr_eq(waiter, first)).unwrap().1;
            order.push(name);
            line.served();
        }
        assert_eq!(order, ["end", "a1", "b1", "a2", "receipt", "look"]);
    }

    #[test]
    fn a_bot_with_many_calls_is_one_among_the_bots() {
        let mut line = Line::default();
        let (many, few) = (Arc::from("many"), Arc::from("few"));
        for _ in 0..100 {
            line.join(Urgency::Message, Some(&many));
        }
        let mine = line.join(Urgency::Message, Some(&few));
        line.served();
        assert!(line.is_first(&mine));
    }

    #[test]
    fn a_flood_of_urgent_calls_starves_nobody() {
        let mut line = Line::default();
        let look = line.join(Urgency::Look, None);
        for turn in 0.. {
            line.join(Urgency::Turn, None);
            if line.is_first(&look) {
                assert_eq!(turn, FROM_THE_END - 1);
                break;
            }
            line.served();
        }
        line.leave(&look);
        assert_eq!(line.len(), 8 - 7);
    }
}
