//! A bot is away and comes back: what is tried meanwhile, what the others notice, and how what waited gets to it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use tokio::task::JoinSet;

use crate::bots::Arrivals;
use crate::bots::Bots;
use crate::bots::Illness;
use crate::bots::Seen;
use crate::drive;
use crate::drive::Schedule;
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
use crate::scenarios::rig::signing_row;
use crate::scenarios::sick_bot::SICK;
use crate::scenarios::sick_bot::is_of;

/// Of all bots together: 20 a second of each.
const RATE: u32 = 400;
const WARM_UP: usize = 4000;
const WARM_UP_RATE: u32 = 1000;
const CALM: Duration = Duration::from_secs(20);
/// An event that is so much later than others has waited.
const WAITED: Duration = Duration::from_millis(500);
/// It is called at its usual rate again when nothing waits; that is looked at for so long.
const AFTERWARDS: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The moments of a run.
struct Story {
    schedule: Schedule,
    gone: Instant,
    back: Instant,
    /// When the gateway had found out that it is back.
    found: Instant,
    /// When nothing waited for it any more.
    caught_up: Instant,
}

pub(crate) async fn run(bench: &mut Bench) {
    let bots = Bots::start(BOTS, THINK).await;
    let seen = Arc::clone(&bots.seen);
    let rig = bench.rig(HANDOVERS, Some(bots)).await;
    let (warm_up, _) = rig.sign(0, WARM_UP);
    let arrivals = seen.expect(0, WARM_UP, None);
    drive::open(rig.gateway.addr, warm_up, CONNECTIONS, Schedule::soon(WARM_UP_RATE)).await;
    let lost_before = missing(&arrivals, WARM_UP).await;

    let longest = longest(bench.outage);
    let count = usize::try_from(longest.as_secs() * u64::from(RATE)).expect("a run is not that long");
    let (requests, signing) = rig.sign(WARM_UP, count);
    seen.watch(SICK);
    let arrivals = seen.expect(WARM_UP, count, None);
    let schedule = Schedule::soon(RATE);
    let enough = Arc::new(AtomicBool::new(false));
    let mut load = JoinSet::new();
    load.spawn(drive::open_until(
        rig.gateway.addr,
        requests,
        CONNECTIONS,
        schedule,
        Arc::clone(&enough),
    ));
    let story = play(&seen, &arrivals, schedule, bench.outage, longest).await;
    enough.store(true, Ordering::Release);
    let outcome = load.join_next().await.expect("there is one").expect("the load ends");
    let lost = lost_before + missing(&arrivals, outcome.acked).await;
    note(bench, outcome.complaint("outage"));
    if let Some(story) = story {
        let mut rows = of_the_bot(&story, &seen, &arrivals, count);
        rows.extend(of_the_others(&story, &arrivals, count));
        rows.extend(of_all(&seen, lost));
        rows.push(signing_row(signing, count));
        let title = format!(
            "one of 20 bots is away for {} s, 20 events a second to each",
            bench.outage.as_secs()
        );
        bench.report.section(&title, rows);
    } else {
        let text = format!(
            "outage: the bot that was back did not get what waited: {}",
            rig.gateway.told()
        );
        bench.report.note(text);
        bench.report.section("a bot that is away", of_all(&seen, lost));
    }
    rig.gateway.stop().await;
}

/// The gateway tries a bot after up to two minutes; what waited then goes beside what is new, at 0.8 times its rate.
fn longest(outage: Duration) -> Duration {
    let probe = outage.mul_f64(1.4).min(Duration::from_mins(2)) + Duration::from_secs(10);
    CALM + outage + probe + (outage + probe).mul_f64(1.4) + Duration::from_secs(20)
}

