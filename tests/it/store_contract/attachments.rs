//! What files need of the store: the key of links, and calls that learn what became of a file.

use handover_gateway::domain::Call;
use handover_gateway::domain::CallOutcome;
use handover_gateway::store::CallSettled;
use rstest::rstest;

use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::call;
use crate::store_contract::fixtures::next;
use crate::store_contract::fixtures::opened;
use crate::store_contract::stand::Stand;

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn the_key_of_links_is_the_one_that_was_offered_first(#[case] mut stand: Stand) {
    assert_eq!(stand.store().link_key([1; 32]).await.unwrap(), [1; 32]);
    assert_eq!(stand.store().link_key([2; 32]).await.unwrap(), [1; 32]);
    stand.restart();
    assert_eq!(stand.store().link_key([3; 32]).await.unwrap(), [1; 32]);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn an_open_call_can_be_rewritten_and_a_settled_one_stays_settled(#[case] mut stand: Stand) {
    let store = stand.store();
    let mut handover = opened(&*store, "s-1").await;
    let mut commit = next(&mut handover, 1, at(1));
    let (mut first, mut second) = (call(&handover), call(&handover));
    commit.calls = vec![first.clone(), second.clone()];
    store.commit(commit).await.unwrap();
    let settled = CallSettled {
        id: second.id.clone(),
        outcome: CallOutcome::Done,
        message: None,
        at: at(2),
    };
    store.settle_calls(vec![settled]).await.unwrap();
    for call in [&mut first, &mut second] {
        call.call = Call::UserLeaves {
            display_message: Some("rewritten".to_owned()),
        };
        store.rewrite_call(call.clone()).await.unwrap();
    }
    drop(store);
    stand.restart();
    assert_eq!(stand.store().load().await.unwrap().calls, [first]);
}
