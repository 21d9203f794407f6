//! How much room the store's file system has, what is refused as it gets little, and who is told.
//!
//! New work is refused before the last of the room is gone, so that what was accepted can still be delivered and settled:
//! a settlement is always tried, an event of 8x8 or a call of a bot only while there is room for it.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use bytesize::ByteSize;

use crate::store::StoreError;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// After a write that found no room nothing new is tried for so long: what little there is goes to settlements.
const REST: Duration = Duration::from_secs(1);
/// The disk is no longer full when nothing was refused for so long.
const CALM: Duration = Duration::from_secs(10);

/// A file system as its user sees it: what only root may use counts as gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) free: u64,
    pub(super) total: u64,
}

/// How far the disk is from full, and so what is still taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Plenty,
    /// An operator should look.
    Low,
    /// Work in bulk is refused.
    VeryLow,
    /// Everything new is refused.
    Exhausted,
}

/// A level holds when both are undercut: the share of the disk, since a small disk fills fast, and the room itself, since
/// a twentieth of a large disk is plenty.
const MARKS: [(Level, u64, u64); 3] = [
    (Level::Exhausted, 5, 512 * MIB),
    (Level::VeryLow, 10, 2 * GIB),
    (Level::Low, 20, 10 * GIB),
];

impl Level {
    /// A level is left when there is a quarter more room than the one that entered it, so that it is not crossed all the time.
    pub(super) fn of(space: Space, before: Self) -> Self {
        let holds = |&&(level, percent, room): &&(Self, u64, u64)| {
            let mark = (space.total / 100).saturating_mul(percent).min(room);
            let mark = if level <= before { mark + mark / 4 } else { mark };
            space.free < mark
        };
        MARKS.iter().find(holds).map_or(Self::Plenty, |&(level, ..)| level)
    }
}

/// Shared by all who write; asked before each piece of new work.
#[derive(Debug)]
pub(super) struct Room(Mutex<State>);

#[derive(Debug)]
struct State {
    level: Level,
    /// When a write last found no room, while the disk counts as full.
    refused_at: Option<Instant>,
}

impl Room {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            level: Level::Plenty,
            refused_at: None,
        }))
    }

    /// Whether something new may be recorded.
    pub(super) fn for_new(&self) -> Result<(), StoreError> {
        let state = self.state();
        if state.level == Level::Exhausted || state.rests() {
            return Err(StoreError::Full);
        }
        Ok(())
    }

    /// Whether work in bulk may be begun.
    pub(super) fn for_bulk(&self) -> Result<(), StoreError> {
        let state = self.state();
        if state.level >= Level::VeryLow || state.refused_at.is_some() {
            return Err(StoreError::Full);
        }
        Ok(())
    }

    /// Whether deliveries may be begun, whose outcome has to be written.
    pub(super) fn for_claims(&self) -> Result<(), StoreError> {
        if self.state().rests() {
            return Err(StoreError::Full);
        }
        Ok(())
    }

    /// A write found no room.
    pub(super) fn ran_out(&self) {
        if self.state().refused_at.replace(Instant::now()).is_none() {
            tracing::error!("the store's disk is full: nothing new is recorded until there is room");
        }
    }

    /// What the file system says now.
    pub(super) fn measured(&self, space: Space) -> Level {
        let mut state = self.state();
        let before = state.level;
        state.level = Level::of(space, before);
        if state.level != before {
            tell(state.level, before, space);
        }
        if state.refused_at.is_some_and(|at| at.elapsed() > CALM) {
            state.refused_at = None;
            tracing::info!("the store's disk takes writes again");
        }
        state.level
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn rests(&self) -> bool {
        self.refused_at.is_some_and(|at| at.elapsed() < REST)
    }
}

/// Once a crossing.
fn tell(level: Level, before: Level, space: Space) {
    let (free, total) = (ByteSize(space.free), ByteSize(space.total));
    match level {
        Level::Exhausted => {
            tracing::error!(%free, %total, "the store's disk is almost full: nothing new is recorded, deliveries go on");
        }
        Level::VeryLow if before < level => {
            tracing::error!(%free, %total, "the store's disk is getting full: resending in bulk is refused, soon everything new is");
        }
        Level::Low if before < level => tracing::warn!(%free, %total, "the store's disk is getting full"),
        Level::VeryLow => tracing::warn!(%free, %total, "the store's disk takes new work again, not yet in bulk"),
        Level::Low | Level::Plenty => tracing::info!(%free, %total, "the store's disk has more room again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(free: u64, total: u64, before: Level) -> Level {
        Level::of(Space { free, total }, before)
    }

    #[test]
    fn a_small_disk_is_judged_by_its_share_and_a_large_one_by_its_room() {
        for (free, total, expected) in [
            (21 * MIB, 100 * MIB, Level::Plenty),
            (19 * MIB, 100 * MIB, Level::Low),
            (9 * MIB, 100 * MIB, Level::VeryLow),
            (4 * MIB, 100 * MIB, Level::Exhausted),
            (0, 100 * MIB, Level::Exhausted),
            (50 * GIB, 1024 * GIB, Level::Plenty),
            (9 * GIB, 1024 * GIB, Level::Low),
            (GIB, 1024 * GIB, Level::VeryLow),
            (511 * MIB, 1024 * GIB, Level::Exhausted),
        ] {
            assert_eq!(level(free, total, Level::Plenty), expected, "{free} of {total}");
        }
    }

    #[test]
    fn a_level_is_not_left_and_entered_all_the_time() {
        let total = 100 * MIB;
        assert_eq!(level(6 * MIB, total, Level::Exhausted), Level::Exhausted);
        assert_eq!(level(7 * MIB, total, Level::Exhausted), Level::VeryLow);
        assert_eq!(level(6 * MIB, total, Level::VeryLow), Level::VeryLow);
        assert_eq!(level(24 * MIB, total, Level::Low), Level::Low);
        assert_eq!(level(26 * MIB, total, Level::Low), Level::Plenty);
    }

    #[test]
    fn what_settles_is_never_refused_for_little_room_and_new_work_is() {
        let room = Room::new();
        let measure = |free| room.measured(Space { free, total: 100 * MIB });
        measure(50 * MIB);
        assert!(room.for_new().is_ok() && room.for_bulk().is_ok());
        measure(8 * MIB);
        assert!(room.for_new().is_ok() && room.for_bulk().is_err());
        measure(MIB);
        assert!(room.for_new().is_err() && room.for_bulk().is_err());
        assert!(room.for_claims().is_ok(), "what was accepted is delivered");
        measure(50 * MIB);
        assert!(room.for_new().is_ok());
    }

    #[test]
    fn after_a_write_that_found_no_room_nothing_new_is_begun_at_once() {
        let room = Room::new();
        room.ran_out();
        assert!(room.for_new().is_err() && room.for_claims().is_err());
        assert!(room.for_bulk().is_err());
    }
}
