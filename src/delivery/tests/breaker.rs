//! The breaker alone: what opens it, how it probes, how fast a bot that is back is called.

use std::time::Duration;

use proptest::prelude::Strategy;
use proptest::prelude::any;
use proptest::prop_oneof;

use crate::delivery::breaker::Breaker;
use crate::delivery::breaker::Call;
use crate::delivery::breaker::Leave;
use crate::delivery::breaker::Sign;
use crate::delivery::breaker::Turn;
use crate::domain::HandoverId;
use crate::domain::Timestamp;

const START: Timestamp = Timestamp::from_millis(1_763_640_000_000);
const MIDDLE: f64 = 0.5;

fn handovers(count: usize) -> Vec<HandoverId> {
    (0..count).map(|_| HandoverId::generate(START)).collect()
}

pub(super) struct Bench {
    pub(super) breaker: Breaker,
    now: Timestamp,
    handovers: Vec<HandoverId>,
    usual: f64,
}

impl Bench {
    fn new() -> Self {
        Self {
            breaker: Breaker::new(),
            now: START,
            handovers: handovers(8),
            usual: 0.0,
        }
    }

    pub(super) fn ends(&mut self, sign: Sign, handover: usize) -> Option<Turn> {
        self.ends_of(sign, handover, self.now)
    }

    fn ends_of(&mut self, sign: Sign, handover: usize, started_at: Timestamp) -> Option<Turn> {
        let handover = self.handovers[handover % self.handovers.len()].clone();
        let call = Call {
            sign,
            handover: &handover,
            started_at,
            ended_at: self.now,
            retry_after: None,
        };
        self.breaker.learn(&call, self.usual, MIDDLE)
    }

    /// One call of a healthy bot after the other, or the one of a bot that is away: whether it was let through.
    pub(super) fn calls(&mut self, sign: Sign, handover: usize) -> bool {
        let lets = self.breaker.leave(self.now, self.usual) == Leave::Now;
        if lets {
            self.breaker.start(self.now, MIDDLE);
            assert_eq!(self.ends(sign, handover), None);
        }
        lets
    }

    pub(super) fn opened() -> Self {
        let mut bench = Self::new();
        for number in 0..10 {
            bench.ends(Sign::Trouble, number);
        }
        assert!(bench.breaker.is_open());
        bench
    }

    pub(super) fn later(&mut self, by: Duration) {
        self.now = self.now.plus(by);
    }
}

#[test]
fn ten_failures_in_a_row_open_it_unless_they_are_one_handovers_own() {
    let times = |count: usize, end: (Sign, usize)| vec![end; count];
    let table = [
        ("nine", times(9, (Sign::Trouble, 0)), false),
        ("ten, and it is the bot", times(10, (Sign::Trouble, 0)), true),
        (
            "a success between",
            [
                times(9, (Sign::Trouble, 0)),
                vec![(Sign::Health, 1)],
                times(9, (Sign::Trouble, 0)),
            ]
            .concat(),
            false,
        ),
        ("a poison event", times(500, (Sign::Doubt, 0)), false),
        (
            "a poison event, and one failure elsewhere",
            [times(100, (Sign::Doubt, 0)), vec![(Sign::Doubt, 1)]].concat(),
            false,
        ),
        (
            "a poison event, and others",
            [times(100, (Sign::Doubt, 0)), times(3, (Sign::Doubt, 1))].concat(),
            true,
        ),
        (
            "ten of several handovers",
            (0..10).map(|number| (Sign::Doubt, number)).collect(),
            true,
        ),
        ("what says nothing", times(500, (Sign::Nothing, 0)), false),
        (
            "stopped handovers among failures",
            [times(9, (Sign::Trouble, 0)), times(50, (Sign::Nothing, 1))].concat(),
            false,
        ),
    ];
    for (what, ends, opens) in table {
        let mut bench = Bench::new();
        // Spread out, so that the share of failures in half a minute is no reason.
        let mut turns = Vec::new();
        for (sign, handover) in ends {
            bench.later(Duration::from_secs(3));
            turns.extend(bench.ends(sign, handover));
        }
        assert_eq!(bench.breaker.is_open(), opens, "{what}");
        assert_eq!(turns.len(), usize::from(opens), "{what}");
    }
}

#[test]
fn half_of_twenty_calls_in_half_a_minute_open_it() {
    let opens = |calls: usize, every: usize, gap: Duration| {
        let mut bench = Bench::new();
        for number in 0..calls {
            let sign = if number % every == 0 { Sign::Health } else { Sign::Doubt };
            bench.later(gap);
            bench.ends(sign, number);
        }
        bench.breaker.is_open()
    };
    let soon = Duration::from_secs(1);
    assert!(opens(20, 2, soon));
    assert!(!opens(19, 2, soon), "too few calls to tell");
    assert!(!opens(200, 2, Duration::from_secs(2)), "fewer than twenty in the time");
    let mut bench = Bench::new();
    for number in 0..300 {
        bench.ends(if number % 5 < 3 { Sign::Health } else { Sign::Trouble }, number);
    }
    assert!(bench.breaker.is_closed(), "two in five");
}

