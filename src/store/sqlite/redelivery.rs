//! Failed deliveries: lists them, and puts events back to be posted again, of one handover one at a time and in order.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;

use crate::domain::BotName;
use crate::domain::EventId;
use crate::domain::Timestamp;
use crate::store::FailedDelivery;
use crate::store::FailedPage;
use crate::store::RECOVERED_AT_ONCE;
use crate::store::Recover;
use crate::store::Recovered;
use crate::store::Resent;
use crate::store::StoreError;
use crate::store::rows;
use crate::store::rows::Place;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::log::limit;

const FAILED: &str =
    "SELECT d.event, d.handover, d.sequence, e.type, d.attempts, d.first_attempt_at, d.due_at, d.reason
 FROM delivery d CROSS JOIN event e ON e.handover = d.handover AND e.sequence = d.sequence
 WHERE d.bot = ?1 AND d.status = 'failed' AND d.event < ?2 ORDER BY d.event DESC LIMIT ?3";

/// Greater than any event's id.
const NEWEST: &str = "evt_~";

/// An event without a lane was recorded for a bot that pulls.
const DELIVERY: &str = "SELECT e.handover, e.sequence, l.head, l.stopped, d.status
 FROM event e CROSS JOIN lane l ON l.handover = e.handover LEFT JOIN delivery d ON d.event = e.id
 WHERE e.id = ?1 AND e.bot = ?2 AND e.deliver = 1";

/// The clocks of its head begin anew.
const LIFT: &str = "UPDATE lane SET stopped = 0, attempts = 0, first_attempt_at = NULL, due_at = ?2, quiet_since = ?2
 WHERE handover = ?1 AND stopped = 1";

/// The head is the lane's again.
const UNLIST: &str = "DELETE FROM delivery WHERE handover = ?1 AND status = 'failed' AND reason = 'gone'
 AND sequence > (SELECT head FROM lane WHERE handover = ?1)";

/// What is on its way is tried at once.
const HURRY_HEAD: &str = "UPDATE lane SET due_at = MIN(due_at, ?2) WHERE handover = ?1";
const HURRY_ASIDE: &str = "UPDATE delivery SET due_at = MIN(due_at, ?2) WHERE event = ?1 AND status = 'aside'";

const WAIT: &str = "INSERT INTO delivery
  (event, handover, sequence, bot, status, attempts, first_attempt_at, due_at, reason, replay)
 SELECT id, handover, sequence, bot, 'waiting', 0, NULL, ?2, NULL, 1 FROM event WHERE id = ?1
 ON CONFLICT (event) DO UPDATE SET status = 'waiting', attempts = 0, first_attempt_at = NULL, due_at = excluded.due_at,
  reason = NULL, replay = 1";

const GO_ON: &str = "UPDATE delivery SET status = 'aside', due_at = MAX(due_at, ?2)
 WHERE event = (SELECT event FROM delivery WHERE handover = ?1 AND status = 'waiting' ORDER BY sequence LIMIT 1)
 AND NOT EXISTS (SELECT 1 FROM delivery WHERE handover = ?1 AND status = 'aside' AND replay = 1)";

const NEXT_HANDOVER: &str = "SELECT handover FROM delivery
 WHERE bot = ?1 AND status = 'failed' AND due_at BETWEEN ?2 AND ?3 ORDER BY due_at, event LIMIT 1";

const OF_HANDOVER: &str = "SELECT event FROM delivery
 WHERE handover = ?1 AND status = 'failed' AND due_at BETWEEN ?2 AND ?3 ORDER BY sequence LIMIT ?4";

pub(super) fn failed_deliveries(
    db: &Connection,
    bot: &BotName,
    before: Option<&EventId>,
    at_most: usize,
) -> Result<FailedPage, StoreError> {
    let before = before.map_or(NEWEST, EventId::as_str);
    let mut statement = db.prepare_cached(FAILED).map_err(failed)?;
    let found = statement
        .query_map(params![bot.as_str(), before, limit(at_most.saturating_add(1))], columns)
        .map_err(failed)?;
    let mut deliveries = found
        .map(|row| delivery(row.map_err(failed)?))
        .collect::<Result<Vec<_>, _>>()?;
    let more = deliveries.len() > at_most;
    deliveries.truncate(at_most);
    Ok(FailedPage { deliveries, more })
}

