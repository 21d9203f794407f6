//! Lanes whose bot fails while an agent talks, and those over it.

use rusqlite::Connection;
use rusqlite::params;

use crate::domain::HandoverId;
use crate::domain::Timestamp;
use crate::store::AgentKnows;
use crate::store::HeldUp;
use crate::store::StoreError;
use crate::store::rows;
use crate::store::rows::Place;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::log::limit;

/// The log is looked into last, which `CASE` sees to: most of those that are held up have nobody to be told.
const HELD: &str = "SELECT l.handover, l.quiet_since FROM lane l CROSS JOIN handover h ON h.id = l.handover
 WHERE l.head < l.tail AND l.told = 0 AND l.quiet_since <= ?1 AND (l.quiet_since, l.handover) > (?2, ?3)
  AND CASE WHEN h.state IN ('active', 'transferring') THEN EXISTS (SELECT 1 FROM event e
   WHERE e.handover = l.handover AND e.sequence > l.head AND e.deliver = 1 AND e.type = 'message.created' AND e.at <= ?1) END
 ORDER BY l.quiet_since, l.handover LIMIT ?4";

const CAUGHT_UP: &str = "SELECT l.handover FROM lane l CROSS JOIN handover h ON h.id = l.handover
 WHERE l.told = 1 AND l.handover > ?2 AND (h.live = 0 OR (l.stopped = 0
  AND (SELECT a.status BETWEEN 200 AND 299 AND a.error IS NULL FROM attempt a WHERE a.handover = l.handover
   ORDER BY a.sequence DESC, a.started_at DESC, a.number DESC LIMIT 1)
  AND NOT EXISTS (SELECT 1 FROM event e WHERE e.handover = l.handover AND e.sequence > l.head AND e.deliver = 1
   AND e.type = 'message.created' AND e.at <= ?1)))
 ORDER BY l.handover LIMIT ?3";

const MARK: &str = "UPDATE lane SET told = ?2 WHERE handover = ?1";

pub(super) fn held_up(
    db: &Connection,
    before: Timestamp,
    after: Option<&HeldUp>,
    at_most: usize,
) -> Result<Vec<HeldUp>, StoreError> {
    let (since, handover) = after.map_or((i64::MIN, ""), |after| {
        (after.since.as_millis(), after.handover.as_str())
    });
    let mut statement = db.prepare_cached(HELD).map_err(failed)?;
    let found = statement
        .query_map(params![before.as_millis(), since, handover, limit(at_most)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .map_err(failed)?;
    let held = found.map(|row| {
        let (handover, since): (String, i64) = row.map_err(failed)?;
        Ok(HeldUp {
            handover: rows::handover_id(handover, Place("lane", "handover"))?,
            since: Timestamp::from_millis(since),
        })
    });
    held.collect()
}

pub(super) fn caught_up(
    db: &Connection,
    before: Timestamp,
    after: Option<&HandoverId>,
    at_most: usize,
) -> Result<Vec<HandoverId>, StoreError> {
    let after = after.map_or("", HandoverId::as_str);
    let mut statement = db.prepare_cached(CAUGHT_UP).map_err(failed)?;
    let found = statement
        .query_map(params![before.as_millis(), after, limit(at_most)], |row| row.get(0))
        .map_err(failed)?;
    let ids = found.map(|row| rows::handover_id(row.map_err(failed)?, Place("lane", "handover")));
    ids.collect()
}

pub(super) fn mark(db: &Connection, handover: &HandoverId, knows: AgentKnows) -> Result<(), StoreError> {
    let told = match knows {
        AgentKnows::Yes => 1,
        AgentKnows::No => 0,
    };
    db.prepare_cached(MARK)
        .and_then(|mut statement| statement.execute(params![handover.as_str(), told]))
        .map_err(failed)?;
    Ok(())
}