#[test]
fn while_it_is_open_one_call_at_a_time_is_let_through_less_and_less_often() {
    let mut bench = Bench::opened();
    let mut waits = Vec::new();
    let mut last = bench.now;
    for _ in 0..8 {
        while bench.breaker.leave(bench.now, 0.0) != Leave::Now {
            bench.later(Duration::from_millis(100));
        }
        waits.push(bench.now.since(last).as_secs_f64());
        bench.breaker.start(bench.now, MIDDLE);
        assert_eq!(bench.breaker.leave(bench.now, 0.0), Leave::AfterProbe);
        // A call from before the opening ends as late as that: it was not the probe.
        bench.ends_of(Sign::Health, 1, START);
        assert!(bench.breaker.is_open());
        last = bench.now;
        bench.ends(Sign::Doubt, 0);
    }
    assert!(waits[0] >= 5.0 && waits.iter().all(|wait| *wait <= 120.0), "{waits:?}");
    assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
    assert!(waits[7] > 100.0, "{waits:?}");
}

#[test]
fn a_bot_that_asks_for_time_is_not_probed_before() {
    let mut bench = Bench::opened();
    bench.later(Duration::from_secs(5));
    assert_eq!(bench.breaker.leave(bench.now, 0.0), Leave::Now);
    bench.breaker.start(bench.now, MIDDLE);
    let handover = bench.handovers[0].clone();
    let call = Call {
        sign: Sign::Trouble,
        handover: &handover,
        started_at: bench.now,
        ended_at: bench.now,
        retry_after: Some(Duration::from_mins(10)),
    };
    bench.breaker.learn(&call, 0.0, MIDDLE);
    let at = bench.now.plus(Duration::from_mins(10));
    assert_eq!(bench.breaker.leave(bench.now, 0.0), Leave::NotBefore(at));
}

#[test]
fn a_probe_that_was_not_made_may_be_made_again() {
    let mut bench = Bench::opened();
    bench.later(Duration::from_secs(5));
    assert_eq!(bench.breaker.leave(bench.now, 0.0), Leave::Now);
    bench.breaker.start(bench.now, MIDDLE);
    bench.breaker.withdraw(bench.now);
    assert_eq!(bench.breaker.leave(bench.now, 0.0), Leave::Now);
}

/// Brings an open one back and works off a backlog without end: the calls of each second.
fn drain(usual: f64, seconds: usize) -> Vec<u32> {
    let handovers = handovers(1);
    let mut breaker = Breaker::open(START, usual, START);
    let mut now = START;
    let call = |started_at| Call {
        sign: Sign::Health,
        handover: &handovers[0],
        started_at,
        ended_at: started_at,
        retry_after: None,
    };
    assert_eq!(breaker.leave(now, 0.0), Leave::Now);
    breaker.start(now, MIDDLE);
    breaker.learn(&call(now), 0.0, MIDDLE);
    let mut each = vec![0; seconds];
    let mut chance = 0.1_f64;
    for (second, calls) in each.iter_mut().enumerate() {
        let end = START.plus(Duration::from_secs(second as u64 + 1));
        while now < end {
            match breaker.leave(now, 0.0) {
                Leave::Now => {
                    chance = (chance * 7.31 + 0.17).fract();
                    breaker.start(now, chance);
                    *calls += 1;
                    breaker.learn(&call(now), 0.0, chance);
                }
                Leave::NotBefore(at) => now = at.min(end),
                Leave::AfterProbe => panic!("no probe is under way"),
            }
            assert_eq!(breaker.caught_up(now), None, "there is always more");
        }
    }
    each
}

#[test]
fn a_bot_that_is_back_is_called_once_then_twice_then_four_times_a_second_and_never_at_twice_its_usual_rate() {
    for usual in [5.0, 20.0, 100.0, 1_000.0] {
        let each = drain(usual, 40);
        assert!(each[0] <= 2 && each[1] <= 3 && each[2] <= 5 && each[3] <= 9, "{each:?}");
        let peak = *each.iter().max().unwrap();
        assert!(f64::from(peak) <= 2.0 * usual, "{usual}: {each:?}");
        let settled = f64::from(each[30..].iter().sum::<u32>()) / 10.0;
        assert!(settled >= 1.6 * usual, "{usual}: {each:?}");
    }
    let quiet = drain(0.0, 40);
    let peak = *quiet.iter().max().unwrap();
    assert!((8..=10).contains(&peak), "one that was not used to anything: {quiet:?}");
}

#[test]
fn what_waits_is_spread_over_each_second() {
    let mut breaker = Breaker::open(START, 100.0, START);
    breaker.leave(START, 0.0);
    breaker.start(START, MIDDLE);
    let handover = HandoverId::generate(START);
    let call = Call {
        sign: Sign::Health,
        handover: &handover,
        started_at: START,
        ended_at: START,
        retry_after: None,
    };
    breaker.learn(&call, 0.0, MIDDLE);
    let mut now = START.plus(Duration::from_secs(20));
    for _ in 0..100 {
        let mut at_once = 0;
        while breaker.leave(now, 0.0) == Leave::Now {
            breaker.start(now, MIDDLE);
            at_once += 1;
        }
        assert!(at_once <= 18, "{at_once} of 180 a second at one moment");
        now = now.plus(Duration::from_millis(100));
    }
}

