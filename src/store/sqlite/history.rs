//! What was said before a handover.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::domain::HandoverId;
use crate::domain::PastMessage;
use crate::store::StoreError;
use crate::store::rows::Place;
use crate::store::sqlite::error::failed;

const KEEP: &str = "INSERT INTO history (handover, messages)
 SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM handover WHERE id = ?1 AND content > 0)
 ON CONFLICT DO NOTHING";

const READ: &str = "SELECT messages FROM history WHERE handover = ?1";

pub(super) fn keep(db: &Connection, id: &HandoverId, messages: &str) -> Result<(), StoreError> {
    db.prepare_cached(KEEP)
        .and_then(|mut statement| statement.execute(params![id.as_str(), messages]))
        .map_err(failed)?;
    Ok(())
}

pub(super) fn read(db: &Connection, id: &HandoverId) -> Result<Vec<PastMessage>, StoreError> {
    let found: Option<String> = db
        .prepare_cached(READ)
        .and_then(|mut statement| statement.query_row([id.as_str()], |row| row.get(0)).optional())
        .map_err(failed)?;
    let Some(text) = found else { return Ok(Vec::new()) };
    serde_json::from_str(&text).map_err(|_unreadable| Place("history", "messages").wrong(id.as_str()))
}
