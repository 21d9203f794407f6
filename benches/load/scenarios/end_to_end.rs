//! A webhook in, the bot's 200: the rate that is sustained, and what the gateway adds to the latency.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use hdrhistogram::Histogram;
use tokio::sync::Semaphore;

use crate::bots::Arrivals;
use crate::bots::Bots;
use crate::bots::Seen;
use crate::drive;
use crate::drive::Schedule;
use crate::report::Limit;
use crate::report::Row;
use crate::scenarios::ingest::note;
use crate::scenarios::rig::Bench;
use crate::scenarios::rig::CONNECTIONS;
use crate::scenarios::rig::Rig;
use crate::scenarios::rig::cpu_row;
use crate::scenarios::rig::signing_row;

pub(crate) const HANDOVERS: usize = 1000;
pub(crate) const BOTS: usize = 20;
pub(crate) const THINK: Duration = Duration::from_millis(20);
const WARM_UP: usize = 4000;
/// Events sent and not yet answered by their bot: two of each handover.
const WINDOW: usize = 2 * HANDOVERS;
const OPEN_RATE: u32 = 1000;
const DRAINED_WITHIN: Duration = Duration::from_mins(1);

pub(crate) async fn run(bench: &mut Bench) {
    let bots = Bots::start(BOTS, THINK).await;
    let seen = Arc::clone(&bots.seen);
    let rig = bench.rig(HANDOVERS, Some(bots)).await;
    let sent = WARM_UP + bench.events(60_000);
    let mut lost = sustained(bench, &rig, &seen, sent).await;
    lost += latency(bench, &rig, &seen, sent).await;
    let out_of_order = seen.out_of_order.load(Ordering::Relaxed);
    let rows = vec![
        Row::new("acknowledged events lost", as_figure(lost), "").must(Limit::AtMost(0.0)),
        Row::new("events out of order", as_figure(out_of_order), "").must(Limit::AtMost(0.0)),
    ];
    bench.report.section("end to end, all of it", rows);
    rig.gateway.stop().await;
}

/// Sends events up to number `end`. How many were lost.
async fn sustained(bench: &mut Bench, rig: &Rig, seen: &Seen, end: usize) -> usize {
    let addr = rig.gateway.addr;
    let (warm_up, _) = rig.sign(0, WARM_UP);
    let window = Arc::new(Semaphore::new(WINDOW));
    let arrivals = seen.expect(0, WARM_UP, Some(Arc::clone(&window)));
    drive::closed(addr, warm_up, CONNECTIONS, Some(window)).await;
    let mut lost = missing(&arrivals, WARM_UP).await;

    let count = end - WARM_UP;
    let (requests, signing) = rig.sign(WARM_UP, count);
    let window = Arc::new(Semaphore::new(WINDOW));
    let arrivals = seen.expect(WARM_UP, count, Some(Arc::clone(&window)));
    let (begun, before) = (Instant::now(), rig.gateway.cpu());
    let outcome = drive::closed(addr, requests, CONNECTIONS, Some(window)).await;
    lost += missing(&arrivals, outcome.acked).await;
    let after = rig.gateway.cpu();
    let took = arrivals.last().unwrap_or(begun).saturating_duration_since(begun);
    let rows = vec![
        Row::new("rate sustained", drive::per_second(arrivals.count(), took), "/s")
            .must(Limit::AtLeast(3000.0))
            .goal(Limit::AtLeast(6000.0)),
        cpu_row(before, after, count),
        signing_row(signing, count),
    ];
    let title = "end to end: webhook in, bot's 200; 1,000 handovers, 20 bots answering in 20 ms";
    bench.report.section(title, rows);
    note(bench, outcome.complaint("end to end"));
    lost
}

/// Sends events from number `first` on. How many were lost.
async fn latency(bench: &mut Bench, rig: &Rig, seen: &Seen, first: usize) -> usize {
    let count = bench.events(20_000);
    let (requests, signing) = rig.sign(first, count);
    let arrivals = seen.expect(first, count, None);
    let schedule = Schedule::soon(OPEN_RATE);
    let before = rig.gateway.cpu();
    let outcome = drive::open(rig.gateway.addr, requests, CONNECTIONS, schedule).await;
    let lost = missing(&arrivals, outcome.acked).await;
    let after = rig.gateway.cpu();
    let latencies = added(&arrivals, count, schedule, |_| true);
    let at = |percent| drive::millis(&latencies, percent);
    let rows = vec![
        Row::new("p50", at(50.0), "ms").goal(Limit::AtMost(4.0)),
        Row::new("p99", at(99.0), "ms")
            .must(Limit::AtMost(100.0))
            .goal(Limit::AtMost(20.0)),
        Row::new("p99.9", at(99.9), "ms"),
        cpu_row(before, after, count),
        signing_row(signing, count),
    ];
    let title = "added latency, open loop at 1,000/s, from due to arrived at the bot";
    bench.report.section(title, rows);
    note(bench, outcome.complaint("added latency"));
    lost
}

/// Waits for what was acknowledged. How many of it never came.
pub(crate) async fn missing(arrivals: &Arrivals, acked: usize) -> usize {
    arrivals.wait_for(acked, DRAINED_WITHIN).await;
    acked.saturating_sub(arrivals.count())
}

/// From the moment an event was due to its arrival, of those events of a batch that count.
pub(crate) fn added(
    arrivals: &Arrivals,
    count: usize,
    schedule: Schedule,
    counts: impl Fn(usize) -> bool,
) -> Histogram<u64> {
    let mut latencies = drive::histogram();
    for place in (0..count).filter(|place| counts(*place)) {
        if let Some(at) = arrivals.at(place) {
            latencies.saturating_record(drive::micros(at.saturating_duration_since(schedule.due(place))));
        }
    }
    latencies
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
pub(crate) fn as_figure(count: usize) -> f64 {
    count as f64
}
