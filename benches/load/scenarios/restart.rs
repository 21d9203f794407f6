//! A start after a kill, with a large backlog that was never delivered.

use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use crate::bots::Bots;
use crate::drive;
use crate::events::Vendor;
use crate::gateway::Gateway;
use crate::gateway::Setup;
use crate::report::Limit;
use crate::report::Row;
use crate::scenarios::end_to_end::BOTS;
use crate::scenarios::end_to_end::THINK;
use crate::scenarios::end_to_end::as_figure;
use crate::scenarios::rig::Bench;
use crate::seed;
use crate::seed::Seed;
use crate::wire::Connection;

const EVENTS_EACH: usize = 10;
const FIRST_RUN: Duration = Duration::from_secs(2);
const DRAINING: Duration = Duration::from_secs(5);
const GIVE_UP: Duration = Duration::from_mins(2);

pub(crate) async fn run(bench: &mut Bench) {
    let handovers = if bench.quick { 10_000 } else { 100_000 };
    let folder = bench.new_folder();
    let vendor = Vendor::start().await;
    let bots = Bots::start(BOTS, THINK).await;
    let mut setup = Setup::new(folder.path(), &vendor.url);
    setup.callbacks = bots.urls();
    let seed = Seed {
        handovers,
        events: EVENTS_EACH,
    };
    let conversations = seed::plant(&setup, &seed).await;
    let request = vendor.event(conversations.last().expect("there is one"), 0).request();

    // Killed in the middle of delivering, so that the next start has a log to recover.
    let gateway = Gateway::start(&setup).await;
    tokio::time::sleep(FIRST_RUN).await;
    gateway.kill();
    let size = std::fs::metadata(setup.database()).map_or(0, |file| file.len());
    let cold = forget_pages(&setup);

    let restarted = restart(&setup, &bots, &request).await;
    let rss = restarted.gateway.rss();
    let before = bots.seen.accepted.load(Ordering::Relaxed);
    tokio::time::sleep(DRAINING).await;
    let drained = bots.seen.accepted.load(Ordering::Relaxed) - before;
    restarted.gateway.kill();
    let out_of_order = bots.seen.out_of_order.load(Ordering::Relaxed);
    let first = Row::new(
        "from start to the first 2xx for a webhook",
        millis(restarted.answered),
        "ms",
    );
    let rows = vec![
        // The limits are for a million events.
        if bench.quick {
            first
        } else {
            first.must(Limit::AtMost(5000.0)).goal(Limit::AtMost(1000.0))
        },
        Row::new(
            "from start to the first delivery accepted",
            millis(restarted.delivered),
            "ms",
        ),
        Row::new(
            "rate at which the backlog drains",
            drive::per_second(drained, DRAINING),
            "/s",
        ),
        Row::new("size of the database", megabytes(size), "MB"),
        Row::new("memory then", megabytes(rss), "MB"),
        Row::new("events out of order", as_figure(out_of_order), "").must(Limit::AtMost(0.0)),
    ];
    let (events, cache) = (handovers * EVENTS_EACH, if cold { "cold" } else { "warm" });
    let title = format!("restart after SIGKILL, {events} events undelivered in {handovers} handovers, {cache} cache");
    bench.report.section(&title, rows);
}

struct Restarted {
    gateway: Gateway,
    answered: Duration,
    delivered: Duration,
}

/// Starts it, and tries the webhook and looks at the bots until both have seen something of it.
async fn restart(setup: &Setup, bots: &Bots, request: &[u8]) -> Restarted {
    let accepted = || bots.seen.accepted.load(Ordering::Relaxed);
    let before = accepted();
    let (mut answered, mut delivered) = (None, None);
    let begun = Instant::now();
    let mut gateway = Gateway::spawn(setup).await;
    loop {
        if answered.is_none() && takes(&gateway, request).await {
            answered = Some(begun.elapsed());
        }
        if delivered.is_none() && accepted() > before {
            delivered = Some(begun.elapsed());
        }
        if let (Some(answered), Some(delivered)) = (answered, delivered) {
            return Restarted {
                gateway,
                answered,
                delivered,
            };
        }
        gateway.still_runs();
        assert!(begun.elapsed() < GIVE_UP, "it does not come back: {}", gateway.told());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn takes(gateway: &Gateway, request: &[u8]) -> bool {
    match Connection::open(gateway.addr).await {
        Ok(mut connection) => matches!(connection.exchange(request).await, Ok(200..300)),
        Err(_not_yet) => false,
    }
}

/// Has the system forget what it holds of the files. Whether it did.
fn forget_pages(setup: &Setup) -> bool {
    let database = setup.database();
    let wal = database.with_extension("db-wal");
    [database, wal].iter().filter(|file| file.exists()).all(|file| {
        let file = format!("of={}", file.display());
        let dd = Command::new("dd")
            .args([
                &file,
                "oflag=nocache",
                "conv=notrunc,fdatasync",
                "count=0",
                "status=none",
            ])
            .status();
        dd.is_ok_and(|status| status.success())
    })
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52 bytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
