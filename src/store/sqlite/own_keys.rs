//! Keys the gateway made for itself.

use rusqlite::Connection;

use crate::store::StoreError;
use crate::store::sqlite::error::failed;

const LINKS: &str = "links";

const OFFER: &str = "INSERT INTO own_key (name, key) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";

const FIND: &str = "SELECT key FROM own_key WHERE name = ?1";

pub(super) fn link_key(db: &Connection, offered: &[u8; 32]) -> Result<[u8; 32], StoreError> {
    db.prepare_cached(OFFER)
        .and_then(|mut statement| statement.execute((LINKS, offered)))
        .map_err(failed)?;
    db.prepare_cached(FIND)
        .and_then(|mut statement| statement.query_row([LINKS], |row| row.get(0)))
        .map_err(failed)
}
