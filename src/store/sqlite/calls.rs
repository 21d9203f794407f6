//! Calls that must reach 8x8: written with what caused them, settled once.

use rusqlite::Connection;
use rusqlite::params;

use crate::domain::Call;
use crate::domain::CallRecord;
use crate::store::CallSettled;
use crate::store::StoreError;
use crate::store::rows;
use crate::store::rows::CallRow;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::messages;

const INSERT: &str = "INSERT INTO command (id, handover, state, created_at, deadline, body)
 VALUES (?1, ?2, 'open', ?3, ?4, ?5)";

const SETTLE: &str = "UPDATE command SET state = ?2, settled_at = ?3 WHERE id = ?1 AND state = 'open'";

const REWRITE: &str = "UPDATE command SET body = ?2, deadline = ?3 WHERE id = ?1 AND state = 'open'";

const OPEN: &str = "SELECT id, handover, body, created_at, deadline FROM command
 WHERE state = 'open' ORDER BY handover, position";

/// What a rewritten call is kept as.
pub(super) struct Rewritten {
    body: String,
    /// Of its message.
    files: Option<String>,
}

impl Rewritten {
    pub(super) fn of(record: &CallRecord) -> Result<Self, StoreError> {
        let files = match &record.call {
            Call::PostMessage(part) => part.shown(),
            Call::UserLeaves { .. } | Call::Update { .. } | Call::HandBack { .. } => None,
        };
        Ok(Self {
            body: rows::to_json(&record.call)?,
            files: files.map(|files| rows::to_json(&files)).transpose()?,
        })
    }
}

pub(super) fn insert(db: &Connection, record: &CallRecord, body: &str) -> Result<(), StoreError> {
    db.prepare_cached(INSERT)
        .and_then(|mut statement| {
            statement.execute(params![
                record.id.as_str(),
                record.handover.as_str(),
                record.created_at.as_millis(),
                record.deadline.as_millis(),
                body,
            ])
        })
        .map_err(failed)?;
    Ok(())
}

/// A call that was settled before stays as it is, and so does its message.
pub(super) fn settle(db: &Connection, settled: &CallSettled) -> Result<(), StoreError> {
    let (id, outcome, at) = (settled.id.as_str(), settled.outcome.as_str(), settled.at.as_millis());
    let changed = db
        .prepare_cached(SETTLE)
        .and_then(|mut statement| statement.execute(params![id, outcome, at]))
        .map_err(failed)?;
    match &settled.message {
        Some((message, status)) if changed > 0 => messages::set_status(db, message, *status),
        _ => Ok(()),
    }
}

/// A call that was settled before stays as it is, and so does its message.
pub(super) fn rewrite(db: &Connection, record: &CallRecord, texts: &Rewritten) -> Result<(), StoreError> {
    let changed = db
        .prepare_cached(REWRITE)
        .and_then(|mut statement| {
            statement.execute(params![record.id.as_str(), texts.body, record.deadline.as_millis()])
        })
        .map_err(failed)?;
    match (record.call.message(), &texts.files) {
        (Some(message), Some(files)) if changed > 0 => messages::set_files(db, message, files),
        _ => Ok(()),
    }
}

pub(super) fn open_calls(db: &Connection) -> Result<Vec<CallRecord>, StoreError> {
    let mut statement = db.prepare_cached(OPEN).map_err(failed)?;
    let found = statement
        .query_map([], |row| {
            Ok(CallRow {
                id: row.get(0)?,
                handover: row.get(1)?,
                body: row.get(2)?,
                created_at: row.get(3)?,
                deadline: row.get(4)?,
            })
        })
        .map_err(failed)?;
    found.map(|row| rows::call(row.map_err(failed)?)).collect()
}
