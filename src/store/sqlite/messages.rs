//! What bots posted, and what the gateway had to tell agents itself.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;

use crate::domain::HandoverId;
use crate::domain::MessageId;
use crate::domain::MessageRecord;
use crate::domain::MessageStatus;
use crate::store::StoreError;
use crate::store::rows;
use crate::store::rows::MessageRow;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::error::is_conflict;

const INSERT: &str = "INSERT INTO message
 (id, handover, client_message_id, request_sha256, author, text, cards, status, created_at, attachments, notice)
 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

const STATUS: &str = "UPDATE message SET status = ?2 WHERE id = ?1";

const FILES: &str = "UPDATE message SET attachments = ?2 WHERE id = ?1";

const BY_ID: &str =
    "SELECT id, handover, client_message_id, request_sha256, author, text, cards, status, created_at, attachments, notice
 FROM message WHERE id = ?2 AND handover = ?1";

const BY_CLIENT_ID: &str =
    "SELECT id, handover, client_message_id, request_sha256, author, text, cards, status, created_at, attachments, notice
 FROM message WHERE handover = ?1 AND client_message_id = ?2";

const ALL: &str =
    "SELECT id, handover, client_message_id, request_sha256, author, text, cards, status, created_at, attachments, notice
 FROM message WHERE handover = ?1 ORDER BY position";

/// What of a message is kept as JSON.
pub(super) struct MessageTexts {
    cards: String,
    attachments: Option<String>,
}

impl MessageTexts {
    pub(super) fn of(message: &MessageRecord) -> Result<Self, StoreError> {
        let files = &message.attachments;
        Ok(Self {
            cards: rows::to_json(&message.cards)?,
            attachments: (!files.is_empty()).then(|| rows::to_json(files)).transpose()?,
        })
    }
}

/// Whether its id, and its `clientMessageId` within the handover, were free.
pub(super) enum Inserted {
    Done,
    Taken,
}

pub(super) fn insert(db: &Connection, message: &MessageRecord, texts: &MessageTexts) -> Result<Inserted, StoreError> {
    let inserted = db.prepare_cached(INSERT).and_then(|mut statement| {
        statement.execute(params![
            message.id.as_str(),
            message.handover.as_str(),
            message.client_message_id,
            message.request_sha256,
            message.author.as_str(),
            message.text,
            texts.cards,
            message.status.as_str(),
            message.created_at.as_millis(),
            texts.attachments,
            message.notice,
        ])
    });
    match inserted {
        Ok(_rows) => Ok(Inserted::Done),
        Err(error) if is_conflict(&error) => Ok(Inserted::Taken),
        Err(error) => Err(failed(error)),
    }
}

pub(super) fn set_status(db: &Connection, id: &MessageId, status: MessageStatus) -> Result<(), StoreError> {
    db.prepare_cached(STATUS)
        .and_then(|mut statement| statement.execute(params![id.as_str(), status.as_str()]))
        .map_err(failed)?;
    Ok(())
}

/// `files` as JSON.
pub(super) fn set_files(db: &Connection, id: &MessageId, files: &str) -> Result<(), StoreError> {
    db.prepare_cached(FILES)
        .and_then(|mut statement| statement.execute(params![id.as_str(), files]))
        .map_err(failed)?;
    Ok(())
}

pub(super) fn message(
    db: &Connection,
    handover: &HandoverId,
    id: &MessageId,
) -> Result<Option<MessageRecord>, StoreError> {
    one(db, BY_ID, [handover.as_str(), id.as_str()])
}

pub(super) fn by_client_id(
    db: &Connection,
    handover: &HandoverId,
    id: &str,
) -> Result<Option<MessageRecord>, StoreError> {
    one(db, BY_CLIENT_ID, [handover.as_str(), id])
}

pub(super) fn messages(db: &Connection, handover: &HandoverId) -> Result<Vec<MessageRecord>, StoreError> {
    let mut statement = db.prepare_cached(ALL).map_err(failed)?;
    let found = statement.query_map([handover.as_str()], columns).map_err(failed)?;
    found.map(|row| rows::message(row.map_err(failed)?)).collect()
}

fn one(db: &Connection, sql: &str, keys: [&str; 2]) -> Result<Option<MessageRecord>, StoreError> {
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(keys, columns).optional())
        .map_err(failed)?
        .map(rows::message)
        .transpose()
}

fn columns(row: &Row<'_>) -> rusqlite::Result<MessageRow> {
    Ok(MessageRow {
        id: row.get(0)?,
        handover: row.get(1)?,
        client_message_id: row.get(2)?,
        request_sha256: row.get(3)?,
        author: row.get(4)?,
        text: row.get(5)?,
        cards: row.get(6)?,
        status: row.get(7)?,
        created_at: row.get(8)?,
        attachments: row.get(9)?,
        notice: row.get(10)?,
    })
}
