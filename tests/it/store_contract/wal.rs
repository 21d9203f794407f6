//! The write-ahead log of the SQLite file stays within its bound once nobody holds it.

use std::path::Path;
use std::path::PathBuf;

use handover_gateway::clock::Clock;
use handover_gateway::store::Store;
use handover_gateway::store::sqlite::SqliteStore;
use rusqlite::Connection;

use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::receipt;
use crate::store_contract::stand::settings;
use crate::support::faulty_disk::length;
use crate::support::wait::eventually;

/// What `journal_size_limit` says.
const BOUND: u64 = 64 * 1024 * 1024;

async fn write(store: &SqliteStore, name: &str, count: usize) {
    let body = "x".repeat(512 * 1024);
    let writes = (0..count).map(|number| store.keep_unplaced(receipt(&format!("{name}-{number}"), &body)));
    for written in futures_util::future::join_all(writes).await {
        written.unwrap();
    }
}

/// Whether all of the log is in the file.
fn is_moved(connection: &Connection) -> bool {
    let frames = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    let (all, moved) = connection
        .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], frames)
        .unwrap();
    all == moved
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_a_long_read_held_is_cut_down_when_the_read_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handover.db");
    let wal = PathBuf::from(format!("{}-wal", path.display()));
    let url = format!("sqlite://{}", path.display());
    let store = SqliteStore::open(&settings(url), Clock::manual(at(0))).unwrap();
    let reader = begin_reading(&path);
    write(&store, "held", 140).await;
    assert!(length(&wal) > BOUND, "a read holds what was written after it began");
    reader.execute_batch("COMMIT").unwrap();
    eventually("the log is in the file", async || is_moved(&reader).then_some(())).await;
    write(&store, "after", 1).await;
    assert!(length(&wal) <= BOUND, "{}", length(&wal));
}

fn begin_reading(path: &Path) -> Connection {
    let reader = Connection::open(path).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let rows: i64 = reader
        .query_row("SELECT count(*) FROM webhook_event", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 0);
    reader
}
