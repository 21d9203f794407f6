//! Ends claims: the lane moves on, waits or stops, and what left it undelivered is listed, in one transaction.

use std::sync::Mutex;
use std::sync::PoisonError;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;

use crate::domain::EventId;
use crate::domain::HandoverId;
use crate::domain::Timestamp;
use crate::store::ATTEMPTS_KEPT;
use crate::store::Attempt;
use crate::store::Settlement;
use crate::store::StoreError;
use crate::store::Target;
use crate::store::Verdict;
use crate::store::sqlite::claims::Claims;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::redelivery;

const LANE: &str = "SELECT head, tail, attempts, first_attempt_at FROM lane WHERE handover = ?1";

const MOVE_LANE: &str = "UPDATE lane SET head = ?2, attempts = ?3, first_attempt_at = ?4, due_at = ?5,
  quiet_since = COALESCE(?6, quiet_since) WHERE handover = ?1";

const STOP_LANE: &str = "UPDATE lane SET stopped = 1 WHERE handover = ?1";

const LEAVE_LANE: &str = "INSERT INTO delivery
  (event, handover, sequence, bot, status, attempts, first_attempt_at, due_at, reason)
 SELECT id, handover, sequence, bot, ?3, ?4, ?5, ?6, ?7 FROM event WHERE handover = ?1 AND sequence = ?2
 ON CONFLICT (event) DO UPDATE SET status = excluded.status, attempts = excluded.attempts,
  first_attempt_at = excluded.first_attempt_at, due_at = excluded.due_at, reason = excluded.reason";

const ASIDE: &str = "SELECT handover, sequence, attempts, first_attempt_at FROM delivery
 WHERE event = ?1 AND status = 'aside'";

const MOVE_ASIDE: &str =
    "UPDATE delivery SET status = ?2, attempts = ?3, first_attempt_at = ?4, due_at = ?5, reason = ?6
 WHERE event = ?1";

const ATTEMPT: &str = "INSERT INTO attempt (handover, sequence, started_at, number, took_millis, status, error)
 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
 ON CONFLICT DO NOTHING";

/// Why the head of a stopped lane is listed.
const GONE: &str = "gone";

/// Of an event's attempts the newest are kept.
const FORGET_ATTEMPTS: &str = "DELETE FROM attempt WHERE handover = ?1 AND sequence = ?2 AND number <= ?3";

/// The claims this settlement ends, once it is on disk.
#[derive(Default)]
pub(super) struct Ended(Mutex<Vec<(Target, u64)>>);

impl Ended {
    pub(super) fn take(&self) -> Vec<(Target, u64)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, target: &Target, epoch: u64) {
        let mut ended = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ended.push((target.clone(), epoch));
    }
}

pub(super) fn settle(
    db: &Connection,
    claims: &Claims,
    settlements: &[Settlement],
    ended: &Ended,
) -> Result<Vec<bool>, StoreError> {
    let one = |settlement: &Settlement| {
        if !claims.begin_settling(&settlement.target, settlement.epoch) {
            return Ok(false);
        }
        ended.push(&settlement.target, settlement.epoch);
        match &settlement.target {
            Target::Lane(handover) => settle_lane(db, handover, settlement),
            Target::Aside(event) => settle_aside(db, event, settlement).map(|()| false),
        }
    };
    settlements.iter().map(one).collect()
}

struct Tries {
    attempts: u32,
    first_attempt_at: Option<i64>,
}

impl Tries {
    /// From the third and fourth column, in which both statements have them.
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            attempts: row.get(2)?,
            first_attempt_at: row.get(3)?,
        })
    }

    /// With this attempt counted, if there was one.
    fn and(self, attempt: Option<&Attempt>) -> Self {
        match attempt {
            None => self,
            Some(attempt) => Self {
                attempts: self.attempts.saturating_add(1),
                first_attempt_at: self.first_attempt_at.or(Some(attempt.started_at.as_millis())),
            },
        }
    }
}

/// Whether the lane has more to deliver at once.
fn settle_lane(db: &Connection, id: &HandoverId, settlement: &Settlement) -> Result<bool, StoreError> {
    let found: Option<(i64, i64, Tries)> = db
        .prepare_cached(LANE)
        .and_then(|mut statement| {
            statement
                .query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?, Tries::read(row)?)))
                .optional()
        })
        .map_err(failed)?;
    let sequence = i64::try_from(settlement.sequence).unwrap_or(i64::MAX);
    let Some((head, tail, tries)) = found.filter(|(head, tail, _)| (*head < sequence) && (sequence <= *tail)) else {
        return Ok(false);
    };
    record_attempt(db, id, sequence, settlement.attempt.as_ref())?;
    let tries = tries.and(settlement.attempt.as_ref());
    let at = settlement.at;
    match &settlement.verdict {
        Verdict::Done => move_on(db, id, sequence, at, Some(at))?,
        Verdict::Again { at: next } => {
            move_lane(db, (id, head), &tries, *next, None)?;
            return Ok(*next <= at);
        }
        Verdict::Aside { at: next } => {
            leave_lane(db, id, sequence, &tries, Left::Aside(*next))?;
            move_on(db, id, sequence, at, None)?;
        }
        Verdict::Failed { reason } => {
            leave_lane(db, id, sequence, &tries, Left::Failed(reason, at))?;
            move_on(db, id, sequence, at, None)?;
        }
        Verdict::Stop => {
            leave_lane(db, id, sequence, &tries, Left::Failed(GONE, at))?;
            move_lane(db, (id, head), &tries, at, None)?;
            stop_lane(db, id)?;
            return Ok(false);
        }
    }
    Ok(sequence < tail)
}

