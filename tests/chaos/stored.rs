//! What the gateway's own file says, read beside it.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::Row;
use serde_json::Value;

use crate::ledger::Fate;
use crate::ledger::Stored;
use crate::ledger::StoredEvent;
use crate::ledger::StoredHandover;
use crate::ledger::StoredMessage;

const EVENTS: &str = "
    SELECT event.id, event.handover, event.sequence, event.type, event.extra, coalesce(lane.head, 0), delivery.status
    FROM event
    LEFT JOIN lane ON lane.handover = event.handover
    LEFT JOIN delivery ON delivery.event = event.id
    WHERE event.deliver = 1
    ORDER BY event.position";

pub(crate) fn read(file: &Path) -> Stored {
    let db = open(file);
    let text = |row: &Row<'_>| row.get::<_, String>(0);
    Stored {
        handovers: all(
            &db,
            "SELECT id, bot, state, coalesce(conversation, '') FROM handover",
            |row| {
                Ok(StoredHandover {
                    id: row.get(0)?,
                    bot: row.get(1)?,
                    state: row.get(2)?,
                    conversation: row.get(3)?,
                })
            },
        ),
        events: all(&db, EVENTS, event),
        messages: all(&db, "SELECT handover, coalesce(text, ''), status FROM message", |row| {
            Ok(StoredMessage {
                handover: row.get(0)?,
                text: row.get(1)?,
                status: row.get(2)?,
            })
        }),
        unplaced: all(&db, "SELECT event_id FROM webhook_event WHERE handover IS NULL", text),
        placed: all(
            &db,
            "SELECT event_id FROM webhook_event WHERE handover IS NOT NULL",
            text,
        ),
        open_calls: count(&db, OPEN_CALLS),
    }
}

const OPEN_CALLS: &str = "SELECT count(*) FROM command WHERE state = 'open'";
const LIVE: &str = "SELECT count(*) FROM handover WHERE live = 1";
const BEHIND: &str = "SELECT count(*) FROM lane WHERE head < tail AND stopped = 0";

pub(crate) fn is_drained(file: &Path) -> bool {
    count(&open(file), BEHIND) == 0
}

/// What is still to be done, in words; `None` when nothing is.
pub(crate) fn unfinished(file: &Path) -> Option<String> {
    let db = open(file);
    let [live, calls, behind] = [LIVE, OPEN_CALLS, BEHIND].map(|sql| count(&db, sql));
    (live + calls + behind > 0).then(|| format!("{live} live handovers, {calls} open calls, {behind} lanes behind"))
}

fn event(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    let (sequence, head): (i64, i64) = (row.get(2)?, row.get(5)?);
    let (extra, listed): (String, Option<String>) = (row.get(4)?, row.get(6)?);
    let extra: Value = serde_json::from_str(&extra).unwrap_or_default();
    Ok(StoredEvent {
        id: row.get(0)?,
        handover: row.get(1)?,
        sequence: u64::try_from(sequence).unwrap(),
        kind: row.get(3)?,
        source: extra["source"]["eventId"].as_str().map(str::to_owned),
        text: extra["message"]["text"].as_str().map(str::to_owned),
        fate: match listed.as_deref() {
            Some("failed" | "aside") => Fate::Listed,
            Some("waiting") => Fate::Pending,
            Some(_) => Fate::Done,
            None if sequence <= head => Fate::Done,
            None => Fate::Pending,
        },
    })
}

fn open(file: &Path) -> Connection {
    let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    db
}

fn count(db: &Connection, sql: &str) -> usize {
    let count: i64 = db.query_row(sql, [], |row| row.get(0)).unwrap();
    usize::try_from(count).unwrap()
}

fn all<T>(db: &Connection, sql: &str, read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
    let mut statement = db.prepare(sql).unwrap();
    statement.query_map([], read).unwrap().map(Result::unwrap).collect()
}