pub(super) fn resend(
    db: &Connection,
    bot: &BotName,
    event: &EventId,
    now: Timestamp,
) -> Result<Option<Resent>, StoreError> {
    let found: Option<(String, i64, i64, bool, Option<String>)> = db
        .prepare_cached(DELIVERY)
        .and_then(|mut statement| {
            statement
                .query_row([event.as_str(), bot.as_str()], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
                })
                .optional()
        })
        .map_err(failed)?;
    let Some((handover, sequence, head, stopped, status)) = found else {
        return Ok(None);
    };
    if stopped {
        lift(db, &handover, now)?;
    }
    match status.as_deref() {
        // It comes in its turn.
        _ if sequence > head => {
            execute(db, HURRY_HEAD, params![handover, now.as_millis()])?;
        }
        Some("aside" | "waiting") => {
            execute(db, HURRY_ASIDE, params![event.as_str(), now.as_millis()])?;
            go_on(db, &handover, now)?;
        }
        Some(_) | None => {
            execute(db, WAIT, params![event.as_str(), now.as_millis()])?;
            go_on(db, &handover, now)?;
        }
    }
    Ok(Some(Resent {
        sequence: rows::number(sequence, Place("event", "sequence"), event.as_str())?,
        handover: rows::handover_id(handover, Place("event", "handover"))?,
        resumed: stopped,
    }))
}

pub(super) fn recover(db: &Connection, recover: &Recover) -> Result<Recovered, StoreError> {
    let mut recovered = Recovered::default();
    while recovered.deliveries < recover.limit
        && let Some(handover) = next_handover(db, recover)?
    {
        let before = recovered.deliveries;
        let mut due_at = due(recover, before);
        if execute(db, LIFT, params![handover, due_at.as_millis()])? > 0 {
            recovered.resumed += 1;
            recovered.deliveries += execute(db, UNLIST, params![handover])?;
        }
        for event in events_of(db, &handover, recover)? {
            execute(db, WAIT, params![event, due_at.as_millis()])?;
            recovered.deliveries += 1;
            due_at = due(recover, recovered.deliveries);
        }
        go_on(db, &handover, recover.now)?;
        if recovered.deliveries == before {
            // What was found is gone by its own rules: it can not be found again.
            break;
        }
    }
    Ok(recovered)
}

/// The next of a handover's that waits, when none of them is on its way.
pub(super) fn go_on(db: &Connection, handover: &str, now: Timestamp) -> Result<(), StoreError> {
    execute(db, GO_ON, params![handover, now.as_millis()]).map(drop)
}

fn lift(db: &Connection, handover: &str, now: Timestamp) -> Result<(), StoreError> {
    execute(db, LIFT, params![handover, now.as_millis()])?;
    execute(db, UNLIST, params![handover]).map(drop)
}

fn due(recover: &Recover, place: usize) -> Timestamp {
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    recover.start.plus(recover.apart.saturating_mul(place))
}

fn next_handover(db: &Connection, recover: &Recover) -> Result<Option<String>, StoreError> {
    let (since, until) = (recover.since.as_millis(), recover.until.as_millis());
    db.prepare_cached(NEXT_HANDOVER)
        .and_then(|mut statement| {
            statement
                .query_row(params![recover.bot.as_str(), since, until], |row| row.get(0))
                .optional()
        })
        .map_err(failed)
}

fn events_of(db: &Connection, handover: &str, recover: &Recover) -> Result<Vec<String>, StoreError> {
    let (since, until) = (recover.since.as_millis(), recover.until.as_millis());
    let mut statement = db.prepare_cached(OF_HANDOVER).map_err(failed)?;
    let found = statement
        .query_map(params![handover, since, until, limit(RECOVERED_AT_ONCE)], |row| {
            row.get(0)
        })
        .map_err(failed)?;
    found.collect::<rusqlite::Result<_>>().map_err(failed)
}

fn execute(db: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<usize, StoreError> {
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.execute(values))
        .map_err(failed)
}

struct DeliveryRow {
    event: String,
    handover: String,
    sequence: i64,
    kind: String,
    attempts: i64,
    first_attempt_at: Option<i64>,
    failed_at: i64,
    reason: Option<String>,
}

fn columns(row: &Row<'_>) -> rusqlite::Result<DeliveryRow> {
    Ok(DeliveryRow {
        event: row.get(0)?,
        handover: row.get(1)?,
        sequence: row.get(2)?,
        kind: row.get(3)?,
        attempts: row.get(4)?,
        first_attempt_at: row.get(5)?,
        failed_at: row.get(6)?,
        reason: row.get(7)?,
    })
}

fn delivery(row: DeliveryRow) -> Result<FailedDelivery, StoreError> {
    Ok(FailedDelivery {
        event: rows::event_id(&row.event, Place("delivery", "event"))?,
        handover: rows::handover_id(row.handover, Place("delivery", "handover"))?,
        sequence: rows::number(row.sequence, Place("delivery", "sequence"), &row.event)?,
        attempts: rows::number(row.attempts, Place("delivery", "attempts"), &row.event)?,
        first_attempt_at: row.first_attempt_at.map(Timestamp::from_millis),
        failed_at: Timestamp::from_millis(row.failed_at),
        kind: row.kind,
        reason: row.reason.unwrap_or_default(),
    })
}
