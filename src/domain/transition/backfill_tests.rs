//! What is read from 8x8 and what 8x8 tells are the same thing, whichever comes first.

use crate::domain::transition::tests::*;
use crate::domain::*;

#[test]
fn what_was_read_from_8x8_is_no_news_when_its_webhooks_come_late() {
    let walk = Walk::to(State::Queued)
        .and(read(queued(1)))
        .and(read(joined("ada", 2)))
        .and(read(message("agent", false, 3)))
        .and(read(left("ada", 9)))
        .and(read(transfer(9)))
        .and(read(joined("bob", 10)))
        .and(read(left("bob", 11)))
        .and(read(update(ConversationState::Idle, None, 1, 12)));
    assert_eq!(walk.state(), State::Ended);
    let told = walk.told();
    let late = walk
        .and(queued(1))
        .and(joined("ada", 2))
        .and(message("agent", false, 3))
        .and(left("ada", 4))
        .and(transfer(5))
        .and(joined("bob", 6))
        .and(left("bob", 7))
        .and(update(ConversationState::Idle, None, 1, 8));
    assert_eq!(late.told(), told);
    assert!(late.handover.progress.backfilled.is_empty());
}

#[test]
fn each_webhook_stands_for_one_thing_that_was_read() {
    let walk = Walk::to(State::Active)
        .and(read(message("agent", false, 10)))
        .and(read(message("agent", false, 12)));
    let said = walk.told();
    let walk = walk.and(message("agent", false, 10)).and(message("agent", false, 12));
    assert_eq!(walk.told(), said);
    let walk = walk.and(message("agent", false, 14));
    assert_eq!(walk.told().len(), said.len() + 1, "the third was said anew");
}

#[test]
fn an_event_that_was_read_says_so() {
    let walk = Walk::to(State::Active).and(read(message("agent", false, 10)));
    assert_eq!(
        walk.events.last().map(|event| event.kind),
        Some(EventType::MessageCreated)
    );
    assert_eq!(walk.handover.progress.backfilled.len(), 1);
}
