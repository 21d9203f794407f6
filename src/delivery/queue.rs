//! What of one bot is ready to be tried, and what of it is next: new, tried before, or beside its lane.

use std::collections::VecDeque;

use crate::delivery::lines::Kind;
use crate::store::Target;

#[derive(Debug, Default)]
pub(crate) struct Queue {
    fresh: VecDeque<Target>,
    retries: VecDeque<Target>,
    asides: VecDeque<Target>,
    /// Counts what was taken out.
    turn: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Fresh,
    Retry,
    Aside,
}

/// Whether the bot is called as fast as it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Free,
    /// At a rate: whatever goes takes the place of something else.
    Paced,
    /// One call at a time.
    Away,
}

/// Room for another that is tried again: among all bots, and of this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) of_all: bool,
    pub(crate) own: bool,
}

impl Part {
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Fresh => Kind::Fresh,
            Self::Retry | Self::Aside => Kind::Retry,
        }
    }
}

impl Queue {
    pub(crate) fn push(&mut self, target: Target, kind: Kind) {
        match (&target, kind) {
            (Target::Aside(_), Kind::Fresh | Kind::Retry) => self.asides.push_back(target),
            (Target::Lane(_), Kind::Fresh) => self.fresh.push_back(target),
            (Target::Lane(_), Kind::Retry) => self.retries.push_back(target),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.retries.is_empty() && self.asides.is_empty()
    }

    /// Which part is next, and what it counts as.
    pub(crate) fn next(&self, mode: Mode, room: Room) -> Option<(Part, Kind)> {
        let has_fresh = !self.fresh.is_empty();
        let again = self.again();
        // What was not tried yet shows best whether the bot is back. A bot that is away takes no more than a retry does.
        if mode == Mode::Away {
            let next = if has_fresh { Some(Part::Fresh) } else { again };
            return next.filter(|_| room.of_all).map(|part| (part, Kind::Retry));
        }
        let has_turn = !has_fresh || (room.own && (mode == Mode::Free || !self.turn.is_multiple_of(2)));
        let again = again.filter(|_| room.of_all && has_turn);
        let next = again.or_else(|| has_fresh.then_some(Part::Fresh));
        next.map(|part| (part, part.kind()))
    }

    pub(crate) fn take(&mut self, part: Part) -> Option<Target> {
        self.turn = self.turn.wrapping_add(1);
        match part {
            Part::Fresh => self.fresh.pop_front(),
            Part::Retry => self.retries.pop_front(),
            Part::Aside => self.asides.pop_front(),
        }
    }

    /// Lanes and what is beside them in turn: neither waits for all of the other.
    fn again(&self) -> Option<Part> {
        match (self.retries.is_empty(), self.asides.is_empty()) {
            (true, true) => None,
            (false, true) => Some(Part::Retry),
            (true, false) => Some(Part::Aside),
            (false, false) if (self.turn / 2).is_multiple_of(2) => Some(Part::Retry),
            (false, false) => Some(Part::Aside),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::EventId;
    use crate::domain::HandoverId;
    use crate::domain::Timestamp;

    const NOW: Timestamp = Timestamp::from_millis(1_763_640_000_000);
    const ROOM: Room = Room {
        of_all: true,
        own: true,
    };

    fn queue(fresh: usize, retries: usize, asides: usize) -> Queue {
        let mut queue = Queue::default();
        for (count, kind) in [(fresh, Kind::Fresh), (retries, Kind::Retry)] {
            for _ in 0..count {
                queue.push(Target::Lane(HandoverId::generate(NOW)), kind);
            }
        }
        for _ in 0..asides {
            queue.push(Target::Aside(EventId::generate(NOW)), Kind::Fresh);
        }
        queue
    }

    fn taken(queue: &mut Queue, mode: Mode, count: usize) -> Vec<Part> {
        let next = |_| {
            let (part, _) = queue.next(mode, ROOM).unwrap();
            queue.take(part).unwrap();
            part
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn what_is_recovered_holds_up_no_lane_of_a_bot_that_is_just_back() {
        let mut queue = queue(10, 10, 100_000);
        let first = taken(&mut queue, Mode::Paced, 45);
        let count = |part| first.iter().filter(|one| **one == part).count();
        assert_eq!((count(Part::Fresh), count(Part::Retry)), (10, 10), "{first:?}");
        assert!(count(Part::Aside) >= 10, "nor do lanes hold up that");
    }

    #[test]
    fn lanes_do_not_stand_behind_all_that_is_recovered() {
        let mut queue = queue(0, 10, 100_000);
        let first = taken(&mut queue, Mode::Free, 22);
        assert_eq!(
            first.iter().filter(|part| **part == Part::Retry).count(),
            10,
            "{first:?}"
        );
    }

    #[test]
    fn a_probe_is_new_where_something_is() {
        let mut queue = queue(1, 1, 1);
        assert_eq!(queue.next(Mode::Away, ROOM), Some((Part::Fresh, Kind::Retry)));
        assert_eq!(taken(&mut queue, Mode::Away, 3)[0], Part::Fresh);
        assert!(queue.is_empty());
    }
}
