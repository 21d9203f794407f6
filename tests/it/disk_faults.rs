//! Disks that fail, lie and lose power: nothing is acknowledged that is not kept, and all that was acknowledged is there.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use http::Method;
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rusqlite::Connection;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::client::Client;
use crate::support::faulty_disk::FaultyDisk;
use crate::support::faulty_disk::length;
use crate::support::gateway::Gateway;
use crate::support::gateway::program;
use crate::support::power_cut::Record;
use crate::support::wait::PATIENCE;
use crate::support::wait::eventually;
use crate::support::wait::within;
use crate::support::world::World;
use crate::support::world::show;

/// An acknowledged message.
struct Acked {
    id: String,
    text: String,
    /// How far the record was by then.
    recorded: u64,
    /// Whether the disk had failed before it was asked for.
    asked_after_failure: bool,
}

/// Posts numbered messages until the gateway is gone or it is told to stop.
async fn post(api: Client, handover: String, disk: &FaultyDisk, stop: CancellationToken) -> Vec<Acked> {
    let mut acked = Vec::new();
    let path = format!("/v1/handovers/{handover}/messages");
    for number in 0.. {
        if stop.is_cancelled() {
            break;
        }
        let asked_after_failure = disk.sync_failed();
        let text = format!("{handover}#{number}");
        let call = api.call(Method::POST, &path).json(&json!({"text": text}));
        let Ok(reply) = call.try_send().await else { break };
        if reply.status == 202 {
            let recorded = disk.record().metadata().map_or(0, |metadata| metadata.len());
            acked.push(Acked {
                id: reply.json()["messageId"].as_str().unwrap().to_owned(),
                text,
                recorded,
                asked_after_failure,
            });
        } else {
            assert!([503, 429].contains(&reply.status), "{reply}");
        }
    }
    acked
}

