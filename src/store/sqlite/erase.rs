//! Erases what people said and who they are, and leaves the record: first the handover itself, then what hangs on it, a
//! small slice at a time. One that was begun is found again after a crash by its mark.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;

use crate::domain::Call;
use crate::domain::ERASED_EXTRA;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::domain::RawJson;
use crate::domain::Timestamp;
use crate::store::AuditEntry;
use crate::store::KeptAnswer;
use crate::store::StoreError;
use crate::store::rows;
use crate::store::rows::EventRow;
use crate::store::rows::Place;
use crate::store::sqlite::audit;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::log;
use crate::store::sqlite::log::limit;
use crate::store::sqlite::writer::Wrote;

/// Compare-and-set, and of handovers that are over only.
const BEGIN: &str = "UPDATE handover SET version = ?2, facts = ?3, metadata = ?4, progress = ?5, content = 1
 WHERE id = ?1 AND version = ?2 - 1 AND live = 0";

const BEGUN: &str = "SELECT id FROM handover h WHERE content = 1
 AND NOT EXISTS (SELECT 1 FROM command c WHERE c.handover = h.id AND c.state = 'open')
 ORDER BY id LIMIT ?1";

/// What is still to be delivered, or to be told 8x8, keeps its words. A lane the bot stopped delivers nothing any more.
const DUE: &str = "SELECT id FROM handover h WHERE live = 0 AND content = 0 AND ended_at < ?1
 AND NOT EXISTS (SELECT 1 FROM command c WHERE c.handover = h.id AND c.state = 'open')
 AND NOT EXISTS (SELECT 1 FROM lane l WHERE l.handover = h.id AND l.stopped = 0
  AND (l.head < l.tail OR EXISTS (SELECT 1 FROM delivery d WHERE d.handover = h.id AND d.status IN ('aside', 'waiting'))))
 ORDER BY ended_at LIMIT ?2";

const HISTORY: &str = "DELETE FROM history WHERE handover = ?1 AND ?2 > 0";

const WEBHOOKS: &str = "UPDATE webhook_event SET body = x'', headers = NULL WHERE position IN
 (SELECT position FROM webhook_event WHERE handover = ?1 AND (length(body) > 0 OR headers IS NOT NULL) LIMIT ?2)";

const MESSAGES: &str = "UPDATE message SET text = NULL, cards = '[]', attachments = NULL WHERE position IN
 (SELECT position FROM message WHERE handover = ?1
  AND (text IS NOT NULL OR cards <> '[]' OR attachments IS NOT NULL) LIMIT ?2)";

const EVENTS: &str = "SELECT id, type, sequence, at, state, late, extra FROM event
 WHERE handover = ?1 AND substr(extra, 1, length(?3)) <> ?3 LIMIT ?2";

const ERASE_EVENT: &str = "UPDATE event SET extra = ?3 WHERE handover = ?1 AND sequence = ?2";

const CALLS: &str = "SELECT position, body FROM command WHERE handover = ?1 AND state <> 'open'";

const ERASE_CALL: &str = "UPDATE command SET body = ?2 WHERE position = ?1";

const ANSWERS: &str = "SELECT bot, scope, key, body FROM idempotency
 WHERE handover = ?1 AND body <> '' AND substr(body, 1, length(?3)) <> ?3 LIMIT ?2";

const ERASE_ANSWER: &str = "UPDATE idempotency SET body = ?4 WHERE bot = ?1 AND scope = ?2 AND key = ?3";

/// What 8x8 has not confirmed yet is erased when it has.
const DONE: &str = "UPDATE handover SET content = 2 WHERE id = ?1 AND content = 1
 AND NOT EXISTS (SELECT 1 FROM command c WHERE c.handover = ?1 AND c.state = 'open')";

const IS_ERASED: &str = "SELECT content > 0 FROM handover WHERE id = ?1";

/// The JSON of an erased handover, made by the caller so that the one writer does not have to.
pub(super) struct Texts {
    facts: String,
    progress: String,
}

impl Texts {
    pub(super) fn of(handover: &Handover) -> Result<Self, StoreError> {
        Ok(Self {
            facts: rows::facts_json(&handover.facts)?,
            progress: rows::to_json(&handover.progress)?,
        })
    }
}

