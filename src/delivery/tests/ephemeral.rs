//! Ephemeral events: never ahead of a logged one, never kept, one attempt.

use std::time::Duration;

use super::fake_bot::How;
use super::rig::Rig;
use crate::domain::EventType;

#[tokio::test]
async fn one_for_an_idle_lane_is_sent_once_and_only_the_newest() {
    let mut rig = Rig::new().await;
    let handover = rig.handover("support");
    rig.log(&handover, EventType::MessageCreated, 1);
    rig.settle().await;
    rig.bot.answers(How::Status(500));
    rig.ephemerals
        .offer(handover.clone(), rig.event(EventType::AgentTyping, 1), None);
    let newest = rig.event(EventType::AgentTyping, 1);
    rig.ephemerals.offer(handover.clone(), newest.clone(), None);
    rig.settle().await;
    rig.later(Duration::from_mins(1)).await;
    assert_eq!(rig.bot.sequences(), ["1", "~1"]);
    assert_eq!(rig.bot.received()[1].json["id"], newest.id.as_str());
}

#[tokio::test]
async fn one_that_meets_a_backlog_is_dropped() {
    let mut rig = Rig::new().await;
    let handover = rig.handover("support");
    rig.bot.answers(How::Status(500));
    rig.log(&handover, EventType::MessageCreated, 1);
    rig.ephemerals
        .offer(handover.clone(), rig.event(EventType::AgentTyping, 1), None);
    rig.settle().await;
    rig.ephemerals
        .offer(handover.clone(), rig.event(EventType::AgentTyping, 1), None);
    rig.settle().await;
    rig.bot.answers(How::Status(200));
    rig.later(Duration::from_secs(1)).await;
    assert_eq!(rig.bot.sequences(), ["1", "1"]);
}

#[tokio::test]
async fn what_is_logged_while_one_is_under_way_waits_for_it() {
    let mut rig = Rig::new().await;
    let handover = rig.handover("support");
    rig.settle().await;
    rig.bot.answers(How::Hang);
    rig.ephemerals
        .offer(handover.clone(), rig.event(EventType::AgentTyping, 0), None);
    assert!(rig.dispatcher.step().await.is_ok());
    rig.log(&handover, EventType::MessageCreated, 1);
    let (clock, bot) = (rig.clock.clone(), rig.bot.clone());
    tokio::join!(rig.settle(), async {
        while bot.received().is_empty() {
            tokio::task::yield_now().await;
        }
        bot.answers(How::Status(200));
        assert_eq!(bot.sequences(), ["~0"]);
        clock.advance(Duration::from_secs(5));
    });
    assert_eq!(rig.bot.sequences(), ["~0", "1"]);
}

#[tokio::test]
async fn one_offered_while_an_event_is_under_way_follows_it() {
    let mut rig = Rig::new().await;
    let handover = rig.handover("support");
    rig.bot.answers(How::Hold);
    rig.log(&handover, EventType::MessageCreated, 1);
    assert!(rig.dispatcher.step().await.is_ok());
    rig.ephemerals
        .offer(handover.clone(), rig.event(EventType::AgentTyping, 1), None);
    assert!(rig.dispatcher.step().await.is_ok());
    rig.bot.answers(How::Status(200));
    rig.settle().await;
    assert_eq!(rig.bot.sequences(), ["1", "~1"]);
}
