//! Writes a transition: receipt, key, state, events, calls, message and lane, together or not at all.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::domain::ConversationId;
use crate::domain::HandoverEvent;
use crate::domain::Timestamp;
use crate::store::Commit;
use crate::store::Committed;
use crate::store::StoreError;
use crate::store::rows;
use crate::store::rows::Place;
use crate::store::sqlite::calls;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::error::is_conflict;
use crate::store::sqlite::held;
use crate::store::sqlite::idempotency;
use crate::store::sqlite::inbox;
use crate::store::sqlite::messages;
use crate::store::sqlite::messages::MessageTexts;
use crate::store::sqlite::writer::Wrote;

const CURRENT: &str = "SELECT rowid, version, live, conversation FROM handover WHERE id = ?1";

const UPDATE: &str = "UPDATE handover SET version = ?2, state = ?3, progress = ?4 WHERE rowid = ?1";

/// Apart from the rest, because it moves entries of four indexes and happens about twice in a handover's life.
const PLACE: &str = "UPDATE handover SET live = ?2, conversation = ?3, ended_at = ?4 WHERE rowid = ?1";

const EVENT: &str = "INSERT INTO event (handover, sequence, bot, id, type, at, state, late, deliver, extra)
 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

/// A lane that was empty is due from its new event on; one that waits keeps its time.
const LANE: &str = "INSERT INTO lane (handover, bot, head, tail, due_at, quiet_since) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
 ON CONFLICT (handover) DO UPDATE SET tail = excluded.tail,
  due_at = CASE WHEN head = tail THEN excluded.due_at ELSE due_at END,
  quiet_since = CASE WHEN head = tail THEN excluded.quiet_since ELSE quiet_since END";

/// The JSON of a commit, made by the caller so that the one writer does not have to.
pub(super) struct Texts {
    progress: String,
    calls: Vec<String>,
    message: Option<MessageTexts>,
}

impl Texts {
    pub(super) fn of(commit: &Commit) -> Result<Self, StoreError> {
        Ok(Self {
            progress: rows::to_json(&commit.handover.progress)?,
            calls: commit
                .calls
                .iter()
                .map(|record| rows::to_json(&record.call))
                .collect::<Result<_, _>>()?,
            message: commit.message.as_ref().map(MessageTexts::of).transpose()?,
        })
    }
}

pub(super) fn commit(db: &Connection, commit: &Commit, texts: &Texts) -> Result<Wrote<Committed>, StoreError> {
    let id = commit.handover.id();
    if let Some(receipt) = &commit.receipt
        && let Some(same_body) = inbox::take(db, receipt, id)?
    {
        return Ok(Wrote::Undo(Committed::Seen { same_body }));
    }
    if let Some(claim) = &commit.claim
        && let Some(record) = idempotency::reserve(db, claim)?
    {
        return Ok(Wrote::Undo(Committed::KeyTaken(record)));
    }
    if let Current::No = write_state(db, commit, &texts.progress)? {
        return Ok(Wrote::Undo(Committed::Stale));
    }
    for event in &commit.events {
        insert_event(db, commit, event)?;
    }
    if commit.deliver {
        extend_lane(db, commit)?;
    }
    for (record, body) in commit.calls.iter().zip(&texts.calls) {
        calls::insert(db, record, body)?;
    }
    if let (Some(message), Some(texts)) = (&commit.message, &texts.message)
        && let messages::Inserted::Taken = messages::insert(db, message, texts)?
    {
        return Ok(Wrote::Undo(Committed::Stale));
    }
    if let Some(knows) = commit.agent_knows {
        held::mark(db, id, knows)?;
    }
    for settled in &commit.settled {
        calls::settle(db, settled)?;
    }
    Ok(Wrote::Keep(Committed::Done))
}

/// Whether the change was computed from what is stored.
enum Current {
    Yes,
    No,
}

/// Compare-and-set. Another live handover on the same conversation also makes it stale: whoever looks again finds that one.
fn write_state(db: &Connection, commit: &Commit, progress_json: &str) -> Result<Current, StoreError> {
    let (handover, progress) = (&commit.handover, &commit.handover.progress);
    let stored: Option<(i64, i64, bool, Option<String>)> = db
        .prepare_cached(CURRENT)
        .and_then(|mut statement| {
            statement
                .query_row([handover.id().as_str()], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })
                .optional()
        })
        .map_err(failed)?;
    let Some((rowid, version, live, conversation)) = stored else {
        return Ok(Current::No);
    };
    if !commit.changed {
        return Ok(Current::Yes);
    }
    let next = i64::try_from(handover.version).unwrap_or(i64::MAX);
    if version.checked_add(1) != Some(next) {
        return Ok(Current::No);
    }
    db.prepare_cached(UPDATE)
        .and_then(|mut statement| statement.execute(params![rowid, next, progress.state.as_str(), progress_json]))
        .map_err(failed)?;
    let now_live = progress.state.is_live();
    let now_on = progress.conversation.as_ref().map(ConversationId::as_str);
    if live == now_live && conversation.as_deref() == now_on {
        return Ok(Current::Yes);
    }
    let ended_at = progress.ended_at.map(Timestamp::as_millis);
    let placed = db
        .prepare_cached(PLACE)
        .and_then(|mut statement| statement.execute(params![rowid, now_live, now_on, ended_at]));
    match placed {
        Ok(_rows) => Ok(Current::Yes),
        Err(error) if is_conflict(&error) => Ok(Current::No),
        Err(error) => Err(failed(error)),
    }
}

fn insert_event(db: &Connection, commit: &Commit, event: &HandoverEvent) -> Result<(), StoreError> {
    let sequence = i64::try_from(event.sequence).unwrap_or(i64::MAX);
    let inserted = db.prepare_cached(EVENT).and_then(|mut statement| {
        statement.execute(params![
            commit.handover.id().as_str(),
            sequence,
            commit.handover.facts.bot.as_str(),
            event.id.as_str(),
            event.kind.as_str(),
            event.at.as_millis(),
            event.state.as_str(),
            event.late,
            commit.deliver,
            event.extra.as_str(),
        ])
    });
    match inserted {
        Ok(_rows) => Ok(()),
        Err(error) if is_conflict(&error) => Err(Place("event", "sequence").wrong(event.id.as_str())),
        Err(error) => Err(failed(error)),
    }
}

fn extend_lane(db: &Connection, commit: &Commit) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (commit.events.first(), commit.events.last()) else {
        return Ok(());
    };
    let head = i64::try_from(first.sequence.saturating_sub(1)).unwrap_or(i64::MAX);
    let tail = i64::try_from(last.sequence).unwrap_or(i64::MAX);
    let (id, bot) = (commit.handover.id().as_str(), commit.handover.facts.bot.as_str());
    db.prepare_cached(LANE)
        .and_then(|mut statement| statement.execute(params![id, bot, head, tail, first.at.as_millis()]))
        .map_err(failed)?;
    Ok(())
}
