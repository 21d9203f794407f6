//! What `prune` deletes, and what it must not.

use handover_gateway::domain::CallOutcome;
use handover_gateway::store::CallSettled;
use handover_gateway::store::Kept;
use handover_gateway::store::Store;
use handover_gateway::store::Verdict;
use rstest::rstest;

use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::bot;
use crate::store_contract::fixtures::call;
use crate::store_contract::fixtures::claim;
use crate::store_contract::fixtures::end;
use crate::store_contract::fixtures::key;
use crate::store_contract::fixtures::lane;
use crate::store_contract::fixtures::message;
use crate::store_contract::fixtures::next;
use crate::store_contract::fixtures::opened;
use crate::store_contract::fixtures::receipt;
use crate::store_contract::fixtures::settle;
use crate::store_contract::stand::Stand;

/// Prunes in slices until nothing is left to delete. How many rows went.
async fn prune_all(store: &dyn Store, keys_before: i64, handovers_before: i64) -> usize {
    let mut gone = 0;
    loop {
        let slice = store.prune(at(keys_before), at(handovers_before), 3).await.unwrap();
        if slice == 0 {
            return gone;
        }
        gone += slice;
    }
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_handover_that_ended_long_ago_goes_with_all_that_hangs_on_it(#[case] stand: Stand) {
    let store = stand.store();
    let mut old = opened(&*store, "s-1").await;
    let mut commit = next(&mut old, 2, at(1));
    commit.receipt = Some(receipt("e-1", "body"));
    commit.message = Some(message(&old, None));
    store.commit(commit).await.unwrap();
    let first = claim(&*store, lane(&old), at(1)).await;
    settle(&*store, &first, Verdict::Aside { at: at(50) }, at(1)).await;
    store.commit(end(&mut old, at(10))).await.unwrap();
    let mut recent = opened(&*store, "s-2").await;
    store.commit(end(&mut recent, at(20))).await.unwrap();
    let live = opened(&*store, "s-3").await;
    let position = store.bot_position(&bot()).await.unwrap();

    // Handover, lane, delivery, attempt, message, webhook event, three events.
    assert_eq!(prune_all(&*store, 0, 20).await, 9);
    assert!(store.handover(old.id()).await.unwrap().is_none());
    assert!(store.events(old.id(), 0, 10).await.unwrap().is_none());
    assert!(store.messages(old.id()).await.unwrap().is_empty());
    assert!(store.due_asides(at(100), 10).await.unwrap().is_empty());
    assert_eq!(store.due_lanes(at(100), 10).await.unwrap().len(), 1);
    assert_eq!(store.keep_unplaced(receipt("e-1", "body")).await.unwrap(), Kept::New);
    for kept in [&recent, &live] {
        assert!(store.handover(kept.id()).await.unwrap().is_some());
    }
    let mut live = live;
    store.commit(next(&mut live, 1, at(21))).await.unwrap();
    assert!(store.bot_position(&bot()).await.unwrap() > position);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_handover_with_a_call_to_make_stays(#[case] stand: Stand) {
    let store = stand.store();
    let mut handover = opened(&*store, "s-1").await;
    let mut commit = end(&mut handover, at(1));
    commit.calls = vec![call(&handover)];
    let id = commit.calls[0].id.clone();
    store.commit(commit).await.unwrap();
    assert_eq!(prune_all(&*store, 0, 100).await, 0);
    let settled = CallSettled {
        id,
        outcome: CallOutcome::Unconfirmed,
        message: None,
        at: at(2),
    };
    store.settle_calls(vec![settled]).await.unwrap();
    // Handover, lane, event, call.
    assert_eq!(prune_all(&*store, 0, 100).await, 4);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn keys_and_unplaced_events_go_by_their_age(#[case] stand: Stand) {
    let store = stand.store();
    let mut handover = opened(&*store, "s-1").await;
    for (name, since) in [("old", 10), ("new", 20)] {
        let mut unplaced = receipt(name, "body");
        unplaced.received_at = at(since);
        store.keep_unplaced(unplaced).await.unwrap();
        let mut commit = next(&mut handover, 0, at(since));
        commit.claim = Some(key(name, &handover));
        commit.claim.as_mut().unwrap().at = at(since);
        store.commit(commit).await.unwrap();
    }
    assert_eq!(prune_all(&*store, 20, 0).await, 2);
    let scope = "POST /v1/handovers";
    assert!(store.idempotency(&bot(), scope, "old").await.unwrap().is_none());
    assert!(store.idempotency(&bot(), scope, "new").await.unwrap().is_some());
    assert_eq!(store.keep_unplaced(receipt("old", "body")).await.unwrap(), Kept::New);
    let kept = store.keep_unplaced(receipt("new", "body")).await.unwrap();
    assert_eq!(kept, Kept::Seen { same_body: true });
}

#[tokio::test]
async fn a_slice_is_no_larger_than_asked() {
    let stand = Stand::sqlite();
    let store = stand.store();
    let mut handover = opened(&*store, "s-1").await;
    store.commit(next(&mut handover, 20, at(1))).await.unwrap();
    store.commit(end(&mut handover, at(2))).await.unwrap();
    let mut slices = Vec::new();
    while slices.last() != Some(&0) {
        slices.push(store.prune(at(0), at(3), 5).await.unwrap());
    }
    assert!(slices.iter().all(|slice| *slice <= 5), "{slices:?}");
    assert_eq!(slices.iter().sum::<usize>(), 23);
}
