//! How slots are shared out: in turn, by breaker, and between what is new and what is tried again.

use std::collections::HashMap;
use std::time::Duration;

use crate::delivery::answer::Answer;
use crate::delivery::answer::Fault;
use crate::delivery::breaker::Call;
use crate::delivery::breaker::Sign;
use crate::delivery::breaker::Turn;
use crate::delivery::lines::Granted;
use crate::delivery::lines::Kind;
use crate::delivery::lines::Lines;
use crate::domain::BotName;
use crate::domain::HandoverId;
use crate::domain::Timestamp;
use crate::store::Target;

const START: Timestamp = Timestamp::from_millis(1_763_640_000_000);

fn push(lines: &mut Lines, bot: &str, count: usize, kind: Kind) {
    for _ in 0..count {
        let handover = HandoverId::generate(Timestamp::from_millis(0));
        lines.push(&BotName::new(bot), Target::Lane(handover), kind);
    }
}

fn fresh(lines: &mut Lines, bot: &str, count: usize) {
    push(lines, bot, count, Kind::Fresh);
}

fn granted(lines: &mut Lines) -> Vec<String> {
    let granted = lines.grant(START).into_iter();
    granted.map(|granted| granted.bot.to_string()).collect()
}

fn release(lines: &mut Lines, bot: &str) {
    let target = Target::Lane(HandoverId::generate(START));
    lines.release(&BotName::new(bot), &target);
}

/// A call ends, and gives its slot back.
fn ends(lines: &mut Lines, granted: &Granted, status: u16, (started_at, ended_at): (Timestamp, Timestamp)) {
    let answer = Answer {
        status: Some(status),
        fault: None,
        retry_after: None,
    };
    let Target::Lane(handover) = &granted.target else {
        panic!("a lane")
    };
    let call = Call {
        sign: answer.sign(),
        handover,
        started_at,
        ended_at,
        retry_after: None,
    };
    lines.learn(&granted.bot, answer, &call);
    lines.release(&granted.bot, &granted.target);
}

#[test]
fn bots_take_turns_and_one_with_a_long_line_takes_no_more_than_its_own() {
    let mut lines = Lines::new(100, 4);
    fresh(&mut lines, "flood", 100);
    fresh(&mut lines, "a", 2);
    fresh(&mut lines, "b", 1);
    assert_eq!(granted(&mut lines), ["flood", "a", "b", "flood", "a", "flood", "flood"]);
    release(&mut lines, "flood");
    fresh(&mut lines, "b", 1);
    assert_eq!(granted(&mut lines), ["flood", "b"]);
}

#[test]
fn bots_that_hang_leave_slots_to_the_others() {
    let mut lines = Lines::new(16, 8);
    for hanging in ["h1", "h2", "h3", "h4", "h5"] {
        fresh(&mut lines, hanging, 100);
        assert!(!granted(&mut lines).is_empty(), "{hanging}");
    }
    assert_eq!(granted(&mut lines), [""; 0]);
    release(&mut lines, "h1");
    fresh(&mut lines, "healthy", 1);
    assert!(granted(&mut lines).contains(&"healthy".to_owned()));
}

#[test]
fn a_bot_in_trouble_is_left_with_one_slot_and_wins_the_others_back() {
    let mut lines = Lines::new(100, 16);
    let bot = BotName::new("slow");
    fresh(&mut lines, "slow", 100);
    assert_eq!(lines.grant(START).len(), 16);
    let handover = HandoverId::generate(START);
    let learn = |lines: &mut Lines, answer: Answer| {
        let call = Call {
            // What the breaker makes of it is another matter.
            sign: Sign::Nothing,
            handover: &handover,
            started_at: START,
            ended_at: START,
            retry_after: None,
        };
        lines.learn(&bot, answer, &call);
        release(lines, "slow");
    };
    for _ in 0..16 {
        learn(&mut lines, Answer::fault(Fault::Timeout));
    }
    assert_eq!(lines.grant(START).len(), 1);
    let ok = Answer {
        status: Some(200),
        fault: None,
        retry_after: None,
    };
    learn(&mut lines, ok);
    assert_eq!(lines.grant(START).len(), 2);
}

#[test]
fn what_is_tried_again_takes_a_fifth_of_the_slots_and_leaves_the_others_to_what_is_new() {
    let mut lines = Lines::new(20, 20);
    for failing in ["f1", "f2", "f3"] {
        push(&mut lines, failing, 50, Kind::Retry);
    }
    let retries = lines.grant(START);
    assert_eq!(retries.len(), 4);
    fresh(&mut lines, "healthy", 30);
    assert_eq!(granted(&mut lines).len(), 8, "as ever: no more than are free");
    lines.release(&retries[0].bot, &retries[0].target);
    let next = lines.grant(START);
    assert!(
        next.iter().any(|granted| granted.bot.as_str().starts_with('f')),
        "{next:?}"
    );
}