/// `None` when it does not catch up.
async fn play(
    seen: &Seen,
    arrivals: &Arrivals,
    schedule: Schedule,
    outage: Duration,
    longest: Duration,
) -> Option<Story> {
    let gone = schedule.start + CALM;
    tokio::time::sleep_until(gone.into()).await;
    seen.falls_ill(SICK, Illness::Refuses);
    let back = gone + outage;
    tokio::time::sleep_until(back.into()).await;
    let before = seen.calls().len();
    seen.recovers();
    let end = schedule.start + longest;
    let (mut its, mut others) = (SICK, SICK + 1);
    loop {
        let now = Instant::now();
        while arrivals.at(its).is_some() {
            its += BOTS;
        }
        while is_of(SICK, others) || arrivals.at(others).is_some() {
            others += 1;
        }
        // It is not later than the others any more, which may be late themselves on a machine that is busy.
        if schedule.due(its) + WAITED > now.min(schedule.due(others)) {
            let found = seen.calls().get(before).copied()?;
            tokio::time::sleep(AFTERWARDS).await;
            return Some(Story {
                schedule,
                gone,
                back,
                found,
                caught_up: now,
            });
        }
        if now > end {
            return None;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn of_the_bot(story: &Story, seen: &Seen, arrivals: &Arrivals, count: usize) -> Vec<Row> {
    let calls = seen.calls();
    let before: Vec<Instant> = calls.iter().copied().filter(|at| *at < story.gone).collect();
    let after: Vec<Instant> = calls.into_iter().filter(|at| *at >= story.back).collect();
    let usual = drive::per_second(before.len(), CALM);
    let second = Duration::from_secs(1);
    let (peak, ten) = (highest(&after, second), highest(&after, 10 * second));
    let waited = (SICK..count).step_by(BOTS).filter(|place| {
        let late = arrivals
            .at(*place)
            .map(|at| at.saturating_duration_since(story.schedule.due(*place)));
        late.is_some_and(|late| late > WAITED)
    });
    vec![
        Row::new(
            "attempts while it was away",
            as_figure(seen.refused.load(Ordering::Relaxed)),
            "",
        ),
        Row::new(
            "from its return to the first event",
            seconds(story.back, story.found),
            "s",
        ),
        Row::new("events that waited", as_figure(waited.count()), ""),
        Row::new(
            "from the first until nothing waited",
            seconds(story.found, story.caught_up),
            "s",
        ),
        Row::new("its usual rate", usual, "/s"),
        Row::new("  highest of a second, before", highest(&before, second), "/s"),
        Row::new("highest rate after its return, of ten seconds", ten, "/s"),
        Row::new("  over its usual rate", ten / usual, "x").goal(Limit::AtMost(2.0)),
        Row::new("highest rate after its return, of a second", peak, "/s"),
        Row::new("  over its usual rate", peak / usual, "x"),
    ]
}

fn of_the_others(story: &Story, arrivals: &Arrivals, count: usize) -> Vec<Row> {
    let p99 = |from: Instant, to: Instant| {
        let counts = |place: usize| !is_of(SICK, place) && (from..to).contains(&story.schedule.due(place));
        drive::millis(&added(arrivals, count, story.schedule, counts), 99.0)
    };
    let calm = p99(story.schedule.start, story.gone);
    let away = p99(story.gone, story.found);
    let catching_up = p99(story.found, story.caught_up);
    let ratio = |name: &str, meanwhile: f64| {
        let row = Row::new(name, meanwhile / calm, "x").comparing();
        row.must(Limit::AtMost(2.0)).goal(Limit::AtMost(1.2))
    };
    vec![
        Row::new("p99 of the 19 others before", calm, "ms"),
        Row::new("p99 of the 19 others while it is away", away, "ms"),
        ratio("  over the one before", away),
        Row::new("p99 of the 19 others while it catches up", catching_up, "ms"),
        ratio("  over the one before", catching_up),
    ]
}

fn of_all(seen: &Seen, lost: usize) -> Vec<Row> {
    let count = |name: &str, count: usize| Row::new(name, as_figure(count), "");
    vec![
        count("acknowledged events lost", lost).must(Limit::AtMost(0.0)),
        count("events out of order", seen.out_of_order.load(Ordering::Relaxed)).must(Limit::AtMost(0.0)),
        count("events that came twice", seen.again.load(Ordering::Relaxed)),
    ]
}

/// The most calls within any time so long, a second.
fn highest(calls: &[Instant], window: Duration) -> f64 {
    let mut first = calls.iter();
    let mut from = first.next();
    let (mut within, mut most) = (0, 0);
    for at in calls {
        within += 1;
        while from.is_some_and(|start| at.saturating_duration_since(*start) >= window) {
            within -= 1;
            from = first.next();
        }
        most = most.max(within);
    }
    drive::per_second(most, window)
}

fn seconds(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64()
}
