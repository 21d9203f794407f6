//! What may be tried now, and the right to try it.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Params;
use rusqlite::Row;
use rusqlite::params;

use crate::domain::BotName;
use crate::domain::EventContext;
use crate::domain::HandoverEvent;
use crate::domain::HandoverId;
use crate::domain::Timestamp;
use crate::store::Aside;
use crate::store::Claimed;
use crate::store::DueLane;
use crate::store::StoreError;
use crate::store::Target;
use crate::store::rows;
use crate::store::rows::ContextRow;
use crate::store::rows::EventRow;
use crate::store::rows::Place;
use crate::store::sqlite::claims::Claims;
use crate::store::sqlite::claims::Reservation;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::log;

const DUE_LANES: &str = "SELECT handover, bot, due_at FROM lane
 WHERE head < tail AND stopped = 0 AND due_at <= ?1 ORDER BY due_at, handover";

const DUE_ASIDES: &str =
    "SELECT d.event, d.handover, d.bot, d.due_at FROM delivery d JOIN lane l ON l.handover = d.handover
 WHERE d.status = 'aside' AND d.due_at <= ?1 AND l.stopped = 0 ORDER BY d.due_at, d.event";

/// The lowest event past the head. One recorded while its bot had no address is passed over.
const LANE_HEAD: &str = "SELECT e.id, e.type, e.sequence, e.at, e.state, e.late, e.extra,
  h.id, h.bot, h.conversation, h.bot_session_id, h.metadata, h.callback_url, l.attempts, l.first_attempt_at, 0
 FROM lane l CROSS JOIN handover h ON h.id = l.handover
  CROSS JOIN event e ON e.handover = l.handover AND e.sequence > l.head AND e.deliver = 1
 WHERE l.handover = ?1 AND l.head < l.tail AND l.stopped = 0 AND l.due_at <= ?2
 ORDER BY e.sequence LIMIT 1";

const ASIDE: &str = "SELECT e.id, e.type, e.sequence, e.at, e.state, e.late, e.extra,
  h.id, h.bot, h.conversation, h.bot_session_id, h.metadata, h.callback_url, d.attempts, d.first_attempt_at, d.replay
 FROM delivery d CROSS JOIN lane l ON l.handover = d.handover
  CROSS JOIN handover h ON h.id = d.handover
  CROSS JOIN event e ON e.handover = d.handover AND e.sequence = d.sequence
 WHERE d.event = ?1 AND d.status = 'aside' AND d.due_at <= ?2 AND l.stopped = 0";

const LANES_FORWARD: &str = "UPDATE lane SET due_at = ?2, first_attempt_at = MIN(first_attempt_at, ?2)
 WHERE handover IN (SELECT handover FROM lane WHERE head < tail AND stopped = 0 AND due_at > ?1 LIMIT ?3)";

const ASIDES_FORWARD: &str = "UPDATE delivery SET due_at = ?2, first_attempt_at = MIN(first_attempt_at, ?2)
 WHERE event IN (SELECT event FROM delivery WHERE status = 'aside' AND due_at > ?1 LIMIT ?3)";

pub(super) fn bring_forward(
    db: &Connection,
    beyond: Timestamp,
    now: Timestamp,
    limit: usize,
) -> Result<usize, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut brought = 0;
    for sql in [LANES_FORWARD, ASIDES_FORWARD] {
        brought += db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params![beyond.as_millis(), now.as_millis(), limit]))
            .map_err(failed)?;
    }
    Ok(brought)
}

