//! `store migrate`, `backup`, `restore` and `copy` as an operator runs them, beside a gateway that runs or has stopped.

use std::path::Path;
use std::path::PathBuf;
use std::process::Output;
use std::process::Stdio;
use std::time::Instant;

use http::Method;
use rusqlite::Connection;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

use crate::support::faulty_disk::FaultyDisk;
use crate::support::gateway::output;
use crate::support::gateway::program;
use crate::support::wait::eventually;
use crate::support::world::World;
use crate::support::world::show;

/// Runs `store` with the configuration of the world's gateway.
async fn store(world: &World, arguments: &[&str]) -> Output {
    let config = world.gateway.write_config();
    let mut all = vec!["store"];
    all.extend(arguments);
    all.extend(["--json", "--config", config.to_str().unwrap()]);
    output(&all).await
}

fn said(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

async fn done(world: &World, arguments: &[&str]) -> Value {
    let output = store(world, arguments).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = said(&output);
    assert_eq!(said["ok"], true, "{said}");
    said
}

async fn refused(world: &World, arguments: &[&str], code: i32, why: &str) {
    let output = store(world, arguments).await;
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let said = said(&output);
    assert_eq!(said["ok"], false, "{said}");
    assert!(said["error"].as_str().unwrap().contains(why), "{said}");
}

struct Shelf(TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn messages(store: &Path) -> Vec<String> {
    let connection = Connection::open(store).unwrap();
    let mut statement = connection
        .prepare("SELECT text FROM message ORDER BY position")
        .unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_beside_a_running_gateway_is_whole_and_holds_what_was_acknowledged_before() {
    let world = World::start().await;
    let shelf = Shelf::new();
    let (id, _) = world.api.open(json!({})).await;
    let mut acked = Vec::new();
    for round in 0..3 {
        for number in 0..10 {
            let text = format!("{round}/{number}");
            world.api.say(&id, &text).await;
            acked.push(text);
        }
        let name = format!("backup-{round}.db");
        let posting = async {
            for number in 0..20 {
                world.api.say(&id, &format!("meanwhile {round}/{number}")).await;
            }
        };
        let ((), said) = tokio::join!(posting, async { done(&world, &["backup", &shelf.text(&name)]).await });
        assert_eq!(said["schema"], current_schema(&world), "{said}");
        let kept = messages(&shelf.path(&name));
        let before: Vec<_> = kept.iter().filter(|text| !text.starts_with("meanwhile")).collect();
        assert_eq!(before, acked.iter().collect::<Vec<_>>());
    }
    refused(&world, &["backup", &shelf.text("backup-0.db")], 1, "not overwritten").await;
    assert!(
        shelf.names().iter().all(|name| !name.contains(".part-")),
        "{:?}",
        shelf.names()
    );
    refused(&world, &["migrate"], 1, "in use by another process").await;
    refused(
        &world,
        &["copy", "--to", &format!("sqlite://{}", shelf.text("c.db"))],
        1,
        "in use",
    )
    .await;
    refused(&world, &["restore", &shelf.text("backup-0.db"), "--force"], 1, "in use").await;
    world.finish().await;
}

fn current_schema(world: &World) -> i64 {
    let connection = Connection::open(world.gateway.store()).unwrap();
    connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_nothing_is_delivered_twice_that_the_backup_knows_of_and_the_handover_goes_on() {
    let mut world = World::start().await;
    let shelf = Shelf::new();
    let backup = shelf.text("handover.db");
    let (id, conversation) = world.api.open(json!({})).await;
    world.eight.join(&conversation).await;
    world.eight.say(&conversation, "before").await;
    world.bots.event(&id, "message.created").await;
    world.eight.all_acknowledged().await;
    world.api.say(&id, "the user before").await;
    // Settled, so that the backup knows that it was delivered.
    eventually("all is settled", async || {
        let timeline = world.api.get(&format!("/v1/handovers/{id}/timeline")).await.text();
        (timeline.matches("\"attempt").count() > 0 && pending(&world) == 0).then_some(())
    })
    .await;
    let known = world.bots.attempts(&id).len();
    done(&world, &["backup", &backup]).await;
    world.eight.say(&conversation, "after the backup").await;
    eventually("it is told", async || {
        (world.bots.attempts(&id).len() > known && pending(&world) == 0).then_some(())
    })
    .await;
    let cursor = world.api.get("/v1/events?limit=1000").await.ok(200)["nextCursor"].clone();
    assert!(world.gateway.stop().await.success());

    refused(&world, &["restore", &backup], 1, "--force").await;
    let began = Instant::now();
    let said = done(&world, &["restore", &backup, "--force"]).await;
    let aside = PathBuf::from(said["aside"].as_str().unwrap());
    assert_eq!(messages(&aside), ["the user before"], "the store before it is kept");
    assert_eq!(commands_audited(&world.gateway.store()), ["store.restore"]);
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    show(&format!("restored and running after {:?}", began.elapsed()));

    let told = world.bots.attempts(&id).len();
    world.eight.say(&conversation, "after the restore").await;
    let last = world
        .bots
        .callback("the next word", |callback| callback.text() == "after the restore")
        .await;
    assert_eq!(world.bots.attempts(&id).len(), told + 1, "nothing else was told again");
    assert_eq!(world.api.say(&id, "the user after").await["status"], "accepted");
    assert_eq!(
        world.eight.texts(&conversation).await,
        ["the user before", "the user after"]
    );
    assert_eq!(read_after(&world, &cursor).await, [last.id()]);
    world.finish().await;
}

/// What the audit log says was done by commands.
fn commands_audited(store: &Path) -> Vec<String> {
    let connection = Connection::open(store).unwrap();
    let mut statement = connection
        .prepare("SELECT action FROM audit WHERE actor = 'cli' ORDER BY position")
        .unwrap();
    statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn plain(cursor: &Value) -> String {
    cursor.as_str().map_or_else(|| cursor.to_string(), str::to_owned)
}

/// A bot that reads by cursor misses none of what is new, although its cursor is of the time after the backup.
async fn read_after(world: &World, cursor: &Value) -> Vec<String> {
    let path = format!("/v1/events?after={}", plain(cursor));
    let read = world.api.call(Method::GET, &path).send().await.ok(200);
    let events = read["data"].as_array().unwrap().iter();
    events.map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

/// Lanes that have something to deliver.
fn pending(world: &World) -> i64 {
    let connection = Connection::open(world.gateway.store()).unwrap();
    let sql = "SELECT count(*) FROM lane WHERE head < tail";
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn only_a_sound_store_of_this_program_is_restored_and_a_refusal_changes_nothing() {
    let mut world = World::start().await;
    let shelf = Shelf::new();
    let (id, _) = world.api.open(json!({})).await;
    world.api.say(&id, "kept").await;
    let good = shelf.text("good.db");
    done(&world, &["backup", &good]).await;
    assert!(world.gateway.stop().await.success());

    std::fs::write(
        shelf.path("text"),
        "not a database, however long this text becomes ".repeat(100),
    )
    .unwrap();
    let other = Connection::open(shelf.path("other.db")).unwrap();
    other.execute_batch("CREATE TABLE note (text TEXT)").unwrap();
    drop(other);
    let newer = shelf.path("newer.db");
    std::fs::copy(&good, &newer).unwrap();
    Connection::open(&newer)
        .unwrap()
        .pragma_update(None, "user_version", 1000)
        .unwrap();
    let mut damaged = std::fs::read(&good).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 8192].fill(0xAA);
    std::fs::write(shelf.path("damaged.db"), damaged).unwrap();
    for (file, why) in [
        ("text", "no store of this program"),
        ("other.db", "no store of this program"),
        ("newer.db", "newer version"),
        ("damaged.db", "damaged.db`"),
        ("missing.db", "there is no backup at"),
    ] {
        refused(&world, &["restore", &shelf.text(file), "--force"], 1, why).await;
    }
    assert_eq!(messages(&world.gateway.store()), ["kept"]);
    let beside = std::fs::read_dir(world.gateway.store().parent().unwrap()).unwrap();
    let names: Vec<_> = beside
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().all(|name| !name.contains("restore")), "{names:?}");
    // Neither does one that was broken off before it was decided.
    std::fs::write(format!("{}.restore-copy", world.gateway.store().display()), "half").unwrap();
    world.gateway.run_again().await;
    assert_eq!(messages(&world.gateway.store()), ["kept"]);
    assert!(world.gateway.stop().await.success());
    done(&world, &["restore", &good, "--force"]).await;
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    world.finish().await;
}

#[tokio::test]
async fn a_restore_that_was_broken_off_after_it_was_decided_is_done_at_the_next_start() {
    let mut world = World::start().await;
    let shelf = Shelf::new();
    let (id, _) = world.api.open(json!({})).await;
    world.api.say(&id, "in the backup").await;
    let good = shelf.text("good.db");
    done(&world, &["backup", &good]).await;
    world.api.say(&id, "later").await;
    // A log of the old store is there too, which must not be taken for the new one's.
    world.gateway.kill();
    let store = world.gateway.store();
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", store.display()));
    assert!(beside("-wal").metadata().unwrap().len() > 0);
    std::fs::copy(&good, beside(".restore-ready")).unwrap();
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    assert!(!beside(".restore-ready").exists());
    assert_eq!(messages(&store), ["in the backup"]);
    assert_eq!(messages(&beside(".before-restore-1")), ["in the backup", "later"]);
    world.finish().await;
}

#[tokio::test]
async fn a_backup_that_would_fill_its_disk_is_refused() {
    let disk = FaultyDisk::new();
    disk.begin("low");
    let mut world = World::start().await;
    world.api.open(json!({})).await;
    assert!(world.gateway.stop().await.success());
    let shelf = Shelf::new();
    let config = world.gateway.write_config();
    let mut backup = program();
    backup.args([
        "store",
        "backup",
        &shelf.text("b.db"),
        "--json",
        "--config",
        config.to_str().unwrap(),
    ]);
    backup.envs(disk.environment()).stdout(Stdio::piped());
    let refused = tokio::task::spawn_blocking(move || backup.output().unwrap())
        .await
        .unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(
        said(&refused)["error"]
            .as_str()
            .unwrap()
            .contains("its disk would be full"),
        "{refused:?}"
    );
    assert_eq!(shelf.names().len(), 0);
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    world.finish().await;
}

#[tokio::test]
async fn a_copy_is_a_store_of_its_own_and_a_wrong_target_is_wrong_usage() {
    let mut world = World::start().await;
    let shelf = Shelf::new();
    let (id, _) = world.api.open(json!({})).await;
    world.api.say(&id, "kept").await;
    assert!(world.gateway.stop().await.success());
    refused(
        &world,
        &["copy", "--to", "postgres://127.0.0.1/handover"],
        2,
        "PostgreSQL is not built yet",
    )
    .await;
    refused(&world, &["copy", "--to", "sqlite::memory:"], 2, "goes with its process").await;
    refused(&world, &["copy", "--to", "mysql://x"], 2, "is not a store").await;
    let target = format!("sqlite://{}", shelf.text("new/handover.db"));
    done(&world, &["copy", "--to", &target]).await;
    refused(&world, &["copy", "--to", &target], 1, "not overwritten").await;
    let said = done(&world, &["migrate"]).await;
    assert_eq!(said["from"], said["to"], "{said}");
    assert_eq!(messages(&shelf.path("new/handover.db")), ["kept"]);
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    world.finish().await;
}