#[test]
fn a_bot_that_fails_again_before_it_caught_up_is_left_alone_longer_in_the_same_outage() {
    let mut bench = Bench::opened();
    for (number, wait) in [5, 10, 20].into_iter().enumerate() {
        let begun = bench.now;
        while !bench.calls(Sign::Health, 0) {
            bench.later(Duration::from_millis(100));
        }
        assert!(bench.now.since(begun) >= Duration::from_secs(wait) * 3 / 4);
        assert!(bench.breaker.is_back());
        bench.later(Duration::from_millis(10));
        assert_eq!(bench.ends(Sign::Trouble, number), None, "no new outage");
        assert!(bench.breaker.is_open());
    }
    while !bench.calls(Sign::Health, 0) {
        bench.later(Duration::from_secs(1));
    }
    bench.later(Duration::from_millis(10));
    for _ in 0..20 {
        assert_eq!(bench.ends(Sign::Doubt, 3), None);
    }
    assert!(bench.breaker.is_back(), "one handover alone is no reason");
    assert_eq!(bench.ends_of(Sign::Trouble, 3, START), None);
    assert!(bench.breaker.is_back(), "nor is a call from before");
    bench.later(Duration::from_secs(2));
    assert_eq!(bench.breaker.caught_up(bench.now), Some(Turn::Closed { since: START }));
    assert!(bench.breaker.is_closed());
}

#[test]
fn a_bot_has_caught_up_when_nothing_had_to_wait_for_a_while() {
    let mut bench = Bench::opened();
    bench.later(Duration::from_secs(6));
    assert!(bench.calls(Sign::Health, 0));
    while bench.calls(Sign::Health, 0) {}
    bench.later(Duration::from_millis(1_900));
    assert_eq!(bench.breaker.caught_up(bench.now), None);
    while bench.calls(Sign::Health, 0) {}
    bench.later(Duration::from_millis(1_900));
    assert_eq!(bench.breaker.caught_up(bench.now), None, "more had to wait since");
    bench.later(Duration::from_millis(200));
    assert!(bench.breaker.caught_up(bench.now).is_some());
    assert_eq!(bench.breaker.caught_up(bench.now), None);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Ends(Sign, usize),
    Wait(u64),
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    let sign = prop_oneof![
        2 => proptest::strategy::Just(Sign::Health),
        3 => proptest::strategy::Just(Sign::Trouble),
        2 => proptest::strategy::Just(Sign::Doubt),
        1 => proptest::strategy::Just(Sign::Nothing),
    ];
    prop_oneof![
        6 => (sign, 0..4_usize).prop_map(|(sign, handover)| Step::Ends(sign, handover)),
        4 => (0..20_000_u64).prop_map(Step::Wait),
        2 => any::<bool>().prop_map(|_| Step::Look),
    ]
}

proptest::proptest! {
    /// Whatever happens: outages begin and end in turn, one probe is out at a time, and no wait is without end.
    #[test]
    fn a_breaker_is_never_stuck(steps in proptest::collection::vec(step(), 1..200)) {
        let mut bench = Bench::new();
        let mut outages = 0_i32;
        let mut under_way: Vec<Timestamp> = Vec::new();
        for step in steps {
            let turn = match step {
                Step::Wait(millis) => {
                    bench.later(Duration::from_millis(millis));
                    None
                }
                Step::Look => bench.breaker.caught_up(bench.now),
                Step::Ends(sign, handover) => {
                    match bench.breaker.leave(bench.now, 0.0) {
                        Leave::Now => {
                            bench.breaker.start(bench.now, MIDDLE);
                            under_way.push(bench.now);
                        }
                        Leave::NotBefore(at) => {
                            assert!(at > bench.now && at <= bench.now.plus(Duration::from_mins(2)));
                        }
                        Leave::AfterProbe => assert!(!under_way.is_empty()),
                    }
                    under_way.pop().and_then(|started| bench.ends_of(sign, handover, started))
                }
            };
            match turn {
                Some(Turn::Opened { .. }) => outages += 1,
                Some(Turn::Closed { .. }) => outages -= 1,
                None => {}
            }
            assert_eq!(outages, i32::from(!bench.breaker.is_closed()));
        }
        // And a bot that is well again is called as before, soon.
        let begun = bench.now;
        while !bench.breaker.is_closed() {
            if bench.breaker.leave(bench.now, 0.0) == Leave::Now && !bench.breaker.is_back() {
                bench.breaker.start(bench.now, MIDDLE);
                bench.ends(Sign::Health, 0);
            } else if let Some(started) = under_way.pop().filter(|_| bench.breaker.is_open()) {
                bench.ends_of(Sign::Health, 0, started);
            }
            bench.later(Duration::from_secs(1));
            bench.breaker.caught_up(bench.now);
            assert!(bench.now.since(begun) < Duration::from_mins(3), "{:?}", bench.breaker);
        }
    }
}
