//! Makes events failed deliveries that are not tried any more: what cannot be read, and the oldest of too much.
//!
//! What is to go is read first, away from the writer; the lanes are then taken like a claim, so that no attempt is under
//! way, and the writer looks at each once more.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::domain::BotName;
use crate::domain::EventId;
use crate::domain::HandoverId;
use crate::domain::Timestamp;
use crate::store::GivenUp;
use crate::store::StoreError;
use crate::store::Target;
use crate::store::rows;
use crate::store::rows::Place;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::redelivery;

/// So many events go in one transaction.
const SLICE: u64 = 500;

const NEXT: &str = "SELECT e.sequence FROM lane l JOIN event e
  ON e.handover = l.handover AND e.sequence > l.head AND e.deliver = 1
 WHERE l.handover = ?1 AND l.head < l.tail AND l.stopped = 0 ORDER BY e.sequence LIMIT 1";

const OLDEST_OF_LANE: &str = "SELECT max(sequence) FROM (SELECT e.sequence FROM lane l JOIN event e
  ON e.handover = l.handover AND e.sequence > l.head AND e.deliver = 1
  WHERE l.handover = ?1 AND l.head < l.tail AND l.stopped = 0 ORDER BY e.sequence LIMIT ?2)";

const OLDEST_POSITION: &str = "SELECT min(e.position) FROM lane l INDEXED BY lane_ready CROSS JOIN event e
  ON e.handover = l.handover AND e.sequence = l.head + 1
 WHERE l.bot = ?1 AND l.head < l.tail AND l.stopped = 0";

const OLDEST_OF_BOT: &str = "SELECT handover, max(sequence) FROM (SELECT e.handover, e.sequence
  FROM event e CROSS JOIN lane l ON l.handover = e.handover
  WHERE e.bot = ?1 AND e.position >= ?2 AND e.deliver = 1 AND e.sequence > l.head AND l.stopped = 0
  ORDER BY e.position LIMIT ?3) GROUP BY handover";

const FAIL: &str = "INSERT INTO delivery
  (event, handover, sequence, bot, status, attempts, first_attempt_at, due_at, reason)
 SELECT e.id, e.handover, e.sequence, e.bot, 'failed', iif(e.sequence = ?3, l.attempts, 0),
  iif(e.sequence = ?3, l.first_attempt_at, NULL), ?4, ?5
 FROM lane l CROSS JOIN event e ON e.handover = l.handover
 WHERE l.handover = ?1 AND l.stopped = 0 AND e.sequence > l.head AND e.sequence <= ?2 AND e.deliver = 1
 ON CONFLICT (event) DO UPDATE SET status = excluded.status, attempts = excluded.attempts,
  first_attempt_at = excluded.first_attempt_at, due_at = excluded.due_at, reason = excluded.reason";

const MOVE_ON: &str = "UPDATE lane SET head = ?2, attempts = 0, first_attempt_at = NULL, due_at = ?3
 WHERE handover = ?1 AND head < ?2";

const FAIL_ASIDE: &str = "UPDATE delivery SET status = 'failed', due_at = ?2, reason = ?3
 WHERE event = ?1 AND status = 'aside' RETURNING handover";

/// What goes, and why.
pub(super) struct Plan {
    pub(super) goes: Vec<Goes>,
    reason: &'static str,
}

pub(super) enum Goes {
    /// All of the lane up to this sequence.
    OfLane(HandoverId, i64),
    Aside(EventId),
}

impl Goes {
    pub(super) fn target(&self) -> Target {
        match self {
            Self::OfLane(handover, _) => Target::Lane(handover.clone()),
            Self::Aside(event) => Target::Aside(event.clone()),
        }
    }
}

pub(super) fn plan(db: &Connection, given_up: GivenUp) -> Result<Plan, StoreError> {
    let reason = match &given_up {
        GivenUp::Unreadable(_) => "unreadable",
        GivenUp::OfLane(..) | GivenUp::OfBot(..) => "backlog-quota",
    };
    let goes = match given_up {
        GivenUp::Unreadable(Target::Aside(event)) => vec![Goes::Aside(event)],
        GivenUp::Unreadable(Target::Lane(handover)) => {
            let next = number(db, NEXT, params![handover.as_str()])?;
            next.map(|next| Goes::OfLane(handover, next)).into_iter().collect()
        }
        GivenUp::OfLane(handover, events) => {
            let last = number(db, OLDEST_OF_LANE, params![handover.as_str(), slice(events)])?;
            last.map(|last| Goes::OfLane(handover, last)).into_iter().collect()
        }
        GivenUp::OfBot(bot, events) => of_bot(db, &bot, events)?,
    };
    Ok(Plan { goes, reason })
}

/// How many events became failed deliveries.
pub(super) fn carry_out(db: &Connection, plan: &Plan, now: Timestamp) -> Result<usize, StoreError> {
    let mut all = 0;
    for goes in &plan.goes {
        all += match goes {
            Goes::OfLane(handover, last) => fail_of_lane(db, handover, *last, plan.reason, now)?,
            Goes::Aside(event) => fail_aside(db, event, plan.reason, now)?,
        };
    }
    Ok(all)
}

fn fail_aside(db: &Connection, event: &EventId, reason: &'static str, now: Timestamp) -> Result<usize, StoreError> {
    let gone = db
        .prepare_cached(FAIL_ASIDE)
        .and_then(|mut statement| {
            let parameters = params![event.as_str(), now.as_millis(), reason];
            statement
                .query_row(parameters, |row| row.get::<_, String>(0))
                .optional()
        })
        .map_err(failed)?;
    if let Some(handover) = &gone {
        redelivery::go_on(db, handover, now)?;
    }
    Ok(usize::from(gone.is_some()))
}

fn fail_of_lane(
    db: &Connection,
    handover: &HandoverId,
    last: i64,
    reason: &'static str,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let (id, at) = (handover.as_str(), now.as_millis());
    let first = number(db, NEXT, params![id])?;
    let gone = db
        .prepare_cached(FAIL)
        .and_then(|mut statement| statement.execute(params![id, last, first, at, reason]))
        .map_err(failed)?;
    db.prepare_cached(MOVE_ON)
        .and_then(|mut statement| statement.execute(params![id, last, at]))
        .map_err(failed)?;
    Ok(gone)
}

fn of_bot(db: &Connection, bot: &BotName, events: u64) -> Result<Vec<Goes>, StoreError> {
    let Some(oldest) = number(db, OLDEST_POSITION, params![bot.as_str()])? else {
        return Ok(Vec::new());
    };
    let mut statement = db.prepare_cached(OLDEST_OF_BOT).map_err(failed)?;
    let found = statement
        .query_map(params![bot.as_str(), oldest, slice(events)], |row| {
            Ok((row.get::<_, String>(0)?, row.get(1)?))
        })
        .map_err(failed)?;
    let goes = found.map(|row| {
        let (handover, last) = row.map_err(failed)?;
        Ok(Goes::OfLane(
            rows::handover_id(handover, Place("event", "handover"))?,
            last,
        ))
    });
    goes.collect()
}

fn slice(events: u64) -> i64 {
    i64::try_from(events.min(SLICE)).unwrap_or(i64::MAX)
}

fn number(db: &Connection, sql: &str, parameters: impl rusqlite::Params) -> Result<Option<i64>, StoreError> {
    let found = db
        .prepare_cached(sql)
        .and_then(|mut statement| {
            statement
                .query_row(parameters, |row| row.get::<_, Option<i64>>(0))
                .optional()
        })
        .map_err(failed)?;
    Ok(found.flatten())
}