pub(super) fn due_lanes(
    db: &Connection,
    claims: &Claims,
    until: Timestamp,
    limit: usize,
) -> Result<Vec<DueLane>, StoreError> {
    let mut statement = db.prepare_cached(DUE_LANES).map_err(failed)?;
    let found = statement
        .query_map([until.as_millis()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .map_err(failed)?;
    let lanes = found.map(|row| {
        let (handover, bot, due_at): (String, String, i64) = row.map_err(failed)?;
        Ok(DueLane {
            handover: rows::handover_id(handover, Place("lane", "handover"))?,
            bot: BotName::new(&bot),
            due_at: Timestamp::from_millis(due_at),
        })
    });
    let is_free = |lane: &DueLane| !claims.is_held(&Target::Lane(lane.handover.clone()));
    lanes
        .filter(|lane| lane.as_ref().map_or(true, is_free))
        .take(limit)
        .collect()
}

pub(super) fn due_asides(
    db: &Connection,
    claims: &Claims,
    until: Timestamp,
    limit: usize,
) -> Result<Vec<Aside>, StoreError> {
    let mut statement = db.prepare_cached(DUE_ASIDES).map_err(failed)?;
    let found = statement
        .query_map([until.as_millis()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .map_err(failed)?;
    let asides = found.map(|row| {
        let (event, handover, bot, due_at): (String, String, String, i64) = row.map_err(failed)?;
        Ok(Aside {
            event: rows::event_id(&event, Place("delivery", "event"))?,
            handover: rows::handover_id(handover, Place("delivery", "handover"))?,
            bot: BotName::new(&bot),
            due_at: Timestamp::from_millis(due_at),
        })
    });
    let is_free = |aside: &Aside| !claims.is_held(&Target::Aside(aside.event.clone()));
    asides
        .filter(|aside| aside.as_ref().map_or(true, is_free))
        .take(limit)
        .collect()
}

/// What a reserved target has to deliver.
pub(super) struct Head {
    reservation: Reservation,
    event: HandoverEvent,
    context: EventContext,
    callback_url: Option<String>,
    attempts: u32,
    first_attempt_at: Option<Timestamp>,
    replay: bool,
}

impl Head {
    pub(super) fn claimed(self) -> Claimed {
        let (target, epoch) = self.reservation.keep();
        Claimed {
            target,
            epoch,
            event: self.event,
            context: self.context,
            callback_url: self.callback_url,
            attempts: self.attempts,
            first_attempt_at: self.first_attempt_at,
            replay: self.replay,
        }
    }
}

/// Reads the heads of reserved targets; those with nothing due are free again. The snapshot is younger than the
/// reservation, so it holds whatever the last holder settled.
pub(super) fn heads(db: &Connection, reserved: Vec<Reservation>, now: Timestamp) -> Result<Vec<Head>, StoreError> {
    let mut heads = Vec::with_capacity(reserved.len());
    for reservation in reserved {
        match read_head(db, reservation.target(), now)? {
            Some(row) => heads.push(head(reservation, row)?),
            None => drop(reservation),
        }
    }
    Ok(heads)
}

/// A row that cannot be read frees its reservation, and those of the targets beside it.
fn head(reservation: Reservation, row: HeadRow) -> Result<Head, StoreError> {
    let replay = row.replay;
    let (event, context, callback_url, tries) = readable(row)?;
    Ok(Head {
        reservation,
        event,
        context,
        callback_url,
        attempts: tries.0,
        first_attempt_at: tries.1.map(Timestamp::from_millis),
        replay,
    })
}

struct HeadRow {
    event: EventRow,
    context: ContextRow,
    callback_url: Option<String>,
    tries: (u32, Option<i64>),
    replay: bool,
}

type Readable = (HandoverEvent, EventContext, Option<String>, (u32, Option<i64>));

fn readable(row: HeadRow) -> Result<Readable, StoreError> {
    let event = rows::event(&row.event)?;
    let context = rows::context(row.context)?;
    Ok((event, context, row.callback_url, row.tries))
}

fn read_head(db: &Connection, target: &Target, now: Timestamp) -> Result<Option<HeadRow>, StoreError> {
    match target {
        Target::Lane(handover) => one(db, LANE_HEAD, params![HandoverId::as_str(handover), now.as_millis()]),
        Target::Aside(event) => one(db, ASIDE, params![event.as_str(), now.as_millis()]),
    }
}

fn one(db: &Connection, sql: &str, keys: impl Params) -> Result<Option<HeadRow>, StoreError> {
    let columns = |row: &Row<'_>| {
        Ok(HeadRow {
            event: log::event(row)?,
            context: log::context(row, 7)?,
            callback_url: row.get(12)?,
            tries: (row.get(13)?, row.get(14)?),
            replay: row.get(15)?,
        })
    };
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(keys, columns).optional())
        .map_err(failed)
}
