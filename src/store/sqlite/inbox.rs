//! Webhook events as they came: those recorded, and those no handover is known for yet.

use bytes::Bytes;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;

use crate::domain::AccountId;
use crate::domain::ConversationId;
use crate::domain::HandoverId;
use crate::domain::Timestamp;
use crate::domain::WebhookReceipt;
use crate::store::Kept;
use crate::store::KeptWebhook;
use crate::store::StoreError;
use crate::store::rows;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::writer::Wrote;

/// Inserts it, or takes the one that was kept unplaced. No row is touched when another handover, or this one, had it.
const TAKE: &str =
    "INSERT INTO webhook_event (account, event_id, conversation, handover, sha256, received_at, body, headers)
 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
 ON CONFLICT (account, event_id) DO UPDATE SET handover = excluded.handover,
  body = CASE length(excluded.body) WHEN 0 THEN excluded.body ELSE body END,
  headers = CASE length(excluded.body) WHEN 0 THEN NULL ELSE headers END
  WHERE handover IS NULL AND sha256 = excluded.sha256";

const KEEP: &str = "INSERT INTO webhook_event (account, event_id, conversation, sha256, received_at, body, headers)
 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
 ON CONFLICT (account, event_id) DO NOTHING";

const SHA256: &str = "SELECT sha256 FROM webhook_event WHERE account = ?1 AND event_id = ?2";

const CONVERSATIONS: &str = "SELECT DISTINCT account, conversation FROM webhook_event
 WHERE handover IS NULL AND conversation IS NOT NULL
 ORDER BY account, conversation";

const UNPLACED: &str = "SELECT event_id, sha256, received_at, body, headers FROM webhook_event
 WHERE account = ?1 AND conversation = ?2 AND handover IS NULL
 ORDER BY position";

const OF_HANDOVER: &str = "SELECT w.headers, w.body FROM handover h
  JOIN webhook_event w ON w.account = h.account AND w.event_id = ?2 AND w.handover = h.id AND length(w.body) > 0
 WHERE h.id = ?1";

/// Those with unplaced events.
pub(super) fn conversations(db: &Connection) -> Result<Vec<(AccountId, ConversationId)>, StoreError> {
    let mut statement = db.prepare_cached(CONVERSATIONS).map_err(failed)?;
    let found = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(failed)?;
    let conversations = found.filter_map(|row| {
        let named = row.map(|(account, conversation): (String, String)| {
            // None is stored blank: it could not have been read.
            Some((AccountId::new(&account), ConversationId::parse(&conversation)?))
        });
        named.map_err(failed).transpose()
    });
    conversations.collect()
}

/// Records the event for a handover. `Some` when it was recorded before: whether its body was the same.
pub(super) fn take(
    db: &Connection,
    receipt: &WebhookReceipt,
    handover: &HandoverId,
) -> Result<Option<bool>, StoreError> {
    let headers = rows::webhook_headers_json(&receipt.headers)?;
    let written = db
        .prepare_cached(TAKE)
        .and_then(|mut statement| {
            statement.execute(params![
                receipt.account.as_str(),
                receipt.event_id,
                conversation(receipt),
                handover.as_str(),
                receipt.sha256,
                receipt.received_at.as_millis(),
                &receipt.body[..],
                headers,
            ])
        })
        .map_err(failed)?;
    if written > 0 {
        return Ok(None);
    }
    same_body(db, receipt).map(Some)
}

pub(super) fn keep_unplaced(db: &Connection, receipt: &WebhookReceipt) -> Result<Wrote<Kept>, StoreError> {
    let headers = rows::webhook_headers_json(&receipt.headers)?;
    let written = db
        .prepare_cached(KEEP)
        .and_then(|mut statement| {
            statement.execute(params![
                receipt.account.as_str(),
                receipt.event_id,
                conversation(receipt),
                receipt.sha256,
                receipt.received_at.as_millis(),
                &receipt.body[..],
                headers,
            ])
        })
        .map_err(failed)?;
    if written > 0 {
        return Ok(Wrote::Keep(Kept::New));
    }
    let same_body = same_body(db, receipt)?;
    Ok(Wrote::Undo(Kept::Seen { same_body }))
}

pub(super) fn unplaced(
    db: &Connection,
    account: &AccountId,
    conversation: &ConversationId,
) -> Result<Vec<WebhookReceipt>, StoreError> {
    let mut statement = db.prepare_cached(UNPLACED).map_err(failed)?;
    let receipts = statement.query_map([account.as_str(), conversation.as_str()], |row| {
        let body: Vec<u8> = row.get(3)?;
        let headers: Option<String> = row.get(4)?;
        Ok(WebhookReceipt {
            account: account.clone(),
            event_id: row.get(0)?,
            conversation: Some(conversation.clone()),
            sha256: row.get(1)?,
            body: Bytes::from(body),
            received_at: Timestamp::from_millis(row.get(2)?),
            headers: rows::webhook_headers(headers.as_deref()),
        })
    });
    receipts.and_then(Iterator::collect).map_err(failed)
}

pub(super) fn webhook_of(
    db: &Connection,
    handover: &HandoverId,
    event_id: &str,
) -> Result<Option<KeptWebhook>, StoreError> {
    let kept = |row: &Row<'_>| {
        let (headers, body): (Option<String>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        Ok(KeptWebhook {
            headers: rows::webhook_headers(headers.as_deref()),
            body: Bytes::from(body),
        })
    };
    db.prepare_cached(OF_HANDOVER)
        .and_then(|mut statement| statement.query_row([handover.as_str(), event_id], kept).optional())
        .map_err(failed)
}

fn same_body(db: &Connection, receipt: &WebhookReceipt) -> Result<bool, StoreError> {
    let stored: [u8; 32] = db
        .prepare_cached(SHA256)
        .and_then(|mut statement| {
            statement.query_row([receipt.account.as_str(), receipt.event_id.as_str()], |row| row.get(0))
        })
        .map_err(failed)?;
    Ok(stored == receipt.sha256)
}

fn conversation(receipt: &WebhookReceipt) -> Option<&str> {
    receipt.conversation.as_ref().map(ConversationId::as_str)
}