/// Whether the handover stood where the caller thought.
pub(super) fn begin(
    db: &Connection,
    handover: &Handover,
    texts: &Texts,
    entry: Option<&AuditEntry>,
) -> Result<Wrote<bool>, StoreError> {
    let version = i64::try_from(handover.version).unwrap_or(i64::MAX);
    let metadata = handover.facts.metadata.as_ref().map(RawJson::as_str);
    let written = db
        .prepare_cached(BEGIN)
        .and_then(|mut statement| {
            let id = handover.id().as_str();
            statement.execute(params![id, version, texts.facts, metadata, texts.progress])
        })
        .map_err(failed)?;
    if written == 0 {
        return Ok(Wrote::Undo(false));
    }
    if let Some(entry) = entry {
        audit::append(db, entry)?;
    }
    Ok(Wrote::Keep(true))
}

pub(super) fn due(db: &Connection, ended_before: Timestamp, at_most: usize) -> Result<Vec<HandoverId>, StoreError> {
    let mut ids = ids(db, BEGUN, params![limit(at_most)])?;
    let left = limit(at_most.saturating_sub(ids.len()));
    ids.extend(self::ids(db, DUE, params![ended_before.as_millis(), left])?);
    Ok(ids)
}

/// How many rows were changed. None: nothing is left that could go now.
pub(super) fn slice(db: &Connection, id: &HandoverId, at_most: usize) -> Result<usize, StoreError> {
    let mut gone = 0;
    for sql in [HISTORY, WEBHOOKS, MESSAGES] {
        let left = limit(at_most.saturating_sub(gone));
        gone += change(db, sql, params![id.as_str(), left])?;
    }
    for part in [events, calls, answers] {
        gone += part(db, id, at_most.saturating_sub(gone))?;
    }
    if gone < at_most {
        change(db, DONE, [id.as_str()])?;
    }
    Ok(gone)
}

/// Whether nothing more of what people said may be kept of it.
pub(super) fn is_erased(db: &Connection, id: &HandoverId) -> Result<bool, StoreError> {
    db.prepare_cached(IS_ERASED)
        .and_then(|mut statement| statement.query_row([id.as_str()], |row| row.get(0)).optional())
        .map(Option::unwrap_or_default)
        .map_err(failed)
}

fn events(db: &Connection, id: &HandoverId, at_most: usize) -> Result<usize, StoreError> {
    let keys = params![id.as_str(), limit(at_most), ERASED_EXTRA];
    let found: Vec<EventRow> = read(db, EVENTS, keys, log::event)?;
    for row in &found {
        // One that cannot be read is no reason to keep what is in it.
        let extra = rows::event(row).map_or_else(
            |_unreadable| format!("{ERASED_EXTRA}}}"),
            |event| event.erased().extra.as_str().to_owned(),
        );
        change(db, ERASE_EVENT, params![id.as_str(), row.sequence, extra])?;
    }
    Ok(found.len())
}

fn calls(db: &Connection, id: &HandoverId, at_most: usize) -> Result<usize, StoreError> {
    let found: Vec<(i64, String)> = read(db, CALLS, [id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut gone = 0;
    for (position, body) in found {
        let call: Call =
            serde_json::from_str(&body).map_err(|_unreadable| Place("command", "body").wrong(&position.to_string()))?;
        let erased = call.erased();
        if erased != call && gone < at_most {
            change(db, ERASE_CALL, params![position, rows::to_json(&erased)?])?;
            gone += 1;
        }
    }
    Ok(gone)
}

fn answers(db: &Connection, id: &HandoverId, at_most: usize) -> Result<usize, StoreError> {
    type Kept = (String, String, String, String);
    let columns = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let found: Vec<Kept> = read(db, ANSWERS, params![id.as_str(), limit(at_most), ERASED_EXTRA], columns)?;
    for (bot, scope, key, body) in &found {
        let erased = KeptAnswer::erased_body(body);
        change(db, ERASE_ANSWER, params![bot, scope, key, erased])?;
    }
    Ok(found.len())
}

fn change(db: &Connection, sql: &str, keys: impl rusqlite::Params) -> Result<usize, StoreError> {
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.execute(keys))
        .map_err(failed)
}

fn read<T>(
    db: &Connection,
    sql: &str,
    keys: impl rusqlite::Params,
    columns: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = db.prepare_cached(sql).map_err(failed)?;
    let found = statement.query_map(keys, columns).map_err(failed)?;
    found.collect::<Result<_, _>>().map_err(failed)
}

fn ids(db: &Connection, sql: &str, keys: impl rusqlite::Params) -> Result<Vec<HandoverId>, StoreError> {
    let found: Vec<String> = read(db, sql, keys, |row| row.get(0))?;
    let id = |text| rows::handover_id(text, Place("handover", "id"));
    found.into_iter().map(id).collect()
}
