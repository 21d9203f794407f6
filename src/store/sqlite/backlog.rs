//! What waits to be delivered, counted: the cost is that of the lanes with something in them.

use rusqlite::Connection;
use rusqlite::params;

use crate::domain::BotName;
use crate::domain::HandoverId;
use crate::domain::Timestamp;
use crate::store::Backlog;
use crate::store::BacklogAsked;
use crate::store::StoreError;
use crate::store::rows;
use crate::store::rows::Place;
use crate::store::sqlite::error::failed;

const BY_BOT: &str = "SELECT l.bot, sum(l.tail - l.head), max(l.tail - l.head), min(e.at)
 FROM lane l INDEXED BY lane_ready LEFT JOIN event e ON e.handover = l.handover AND e.sequence = l.head + 1
 WHERE l.head < l.tail AND l.stopped = 0 GROUP BY l.bot ORDER BY l.bot";

/// The length of a text in bytes stands before it, so that the texts themselves are not read.
const BYTES: &str = "SELECT coalesce(sum(octet_length(e.extra)), 0)
 FROM lane l INDEXED BY lane_ready CROSS JOIN event e ON e.handover = l.handover AND e.sequence > l.head AND e.sequence <= l.tail
 WHERE l.head < l.tail AND l.stopped = 0 AND l.bot = ?1";

const LONG_LANES: &str = "SELECT handover, tail - head FROM lane INDEXED BY lane_ready
 WHERE head < tail AND stopped = 0 AND bot = ?1 AND tail - head > ?2 ORDER BY handover LIMIT 100";

pub(super) fn backlog(db: &Connection, asked: BacklogAsked) -> Result<Vec<Backlog>, StoreError> {
    let mut statement = db.prepare_cached(BY_BOT).map_err(failed)?;
    let found = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .map_err(failed)?;
    let backlogs = found.map(|row| {
        let (bot, events, longest, oldest): (String, i64, i64, Option<i64>) = row.map_err(failed)?;
        let events: u64 = rows::number(events, Place("lane", "tail"), &bot)?;
        let has_long = u64::try_from(longest).is_ok_and(|longest| longest > asked.long_lane);
        Ok(Backlog {
            bytes: (events >= asked.weigh_from).then(|| bytes(db, &bot)).transpose()?,
            long_lanes: if has_long {
                long_lanes(db, &bot, asked.long_lane)?
            } else {
                Vec::new()
            },
            bot: BotName::new(&bot),
            events,
            oldest_at: oldest.map(Timestamp::from_millis),
        })
    });
    backlogs.collect()
}

fn bytes(db: &Connection, bot: &str) -> Result<u64, StoreError> {
    let bytes = db
        .prepare_cached(BYTES)
        .and_then(|mut statement| statement.query_row([bot], |row| row.get(0)))
        .map_err(failed)?;
    rows::number(bytes, Place("event", "extra"), bot)
}

fn long_lanes(db: &Connection, bot: &str, longer_than: u64) -> Result<Vec<(HandoverId, u64)>, StoreError> {
    let longer_than = i64::try_from(longer_than).unwrap_or(i64::MAX);
    let mut statement = db.prepare_cached(LONG_LANES).map_err(failed)?;
    let found = statement
        .query_map(params![bot, longer_than], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(failed)?;
    let lanes = found.map(|row| {
        let (handover, events): (String, i64) = row.map_err(failed)?;
        let events = rows::number(events, Place("lane", "tail"), &handover)?;
        Ok((rows::handover_id(handover, Place("lane", "handover"))?, events))
    });
    lanes.collect()
}
