//! Idempotency keys: reserved with the intent, answered later, freed when the call did nothing.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::domain::BotName;
use crate::store::IdempotencyClaim;
use crate::store::IdempotencyRecord;
use crate::store::KeptAnswer;
use crate::store::Reference;
use crate::store::StoreError;
use crate::store::rows;
use crate::store::rows::IdempotencyRow;
use crate::store::sqlite::erase;
use crate::store::sqlite::error::failed;

const RESERVE: &str = "INSERT INTO idempotency (bot, scope, key, request_sha256, handover, message, created_at)
 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
 ON CONFLICT (bot, scope, key) DO NOTHING";

/// The answer to another body is not this key's answer.
const ANSWER: &str = "UPDATE idempotency SET status = ?5, content_type = ?6, location = ?7, body = ?8
 WHERE bot = ?1 AND scope = ?2 AND key = ?3 AND request_sha256 = ?4";

const FIND: &str = "SELECT request_sha256, handover, message, status, content_type, location, body FROM idempotency
 WHERE bot = ?1 AND scope = ?2 AND key = ?3";

/// A key that has its answer keeps it.
const RELEASE: &str = "DELETE FROM idempotency WHERE bot = ?1 AND scope = ?2 AND key = ?3 AND status IS NULL";

/// `Some` when the key is taken: by what.
pub(super) fn reserve(db: &Connection, claim: &IdempotencyClaim) -> Result<Option<IdempotencyRecord>, StoreError> {
    if insert(db, claim)? > 0 {
        return Ok(None);
    }
    find(db, &claim.bot, &claim.scope, &claim.key)
}

pub(super) fn keep_answer(db: &Connection, claim: &IdempotencyClaim, answer: &KeptAnswer) -> Result<(), StoreError> {
    insert(db, claim)?;
    let is_erased = match &claim.reference {
        Reference::Handover(about) | Reference::Message(about, _) => erase::is_erased(db, about)?,
        Reference::Nothing => false,
    };
    // It may have been erased while the call ran.
    let erased = is_erased.then(|| answer.erased());
    let answer = erased.as_ref().unwrap_or(answer);
    db.prepare_cached(ANSWER)
        .and_then(|mut statement| {
            statement.execute(params![
                claim.bot.as_str(),
                claim.scope,
                claim.key,
                claim.request_sha256,
                answer.status,
                answer.content_type,
                answer.location,
                answer.body,
            ])
        })
        .map_err(failed)?;
    Ok(())
}

pub(super) fn find(
    db: &Connection,
    bot: &BotName,
    scope: &str,
    key: &str,
) -> Result<Option<IdempotencyRecord>, StoreError> {
    db.prepare_cached(FIND)
        .and_then(|mut statement| {
            statement
                .query_row([bot.as_str(), scope, key], |row| {
                    Ok(IdempotencyRow {
                        request_sha256: row.get(0)?,
                        handover: row.get(1)?,
                        message: row.get(2)?,
                        status: row.get(3)?,
                        content_type: row.get(4)?,
                        location: row.get(5)?,
                        body: row.get(6)?,
                    })
                })
                .optional()
        })
        .map_err(failed)?
        .map(rows::idempotency)
        .transpose()
}

pub(super) fn release(db: &Connection, bot: &BotName, scope: &str, key: &str) -> Result<(), StoreError> {
    db.prepare_cached(RELEASE)
        .and_then(|mut statement| statement.execute([bot.as_str(), scope, key]))
        .map_err(failed)?;
    Ok(())
}

fn insert(db: &Connection, claim: &IdempotencyClaim) -> Result<usize, StoreError> {
    let (handover, message): (&str, Option<&str>) = match &claim.reference {
        Reference::Handover(handover) => (handover.as_str(), None),
        Reference::Message(handover, message) => (handover.as_str(), Some(message.as_str())),
        Reference::Nothing => ("", None),
    };
    db.prepare_cached(RESERVE)
        .and_then(|mut statement| {
            statement.execute(params![
                claim.bot.as_str(),
                claim.scope,
                claim.key,
                claim.request_sha256,
                handover,
                message,
                claim.at.as_millis(),
            ])
        })
        .map_err(failed)
}
