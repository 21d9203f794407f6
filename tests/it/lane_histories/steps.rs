//! The steps such a history is made of.

use std::time::Duration;

use proptest::prelude::Just;
use proptest::prelude::Strategy;
use proptest::prelude::any;
use proptest::prop_oneof;

/// So many handovers there are, of the bots in turn.
pub(crate) const HANDOVERS: usize = 5;
pub(crate) const BOTS: [&str; 2] = ["support", "sales"];

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Log {
        handover: usize,
        events: u64,
        lifecycle: bool,
    },
    /// From now on the bot answers so.
    Answers {
        bot: usize,
        how: How,
    },
    Pass(Duration),
    /// One of the bot's newest events.
    Resend {
        bot: usize,
        which: usize,
    },
    Recover {
        bot: usize,
    },
    Quota,
    /// The process ends so much later, whatever is under way, and the next one starts.
    Crash {
        after: Duration,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Well,
    Fails,
    Overloaded,
    Throttles,
    Gone,
    Hangs,
    Cuts,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let handover = || 0..HANDOVERS;
    let bot = || 0..BOTS.len();
    let how = prop_oneof![
        4 => Just(How::Well),
        2 => Just(How::Fails),
        2 => Just(How::Overloaded),
        1 => Just(How::Throttles),
        1 => Just(How::Gone),
        1 => Just(How::Hangs),
        1 => Just(How::Cuts),
    ];
    let time = prop_oneof![
        6 => 1..30_000_u64,
        // Beyond what a head may hold up its lane.
        2 => 300_000..700_000_u64,
        // Beyond what anything is tried.
        1 => Just(86_500_000_u64),
    ];
    prop_oneof![
        8 => (handover(), 1..4_u64, any::<bool>())
            .prop_map(|(handover, events, lifecycle)| Step::Log { handover, events, lifecycle }),
        5 => (bot(), how).prop_map(|(bot, how)| Step::Answers { bot, how }),
        8 => time.prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
        2 => (bot(), 0..6_usize).prop_map(|(bot, which)| Step::Resend { bot, which }),
        1 => bot().prop_map(|bot| Step::Recover { bot }),
        1 => Just(Step::Quota),
        3 => (0..4_000_u64).prop_map(|micros| Step::Crash { after: Duration::from_micros(micros) }),
    ]
}