#[test]
fn failing_handovers_of_a_bot_do_not_crowd_out_its_healthy_ones_and_have_their_turn_all_the_same() {
    let mut lines = Lines::new(100, 10);
    push(&mut lines, "bot", 50, Kind::Retry);
    fresh(&mut lines, "bot", 50);
    let kinds: Vec<_> = lines.grant(START).into_iter().map(|granted| granted.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == Kind::Retry).count(), 2);
    assert_eq!(kinds.len(), 10);
}

/// Calls that take their time, in slots of a second: what each bot had of them.
fn shares(slots: usize, per_bot: usize, bots: &[(&str, usize, u32)], seconds: u32) -> Vec<f64> {
    let mut lines = Lines::new(slots, per_bot);
    for (bot, events, _) in bots {
        fresh(&mut lines, bot, *events);
    }
    let mut under_way: Vec<(u32, Granted)> = Vec::new();
    let mut had: HashMap<BotName, f64> = HashMap::new();
    for second in 0..seconds {
        let now = START.plus(Duration::from_secs(u64::from(second)));
        let (over, still): (Vec<_>, Vec<_>) = under_way.into_iter().partition(|(until, _)| *until <= second);
        under_way = still;
        for (_, granted) in over {
            *had.entry(granted.bot.clone()).or_default() += 1.0;
            ends(&mut lines, &granted, 200, (now, now));
            fresh(&mut lines, granted.bot.as_str(), 1);
        }
        for granted in lines.grant(now) {
            let (_, _, takes) = bots.iter().find(|(bot, ..)| *bot == granted.bot.as_str()).unwrap();
            under_way.push((second + takes, granted));
        }
    }
    let share = |(bot, ..): &(&str, usize, u32)| had.get(&BotName::new(bot)).copied().unwrap_or_default();
    bots.iter().map(share).collect()
}

/// 1 where all have the same, 1/n where one has all.
fn jain(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    sum * sum / (f64::from(u32::try_from(shares.len()).unwrap()) * squares)
}

#[test]
fn a_bot_that_floods_has_no_more_than_the_others() {
    let bots: Vec<_> = ["flood", "b", "c", "d", "e"]
        .into_iter()
        .map(|bot| (bot, if bot == "flood" { 3_000 } else { 30 }, 1))
        .collect();
    let shares = shares(20, 20, &bots, 200);
    assert!(jain(&shares) >= 0.99, "{shares:?}");
}

#[test]
fn with_more_bots_than_slots_none_starves_even_where_some_hang() {
    let names: Vec<String> = (0..40).map(|number| format!("b{number}")).collect();
    let all: Vec<_> = names.iter().map(|name| (name.as_str(), 50, 1)).collect();
    let even = shares(8, 8, &all, 500);
    assert!(jain(&even) >= 0.99, "{even:?}");
    // A quarter of them takes ten times as long for each call.
    let takes = |number: usize| if number.is_multiple_of(4) { 10 } else { 1 };
    let some: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(n, name)| (name.as_str(), 50, takes(n)))
        .collect();
    let uneven = shares(8, 8, &some, 2_000);
    let healthy: Vec<f64> = uneven
        .iter()
        .enumerate()
        .filter(|(n, _)| !n.is_multiple_of(4))
        .map(|(_, s)| *s)
        .collect();
    assert!(jain(&healthy) >= 0.98, "{uneven:?}");
    assert!(uneven.iter().all(|share| *share > 0.0), "{uneven:?}");
}

#[test]
fn ten_thousand_handovers_of_a_bot_that_is_back_come_at_its_pace_and_others_do_not_wait() {
    let mut lines = Lines::new(256, 64);
    let bot = BotName::new("herd");
    for second in 0..60 {
        for _ in 0..50 {
            lines.arrived(&bot, START.plus(Duration::from_secs(second)));
        }
    }
    let away = START.plus(Duration::from_mins(1));
    fresh(&mut lines, "herd", 10_000);
    for granted in lines.grant(away) {
        ends(&mut lines, &granted, 503, (away, away));
    }
    assert!(matches!(lines.turns()[..], [(_, Turn::Opened { .. })]));
    assert_eq!(lines.grant(away).len(), 0, "no slots while it is away");
    fresh(&mut lines, "other", 3);
    assert_eq!(lines.grant(away).len(), 3);
    let (mut now, mut each) = (away, vec![0_usize; 300]);
    let mut all = 0;
    let back = away.plus(Duration::from_secs(20));
    while all < 9_000 {
        let mut granted = lines.grant(now);
        if granted.is_empty() {
            now = lines.next_alarm().unwrap().max(now.plus(Duration::from_millis(1)));
            granted = lines.grant(now);
        }
        for granted in granted {
            let status = if now < back { 503 } else { 200 };
            ends(&mut lines, &granted, status, (now, now));
            if status == 200 {
                each[usize::try_from(now.since(away).as_secs()).unwrap()] += 1;
                all += 1;
            }
        }
    }
    let peak = *each.iter().max().unwrap();
    assert!(peak <= 100, "at most twice the usual rate: {each:?}");
    assert!(peak >= 80, "and near to that: {each:?}");
    while lines.turns().is_empty() {
        for granted in lines.grant(now) {
            ends(&mut lines, &granted, 200, (now, now));
        }
        now = now.plus(Duration::from_millis(5));
    }
}
