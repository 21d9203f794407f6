//! Faults that come and go while the program runs on: which, when and for how long is chosen by the seed.

use std::time::Duration;
use std::time::Instant;

use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::Value;
use serde_json::json;

use crate::bots::Manner;
use crate::proxy::Mode;
use crate::rig::Rig;
use crate::traffic::BOTS;

/// A part of the network misbehaves for a while.
pub(crate) async fn network(rig: &mut Rig, random: &mut StdRng) {
    let mode = match random.random_range(0..7) {
        0 => Mode::Delay(Duration::from_millis(random.random_range(50..400))),
        1 => Mode::Reset,
        2 => Mode::CutAfter(random.random_range(1..300)),
        3 => Mode::BlackHole,
        4 => Mode::Drip(Duration::from_millis(2)),
        5 => Mode::Silent,
        _ => Mode::HalfOpen,
    };
    let link = match random.random_range(0..4) {
        0 => &rig.calls,
        1 => &rig.webhooks,
        2 => &rig.to_eight,
        _ => &rig.to_bots,
    };
    link.set(mode);
    pause(random, 200..1200).await;
    link.set(Mode::Pass);
    rig.figures.rounds += 1;
}

/// 8x8 does something it should not, to the next calls or events that come by.
pub(crate) async fn eight(rig: &mut Rig, random: &mut StdRng) {
    for mut rule in [api_fault(random), webhook_fault(random)] {
        rule["times"] = json!(random.random_range(1..5));
        rig.control.fault(rule).await;
    }
    pause(random, 10..120).await;
    rig.figures.rounds += 1;
}

fn api_fault(random: &mut StdRng) -> Value {
    let operations = [
        "create",
        "create",
        "message",
        "message",
        "message",
        "leave",
        "patch",
        "hand-back",
        "get",
        "list",
        "messages",
    ];
    let operation = operations[random.random_range(0..operations.len())];
    let mut rule = match random.random_range(0..9) {
        0 => json!({"status": 429, "retryAfter": "1"}),
        1 => json!({"status": 500}),
        2 => json!({"status": 500, "taken": true}),
        3 => json!({"status": 503}),
        4 => json!({"drop": "before"}),
        5 => json!({"drop": "after"}),
        6 => json!({"hang": "before"}),
        7 => json!({"hang": "after"}),
        _ => json!({"delay": "700ms"}),
    };
    if operation == "create" && random.random_bool(0.3) {
        rule = json!({"event-before-202": true});
    }
    rule["on"] = json!("api");
    rule["operation"] = json!(operation);
    rule
}

fn webhook_fault(random: &mut StdRng) -> Value {
    let mut rule = match random.random_range(0..7) {
        0 | 1 => json!({"duplicate": random.random_range(1..4)}),
        2 => json!({"reorder": true}),
        3 => json!({"delay": format!("{}ms", random.random_range(50..2000))}),
        4 => json!({"drop": "after"}),
        5 => json!({"hang": "after"}),
        _ => json!({"status": 500}),
    };
    rule["on"] = json!("webhook");
    rule
}

/// A bot is away, slow or unwilling for a while.
pub(crate) async fn bot(rig: &mut Rig, random: &mut StdRng) {
    let bot = BOTS[random.random_range(0..BOTS.len())];
    let manner = match random.random_range(0..5) {
        0 => Manner::Refuse(100, 503),
        1 => Manner::Refuse(40, 500),
        2 => Manner::Refuse(30, 404),
        3 => Manner::Slow(Duration::from_millis(random.random_range(100..2500))),
        _ => Manner::Hang,
    };
    rig.bots.behave(bot, manner);
    pause(random, 200..1500).await;
    rig.bots.behave(bot, Manner::Good);
    rig.figures.rounds += 1;
}

/// The machine gives the process no time: it is stopped, or others take the processors.
pub(crate) async fn no_time(rig: &mut Rig, random: &mut StdRng, longest: Duration) {
    let longest = u64::try_from(longest.as_millis()).unwrap();
    let how_long = Duration::from_millis(random.random_range(longest / 3..longest));
    if random.random_bool(0.6) {
        return rig.hold(how_long).await;
    }
    let until = Instant::now() + how_long;
    let busy = || {
        std::thread::spawn(move || {
            while Instant::now() < until {
                std::hint::spin_loop();
            }
        })
    };
    let threads: Vec<_> = (0..4).map(|_| busy()).collect();
    pause(random, longest..longest + 1).await;
    for thread in threads {
        thread.join().unwrap();
    }
    rig.figures.rounds += 1;
}

/// The clock, so many minutes late, is put right in a number of steps.
pub(crate) async fn clock_is_put_right(rig: &mut Rig, random: &mut StdRng, late: i64, steps: i64) {
    for step in 0..=steps {
        rig.gateway.shift_clock(-late * 60_000 * (steps - step) / steps);
        pause(random, 300..1500).await;
        rig.figures.rounds += 1;
    }
}

pub(crate) async fn pause(random: &mut StdRng, millis: std::ops::Range<u64>) {
    let pause = Duration::from_millis(random.random_range(millis));
    tokio::time::sleep(pause).await;
}
