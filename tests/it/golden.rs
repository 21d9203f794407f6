//! Files that earlier versions left behind: each schema there ever was is opened by the program of today, keeps its rows,
//! and its handovers go on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;

use aws_lc_rs::digest;
use rstest::rstest;
use rusqlite::Connection;
use rusqlite::types::Value as Column;
use serde_json::json;

use crate::support::bot::Callback;
use crate::support::gateway::output;
use crate::support::wait::eventually;
use crate::support::world::World;

/// The conversation of the live handover in the files.
const CONVERSATION: &str = "golden-conversation-01";
/// What an agent had said and no bot was told of when the program of that time ended.
const UNTOLD: [&str; 2] = ["not yet told 1", "not yet told 2"];

/// Migrations that some version was released with, each with its SHA-256. Their text never changes again; a new one is
/// added here with the release that brings it.
const RELEASED: [(&str, &str); 7] = [
    (
        "0001_init.sql",
        "5343f4f6cb65a0614eca1121450bece0799e7bd342a7ea6efcacd76ad79fd895",
    ),
    (
        "0002_attachments.sql",
        "6c9a1ded0db98691fbb1f7f49e3b69350381884533f911ce34ef1928deae479e",
    ),
    (
        "0003_history.sql",
        "c1e2a4eed6e8dca29489734064275894a1a855dcb1a26c93da3d075328d2d706",
    ),
    (
        "0004_grants.sql",
        "96d0ff29e863d3f4ec1df4b320471a07155b20261d04070838a00fb393e98e95",
    ),
    (
        "0005_outages.sql",
        "cb713922022ff12f5fb9e5bc79d26fc74728eef3761a7158db84036e4244f2cf",
    ),
    (
        "0006_redelivery.sql",
        "a778f494b3563bab3eda9c4ea7a4418e805aeeb1e2255cf23548ca6f8b02399d",
    ),
    (
        "0007_privacy.sql",
        "fc4735d91f453abbb6d4ab5d0ee93abdc1123a7c744bac26f0c6faab323b21fe",
    ),
];

/// The schemas there is a file of. 5 and 6 came with 7 in one release, so that no program ever left a file of theirs.
const GOLDEN: [usize; 5] = [1, 2, 3, 4, 7];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn golden(schema: u32) -> PathBuf {
    root(&format!("tests/fixtures/stores/{schema:04}.db"))
}

#[test]
fn a_migration_that_was_released_never_changes() {
    for (name, expected) in RELEASED {
        let text = std::fs::read(root("migrations/sqlite").join(name)).unwrap();
        let hash = digest::digest(&digest::SHA256, &text);
        let hash = hash.as_ref().iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        assert_eq!(hash, expected, "{name}: write a new migration instead");
    }
}

