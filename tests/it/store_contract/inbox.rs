//! Webhook events: each is recorded once, and one that came before its handover is taken once.

use handover_gateway::store::Committed;
use handover_gateway::store::Kept;
use rstest::rstest;

use crate::store_contract::fixtures::account;
use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::conversation;
use crate::store_contract::fixtures::next;
use crate::store_contract::fixtures::opened;
use crate::store_contract::fixtures::receipt;
use crate::store_contract::fixtures::unchanged;
use crate::store_contract::stand::Stand;

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_repeated_webhook_event_changes_nothing(#[case] mut stand: Stand) {
    let store = stand.store();
    let mut handover = opened(&*store, "s-1").await;
    let mut commit = next(&mut handover, 1, at(1));
    commit.receipt = Some(receipt("e-1", "body"));
    assert_eq!(store.commit(commit).await.unwrap(), Committed::Done);
    let before = handover.clone();
    drop(store);

    stand.restart();
    let store = stand.store();
    let mut again = next(&mut handover, 1, at(2));
    again.receipt = Some(receipt("e-1", "body"));
    let mut forged = again.clone();
    forged.receipt = Some(receipt("e-1", "another body"));
    assert_eq!(store.commit(again).await.unwrap(), Committed::Seen { same_body: true });
    assert_eq!(
        store.commit(forged).await.unwrap(),
        Committed::Seen { same_body: false }
    );
    assert_eq!(store.handover(before.id()).await.unwrap(), Some(before.clone()));
    assert_eq!(store.events(before.id(), 0, 10).await.unwrap().unwrap().events.len(), 1);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_repeat_is_told_before_a_stale_version(#[case] stand: Stand) {
    let store = stand.store();
    let first = opened(&*store, "s-1").await;
    for _same in 0..2 {
        let mut handover = first.clone();
        let mut commit = next(&mut handover, 1, at(1));
        commit.receipt = Some(receipt("e-1", "body"));
        let answer = store.commit(commit).await.unwrap();
        assert!(
            matches!(answer, Committed::Done | Committed::Seen { same_body: true }),
            "{answer:?}"
        );
    }
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn repeats_in_one_group_are_noticed_too(#[case] stand: Stand) {
    let store = stand.store();
    let handover = opened(&*store, "s-1").await;
    let mut echo = unchanged(&handover);
    echo.receipt = Some(receipt("e-1", "body"));
    let answers = futures_util::future::join_all((0..16).map(|_| store.commit(echo.clone()))).await;
    let done = answers.iter().filter(|answer| matches!(answer, Ok(Committed::Done)));
    let seen = answers
        .iter()
        .filter(|answer| matches!(answer, Ok(Committed::Seen { same_body: true })));
    assert_eq!((done.count(), seen.count()), (1, 15));
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn an_event_that_came_before_its_handover_is_taken_once(#[case] mut stand: Stand) {
    let store = stand.store();
    for event in ["e-1", "e-2"] {
        assert_eq!(store.keep_unplaced(receipt(event, "body")).await.unwrap(), Kept::New);
    }
    let again = store.keep_unplaced(receipt("e-1", "body")).await.unwrap();
    assert_eq!(again, Kept::Seen { same_body: true });
    let forged = store.keep_unplaced(receipt("e-1", "another body")).await.unwrap();
    assert_eq!(forged, Kept::Seen { same_body: false });
    drop(store);

    stand.restart();
    let store = stand.store();
    let places = store.load().await.unwrap().unplaced;
    assert_eq!(places, vec![(account(), conversation("c-1"))]);
    let waiting = store.unplaced(&account(), &conversation("c-1")).await.unwrap();
    assert_eq!(waiting, vec![receipt("e-1", "body"), receipt("e-2", "body")]);
    assert!(
        store
            .unplaced(&account(), &conversation("c-2"))
            .await
            .unwrap()
            .is_empty()
    );

    let mut handover = opened(&*store, "s-1").await;
    let mut forged = unchanged(&handover);
    forged.receipt = Some(receipt("e-1", "another body"));
    assert_eq!(
        store.commit(forged).await.unwrap(),
        Committed::Seen { same_body: false }
    );
    let mut commit = next(&mut handover, 1, at(1));
    commit.receipt = Some(receipt("e-1", "body"));
    assert_eq!(store.commit(commit).await.unwrap(), Committed::Done);
    let mut again = unchanged(&handover);
    again.receipt = Some(receipt("e-1", "body"));
    assert_eq!(store.commit(again).await.unwrap(), Committed::Seen { same_body: true });
    let waiting = store.unplaced(&account(), &conversation("c-1")).await.unwrap();
    assert_eq!(waiting, vec![receipt("e-2", "body")]);
    let mut last = unchanged(&handover);
    last.receipt = Some(receipt("e-2", "body"));
    assert_eq!(store.commit(last).await.unwrap(), Committed::Done);
    assert!(store.load().await.unwrap().unplaced.is_empty());
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn an_event_that_could_not_be_read_is_kept_without_a_conversation(#[case] stand: Stand) {
    let store = stand.store();
    let mut unreadable = receipt("e-1", "\u{0}not json");
    unreadable.conversation = None;
    assert_eq!(store.keep_unplaced(unreadable.clone()).await.unwrap(), Kept::New);
    assert!(store.load().await.unwrap().unplaced.is_empty());
    assert_eq!(
        store.keep_unplaced(unreadable).await.unwrap(),
        Kept::Seen { same_body: true }
    );
    assert!(
        store
            .unplaced(&account(), &conversation("c-1"))
            .await
            .unwrap()
            .is_empty()
    );
}