async fn post_all(
    world: &World,
    handovers: &[(String, String)],
    disk: &FaultyDisk,
    stop: &CancellationToken,
) -> Vec<Vec<Acked>> {
    let posting = handovers
        .iter()
        .map(|(id, _)| post(world.api.clone(), id.clone(), disk, stop.clone()));
    futures_util::future::join_all(posting).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sync_ends_the_process_before_anything_more_is_acknowledged() {
    let disk = FaultyDisk::new();
    let mut world = World::with(|setup| {
        disk.under(setup);
        // Longer than the test waits: a broken store is nothing to wait for.
        setup.config.set("server.shutdown_grace", "5m");
    })
    .await;
    for expected in [
        "the store failed while writing",
        "task ended unasked",
        "store-unavailable",
        "the store is broken",
    ] {
        world.tolerate(expected);
    }
    let mut handovers = Vec::new();
    for _ in 0..4 {
        handovers.push(world.api.open(json!({})).await);
    }
    let api = world.api.clone();
    let posting = handovers
        .iter()
        .map(|(id, _)| post(api.clone(), id.clone(), &disk, CancellationToken::new()));
    let fail = async {
        eventually("traffic flows", async || {
            (world.eight.texts(&handovers[0].1).await.len() > 20).then_some(())
        })
        .await;
        disk.begin("fail-sync");
        let began = Instant::now();
        let status = world.gateway.exited().await;
        (status, began.elapsed())
    };
    let (acked, (status, ended)) = tokio::join!(futures_util::future::join_all(posting), fail);
    assert_eq!(status.code(), Some(1), "it stops so that it is started again");
    assert!(disk.sync_failed());
    let after: Vec<_> = acked
        .iter()
        .flatten()
        .filter(|acked| acked.asked_after_failure)
        .collect();
    assert_eq!(after.len(), 0, "acknowledged after the failed sync");
    show(&format!(
        "{} messages acknowledged, {} of them after the failed sync; ended {ended:?} after it was ordered",
        acked.iter().flatten().count(),
        after.len(),
    ));
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
    everything_is_at_8x8_once(&world, &handovers, &acked).await;
    world.finish().await;
}

async fn everything_is_at_8x8_once(world: &World, handovers: &[(String, String)], acked: &[Vec<Acked>]) {
    for ((_, conversation), acked) in handovers.iter().zip(acked) {
        let wanted: Vec<_> = acked.iter().map(|acked| acked.text.clone()).collect();
        assert!(!wanted.is_empty());
        let arrived = within(PATIENCE * 2, async || {
            let mut texts = world.eight.texts(conversation).await;
            texts.retain(|text| wanted.contains(text));
            (texts.len() >= wanted.len()).then_some(texts)
        });
        assert_eq!(arrived.await.unwrap_or_default(), wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_or_told_survives_a_power_cut_at_any_moment() {
    let seed = rand::random();
    show(&format!("the seed is {seed}"));
    let disk = FaultyDisk::new();
    disk.begin("record");
    let mut world = World::with(|setup| disk.under(setup)).await;
    let mut handovers = Vec::new();
    for _ in 0..4 {
        handovers.push(world.api.open(json!({})).await);
    }
    let first = length(&disk.record());
    let stop = CancellationToken::new();
    let conversations: Vec<_> = handovers.iter().map(|(_, conversation)| conversation).collect();
    let load = json!({"conversationIds": conversations, "eventsPerConversation": 60, "concurrency": 8, "rate": 120});
    let events = async {
        world.eight.load(load).await;
        stop.cancel();
    };
    let (acked, told, ()) = tokio::join!(
        post_all(&world, &handovers, &disk, &stop),
        watch_callbacks(&world, &disk, &stop),
        events
    );
    world.gateway.kill();
    let record = Record::read(&disk.record());
    let moments = record.moments(first);
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("handover.db");
    let cuts = 60;
    for _ in 0..cuts {
        let moment = moments[random.random_range(0..moments.len())];
        record.cut(moment, &mut random, &store);
        let kept = Kept::read(&store).unwrap();
        assert_eq!(kept.check, "ok");
        let lost = acked
            .iter()
            .flatten()
            .filter(|acked| acked.recorded <= moment && !kept.messages.contains(&acked.id));
        assert_eq!(lost.count(), 0, "messages lost at {moment}, seed {seed}");
        let lost = told
            .iter()
            .filter(|(id, recorded)| *recorded <= moment && !kept.events.contains(id));
        assert_eq!(lost.count(), 0, "events lost at {moment}, seed {seed}");
    }
    show(&format!(
        "{cuts} power cuts among {} writes: 0 of {} acknowledged messages and 0 of {} delivered events lost",
        moments.len(),
        acked.iter().flatten().count(),
        told.len()
    ));
    record.without_syncs().cut(u64::MAX, &mut random, &store);
    let all = acked.iter().flatten().count();
    let is_whole = Kept::read(&store).is_ok_and(|kept| kept.check == "ok" && kept.messages.len() >= all);
    assert!(!is_whole, "the check sees what is lost without syncs");
    goes_on_after_the_last_cut(&mut world, &record, &mut random).await;
    everything_is_at_8x8_once(&world, &handovers, &acked).await;
    world.finish().await;
}

/// Ids of callbacks, each with how far the record was when it had come.
async fn watch_callbacks(world: &World, disk: &FaultyDisk, stop: &CancellationToken) -> Vec<(String, u64)> {
    let mut told = Vec::new();
    while !stop.is_cancelled() {
        let callbacks = world.bots.callbacks();
        let recorded = length(&disk.record());
        let new = callbacks.iter().skip(told.len());
        told.extend(
            new.map(|callback| (callback.id().to_owned(), recorded))
                .collect::<Vec<_>>(),
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    told
}

/// What a store has after its recovery, which is checked.
struct Kept {
    messages: HashSet<String>,
    events: HashSet<String>,
    check: String,
}

impl Kept {
    fn read(store: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(store)?;
        let ids = |sql: &str| -> rusqlite::Result<HashSet<String>> {
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([], |row| row.get(0))?;
            rows.collect()
        };
        Ok(Self {
            messages: ids("SELECT id FROM message")?,
            events: ids("SELECT id FROM event")?,
            check: connection.pragma_query_value(None, "integrity_check", |row| row.get(0))?,
        })
    }
}

async fn goes_on_after_the_last_cut(world: &mut World, record: &Record, random: &mut StdRng) {
    let store = world.gateway.store();
    for suffix in ["-wal", "-shm"] {
        let beside = format!("{}{suffix}", store.display());
        if Path::new(&beside).exists() {
            std::fs::remove_file(beside).unwrap();
        }
    }
    record.cut(u64::MAX, random, &store);
    world.gateway.environment.clear();
    world.gateway.run_again().await;
    world.connect("/webhooks/8x8/acme").await;
}

#[tokio::test]
async fn a_store_on_a_network_share_is_refused() {
    let disk = FaultyDisk::new();
    disk.begin("nfs");
    let world = World::start().await;
    let mut gateway = Gateway::prepared(world.gateway.config.clone());
    gateway.environment = disk.environment();
    let config = gateway.write_config();
    let refused = tokio::task::spawn_blocking(move || {
        let mut serve = program();
        serve
            .arg("serve")
            .arg("--config")
            .arg(config)
            .envs(gateway.environment.clone());
        serve.output().unwrap()
    });
    let refused = refused.await.unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("network share (NFS)"), "{said}");
    world.finish().await;
}
