//! Deliveries: one holder, in order, nothing skipped.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use handover_gateway::domain::EventContext;
use handover_gateway::domain::Handover;
use handover_gateway::store::Claimed;
use handover_gateway::store::Store;
use handover_gateway::store::Target;
use handover_gateway::store::Verdict;
use rstest::rstest;

use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::claim;
use crate::store_contract::fixtures::lane;
use crate::store_contract::fixtures::next;
use crate::store_contract::fixtures::opened;
use crate::store_contract::fixtures::settle;
use crate::store_contract::fixtures::settlement;
use crate::store_contract::stand::Stand;

/// A handover with so many events to deliver.
async fn with_events(store: &dyn Store, session: &str, events: u64) -> Handover {
    let mut handover = opened(store, session).await;
    store.commit(next(&mut handover, events, at(1))).await.unwrap();
    handover
}

async fn none_due(store: &dyn Store, target: Target) -> bool {
    store.claim(vec![target], at(1_000_000)).await.unwrap().is_empty()
}

/// Begins to wait, and looks once.
async fn poll_once<F: Future + Unpin>(mut waiting: F) -> Option<F::Output> {
    let once = std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut waiting).poll(context)));
    match once.await {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_lane_is_delivered_in_order_to_its_end(#[case] stand: Stand) {
    let store = stand.store();
    let handover = with_events(&*store, "s-1", 3).await;
    for sequence in 1..=3 {
        let claimed = claim(&*store, lane(&handover), at(2)).await;
        assert_eq!((claimed.event.sequence, claimed.attempts), (sequence, 0));
        assert_eq!(claimed.context, EventContext::of(&handover));
        assert_eq!(claimed.callback_url, handover.facts.callback_url);
        let more = settle(&*store, &claimed, Verdict::Done, at(2)).await;
        assert_eq!(more, sequence < 3);
    }
    assert!(store.due_lanes(at(1_000), 10).await.unwrap().is_empty());
    assert!(none_due(&*store, lane(&handover)).await);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_head_has_one_holder_until_it_is_settled(#[case] stand: Stand) {
    let store = stand.store();
    let handover = with_events(&*store, "s-1", 2).await;
    let twice = vec![lane(&handover), lane(&handover)];
    let mut claimed = store.claim(twice, at(2)).await.unwrap();
    assert_eq!(claimed.len(), 1);
    let first = claimed.remove(0);
    assert!(none_due(&*store, lane(&handover)).await);
    assert!(store.due_lanes(at(2), 10).await.unwrap().is_empty());

    let done = settlement(&first, Verdict::Done, at(2));
    let twice = store.settle(vec![done.clone(), done]).await.unwrap();
    assert_eq!(twice, vec![true, false]);
    let second = claim(&*store, lane(&handover), at(2)).await;
    assert_eq!(second.event.sequence, 2);
    assert!(!settle(&*store, &first, Verdict::Done, at(2)).await);
    assert!(none_due(&*store, lane(&handover)).await, "an old epoch frees nothing");
    assert!(!settle(&*store, &second, Verdict::Done, at(2)).await);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn many_claimers_share_no_lane(#[case] stand: Stand) {
    let store = stand.store();
    let mut targets = Vec::new();
    for session in 0..20 {
        let handover = with_events(&*store, &format!("s-{session}"), 1).await;
        targets.push(lane(&handover));
    }
    let claimers = (0..8).map(|_| store.claim(targets.clone(), at(2)));
    let claimed = futures_util::future::join_all(claimers).await;
    let mut held: Vec<Claimed> = claimed.into_iter().flat_map(Result::unwrap).collect();
    held.sort_by_key(|claimed| claimed.epoch);
    held.dedup_by_key(|claimed| claimed.epoch);
    assert_eq!(held.len(), 20);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_new_process_finds_every_lane_free_and_nothing_lost(#[case] mut stand: Stand) {
    let store = stand.store();
    let handover = with_events(&*store, "s-1", 2).await;
    let first = claim(&*store, lane(&handover), at(2)).await;
    settle(&*store, &first, Verdict::Done, at(2)).await;
    let held = claim(&*store, lane(&handover), at(2)).await;
    drop(store);

    stand.restart();
    let again = claim(&*stand.store(), lane(&handover), at(2)).await;
    assert_eq!(again.event, held.event);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_failed_attempt_is_counted_and_waits(#[case] stand: Stand) {
    let store = stand.store();
    let handover = with_events(&*store, "s-1", 2).await;
    let claimed = claim(&*store, lane(&handover), at(2)).await;
    assert!(!settle(&*store, &claimed, Verdict::Again { at: at(10) }, at(3)).await);
    assert!(store.claim(vec![lane(&handover)], at(9)).await.unwrap().is_empty());
    assert!(store.due_lanes(at(9), 10).await.unwrap().is_empty());
    let again = claim(&*store, lane(&handover), at(10)).await;
    assert_eq!((again.event.sequence, again.attempts), (1, 1));
    assert_eq!(again.first_attempt_at, Some(at(3)));
    assert!(settle(&*store, &again, Verdict::Again { at: at(11) }, at(11)).await);
    let again = claim(&*store, lane(&handover), at(11)).await;
    assert_eq!((again.attempts, again.first_attempt_at), (2, Some(at(3))));

    let mut unsent = settlement(&again, Verdict::Again { at: at(12) }, at(12));
    unsent.attempt = None;
    store.settle(vec![unsent]).await.unwrap();
    let again = claim(&*store, lane(&handover), at(12)).await;
    assert_eq!(again.attempts, 2);
    assert!(settle(&*store, &again, Verdict::Done, at(12)).await);
    let next = claim(&*store, lane(&handover), at(12)).await;
    assert_eq!(
        (next.event.sequence, next.attempts, next.first_attempt_at),
        (2, 0, None)
    );
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn an_event_set_aside_is_retried_beside_its_lane(#[case] mut stand: Stand) {
    let store = stand.store();
    let handover = with_events(&*store, "s-1", 2).await;
    let first = claim(&*store, lane(&handover), at(2)).await;
    assert!(settle(&*store, &first, Verdict::Aside { at: at(20) }, at(3)).await);
    drop(store);

    stand.restart();
    let store = stand.store();
    assert!(store.due_asides(at(19), 10).await.unwrap().is_empty());
    let due = store.due_asides(at(20), 10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!((&due[0].event, &due[0].handover), (&first.event.id, handover.id()));
    let aside = Target::Aside(first.event.id.clone());
    let targets = vec![aside.clone(), lane(&handover)];
    let both = store.claim(targets, at(20)).await.unwrap();
    let sequences: Vec<u64> = both.iter().map(|claimed| claimed.event.sequence).collect();
    assert_eq!(sequences, vec![1, 2]);
    assert_eq!((both[0].attempts, both[0].first_attempt_at), (1, Some(at(3))));
    assert!(store.due_asides(at(20), 10).await.unwrap().is_empty());

    assert!(!settle(&*store, &both[0], Verdict::Again { at: at(30) }, at(21)).await);
    let again = claim(&*store, aside.clone(), at(30)).await;
    assert_eq!(again.attempts, 2);
    settle(&*store, &again, Verdict::Done, at(30)).await;
    assert!(none_due(&*store, aside).await);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn what_waits_for_a_time_too_far_ahead_is_brought_forward(#[case] stand: Stand) {
    let store = stand.store();
    let (soon, late) = (
        with_events(&*store, "s-1", 2).await,
        with_events(&*store, "s-2", 2).await,
    );
    for (handover, due) in [(&soon, 900), (&late, 3_600)] {
        let claimed = claim(&*store, lane(handover), at(2_000)).await;
        settle(&*store, &claimed, Verdict::Again { at: at(due) }, at(2_000)).await;
    }
    let third = with_events(&*store, "s-3", 2).await;
    let aside = claim(&*store, lane(&third), at(2_000)).await;
    settle(&*store, &aside, Verdict::Aside { at: at(3_600) }, at(2_000)).await;
    let last = claim(&*store, lane(&third), at(2_000)).await;
    settle(&*store, &last, Verdict::Done, at(2_000)).await;

    assert_eq!(store.bring_forward(at(900), at(5), 10).await.unwrap(), 2);
    assert_eq!(store.bring_forward(at(900), at(5), 10).await.unwrap(), 0);
    let due = store.due_lanes(at(5), 10).await.unwrap();
    assert_eq!(due.iter().map(|lane| &lane.handover).collect::<Vec<_>>(), [late.id()]);
    let again = claim(&*store, lane(&late), at(5)).await;
    assert_eq!((again.attempts, again.first_attempt_at), (1, Some(at(5))));
    let again = claim(&*store, Target::Aside(aside.event.id), at(5)).await;
    assert_eq!((again.attempts, again.first_attempt_at), (1, Some(at(5))));
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn bringing_forward_is_done_in_slices(#[case] stand: Stand) {
    let store = stand.store();
    for session in ["s-1", "s-2", "s-3"] {
        let handover = with_events(&*store, session, 1).await;
        let claimed = claim(&*store, lane(&handover), at(2)).await;
        settle(&*store, &claimed, Verdict::Again { at: at(3_600) }, at(2)).await;
    }
    assert_eq!(store.bring_forward(at(900), at(5), 2).await.unwrap(), 2);
    assert_eq!(store.due_lanes(at(5), 10).await.unwrap().len(), 2);
    assert_eq!(store.bring_forward(at(900), at(5), 2).await.unwrap(), 1);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_failed_delivery_lets_the_lane_go_on(#[case] stand: Stand) {
    let store = stand.store();
    let handover = with_events(&*store, "s-1", 2).await;
    let first = claim(&*store, lane(&handover), at(2)).await;
    let failed = Verdict::Failed { reason: "deadline" };
    assert!(settle(&*store, &first, failed.clone(), at(2)).await);
    let second = claim(&*store, lane(&handover), at(2)).await;
    assert_eq!(second.event.sequence, 2);
    settle(&*store, &second, Verdict::Aside { at: at(3) }, at(2)).await;
    let aside = Target::Aside(second.event.id.clone());
    let claimed = claim(&*store, aside.clone(), at(3)).await;
    assert!(!settle(&*store, &claimed, failed, at(3)).await);
    assert!(none_due(&*store, aside).await);
    assert!(none_due(&*store, Target::Aside(first.event.id)).await);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_bot_that_wants_no_more_stops_its_lane_and_what_is_beside_it(#[case] mut stand: Stand) {
    let store = stand.store();
    let mut handover = with_events(&*store, "s-1", 2).await;
    let first = claim(&*store, lane(&handover), at(2)).await;
    settle(&*store, &first, Verdict::Aside { at: at(3) }, at(2)).await;
    let second = claim(&*store, lane(&handover), at(2)).await;
    assert!(!settle(&*store, &second, Verdict::Stop, at(2)).await);
    store.commit(next(&mut handover, 1, at(4))).await.unwrap();
    drop(store);

    stand.restart();
    let store = stand.store();
    assert!(store.due_lanes(at(100), 10).await.unwrap().is_empty());
    assert!(store.due_asides(at(100), 10).await.unwrap().is_empty());
    assert!(none_due(&*store, lane(&handover)).await);
    assert!(none_due(&*store, Target::Aside(first.event.id)).await);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn an_event_recorded_without_an_address_is_never_delivered(#[case] stand: Stand) {
    let store = stand.store();
    let mut handover = with_events(&*store, "s-1", 1).await;
    let mut pulled = next(&mut handover, 2, at(2));
    pulled.deliver = false;
    store.commit(pulled).await.unwrap();
    store.commit(next(&mut handover, 1, at(3))).await.unwrap();
    let first = claim(&*store, lane(&handover), at(3)).await;
    assert!(settle(&*store, &first, Verdict::Done, at(3)).await);
    let last = claim(&*store, lane(&handover), at(3)).await;
    assert_eq!((first.event.sequence, last.event.sequence), (1, 4));
    assert!(!settle(&*store, &last, Verdict::Done, at(3)).await);

    let mut pulling = opened(&*store, "s-2").await;
    let mut pulled = next(&mut pulling, 2, at(2));
    pulled.deliver = false;
    store.commit(pulled).await.unwrap();
    assert!(none_due(&*store, lane(&pulling)).await);
    store.commit(next(&mut pulling, 1, at(3))).await.unwrap();
    assert_eq!(claim(&*store, lane(&pulling), at(3)).await.event.sequence, 3);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn lanes_that_wait_longest_come_first(#[case] stand: Stand) {
    let store = stand.store();
    let mut ids = Vec::new();
    for (session, since) in [("s-1", 30), ("s-2", 10), ("s-3", 20)] {
        let mut handover = opened(&*store, session).await;
        store.commit(next(&mut handover, 1, at(since))).await.unwrap();
        store.commit(next(&mut handover, 1, at(since + 30))).await.unwrap();
        ids.push(handover.id().clone());
    }
    let due = store.due_lanes(at(25), 10).await.unwrap();
    let found: Vec<_> = due.into_iter().map(|lane| (lane.handover, lane.due_at)).collect();
    assert_eq!(found, vec![(ids[1].clone(), at(10)), (ids[2].clone(), at(20))]);
    let one = store.due_lanes(at(30), 1).await.unwrap();
    assert_eq!(one[0].handover, ids[1]);
    claim(&*store, Target::Lane(ids[1].clone()), at(30)).await;
    let one = store.due_lanes(at(30), 1).await.unwrap();
    assert_eq!(one[0].handover, ids[2], "a held lane takes no place among the due");
}

#[tokio::test]
async fn a_claim_its_caller_did_not_wait_for_is_free_again() {
    let stand = Stand::sqlite();
    let store = stand.store();
    let handover = with_events(&*store, "s-1", 1).await;
    for _caller in 0..50 {
        let mut claiming = store.claim(vec![lane(&handover)], at(2));
        let polled = poll_once(&mut claiming).await;
        if polled.is_some_and(|claimed| !claimed.unwrap().is_empty()) {
            return; // The reader was faster than this test can be: it has the claim.
        }
    }
    // The reader answers in order, so that its work for those callers is over when it answers this one.
    while store.due_lanes(at(2), 1).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    claim(&*store, lane(&handover), at(2)).await;
}

#[tokio::test]
async fn a_settlement_its_caller_did_not_wait_for_is_written() {
    let stand = Stand::sqlite();
    let store = stand.store();
    let handover = with_events(&*store, "s-1", 2).await;
    let claimed = claim(&*store, lane(&handover), at(2)).await;
    let mut settling = store.settle(vec![settlement(&claimed, Verdict::Done, at(2))]);
    drop(poll_once(&mut settling).await);
    drop(settling);
    store.ping().await.unwrap();
    assert_eq!(claim(&*store, lane(&handover), at(2)).await.event.sequence, 2);
}
