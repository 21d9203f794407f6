//! Resident memory of a live handover: a process with many, less one with none.

use std::time::Duration;

use crate::gateway::Gateway;
use crate::gateway::Setup;
use crate::report::Limit;
use crate::report::Row;
use crate::scenarios::rig::Bench;
use crate::seed;
use crate::seed::Seed;

pub(crate) async fn run(bench: &mut Bench) {
    let handovers = if bench.quick { 20_000 } else { 100_000 };
    let empty = resident(bench, 0).await;
    let full = resident(bench, handovers).await;
    let each = per_handover(full.saturating_sub(empty), handovers);
    let rows = vec![
        Row::new("with none", mebibytes(empty), "MiB"),
        Row::new(format!("with {handovers}"), mebibytes(full), "MiB"),
        Row::new("each", each, "KiB")
            .must(Limit::AtMost(4.0))
            .goal(Limit::AtMost(1.0)),
    ];
    bench.report.section("memory of live handovers", rows);
}

async fn resident(bench: &Bench, handovers: usize) -> u64 {
    let folder = bench.new_folder();
    let setup = Setup::new(folder.path(), "http://127.0.0.1:1");
    seed::plant(&setup, &Seed { handovers, events: 0 }).await;
    let gateway = Gateway::start(&setup).await;
    let rss = settled(&gateway).await;
    gateway.stop().await;
    rss
}

/// Once it has not grown or shrunk for a second.
async fn settled(gateway: &Gateway) -> u64 {
    let mut last = gateway.rss();
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = gateway.rss();
        if now.abs_diff(last) < 64 * 1024 {
            return now;
        }
        last = now;
    }
    last
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
fn per_handover(bytes: u64, handovers: usize) -> f64 {
    bytes as f64 / 1024.0 / handovers as f64
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
