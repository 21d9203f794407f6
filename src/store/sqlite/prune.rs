//! Deletes what nobody needs any more, a small slice at a time, so that no commit waits long behind it.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::domain::Timestamp;
use crate::store::StoreError;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::log::limit;

const KEYS: &str = "DELETE FROM idempotency WHERE (bot, scope, key) IN
 (SELECT bot, scope, key FROM idempotency WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)";

const UNPLACED: &str = "DELETE FROM webhook_event WHERE position IN
 (SELECT position FROM webhook_event WHERE handover IS NULL AND received_at < ?1 ORDER BY received_at LIMIT ?2)";

const GRANTS: &str = "DELETE FROM token_grant WHERE family IN
 (SELECT family FROM token_grant WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";

/// A call that must still reach 8x8 keeps its handover.
const OVER: &str = "SELECT id FROM handover h WHERE live = 0 AND ended_at < ?1
 AND NOT EXISTS (SELECT 1 FROM command c WHERE c.handover = h.id AND c.state = 'open')
 ORDER BY ended_at LIMIT 1";

/// All that hangs on a handover, the lane first so that nothing of a half-deleted log is delivered, and itself last.
const OF_HANDOVER: [&str; 8] = [
    "DELETE FROM lane WHERE handover = ?1 AND ?2 > 0",
    "DELETE FROM delivery WHERE event IN (SELECT event FROM delivery WHERE handover = ?1 LIMIT ?2)",
    "DELETE FROM attempt WHERE (handover, sequence, started_at, number) IN
     (SELECT handover, sequence, started_at, number FROM attempt WHERE handover = ?1 LIMIT ?2)",
    "DELETE FROM command WHERE position IN (SELECT position FROM command WHERE handover = ?1 LIMIT ?2)",
    "DELETE FROM message WHERE position IN (SELECT position FROM message WHERE handover = ?1 LIMIT ?2)",
    "DELETE FROM webhook_event WHERE position IN (SELECT position FROM webhook_event WHERE handover = ?1 LIMIT ?2)",
    "DELETE FROM event WHERE position IN (SELECT position FROM event WHERE handover = ?1 ORDER BY sequence LIMIT ?2)",
    "DELETE FROM handover WHERE id = ?1 AND ?2 > 0",
];

const HEALTH: &str = "INSERT INTO health (id, checked_at) VALUES (1, ?1)
 ON CONFLICT (id) DO UPDATE SET checked_at = excluded.checked_at";

/// Free pages are used again; they go back to the file system only when they are a good part of the file.
const SHRINK_ABOVE: i64 = 4;

pub(super) fn prune(
    db: &Connection,
    keys_before: Timestamp,
    handovers_before: Timestamp,
    at_most: usize,
) -> Result<usize, StoreError> {
    let mut gone = 0;
    for (sql, before) in [(KEYS, keys_before), (UNPLACED, keys_before), (GRANTS, keys_before)] {
        let left = limit(at_most.saturating_sub(gone));
        gone += db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params![before.as_millis(), left]))
            .map_err(failed)?;
    }
    while gone < at_most
        && let Some(id) = over(db, handovers_before)?
    {
        for sql in OF_HANDOVER {
            let left = limit(at_most.saturating_sub(gone));
            gone += db
                .prepare_cached(sql)
                .and_then(|mut statement| statement.execute(params![id, left]))
                .map_err(failed)?;
        }
    }
    if gone == 0 {
        shrink(db)?;
    }
    Ok(gone)
}

/// Writes something, since a full disk refuses only that.
pub(super) fn check(db: &Connection, now: Timestamp) -> Result<(), StoreError> {
    db.prepare_cached(HEALTH)
        .and_then(|mut statement| statement.execute([now.as_millis()]))
        .map_err(failed)?;
    Ok(())
}

fn over(db: &Connection, before: Timestamp) -> Result<Option<String>, StoreError> {
    db.prepare_cached(OVER)
        .and_then(|mut statement| statement.query_row([before.as_millis()], |row| row.get(0)).optional())
        .map_err(failed)
}

fn shrink(db: &Connection) -> Result<(), StoreError> {
    let pages = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let free = pages("freelist_count").map_err(failed)?;
    let all = pages("page_count").map_err(failed)?;
    if free > all / SHRINK_ABOVE {
        // A row for each page freed: the statement does its work only as far as it is read.
        let mut vacuum = db.prepare_cached("PRAGMA incremental_vacuum(1000)").map_err(failed)?;
        let mut freed = vacuum.query([]).map_err(failed)?;
        while freed.next().map_err(failed)?.is_some() {}
    }
    Ok(())
}
