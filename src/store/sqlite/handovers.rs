//! Opens handovers, and reads them one at a time or all that a new process needs.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Params;
use rusqlite::Row;
use rusqlite::params;

use crate::domain::AccountId;
use crate::domain::ConversationId;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::domain::RawJson;
use crate::domain::Timestamp;
use crate::store::IdempotencyClaim;
use crate::store::Loaded;
use crate::store::Opened;
use crate::store::StoreError;
use crate::store::rows;
use crate::store::rows::HandoverRow;
use crate::store::rows::Place;
use crate::store::sqlite::calls;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::idempotency;
use crate::store::sqlite::inbox;
use crate::store::sqlite::writer::Wrote;

const INSERT: &str = "INSERT INTO handover (id, tenant, account, bot, state, live, session_key, bot_session_id,
  conversation, version, created_at, ended_at, callback_url, metadata, facts, progress)
 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

const LIVE_OF_SESSION: &str = "SELECT id FROM handover WHERE bot = ?1 AND session_key = ?2 AND live = 1";

const LIVE_OF_CONVERSATION: &str = "SELECT id FROM handover WHERE conversation = ?1 AND account = ?2 AND live = 1";

/// In the order in which they lie on disk: a start reads each page once and forwards.
const LIVE: &str = "SELECT id, version, facts, metadata, progress FROM handover
 WHERE rowid IN (SELECT rowid FROM handover WHERE live = 1)";

const WITH_OPEN_CALLS: &str = "SELECT id, version, facts, metadata, progress FROM handover
 WHERE live = 0 AND id IN (SELECT handover FROM command WHERE state = 'open')
 ORDER BY id";

const BY_ID: &str = "SELECT id, version, facts, metadata, progress FROM handover WHERE id = ?1";

const OF_CONVERSATION: &str = "SELECT id, version, facts, metadata, progress FROM handover
 WHERE conversation = ?1 AND account = ?2
 ORDER BY live DESC, id DESC LIMIT 1";

/// The JSON of a new handover, made by the caller so that the one writer does not have to.
pub(super) struct NewHandover {
    facts: String,
    progress: String,
}

impl NewHandover {
    pub(super) fn of(handover: &Handover) -> Result<Self, StoreError> {
        Ok(Self {
            facts: rows::facts_json(&handover.facts)?,
            progress: rows::to_json(&handover.progress)?,
        })
    }
}

pub(super) fn open(
    db: &Connection,
    handover: &Handover,
    texts: &NewHandover,
    claim: Option<&IdempotencyClaim>,
) -> Result<Wrote<Opened>, StoreError> {
    if let Some(claim) = claim
        && let Some(record) = idempotency::reserve(db, claim)?
    {
        return Ok(Wrote::Undo(Opened::KeyTaken(record)));
    }
    if let Some(other) = live_beside(db, handover)? {
        return Ok(Wrote::Undo(Opened::SessionTaken(other)));
    }
    insert(db, handover, texts)?;
    Ok(Wrote::Keep(Opened::Done))
}

pub(super) fn load(db: &Connection) -> Result<Loaded, StoreError> {
    let mut handovers = many(db, LIVE)?;
    handovers.sort_unstable_by(|one, other| (&one.facts.bot, one.id()).cmp(&(&other.facts.bot, other.id())));
    handovers.extend(many(db, WITH_OPEN_CALLS)?);
    let calls = calls::open_calls(db)?;
    let unplaced = inbox::conversations(db)?;
    Ok(Loaded {
        handovers,
        calls,
        unplaced,
    })
}

pub(super) fn handover(db: &Connection, id: &HandoverId) -> Result<Option<Handover>, StoreError> {
    one(db, BY_ID, [id.as_str()])
}

pub(super) fn of_conversation(
    db: &Connection,
    account: &AccountId,
    conversation: &ConversationId,
) -> Result<Option<Handover>, StoreError> {
    one(db, OF_CONVERSATION, [conversation.as_str(), account.as_str()])
}

pub(super) fn columns(row: &Row<'_>) -> rusqlite::Result<HandoverRow> {
    Ok(HandoverRow {
        id: row.get(0)?,
        version: row.get(1)?,
        facts: row.get(2)?,
        metadata: row.get(3)?,
        progress: row.get(4)?,
    })
}

/// The live handover that has this one's session, or stands on its conversation.
fn live_beside(db: &Connection, handover: &Handover) -> Result<Option<HandoverId>, StoreError> {
    if !handover.state().is_live() {
        return Ok(None);
    }
    let facts = &handover.facts;
    let mut other = None;
    if let Some(session) = session_key(handover) {
        other = id(db, LIVE_OF_SESSION, [facts.bot.as_str(), session])?;
    }
    if let Some(conversation) = &handover.progress.conversation
        && other.is_none()
    {
        other = id(
            db,
            LIVE_OF_CONVERSATION,
            [conversation.as_str(), facts.account.as_str()],
        )?;
    }
    Ok(other)
}

fn insert(db: &Connection, handover: &Handover, texts: &NewHandover) -> Result<(), StoreError> {
    let (facts, progress) = (&handover.facts, &handover.progress);
    db.prepare_cached(INSERT)
        .and_then(|mut statement| {
            statement.execute(params![
                facts.id.as_str(),
                facts.tenant.as_str(),
                facts.account.as_str(),
                facts.bot.as_str(),
                progress.state.as_str(),
                progress.state.is_live(),
                session_key(handover),
                facts.bot_session_id,
                progress.conversation.as_ref().map(ConversationId::as_str),
                i64::try_from(handover.version).unwrap_or(i64::MAX),
                facts.created_at.as_millis(),
                progress.ended_at.map(Timestamp::as_millis),
                facts.callback_url,
                facts.metadata.as_ref().map(RawJson::as_str),
                texts.facts,
                texts.progress,
            ])
        })
        .map_err(failed)?;
    Ok(())
}

fn session_key(handover: &Handover) -> Option<&str> {
    let session = handover.facts.bot_session_id.as_deref();
    session.filter(|_session| handover.facts.one_per_session)
}

fn id(db: &Connection, sql: &str, keys: [&str; 2]) -> Result<Option<HandoverId>, StoreError> {
    let found: Option<String> = db
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(keys, |row| row.get(0)).optional())
        .map_err(failed)?;
    found
        .map(|text| rows::handover_id(text, Place("handover", "id")))
        .transpose()
}

fn one(db: &Connection, sql: &str, keys: impl Params) -> Result<Option<Handover>, StoreError> {
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(keys, columns).optional())
        .map_err(failed)?
        .as_ref()
        .map(rows::handover)
        .transpose()
}

fn many(db: &Connection, sql: &str) -> Result<Vec<Handover>, StoreError> {
    let mut statement = db.prepare_cached(sql).map_err(failed)?;
    let found = statement.query_map([], columns).map_err(failed)?;
    found.map(|row| rows::handover(&row.map_err(failed)?)).collect()
}
