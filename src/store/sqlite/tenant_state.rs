//! What is kept of a tenant, one row a fact.

use rusqlite::Connection;
use rusqlite::params;

use crate::domain::TenantName;
use crate::domain::Timestamp;
use crate::store::Heard;
use crate::store::Registration;
use crate::store::StoreError;
use crate::store::TenantState;
use crate::store::sqlite::error::failed;

const WEBHOOK: &str = "webhook_id";
const CHANNEL: &str = "channel_id";
const LAST_VERIFY: &str = "last_verify_at";
const LAST_WEBHOOK: &str = "last_webhook_at";

const FIND: &str = "SELECT key, value FROM tenant_state WHERE tenant = ?1";

const KEEP: &str = "INSERT INTO tenant_state (tenant, key, value) VALUES (?1, ?2, ?3)
 ON CONFLICT (tenant, key) DO UPDATE SET value = excluded.value";

const KEEP_LATER: &str = "INSERT INTO tenant_state (tenant, key, value) VALUES (?1, ?2, ?3)
 ON CONFLICT (tenant, key) DO UPDATE SET value = excluded.value
  WHERE CAST(excluded.value AS INTEGER) > CAST(value AS INTEGER)";

const FORGET: &str = "DELETE FROM tenant_state WHERE tenant = ?1 AND key IN ('webhook_id', 'channel_id')";

pub(super) fn find(db: &Connection, tenant: &TenantName) -> Result<TenantState, StoreError> {
    let mut statement = db.prepare_cached(FIND).map_err(failed)?;
    let rows = statement
        .query_map([tenant.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(failed)?;
    let (mut state, mut webhook_id, mut channel_id) = (TenantState::default(), None, None);
    for row in rows {
        let (key, value): (String, String) = row.map_err(failed)?;
        match key.as_str() {
            WEBHOOK => webhook_id = Some(value),
            CHANNEL => channel_id = Some(value),
            LAST_VERIFY => state.last_verify_at = value.parse().ok().map(Timestamp::from_millis),
            LAST_WEBHOOK => state.last_webhook_at = value.parse().ok().map(Timestamp::from_millis),
            _ => {}
        }
    }
    if let (Some(webhook_id), Some(channel_id)) = (webhook_id, channel_id) {
        state.registration = Some(Registration { webhook_id, channel_id });
    }
    Ok(state)
}

pub(super) fn keep_registration(
    db: &Connection,
    tenant: &TenantName,
    registration: Option<&Registration>,
) -> Result<(), StoreError> {
    let Some(registration) = registration else {
        let forgotten = db
            .prepare_cached(FORGET)
            .and_then(|mut statement| statement.execute([tenant.as_str()]));
        return forgotten.map(|_rows| ()).map_err(failed);
    };
    keep(db, KEEP, tenant, WEBHOOK, &registration.webhook_id)?;
    keep(db, KEEP, tenant, CHANNEL, &registration.channel_id)
}

pub(super) fn keep_heard(db: &Connection, tenant: &TenantName, heard: Heard) -> Result<(), StoreError> {
    for (key, at) in [(LAST_VERIFY, heard.verify_at), (LAST_WEBHOOK, heard.webhook_at)] {
        if let Some(at) = at {
            keep(db, KEEP_LATER, tenant, key, &at.as_millis().to_string())?;
        }
    }
    Ok(())
}

fn keep(db: &Connection, sql: &str, tenant: &TenantName, key: &str, value: &str) -> Result<(), StoreError> {
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params![tenant.as_str(), key, value]))
        .map_err(failed)?;
    Ok(())
}
