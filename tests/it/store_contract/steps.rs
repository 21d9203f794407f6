//! The steps a random history is made of.

use handover_gateway::store::AgentKnows;
use handover_gateway::store::Verdict;
use proptest::prelude::Just;
use proptest::prelude::Strategy;
use proptest::prelude::any;
use proptest::prop_oneof;

use crate::store_contract::fixtures::at;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Open {
        session: u8,
        key: Option<u8>,
    },
    Commit(Input),
    End {
        which: u8,
    },
    Unplaced {
        event: u8,
        body: u8,
    },
    Claim {
        which: u8,
    },
    ClaimAsides,
    Settle {
        which: u8,
        verdict: Verdict,
    },
    GiveUp {
        which: u8,
        what: What,
    },
    /// One of the newest events.
    Resend {
        which: u8,
    },
    Recover {
        since: i64,
    },
    Knows {
        which: u8,
        knows: AgentKnows,
    },
    Answer {
        key: u8,
    },
    Release {
        key: u8,
    },
    Prune,
    Wait(i64),
    Restart,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Head,
    OfLane(u64),
    OfBot(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) which: u8,
    pub(crate) events: u64,
    pub(crate) receipt: Option<(u8, u8)>,
    pub(crate) key: Option<u8>,
    pub(crate) client_id: Option<u8>,
    pub(crate) conversation: Option<u8>,
    pub(crate) stale: bool,
    pub(crate) deliver: bool,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    // The newest two of anything: histories that meet again and again find more than long ones that do not.
    let small = || 0..2_u8;
    let maybe = || proptest::option::weighted(0.2, 0..4_u8);
    let receipt = proptest::option::of((0..12_u8, prop_oneof![9 => Just(0), 1 => Just(1_u8)]));
    let input = (
        small(),
        0..3_u64,
        receipt,
        maybe(),
        maybe(),
        maybe(),
        any::<[bool; 4]>(),
    )
        .prop_map(|parts| {
            let (which, events, receipt, key, client_id, conversation, odds) = parts;
            Step::Commit(Input {
                which,
                events,
                receipt,
                key,
                client_id,
                conversation,
                stale: odds[0] && odds[1],
                deliver: odds[2] || odds[3],
            })
        });
    prop_oneof![
        1 => (small(), maybe()).prop_map(|(session, key)| Step::Open { session, key }),
        8 => input,
        1 => small().prop_map(|which| Step::End { which }),
        1 => (0..12_u8, 0..2_u8).prop_map(|(event, body)| Step::Unplaced { event, body }),
        8 => small().prop_map(|which| Step::Claim { which }),
        2 => Just(Step::ClaimAsides),
        8 => (small(), verdict()).prop_map(|(which, verdict)| Step::Settle { which, verdict }),
        2 => (0..6_u8).prop_map(|which| Step::Resend { which }),
        1 => (0..60_i64).prop_map(|since| Step::Recover { since }),
        1 => (small(), prop_oneof![Just(AgentKnows::Yes), Just(AgentKnows::No)])
            .prop_map(|(which, knows)| Step::Knows { which, knows }),
        2 => (small(), what()).prop_map(|(which, what)| Step::GiveUp { which, what }),
        1 => (0..4_u8).prop_map(|key| Step::Answer { key }),
        1 => (0..4_u8).prop_map(|key| Step::Release { key }),
        1 => Just(Step::Prune),
        4 => (1..20_i64).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        Just(What::Head),
        (1..4_u64).prop_map(What::OfLane),
        (1..4_u64).prop_map(What::OfBot),
    ]
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        6 => Just(Verdict::Done),
        5 => (0..20_i64).prop_map(|due| Verdict::Again { at: at(due) }),
        2 => (0..20_i64).prop_map(|due| Verdict::Aside { at: at(due) }),
        1 => Just(Verdict::Failed { reason: "deadline" }),
        1 => Just(Verdict::Stop),
    ]
}
