//! Any history of events, bots that misbehave, time, people who ask again, and processes that end: when the bots are well at
//! the end and time passes, nothing is lost, nothing is doubled that was settled, the order is kept, and nothing is held.

use handover_gateway::domain::EventType;
use proptest::prelude::ProptestConfig;
use proptest::proptest;

use crate::lane_histories::rig::Rig;
use crate::lane_histories::steps::BOTS;
use crate::lane_histories::steps::HANDOVERS;
use crate::lane_histories::steps::How;
use crate::lane_histories::steps::Step;
use crate::lane_histories::steps::step;

fn cases() -> u32 {
    if std::env::var_os("HANDOVER_TEST_LONG").is_some() {
        500
    } else {
        16
    }
}

proptest! {
    // What is under way when a process ends is not the same twice: shorter histories are tried, not many.
    #![proptest_config(ProptestConfig {
        cases: cases(), max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_bots_do_and_whenever_the_process_dies_every_event_is_told_in_order_or_listed(
        steps in proptest::collection::vec(step(), 1..50)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut rig = Rig::new().await;
            for step in steps {
                take(&mut rig, step).await;
                rig.breathe().await;
            }
            judge(&mut rig).await;
        });
    }
}

async fn take(rig: &mut Rig, step: Step) {
    match step {
        Step::Log {
            handover,
            events,
            lifecycle,
        } => {
            let kind = if lifecycle {
                EventType::AgentJoined
            } else {
                EventType::MessageCreated
            };
            rig.log(handover, events, kind).await;
        }
        Step::Answers { bot, how } => rig.ledger.answers(BOTS[bot], how),
        Step::Pass(by) => rig.pass(by).await,
        Step::Resend { bot, which } => {
            if let Some(event) = rig.newest(BOTS[bot], which) {
                rig.resend(BOTS[bot], &event).await;
            }
        }
        Step::Recover { bot } => rig.recover(BOTS[bot]).await,
        Step::Quota => rig.keep_to_quota().await,
        Step::Crash { after } => rig.crash(after).await,
    }
}

async fn judge(rig: &mut Rig) {
    for bot in BOTS {
        rig.ledger.answers(bot, How::Well);
    }
    rig.until_all_is_over().await;
    let (accepted, failed, stopped) = (rig.ledger.accepted(), rig.file.failed(), rig.file.stopped());
    for (event, _) in &rig.logged {
        let is_told = accepted.contains(event) || failed.contains(event) || stopped.contains(event);
        assert!(is_told, "{event} is lost");
    }

    // A 410 is lifted, what failed is recovered: in the end the bots have all there is.
    for event in stopped {
        let (_, bot) = rig.logged.iter().find(|(id, _)| *id == event).unwrap().clone();
        rig.resend(&bot, &event).await;
    }
    rig.until_all_is_over().await;
    let so_far = rig.ledger.bots.callbacks().len();
    for bot in BOTS {
        rig.recover(bot).await;
    }
    rig.until_all_is_over().await;
    for (handover, sequences) in rig.ledger.replays(so_far) {
        assert!(sequences.is_sorted(), "{handover} was recovered as {sequences:?}");
    }

    // A claim that somebody still held would keep these.
    for handover in 0..HANDOVERS {
        rig.log(handover, 1, EventType::MessageCreated).await;
    }
    rig.until_all_is_over().await;
    let accepted = rig.ledger.accepted();
    for (event, bot) in &rig.logged {
        assert!(accepted.contains(event), "{event} never reached {bot}");
    }
    assert!(rig.file.failed().is_empty());
    for (handover, sequences) in rig.ledger.heads() {
        assert!(sequences.is_sorted(), "{handover} came as {sequences:?}");
    }
    assert_eq!(rig.ledger.again(), [""; 0], "these were settled");
}
