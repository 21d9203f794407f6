//! What other bots notice of one that takes callbacks and never answers, or answers too slowly to end.

use std::sync::Arc;
use std::time::Duration;

use crate::bots::Bots;
use crate::bots::Illness;
use crate::drive;
use crate::drive::Schedule;
use crate::report::Limit;
use crate::report::Row;
use crate::scenarios::end_to_end::BOTS;
use crate::scenarios::end_to_end::HANDOVERS;
use crate::scenarios::end_to_end::THINK;
use crate::scenarios::end_to_end::added;
use crate::scenarios::ingest::note;
use crate::scenarios::rig::Bench;
use crate::scenarios::rig::CONNECTIONS;

const RATE: u32 = 1000;
const WARM_UP: usize = 4000;
pub(crate) const SICK: usize = 0;
const DRAINED_WITHIN: Duration = Duration::from_secs(20);
/// The gateway's `delivery.timeout` and half a second.
const HELD_AT_MOST: f64 = 5.5;

pub(crate) async fn hanging(bench: &mut Bench) {
    let title = "one of 20 bots hangs, open loop at 1,000/s";
    run(bench, Illness::Hangs, title).await;
}

pub(crate) async fn slow(bench: &mut Bench) {
    let title = "one of 20 bots answers with a byte a second, open loop at 1,000/s";
    run(bench, Illness::Drips, title).await;
}

/// Handovers belong to the bots in turn, and events to the handovers.
pub(crate) const fn is_of(bot: usize, place: usize) -> bool {
    place % HANDOVERS % BOTS == bot
}

async fn run(bench: &mut Bench, illness: Illness, title: &str) {
    let bots = Bots::start(BOTS, THINK).await;
    let seen = Arc::clone(&bots.seen);
    let rig = bench.rig(HANDOVERS, Some(bots)).await;
    let healthy = |place: usize| !is_of(SICK, place);
    let (mut p50, mut p99) = (Vec::new(), Vec::new());
    let mut rows = Vec::new();
    let mut first = 0;
    for (name, count) in [
        ("", WARM_UP),
        ("p99 of the 19 others before", bench.events(20_000)),
        ("p99 of the 19 others meanwhile", bench.events(20_000)),
    ] {
        if p99.len() == 2 {
            seen.falls_ill(SICK, illness);
        }
        let (requests, _) = rig.sign(first, count);
        let arrivals = seen.expect(first, count, None);
        let schedule = Schedule::soon(RATE);
        let outcome = drive::open(rig.gateway.addr, requests, CONNECTIONS, schedule).await;
        note(bench, outcome.complaint(title));
        let of_healthy = (0..count).filter(|place| healthy(*place)).count();
        arrivals.wait_for(of_healthy, DRAINED_WITHIN).await;
        let latencies = added(&arrivals, count, schedule, healthy);
        p50.push(drive::millis(&latencies, 50.0));
        p99.push(drive::millis(&latencies, 99.0));
        if !name.is_empty() {
            rows.push(Row::new(name, drive::millis(&latencies, 99.0), "ms"));
            rows.push(Row::new("  p50", drive::millis(&latencies, 50.0), "ms"));
        }
        first += count;
    }
    if let ([_, calm, sick], [_, calm_p50, sick_p50]) = (p99.as_slice(), p50.as_slice()) {
        let ratio = Row::new("p99, one over the other", sick / calm, "x").comparing();
        rows.push(ratio.must(Limit::AtMost(2.0)).goal(Limit::AtMost(1.2)));
        rows.push(Row::new("p50, one over the other", sick_p50 / calm_p50, "x").comparing());
    }
    let held = seen.longest_held().as_secs_f64();
    // A short run is over before the first call to it is.
    if held > 0.0 {
        rows.push(Row::new("longest call to the one", held, "s").must(Limit::AtMost(HELD_AT_MOST)));
    }
    bench.report.section(title, rows);
    rig.gateway.kill();
}
