//! What is done to the program. Each scenario ends with the judgement of all ledgers.

use std::time::Duration;
use std::time::Instant;

use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::failpoints;
use crate::options;
use crate::process::Gone;
use crate::rig::Rig;
use crate::traffic::Traffic;

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
    for round in 0..options::rounds(1) {
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
    for _ in 0..options::rounds(10) {
        let wait = Duration::from_millis(random.random_range(20..700));
        tokio::time::sleep(wait).await;
        rig.kill_and_restart().await;
    }
    traffic.end().await;
    rig.finish().await;
}
