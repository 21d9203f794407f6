//! Reads what happened to a handover, from every table that tells of it.

use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::params;

use crate::domain::HandoverId;
use crate::store::StoreError;
use crate::store::Timeline;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::log::limit;
use crate::store::timeline_rows;
use crate::store::timeline_rows::AttemptRow;
use crate::store::timeline_rows::CallMadeRow;
use crate::store::timeline_rows::DeliveryRow;
use crate::store::timeline_rows::EventRecordedRow;
use crate::store::timeline_rows::MessagePostedRow;

const EVENTS: &str = "SELECT id, type, sequence, at, state, late FROM event
 WHERE handover = ?1 ORDER BY sequence DESC LIMIT ?2";

const ATTEMPTS: &str = "SELECT sequence, number, started_at, took_millis, status, error FROM attempt
 WHERE handover = ?1 ORDER BY sequence DESC, started_at DESC, number DESC LIMIT ?2";

const DELIVERIES: &str = "SELECT event, sequence, status, attempts, due_at, reason FROM delivery
 WHERE handover = ?1 ORDER BY sequence DESC LIMIT ?2";

const CALLS: &str = "SELECT id, body, state, created_at, settled_at FROM command
 WHERE handover = ?1 ORDER BY position DESC LIMIT ?2";

const MESSAGES: &str = "SELECT id, author, status, created_at FROM message
 WHERE handover = ?1 AND notice = 0 ORDER BY position DESC LIMIT ?2";

pub(super) fn timeline(db: &Connection, id: &HandoverId, at_most: usize) -> Result<Timeline, StoreError> {
    let mut asked = Asked {
        db,
        id,
        at_most,
        cut: false,
    };
    let events = asked.newest(EVENTS, |row| {
        Ok(EventRecordedRow {
            id: row.get(0)?,
            kind: row.get(1)?,
            sequence: row.get(2)?,
            at: row.get(3)?,
            state: row.get(4)?,
            late: row.get(5)?,
        })
    })?;
    let attempts = asked.newest(ATTEMPTS, |row| {
        Ok(AttemptRow {
            sequence: row.get(0)?,
            number: row.get(1)?,
            started_at: row.get(2)?,
            took_millis: row.get(3)?,
            status: row.get(4)?,
            error: row.get(5)?,
        })
    })?;
    let deliveries = asked.newest(DELIVERIES, |row| {
        Ok(DeliveryRow {
            event: row.get(0)?,
            sequence: row.get(1)?,
            status: row.get(2)?,
            attempts: row.get(3)?,
            at: row.get(4)?,
            reason: row.get(5)?,
        })
    })?;
    let calls = asked.newest(CALLS, call)?;
    let messages = asked.newest(MESSAGES, |row| {
        Ok(MessagePostedRow {
            id: row.get(0)?,
            author: row.get(1)?,
            status: row.get(2)?,
            created_at: row.get(3)?,
        })
    })?;
    Ok(Timeline {
        events: read(&events, timeline_rows::event_recorded)?,
        attempts: read(&attempts, |row| timeline_rows::attempt_made(row, id))?,
        deliveries: read(&deliveries, timeline_rows::delivery_left)?,
        calls: read(&calls, timeline_rows::call_made)?,
        messages: read(&messages, timeline_rows::message_posted)?,
        cut: asked.cut,
    })
}

fn call(row: &Row<'_>) -> rusqlite::Result<CallMadeRow> {
    Ok(CallMadeRow {
        id: row.get(0)?,
        body: row.get(1)?,
        state: row.get(2)?,
        created_at: row.get(3)?,
        settled_at: row.get(4)?,
    })
}

/// What is asked of each table.
struct Asked<'a> {
    db: &'a Connection,
    id: &'a HandoverId,
    at_most: usize,
    cut: bool,
}

impl Asked<'_> {
    /// The newest rows, oldest first.
    fn newest<T>(
        &mut self,
        sql: &str,
        columns: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.db.prepare_cached(sql).map_err(failed)?;
        let wanted = limit(self.at_most).saturating_add(1);
        let found = statement
            .query_map(params![self.id.as_str(), wanted], columns)
            .map_err(failed)?;
        let mut found = found.collect::<rusqlite::Result<Vec<_>>>().map_err(failed)?;
        self.cut |= found.len() > self.at_most;
        found.truncate(self.at_most);
        found.reverse();
        Ok(found)
    }
}

fn read<R, T>(rows: &[R], one: impl FnMut(&R) -> Result<T, StoreError>) -> Result<Vec<T>, StoreError> {
    rows.iter().map(one).collect()
}
