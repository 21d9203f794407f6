//! Webhooks in, verified and durable, for a bot that pulls: nothing is delivered.

use crate::drive;
use crate::drive::Schedule;
use crate::report::Limit;
use crate::report::Row;
use crate::scenarios::rig::Bench;
use crate::scenarios::rig::CONNECTIONS;
use crate::scenarios::rig::cpu_row;
use crate::scenarios::rig::signing_row;

const HANDOVERS: usize = 500;
const WARM_UP: usize = 4000;
const OPEN_RATE: u32 = 2000;

pub(crate) async fn rate(bench: &mut Bench) {
    let rig = bench.rig(HANDOVERS, None).await;
    let (warm_up, _) = rig.sign(0, WARM_UP);
    drive::closed(rig.gateway.addr, warm_up, CONNECTIONS, None).await;
    let count = bench.events(80_000);
    let (requests, signing) = rig.sign(WARM_UP, count);
    let before = rig.gateway.cpu();
    let outcome = drive::closed(rig.gateway.addr, requests, CONNECTIONS, None).await;
    let after = rig.gateway.cpu();
    let rate = outcome.rate();
    let mut rows = vec![
        Row::new("rate, closed loop of 64 connections", rate, "/s")
            .must(Limit::AtLeast(8000.0))
            .goal(Limit::AtLeast(14_000.0)),
    ];
    if let Some(bare) = bench.bare {
        rows.push(Row::new("  of the empty handler", 100.0 * rate / bare.answers, "%").comparing());
        rows.push(Row::new("  of verification on one core", 100.0 * rate / bare.verifications, "%").comparing());
        rows.push(Row::new("  of group commit alone", 100.0 * rate / bare.commits, "%").comparing());
    }
    for (name, percent) in [("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9)] {
        rows.push(Row::new(
            format!("ack {name} at that rate"),
            drive::millis(&outcome.latencies, percent),
            "ms",
        ));
    }
    rows.push(cpu_row(before, after, count));
    rows.push(signing_row(signing, count));
    bench.report.section("webhook ingest, verified and durable, 1 KB", rows);
    note(bench, outcome.complaint("ingest"));
    rig.gateway.stop().await;
}

pub(crate) async fn latency(bench: &mut Bench) {
    let rig = bench.rig(HANDOVERS, None).await;
    let (warm_up, _) = rig.sign(0, WARM_UP);
    drive::open(rig.gateway.addr, warm_up, CONNECTIONS, Schedule::soon(OPEN_RATE)).await;
    let count = bench.events(40_000);
    let (requests, signing) = rig.sign(WARM_UP, count);
    let before = rig.gateway.cpu();
    let outcome = drive::open(rig.gateway.addr, requests, CONNECTIONS, Schedule::soon(OPEN_RATE)).await;
    let after = rig.gateway.cpu();
    let at = |percent| drive::millis(&outcome.latencies, percent);
    let rows = vec![
        Row::new("p50", at(50.0), "ms").goal(Limit::AtMost(2.0)),
        Row::new("p99", at(99.0), "ms")
            .must(Limit::AtMost(20.0))
            .goal(Limit::AtMost(5.0)),
        Row::new("p99.9", at(99.9), "ms"),
        Row::new("longest", at(100.0), "ms"),
        cpu_row(before, after, count),
        signing_row(signing, count),
    ];
    bench.report.section(
        "ack latency, open loop at 2,000/s, from the moment a webhook was due",
        rows,
    );
    note(bench, outcome.complaint("ack latency"));
    rig.gateway.stop().await;
}

pub(crate) fn note(bench: &mut Bench, complaint: Option<String>) {
    if let Some(complaint) = complaint {
        bench.report.note(complaint);
    }
}
