//! Grants of the token endpoint: one row a log-in, changed by each exchange.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;

use crate::domain::TenantName;
use crate::domain::Timestamp;
use crate::store::Access;
use crate::store::Exchange;
use crate::store::Exchanged;
use crate::store::Grant;
use crate::store::StoreError;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::log::limit;

const KEEP: &str = "INSERT INTO token_grant (family, tenant, holder, refresh, access, access_until, expires_at)
 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// The oldest of a holder's beyond so many.
const TRIM: &str = "DELETE FROM token_grant WHERE family IN
 (SELECT family FROM token_grant WHERE holder = ?1 ORDER BY expires_at DESC, family DESC LIMIT -1 OFFSET ?2)";

const FIND: &str = "SELECT tenant, holder, refresh, access, access_until, previous, previous_until, expires_at
 FROM token_grant WHERE family = ?1";

const EXCHANGE: &str = "UPDATE token_grant SET refresh = ?3, previous = access, previous_until = access_until,
  access = ?4, access_until = ?5 WHERE family = ?1 AND refresh = ?2";

const REVOKE: &str = "DELETE FROM token_grant WHERE family = ?1";

pub(super) fn keep(db: &Connection, grant: &Grant, at_most: usize) -> Result<(), StoreError> {
    db.prepare_cached(KEEP)
        .and_then(|mut statement| {
            statement.execute(params![
                grant.family,
                grant.tenant.as_str(),
                grant.holder,
                grant.refresh,
                grant.access.sha256,
                grant.access.until.as_millis(),
                grant.expires_at.as_millis(),
            ])
        })
        .map_err(failed)?;
    db.prepare_cached(TRIM)
        .and_then(|mut statement| statement.execute(params![grant.holder, limit(at_most)]))
        .map_err(failed)?;
    Ok(())
}

pub(super) fn find(db: &Connection, family: &str) -> Result<Option<Grant>, StoreError> {
    let grant = |row: &Row<'_>| {
        let access = |sha256, until| Access {
            sha256,
            until: Timestamp::from_millis(until),
        };
        let tenant: String = row.get(0)?;
        let previous: Option<[u8; 32]> = row.get(5)?;
        let previous_until: Option<i64> = row.get(6)?;
        Ok(Grant {
            family: family.to_owned(),
            tenant: TenantName::new(&tenant),
            holder: row.get(1)?,
            refresh: row.get(2)?,
            access: access(row.get(3)?, row.get(4)?),
            previous: previous
                .zip(previous_until)
                .map(|(sha256, until)| access(sha256, until)),
            expires_at: Timestamp::from_millis(row.get(7)?),
        })
    };
    db.prepare_cached(FIND)
        .and_then(|mut statement| statement.query_row([family], grant).optional())
        .map_err(failed)
}

pub(super) fn exchange(db: &Connection, exchange: &Exchange) -> Result<Exchanged, StoreError> {
    let exchanged = db
        .prepare_cached(EXCHANGE)
        .and_then(|mut statement| {
            statement.execute(params![
                exchange.family,
                exchange.given,
                exchange.refresh,
                exchange.access.sha256,
                exchange.access.until.as_millis(),
            ])
        })
        .map_err(failed)?;
    if exchanged > 0 {
        return Ok(Exchanged::Done);
    }
    let revoked = db
        .prepare_cached(REVOKE)
        .and_then(|mut statement| statement.execute([&exchange.family]))
        .map_err(failed)?;
    Ok(if revoked > 0 {
        Exchanged::Revoked
    } else {
        Exchanged::Unknown
    })
}