fn settle_aside(db: &Connection, event: &EventId, settlement: &Settlement) -> Result<(), StoreError> {
    let found: Option<(i64, Tries)> = db
        .prepare_cached(ASIDE)
        .and_then(|mut statement| {
            statement
                .query_row([event.as_str()], |row| Ok((row.get(1)?, Tries::read(row)?)))
                .optional()
        })
        .map_err(failed)?;
    let Some((sequence, tries)) = found else {
        return Ok(());
    };
    record_attempt(db, &settlement.handover, sequence, settlement.attempt.as_ref())?;
    let tries = tries.and(settlement.attempt.as_ref());
    let at = settlement.at;
    let (status, due_at, reason) = match &settlement.verdict {
        Verdict::Done => ("done", at, None),
        Verdict::Again { at: next } | Verdict::Aside { at: next } => ("aside", *next, None),
        Verdict::Failed { reason } => ("failed", at, Some(*reason)),
        Verdict::Stop => {
            stop_lane(db, &settlement.handover)?;
            ("aside", at, None)
        }
    };
    let (attempts, first, due_at) = (tries.attempts, tries.first_attempt_at, due_at.as_millis());
    db.prepare_cached(MOVE_ASIDE)
        .and_then(|mut statement| statement.execute(params![event.as_str(), status, attempts, first, due_at, reason]))
        .map_err(failed)?;
    if status != "aside" {
        redelivery::go_on(db, settlement.handover.as_str(), at)?;
    }
    Ok(())
}

/// To the next event, which has not been tried. Its turn among the lanes counts from now, so that a long lane does not go
/// before all others.
fn move_on(
    db: &Connection,
    id: &HandoverId,
    sequence: i64,
    now: Timestamp,
    went_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let untried = Tries {
        attempts: 0,
        first_attempt_at: None,
    };
    move_lane(db, (id, sequence), &untried, now, went_at)
}

/// `went_at` when something went.
fn move_lane(
    db: &Connection,
    (id, head): (&HandoverId, i64),
    tries: &Tries,
    due_at: Timestamp,
    went_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let went_at = went_at.map(Timestamp::as_millis);
    let (attempts, first, due_at) = (tries.attempts, tries.first_attempt_at, due_at.as_millis());
    db.prepare_cached(MOVE_LANE)
        .and_then(|mut statement| statement.execute(params![id.as_str(), head, attempts, first, due_at, went_at]))
        .map_err(failed)?;
    Ok(())
}

fn stop_lane(db: &Connection, id: &HandoverId) -> Result<(), StoreError> {
    db.prepare_cached(STOP_LANE)
        .and_then(|mut statement| statement.execute([id.as_str()]))
        .map_err(failed)?;
    Ok(())
}

#[derive(Clone, Copy)]
enum Left {
    Aside(Timestamp),
    Failed(&'static str, Timestamp),
}

fn leave_lane(db: &Connection, id: &HandoverId, sequence: i64, tries: &Tries, left: Left) -> Result<(), StoreError> {
    let (status, due_at, reason) = match left {
        Left::Aside(at) => ("aside", at, None),
        Left::Failed(reason, at) => ("failed", at, Some(reason)),
    };
    let (attempts, first, due_at) = (tries.attempts, tries.first_attempt_at, due_at.as_millis());
    db.prepare_cached(LEAVE_LANE)
        .and_then(|mut statement| {
            statement.execute(params![id.as_str(), sequence, status, attempts, first, due_at, reason])
        })
        .map_err(failed)?;
    Ok(())
}

fn record_attempt(
    db: &Connection,
    id: &HandoverId,
    sequence: i64,
    attempt: Option<&Attempt>,
) -> Result<(), StoreError> {
    let Some(attempt) = attempt else {
        return Ok(());
    };
    db.prepare_cached(ATTEMPT)
        .and_then(|mut statement| {
            statement.execute(params![
                id.as_str(),
                sequence,
                attempt.started_at.as_millis(),
                attempt.number,
                attempt.took_millis,
                attempt.status,
                attempt.error,
            ])
        })
        .map_err(failed)?;
    let Some(old) = attempt.number.checked_sub(ATTEMPTS_KEPT).filter(|old| *old > 0) else {
        return Ok(());
    };
    db.prepare_cached(FORGET_ATTEMPTS)
        .and_then(|mut statement| statement.execute(params![id.as_str(), sequence, old]))
        .map_err(failed)?;
    Ok(())
}
