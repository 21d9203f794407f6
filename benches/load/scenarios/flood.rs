//! Connections that drip, more of them than one address gets, beside webhooks that come as always.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

use crate::bots::Bots;
use crate::drive;
use crate::drive::Schedule;
use crate::events::WEBHOOK_PATH;
use crate::report::Limit;
use crate::report::Row;
use crate::scenarios::end_to_end::BOTS;
use crate::scenarios::end_to_end::HANDOVERS;
use crate::scenarios::end_to_end::THINK;
use crate::scenarios::end_to_end::added;
use crate::scenarios::end_to_end::as_figure;
use crate::scenarios::end_to_end::missing;
use crate::scenarios::ingest::note;
use crate::scenarios::rig::Bench;
use crate::scenarios::rig::CONNECTIONS;

const RATE: u32 = 1000;
const WARM_UP: usize = 4000;
/// From one address, which is not that of the webhooks.
const FLOOD: usize = 2500;
const FROM: &str = "127.0.0.2:0";
/// Half of the gateway's `server.max_connections`.
const SHARE: f64 = 2048.0;
const DRIP: Duration = Duration::from_secs(1);
/// Until all are there and the first were cut off.
const SETTLED_AFTER: Duration = Duration::from_secs(12);

pub(crate) async fn run(bench: &mut Bench) {
    let bots = Bots::start(BOTS, THINK).await;
    let seen = Arc::clone(&bots.seen);
    let rig = bench.rig(HANDOVERS, Some(bots)).await;
    let (mut acks, mut arrived, mut first, mut lost) = (Vec::new(), Vec::new(), 0, 0);
    let (mut files, mut rss) = (Vec::new(), Vec::new());
    let mut flood = JoinSet::new();
    for count in [WARM_UP, bench.events(20_000), bench.events(20_000)] {
        let (requests, _) = rig.sign(first, count);
        if acks.len() == 2 {
            (0..FLOOD).for_each(|number| drop(flood.spawn(keep_dripping(rig.gateway.addr, number))));
            tokio::time::sleep(SETTLED_AFTER).await;
        }
        let arrivals = seen.expect(first, count, None);
        let schedule = Schedule::soon(RATE);
        let outcome = drive::open(rig.gateway.addr, requests, CONNECTIONS, schedule).await;
        files.push(rig.gateway.open_files());
        rss.push(rig.gateway.rss());
        note(bench, outcome.complaint("flood"));
        lost += missing(&arrivals, outcome.acked).await;
        acks.push(drive::millis(&outcome.latencies, 99.0));
        arrived.push(drive::millis(&added(&arrivals, count, schedule, |_| true), 99.0));
        first += count;
    }
    flood.shutdown().await;
    let ([_, calm, flooded], [_, calm_bots, flooded_bots]) = (acks.as_slice(), arrived.as_slice()) else {
        return;
    };
    let ratio = |name: &str, calm: &f64, flooded: &f64| {
        let row = Row::new(name, flooded / calm, "x").comparing();
        row.must(Limit::AtMost(2.0)).goal(Limit::AtMost(1.2))
    };
    let held = grown(&files, |files| as_figure(*files));
    let mebibytes = grown(&rss, |bytes| {
        as_figure(usize::try_from(*bytes).unwrap_or(usize::MAX)) / 1_048_576.0
    });
    let rows = vec![
        Row::new("ack p99 before", *calm, "ms"),
        Row::new("ack p99 meanwhile", *flooded, "ms"),
        ratio("  one over the other", calm, flooded),
        Row::new("p99 until arrived at the bot, before", *calm_bots, "ms"),
        Row::new("p99 until arrived at the bot, meanwhile", *flooded_bots, "ms"),
        ratio("  one over the other", calm_bots, flooded_bots),
        Row::new("connections of the flood that are held", held, "").must(Limit::AtMost(SHARE)),
        Row::new("memory for them", mebibytes, "MiB").must(Limit::AtMost(80.0)),
        Row::new("  each", mebibytes * 1024.0 / held.max(1.0), "KiB"),
        Row::new("acknowledged events lost", as_figure(lost), "").must(Limit::AtMost(0.0)),
    ];
    let title = format!("{FLOOD} connections of one address drip, open loop at 1,000/s from another");
    bench.report.section(&title, rows);
    rig.gateway.stop().await;
}

/// By how much the last is more than the one before.
fn grown<T>(all: &[T], figure: impl Fn(&T) -> f64) -> f64 {
    match all {
        [_, before, meanwhile] => figure(meanwhile) - figure(before),
        _ => 0.0,
    }
}

/// Comes again whenever it is cut off.
async fn keep_dripping(addr: SocketAddr, number: usize) {
    loop {
        // Being cut off is what is expected.
        drop(drip(addr, number).await);
        tokio::time::sleep(DRIP).await;
    }
}

/// A third says nothing, a third sends headers without an end, a third a body without one.
async fn drip(addr: SocketAddr, number: usize) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(FROM.parse().map_err(io::Error::other)?)?;
    let mut stream = socket.connect(addr).await?;
    let head = format!("POST {WEBHOOK_PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
    let (begin, more): (String, &[u8]) = match number % 3 {
        0 => (String::new(), b""),
        1 => (format!("{head}x-filler: "), b"x"),
        _ => (
            format!("{head}content-type: application/json\r\ncontent-length: 100000\r\n\r\n"),
            b"{",
        ),
    };
    stream.write_all(begin.as_bytes()).await?;
    let mut answer = [0; 1024];
    // Until it is answered or cut off.
    while tokio::time::timeout(DRIP, stream.read(&mut answer)).await.is_err() {
        stream.write_all(more).await?;
    }
    Ok(())
}
