//! What is done to the program. Each scenario ends with the judgement of all ledgers.

use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::bots::Manner;
use crate::disk::Disk;
use crate::failpoints;
use crate::options;
use crate::plays;
use crate::process::Gone;
use crate::rig::Rig;
use crate::rig::show;
use crate::traffic::BOTS;
use crate::traffic::Traffic;
use crate::weather;

/// Long enough for the rarest step to come.
const REACHED_WITHIN: Duration = Duration::from_secs(30);

/// Arms each of them to kill at one of its first hits: at the very first where it comes once a start or seldom.
fn armed(names: &[String], random: &mut StdRng) -> String {
    let often = ["webhook.", "delivery.", "store.", "call.", "key."];
    let kill = |name: &String| {
        let hits = if often.iter().any(|flow| name.starts_with(flow)) {
            12
        } else {
            1
        };
        format!("{name}=kill@{}", random.random_range(1..=hits))
    };
    names.iter().map(kill).collect::<Vec<_>>().join(",")
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_failpoint() {
    let mut rig = Rig::new("killed_at_every_failpoint", "1").await;
    let mut random = StdRng::seed_from_u64(rig.figures.seed);
    let traffic = Traffic::start(&rig.shared, rig.figures.seed, 9);
    let names: Vec<String> = failpoints::all()
        .into_iter()
        .filter(|name| name.starts_with(&options::only()))
        .collect();
    for round in 0..options::rounds(1, 10) {
        let mut left = names.clone();
        if round > 0 {
            // The schema is up to date by now.
            left.retain(|name| name != "start.while_migrating");
        }
        while !left.is_empty() {
            let before = rig.gateway.fired().len();
            let started = rig.start(&armed(&left, &mut random)).await;
            if let Err(Gone::Ended(why)) = started {
                panic!("it ended by itself: {why}");
            }
            if started.is_ok() && !dies(&mut rig).await {
                rig.wrong(format!("never reached: {left:?}"));
                rig.gateway.kill();
                break;
            }
            let fired = rig.gateway.fired();
            left.retain(|name| !fired[before..].contains(name));
            rig.figures.rounds += 1;
        }
    }
    rig.gateway.kill();
    rig.figures.extra = format!("{} failpoints", names.len());
    rig.start_well().await;
    traffic.end().await;
    rig.finish().await;
}

/// Waits for its death at a failpoint.
async fn dies(rig: &mut Rig) -> bool {
    let until = Instant::now() + REACHED_WITHIN;
    while Instant::now() < until {
        match rig.gateway.gone() {
            Some(Gone::Killed) => return true,
            Some(Gone::Ended(why)) => panic!("it ended by itself: {why}"),
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random() {
    let mut rig = Rig::new("killed_at_random", "1").await;
    let mut random = StdRng::seed_from_u64(rig.figures.seed);
    rig.start_well().await;
    let traffic = Traffic::start(&rig.shared, rig.figures.seed, 12);
    for _ in 0..options::rounds(10, 1000) {
        let wait = Duration::from_millis(random.random_range(20..700));
        tokio::time::sleep(wait).await;
        rig.kill_and_restart().await;
    }
    traffic.end().await;
    rig.finish().await;
}

/// A rig with traffic, and what the seed chooses.
async fn busy(scenario: &'static str, rows: &'static str, workers: u64) -> (Rig, Traffic, StdRng) {
    let mut rig = Rig::new(scenario, rows).await;
    rig.start_well().await;
    let seed = rig.figures.seed;
    let traffic = Traffic::start(&rig.shared, seed, workers);
    (rig, traffic, StdRng::seed_from_u64(seed))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_fails() {
    let (mut rig, traffic, mut random) = busy("the_network_fails", "9, 13, 16", 9).await;
    for _ in 0..options::rounds(8, 300) {
        weather::network(&mut rig, &mut random).await;
    }
    traffic.end().await;
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_by_eight_fails() {
    let (mut rig, traffic, mut random) = busy("eight_by_eight_fails", "6, 12", 9).await;
    for _ in 0..options::rounds(80, 3000) {
        weather::eight(&mut rig, &mut random).await;
    }
    traffic.end().await;
    let again: usize = rig
        .control
        .webhooks()
        .await
        .iter()
        .map(|one| one.attempts.saturating_sub(1))
        .sum();
    rig.figures.extra = format!("{again} webhooks repeated by 8x8");
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bots_fail() {
    let (mut rig, traffic, mut random) = busy("bots_fail", "8, 9, 10", 9).await;
    for _ in 0..options::rounds(6, 200) {
        weather::bot(&mut rig, &mut random).await;
    }
    traffic.end().await;
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_held_and_starved() {
    let mut rig = Rig::new("it_is_held_and_starved", "14").await;
    let mut random = StdRng::seed_from_u64(rig.figures.seed);
    // On a disk that takes its time.
    if let Err(gone) = rig.start("store.before_commit=sleep:15@1").await {
        panic!("the gateway did not start: {gone:?}");
    }
    let traffic = Traffic::start(&rig.shared, rig.figures.seed, 9);
    for _ in 0..options::rounds(3, 100) {
        weather::no_time(&mut rig, &mut random, Duration::from_millis(1500)).await;
    }
    // A second process is refused as long as the first is there, also while that does nothing.
    rig.gateway.signal(Signal::SIGSTOP);
    let second = rig.gateway.second().await;
    rig.gateway.signal(Signal::SIGCONT);
    if second.is_none_or(|code| code == 0) {
        rig.wrong(format!("I6 a second process on the same store: {second:?}"));
    }
    rig.figures.extra = format!("a second process ended with {second:?}");
    traffic.end().await;
    rig.finish().await;
}

/// A clock that is an hour late, or minutes, jumps to what it should be while all goes on. Meanwhile 8x8 and the bots are
/// right to be refused, and to refuse; signatures follow it at once, what waits does so by the time that passes.
#[tokio::test(flavor = "multi_thread")]
async fn the_clock_jumps() {
    let mut rig = Rig::new("the_clock_jumps", "5").await;
    let mut random = StdRng::seed_from_u64(rig.figures.seed);
    let late = [10, 60][random.random_range(0..2)];
    rig.gateway.shift_clock(-late * 60_000);
    rig.start_well().await;
    let traffic = Traffic::start(&rig.shared, rig.figures.seed, 6);
    let steps = i64::try_from(options::rounds(4, 60)).unwrap();
    weather::clock_is_put_right(&mut rig, &mut random, late, steps).await;
    traffic.end().await;
    rig.figures.extra = format!("{late} minutes late");
    rig.finish().await;
}

/// An hour is added, and taken away again, while all goes on: nothing ends early, and nothing waits an hour.
#[tokio::test(flavor = "multi_thread")]
async fn the_clock_is_set_back() {
    let (mut rig, traffic, mut random) = busy("the_clock_is_set_back", "5", 6).await;
    for _ in 0..options::rounds(2, 60) {
        rig.gateway.shift_clock(3_600_000);
        weather::pause(&mut random, 1000..2000).await;
        rig.gateway.shift_clock(0);
        weather::pause(&mut random, 300..1500).await;
        rig.figures.rounds += 1;
    }
    traffic.end().await;
    rig.finish().await;
}

/// A process that was started with a clock an hour ahead is killed, and the next one's clock is right: what the first one
/// put off to its own time is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn killed_with_the_clock_ahead() {
    let (mut rig, traffic, mut random) = busy("killed_with_the_clock_ahead", "1, 5", 6).await;
    for _ in 0..options::rounds(2, 60) {
        weather::pause(&mut random, 300..1000).await;
        rig.gateway.shift_clock(3_600_000);
        rig.kill_and_restart().await;
        weather::pause(&mut random, 1000..2000).await;
        rig.gateway.shift_clock(0);
        rig.kill_and_restart().await;
    }
    traffic.end().await;
    rig.finish().await;
}

/// The store refuses as a full disk makes it refuse, and takes again what comes later.
#[tokio::test(flavor = "multi_thread")]
async fn the_store_refuses() {
    let mut rig = Rig::new("the_store_refuses", "4").await;
    let mut random = StdRng::seed_from_u64(rig.figures.seed);
    let traffic = Traffic::start(&rig.shared, rig.figures.seed, 6);
    for _ in 0..options::rounds(2, 30) {
        let (from, times) = (random.random_range(20..120), random.random_range(20..60));
        let armed = format!("store.before_transaction=refuse@{from}x{times}");
        if let Err(gone) = rig.start(&armed).await {
            panic!("the gateway did not start: {gone:?}");
        }
        weather::pause(&mut random, 2000..3000).await;
        rig.gateway.kill();
        rig.figures.rounds += 1;
    }
    rig.start_well().await;
    traffic.end().await;
    if rig.control.webhooks().await.iter().all(|one| one.refused == 0) {
        rig.wrong("nothing was refused".to_owned());
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_full() {
    let folder = tempfile::Builder::new().prefix("handover-chaos-").tempdir().unwrap();
    let small = folder.path().join("disk");
    let Some(disk) = Disk::mount(&small) else {
        show("the_disk_is_full: a tmpfs cannot be mounted here, the_store_refuses stands in for it");
        return;
    };
    let mut rig = Rig::with_store("the_disk_is_full", "4", folder, small.join("handover.db")).await;
    let mut random = StdRng::seed_from_u64(rig.figures.seed);
    rig.start_well().await;
    let traffic = Traffic::start(&rig.shared, rig.figures.seed, 6);
    let mut stops = 0;
    for _ in 0..options::rounds(2, 30) {
        weather::pause(&mut random, 500..1000).await;
        disk.fill();
        weather::pause(&mut random, 1000..2000).await;
        disk.free();
        rig.figures.rounds += 1;
        if let Some(gone) = rig.gateway.gone() {
            // It may end itself, as long as nothing is lost and it comes up again.
            stops += 1;
            show(&format!("the_disk_is_full: it ended: {gone:?}"));
            rig.start_well().await;
        }
    }
    traffic.end().await;
    if rig.control.webhooks().await.iter().all(|one| one.refused == 0) {
        rig.wrong("the disk was never full".to_owned());
    }
    rig.figures.extra = format!("ended by itself {stops} times");
    rig.finish_on(Some(disk)).await;
}

/// A backlog of bots that are away is worked off in order when they are back; the process is killed in the middle of both.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_drains() {
    let mut rig = Rig::new("a_backlog_drains", "8, 22, 23").await;
    rig.start_well().await;
    let conversations = plays::open_many(&rig.shared, usize::try_from(options::rounds(60, 1000)).unwrap()).await;
    for bot in BOTS {
        rig.bots.behave(bot, Manner::Refuse(100, 503));
    }
    plays::all_say(&rig.shared, &conversations, 10).await;
    rig.kill_and_restart().await;
    rig.everything_acked().await;
    rig.bots.all_behave();
    let back = Instant::now();
    tokio::time::sleep(Duration::from_millis(300)).await;
    rig.kill_and_restart().await;
    rig.drained().await;
    rig.figures.extra = format!("drained within {} ms", back.elapsed().as_millis());
    rig.finish().await;
}

/// What 8x8 repeats after six days, newly signed, is known and told to nobody. The machine's clock says so, by which
/// signatures are judged.
#[tokio::test(flavor = "multi_thread")]
async fn repeats_after_six_days() {
    let mut rig = Rig::new("repeats_after_six_days", "6").await;
    rig.start_well().await;
    let conversations = plays::open_many(&rig.shared, 10).await;
    plays::all_say(&rig.shared, &conversations, 3).await;
    rig.everything_acked().await;
    rig.drained().await;
    let told = rig.bots.count();
    let days = Duration::from_hours(6 * 24);
    rig.gateway.shift_clock(i64::try_from(days.as_millis()).unwrap());
    let mut dropped = 0;
    for event in rig.control.list("/events").await {
        let answer = rig.control.repeat(&event, days).await;
        if answer["status"] == 204 {
            dropped += 1;
        } else {
            rig.wrong(format!("a repeat was answered {answer}"));
        }
    }
    rig.gateway.shift_clock(0);
    rig.figures.rounds = dropped;
    rig.figures.extra = format!("{dropped} repeats dropped");
    let again = rig.bots.callbacks().split_off(told);
    let repeated = again
        .iter()
        .filter(|one| one.source.is_some() && !one.ephemeral)
        .count();
    if repeated > 0 {
        rig.wrong(format!("{repeated} repeats were told"));
    }
    rig.finish().await;
}

/// Everything at once, for as long as one likes.
#[tokio::test(flavor = "multi_thread")]
async fn soak() {
    let (mut rig, traffic, mut random) = busy("soak", "32", 12).await;
    let until = Instant::now() + options::lasting(Duration::from_secs(6));
    while Instant::now() < until {
        match random.random_range(0..12) {
            0..3 => weather::network(&mut rig, &mut random).await,
            3..7 => weather::eight(&mut rig, &mut random).await,
            7..9 => weather::bot(&mut rig, &mut random).await,
            9 => weather::no_time(&mut rig, &mut random, Duration::from_millis(900)).await,
            10 => rig.kill_and_restart().await,
            _ => weather::pause(&mut random, 300..1500).await,
        }
    }
    traffic.end().await;
    rig.finish().await;
}
