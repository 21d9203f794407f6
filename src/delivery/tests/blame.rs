//! The breaker of a bot that is back, of which one handover goes on failing.

use std::time::Duration;

use crate::delivery::breaker::Sign;
use crate::delivery::tests::breaker::Bench;

#[test]
fn one_handover_that_always_fails_holds_a_bot_that_is_back_up_once_and_not_for_ever() {
    let mut bench = Bench::opened();
    let comes_back = |bench: &mut Bench| {
        while !bench.calls(Sign::Health, 0) {
            bench.later(Duration::from_millis(100));
        }
        bench.later(Duration::from_millis(10));
    };
    comes_back(&mut bench);
    bench.ends(Sign::Trouble, 5);
    assert!(bench.breaker.is_open(), "it may be the bot");
    comes_back(&mut bench);
    for _ in 0..100 {
        bench.ends(Sign::Trouble, 5);
        assert!(bench.breaker.is_back(), "it is that one: the others are taken");
        bench.ends(Sign::Health, 0);
    }
    bench.ends(Sign::Trouble, 6);
    assert!(bench.breaker.is_open(), "another shows the bot to be away");
    comes_back(&mut bench);
    for _ in 0..3 {
        bench.ends(Sign::Trouble, 5);
    }
    assert!(
        bench.breaker.is_open(),
        "and so do several failures with nothing taken between"
    );
}
