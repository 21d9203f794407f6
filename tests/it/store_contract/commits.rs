//! `open`, `commit`, `settle_calls` and `load`.

use handover_gateway::domain::CallOutcome;
use handover_gateway::domain::MessageStatus;
use handover_gateway::domain::State;
use handover_gateway::store::CallSettled;
use handover_gateway::store::Committed;
use handover_gateway::store::Kept;
use handover_gateway::store::Opened;
use rstest::rstest;

use crate::store_contract::fixtures::account;
use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::bot;
use crate::store_contract::fixtures::call;
use crate::store_contract::fixtures::conversation;
use crate::store_contract::fixtures::creating;
use crate::store_contract::fixtures::end;
use crate::store_contract::fixtures::key;
use crate::store_contract::fixtures::message;
use crate::store_contract::fixtures::next;
use crate::store_contract::fixtures::opened;
use crate::store_contract::fixtures::receipt;
use crate::store_contract::fixtures::unchanged;
use crate::store_contract::stand::Stand;

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn what_was_committed_is_there_after_a_restart(#[case] mut stand: Stand) {
    let mut handover = opened(&*stand.store(), "s-1").await;
    handover.progress.state = State::Active;
    handover.progress.conversation = Some(conversation("c-1"));
    let mut commit = next(&mut handover, 2, at(1));
    commit.calls = vec![call(&handover), call(&handover)];
    commit.message = Some(message(&handover, Some("m-1")));
    commit.receipt = Some(receipt("e-1", "body"));
    commit.claim = Some(key("k-1", &handover));
    assert_eq!(stand.store().commit(commit.clone()).await.unwrap(), Committed::Done);

    stand.restart();
    let store = stand.store();
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.handovers, vec![handover.clone()]);
    assert_eq!(loaded.calls, commit.calls);
    assert_eq!(store.handover(handover.id()).await.unwrap(), Some(handover.clone()));
    let page = store.events(handover.id(), 0, 10).await.unwrap().unwrap();
    assert_eq!(page.events, commit.events);
    assert_eq!(store.messages(handover.id()).await.unwrap(), commit.message.as_slice());
    assert_eq!(store.due_lanes(at(1), 10).await.unwrap().len(), 1);
    let again = store.keep_unplaced(receipt("e-1", "body")).await.unwrap();
    assert_eq!(again, Kept::Seen { same_body: true });
    let kept = store.idempotency(&bot(), "POST /v1/handovers", "k-1").await.unwrap();
    assert_eq!(kept.unwrap().answer, None);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_change_computed_from_an_older_version_changes_nothing(#[case] stand: Stand) {
    let store = stand.store();
    let opened = opened(&*store, "s-1").await;
    let mut handover = opened.clone();
    store.commit(next(&mut handover, 1, at(1))).await.unwrap();

    let mut stale = opened.clone();
    let mut commit = next(&mut stale, 1, at(2));
    commit.receipt = Some(receipt("e-1", "body"));
    commit.claim = Some(key("k-1", &handover));
    commit.calls = vec![call(&handover)];
    commit.message = Some(message(&handover, None));
    assert_eq!(store.commit(commit).await.unwrap(), Committed::Stale);

    assert_eq!(store.handover(opened.id()).await.unwrap(), Some(handover.clone()));
    assert_eq!(store.events(opened.id(), 0, 10).await.unwrap().unwrap().events.len(), 1);
    assert!(store.load().await.unwrap().calls.is_empty());
    assert!(store.messages(opened.id()).await.unwrap().is_empty());
    assert!(
        store
            .idempotency(&bot(), "POST /v1/handovers", "k-1")
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(store.keep_unplaced(receipt("e-1", "body")).await.unwrap(), Kept::New);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_change_from_a_version_yet_to_come_is_stale_too(#[case] stand: Stand) {
    let store = stand.store();
    let mut handover = opened(&*store, "s-1").await;
    handover.version += 1;
    let commit = next(&mut handover, 1, at(1));
    assert_eq!(store.commit(commit).await.unwrap(), Committed::Stale);
    let unknown = creating(None, at(0));
    assert_eq!(store.commit(unchanged(&unknown)).await.unwrap(), Committed::Stale);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn commits_at_once_get_their_versions_one_after_another(#[case] stand: Stand) {
    let store = stand.store();
    let opened = opened(&*store, "s-1").await;
    let mut rivals = Vec::new();
    for _rival in 0..16 {
        let mut handover = opened.clone();
        rivals.push(store.commit(next(&mut handover, 1, at(1))));
    }
    let answers = futures_util::future::join_all(rivals).await;
    let won = answers.iter().filter(|answer| matches!(answer, Ok(Committed::Done)));
    let lost = answers.iter().filter(|answer| matches!(answer, Ok(Committed::Stale)));
    assert_eq!((won.count(), lost.count()), (1, 15));
    assert_eq!(store.handover(opened.id()).await.unwrap().unwrap().version, 1);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_session_has_one_live_handover(#[case] stand: Stand) {
    let store = stand.store();
    let mut first = opened(&*store, "s-1").await;
    let second = creating(Some("s-1"), at(1));
    let taken = store.open(second.clone(), Some(key("k-1", &second))).await.unwrap();
    assert_eq!(taken, Opened::SessionTaken(first.id().clone()));
    assert!(store.handover(second.id()).await.unwrap().is_none());
    assert!(
        store
            .idempotency(&bot(), "POST /v1/handovers", "k-1")
            .await
            .unwrap()
            .is_none()
    );

    store.commit(end(&mut first, at(2))).await.unwrap();
    assert_eq!(store.open(second, None).await.unwrap(), Opened::Done);
    let unnamed = creating(None, at(3));
    assert_eq!(store.open(unnamed, None).await.unwrap(), Opened::Done);
    let unnamed = creating(None, at(3));
    assert_eq!(store.open(unnamed, None).await.unwrap(), Opened::Done);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_conversation_has_one_live_handover(#[case] stand: Stand) {
    let store = stand.store();
    let mut first = opened(&*store, "s-1").await;
    let mut second = opened(&*store, "s-2").await;
    first.progress.conversation = Some(conversation("c-1"));
    assert_eq!(store.commit(next(&mut first, 1, at(1))).await.unwrap(), Committed::Done);

    let before = second.clone();
    second.progress.conversation = Some(conversation("c-1"));
    assert_eq!(
        store.commit(next(&mut second, 1, at(1))).await.unwrap(),
        Committed::Stale
    );
    assert_eq!(store.handover(before.id()).await.unwrap(), Some(before));
    let mut third = creating(None, at(1));
    third.progress.conversation = Some(conversation("c-1"));
    let taken = Opened::SessionTaken(first.id().clone());
    assert_eq!(store.open(third.clone(), None).await.unwrap(), taken);

    store.commit(end(&mut first, at(2))).await.unwrap();
    let found = store
        .handover_of_conversation(&account(), &conversation("c-1"))
        .await
        .unwrap();
    assert_eq!(found, Some(first.clone()));
    assert_eq!(store.open(third.clone(), None).await.unwrap(), Opened::Done);
    let found = store
        .handover_of_conversation(&account(), &conversation("c-1"))
        .await
        .unwrap();
    assert_eq!(found, Some(third));
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn an_open_call_keeps_its_handover_among_the_loaded(#[case] mut stand: Stand) {
    let store = stand.store();
    let mut handover = opened(&*store, "s-1").await;
    let mut commit = end(&mut handover, at(1));
    commit.calls = vec![call(&handover)];
    commit.message = Some(message(&handover, None));
    let (leave, said) = (commit.calls[0].clone(), commit.message.clone().unwrap());
    store.commit(commit).await.unwrap();
    drop(store);

    stand.restart();
    let store = stand.store();
    let loaded = store.load().await.unwrap();
    assert_eq!(
        (loaded.handovers, loaded.calls),
        (vec![handover.clone()], vec![leave.clone()])
    );

    let settled = CallSettled {
        id: leave.id,
        outcome: CallOutcome::Done,
        message: Some((said.id.clone(), MessageStatus::Accepted)),
        at: at(2),
    };
    store.settle_calls(vec![settled.clone()]).await.unwrap();
    let loaded = store.load().await.unwrap();
    assert!(loaded.handovers.is_empty() && loaded.calls.is_empty());
    let kept = store.message(handover.id(), &said.id).await.unwrap().unwrap();
    assert_eq!(kept.status, MessageStatus::Accepted);

    let too_late = CallSettled {
        outcome: CallOutcome::Failed,
        message: Some((said.id.clone(), MessageStatus::Failed)),
        ..settled
    };
    let mut commit = next(&mut handover, 1, at(3));
    commit.settled = vec![too_late];
    assert_eq!(store.commit(commit).await.unwrap(), Committed::Done);
    let kept = store.message(handover.id(), &said.id).await.unwrap().unwrap();
    assert_eq!(kept.status, MessageStatus::Accepted);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_client_message_id_is_taken_once_in_a_handover(#[case] stand: Stand) {
    let store = stand.store();
    let mut handover = opened(&*store, "s-1").await;
    let mut other = opened(&*store, "s-2").await;
    let mut commit = next(&mut handover, 0, at(1));
    commit.message = Some(message(&handover, Some("m-1")));
    store.commit(commit.clone()).await.unwrap();
    let found = store.message_by_client_id(handover.id(), "m-1").await.unwrap();
    assert_eq!(found, commit.message);

    let before = handover.clone();
    let mut again = next(&mut handover, 0, at(2));
    again.message = Some(message(&handover, Some("m-1")));
    assert_eq!(store.commit(again).await.unwrap(), Committed::Stale);
    assert_eq!(store.handover(before.id()).await.unwrap(), Some(before));
    let mut elsewhere = next(&mut other, 0, at(2));
    elsewhere.message = Some(message(&other, Some("m-1")));
    assert_eq!(store.commit(elsewhere).await.unwrap(), Committed::Done);
    assert!(store.ping().await.is_ok());
}
