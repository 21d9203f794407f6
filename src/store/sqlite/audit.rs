//! The audit log: rows are added at its end, read from there, and go by their age.

use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::params;

use crate::domain::Timestamp;
use crate::store::AUDIT_AT_MOST;
use crate::store::AuditEntry;
use crate::store::StoreError;
use crate::store::rows;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::log::limit;

const APPEND: &str = "INSERT INTO audit (at, actor, action, target, request_id, outcome, counts)
 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const NEWEST: &str = "SELECT at, actor, action, target, request_id, outcome, counts FROM audit
 ORDER BY position DESC LIMIT ?1";

/// From the oldest on, as far as they are too old or too many.
const PRUNE: &str = "DELETE FROM audit WHERE position IN (SELECT position FROM audit ORDER BY position LIMIT ?3)
 AND (at < ?1 OR position <= (SELECT max(position) FROM audit) - ?2)";

pub(super) fn append(db: &Connection, entry: &AuditEntry) -> Result<(), StoreError> {
    let counts = rows::to_json(&entry.counts)?;
    db.prepare_cached(APPEND)
        .and_then(|mut statement| {
            statement.execute(params![
                entry.at.as_millis(),
                entry.actor,
                entry.action,
                entry.target,
                entry.request_id,
                entry.outcome,
                counts,
            ])
        })
        .map_err(failed)?;
    Ok(())
}

pub(super) fn newest(db: &Connection, at_most: usize) -> Result<Vec<AuditEntry>, StoreError> {
    let mut statement = db.prepare_cached(NEWEST).map_err(failed)?;
    let entries = statement.query_map([limit(at_most)], entry).map_err(failed)?;
    entries.map(|entry| entry.map_err(failed)).collect()
}

pub(super) fn prune(db: &Connection, before: Timestamp, at_most: usize) -> Result<usize, StoreError> {
    let rows = i64::try_from(AUDIT_AT_MOST).unwrap_or(i64::MAX);
    db.prepare_cached(PRUNE)
        .and_then(|mut statement| statement.execute(params![before.as_millis(), rows, limit(at_most)]))
        .map_err(failed)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let counts: String = row.get(6)?;
    Ok(AuditEntry {
        at: Timestamp::from_millis(row.get(0)?),
        actor: row.get(1)?,
        action: row.get(2)?,
        target: row.get(3)?,
        request_id: row.get(4)?,
        outcome: row.get(5)?,
        // An entry is worth reading without its figures.
        counts: serde_json::from_str(&counts).unwrap_or_default(),
    })
}