#[test]
fn every_schema_a_release_left_behind_has_its_golden_file_and_no_migration_is_left_out() {
    let mut names: Vec<_> = std::fs::read_dir(root("migrations/sqlite"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let released = RELEASED.map(|(name, _)| name.to_owned());
    assert_eq!(names[..RELEASED.len()], released);
    assert_eq!(GOLDEN.last(), Some(&RELEASED.len()), "the newest release has none");
    for number in GOLDEN {
        let name = &names[number - 1];
        // A copy: looking at a file leaves others beside it.
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("handover.db");
        std::fs::copy(golden(u32::try_from(number).unwrap()), &copy).unwrap();
        let connection = Connection::open(copy).unwrap();
        let schema: i64 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(usize::try_from(schema).unwrap(), number);
        for (table, rows) in &tables(&connection) {
            assert!(!rows.is_empty(), "{table} of {name} is empty");
        }
    }
}

type Tables = BTreeMap<String, Vec<BTreeMap<String, Column>>>;

/// All rows of all tables, each as its columns by name.
fn tables(connection: &Connection) -> Tables {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name";
    let mut statement = connection.prepare(sql).unwrap();
    let names: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    names
        .into_iter()
        .map(|name| (name.clone(), rows(connection, &name)))
        .collect()
}

fn rows(connection: &Connection, table: &str) -> Vec<BTreeMap<String, Column>> {
    let mut statement = connection
        .prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2"))
        .unwrap();
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let row = |row: &rusqlite::Row<'_>| {
        let column = |(place, name): (usize, &String)| Ok((name.clone(), row.get(place)?));
        columns.iter().enumerate().map(column).collect()
    };
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_migration_that_fails_changes_nothing_and_is_done_when_it_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("handover.db");
    std::fs::copy(golden(1), &store).unwrap();
    let before = tables(&Connection::open(&store).unwrap());
    let config = folder.path().join("gateway.toml");
    std::fs::write(&config, format!("store.url = \"sqlite://{}\"", store.display())).unwrap();
    let migrate = async || output(&["store", "migrate", "--json", "--config", config.to_str().unwrap()]).await;
    // In the way of the third.
    let execute = |sql: &str| Connection::open(&store).unwrap().execute_batch(sql).unwrap();
    execute("CREATE TABLE history (in_the_way TEXT)");
    assert_eq!(migrate().await.status.code(), Some(1));
    let stands_at: i64 = Connection::open(&store)
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(stands_at, 2, "the second is whole, nothing of the third is there");
    execute("DROP TABLE history");
    let migrated = migrate().await;
    assert!(migrated.status.success(), "{migrated:?}");
    survived(&before, &tables(&Connection::open(&store).unwrap()));
}

#[rstest]
#[tokio::test]
async fn every_row_of_an_older_schema_survives_the_migration(#[values(1, 2, 3, 4, 7)] schema: u32) {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("handover.db");
    std::fs::copy(golden(schema), &store).unwrap();
    let before = tables(&Connection::open(&store).unwrap());
    let config = folder.path().join("gateway.toml");
    std::fs::write(&config, format!("store.url = \"sqlite://{}\"", store.display())).unwrap();
    let migrated = output(&["store", "migrate", "--json", "--config", config.to_str().unwrap()]).await;
    assert!(migrated.status.success(), "{migrated:?}");
    let said: serde_json::Value = serde_json::from_slice(&migrated.stdout).unwrap();
    assert_eq!(said["from"], schema, "{said}");
    survived(&before, &tables(&Connection::open(&store).unwrap()));
}

/// Every row has in every column what it had.
fn survived(before: &Tables, after: &Tables) {
    for (table, rows) in before {
        let migrated = &after[table];
        assert_eq!(rows.len(), migrated.len(), "{table}");
        for (old, new) in rows.iter().zip(migrated) {
            for (column, value) in old {
                assert_eq!(Some(value), new.get(column), "{table}.{column}");
            }
        }
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn handovers_of_an_older_schema_go_on(#[values(1, 2, 3, 4, 7)] schema: u32) {
    let mut world = World::with(|setup| {
        // The files get older: nothing in them is to be deleted for its age.
        setup.config.set("store.retention", "36500d");
    })
    .await;
    let (_, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.eight.all_acknowledged().await;
    assert!(world.gateway.stop().await.success());
    let handover = put_in_place(&golden(schema), &world.gateway.store(), &conversation);
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    let told = eventually("what was pending is told", async || {
        let told = words(&world, &handover);
        (told.len() >= UNTOLD.len()).then_some(told)
    })
    .await;
    assert_eq!(told, UNTOLD);
    world.eight.say(&conversation, "after the upgrade").await;
    eventually("the next word is told", async || {
        words(&world, &handover)
            .contains(&"after the upgrade".to_owned())
            .then_some(())
    })
    .await;
    assert_eq!(words(&world, &handover), [UNTOLD[0], UNTOLD[1], "after the upgrade"]);
    let mut sequences: Vec<_> = world.bots.events(&handover).iter().map(Callback::sequence).collect();
    let first = sequences[0];
    sequences.retain(|sequence| *sequence != first);
    assert_eq!(sequences[0], first + 1, "the log goes on without a gap");
    assert_eq!(
        world.api.say(&handover, "the user, after the upgrade").await["status"],
        "accepted"
    );
    assert!(
        world
            .eight
            .texts(&conversation)
            .await
            .contains(&"the user, after the upgrade".to_owned())
    );
    world.finish().await;
}

fn words(world: &World, handover: &str) -> Vec<String> {
    let told = world.bots.events(handover);
    let words = told.iter().filter(|told| told.kind() == "message.created");
    words.map(|told| told.text().to_owned()).collect()
}

/// Puts a file in the place of a store, its live handover on a conversation that this 8x8 knows; that handover's id.
fn put_in_place(golden: &Path, store: &Path, conversation: &str) -> String {
    std::fs::copy(golden, store).unwrap();
    let connection = Connection::open(store).unwrap();
    connection
        .execute(
            "UPDATE handover SET conversation = ?2, progress = replace(progress, ?1, ?2) WHERE conversation = ?1",
            [CONVERSATION, conversation],
        )
        .unwrap();
    let sql = "SELECT id FROM handover WHERE conversation = ?1";
    connection.query_row(sql, [conversation], |row| row.get(0)).unwrap()
}
