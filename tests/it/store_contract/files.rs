//! The SQLite file: where it is, who may have it, which schema it has.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use handover_gateway::clock::Clock;
use handover_gateway::store::Store;
use handover_gateway::store::StoreError;
use handover_gateway::store::sqlite::OpenError;
use handover_gateway::store::sqlite::SqliteStore;
use rusqlite::Connection;

use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::next;
use crate::store_contract::fixtures::opened;
use crate::store_contract::stand::settings;

fn open(url: String) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(&settings(url), Clock::manual(at(0)))
}

fn url(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

#[test]
fn only_the_three_forms_of_the_url_are_taken() {
    for wrong in [
        "",
        "sqlite://",
        "sqlite:",
        "sqlite::memory",
        "sqlite:///tmp/",
        "postgres://localhost/x",
        "data/x.db",
    ] {
        let refused = open(wrong.to_owned());
        assert!(matches!(refused, Err(OpenError::Url(_))), "{wrong}");
    }
}

#[tokio::test]
async fn the_folder_is_made_and_nobody_else_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/more/handover.db");
    let store = open(url(&path)).unwrap();
    opened(&store, "s-1").await;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let file = format!("{}{suffix}", path.display());
        assert_eq!(mode(Path::new(&file)), 0o600, "{file}");
    }
}

#[test]
fn a_second_process_is_refused_until_the_first_has_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handover.db");
    let first = open(url(&path)).unwrap();
    let refused = open(url(&path)).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::InUse(_)), "{refused}");
    drop(first);
    open(url(&path)).unwrap();
}

#[test]
fn a_file_of_a_newer_version_or_of_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handover.db");
    drop(open(url(&path)).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 1000).unwrap();
    drop(connection);
    let refused = open(url(&path)).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 1000, .. }), "{refused}");

    let path = folder.path().join("other.db");
    std::fs::write(&path, "not a database, however long this text becomes ".repeat(100)).unwrap();
    let refused = open(url(&path)).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::Unusable { .. }), "{refused}");
    let folder_in_its_place = open(url(folder.path())).map(drop).unwrap_err();
    assert!(
        matches!(folder_in_its_place, OpenError::NotWritable { .. }),
        "{folder_in_its_place}"
    );
}

#[tokio::test]
async fn a_memory_store_is_alone_and_leaves_nothing_behind() {
    let one = open("sqlite::memory:".to_owned()).unwrap();
    let other = open("sqlite::memory:".to_owned()).unwrap();
    let handover = opened(&one, "s-1").await;
    assert!(other.handover(handover.id()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_closed_store_has_everything_on_disk_and_takes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handover.db");
    let store = open(url(&path)).unwrap();
    let mut handover = opened(&store, "s-1").await;
    store.commit(next(&mut handover, 1, at(1))).await.unwrap();
    store.close();
    store.close();
    let refused = store.ping().await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    let refused = store.load().await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    assert!(!store.broken().is_cancelled());
    drop(store);
    let again = open(url(&path)).unwrap();
    assert_eq!(again.handover(handover.id()).await.unwrap(), Some(handover));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handover.db");
    let store = open(url(&path)).unwrap();
    let handover = opened(&store, "s-1").await;
    let connection = Connection::open(&path).unwrap();
    connection.execute("UPDATE handover SET progress = '{}'", []).unwrap();
    let error = store.handover(handover.id()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("handover.progress of {} cannot be read", handover.id())
    );
}
