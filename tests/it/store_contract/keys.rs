//! Idempotency keys.

use handover_gateway::domain::BotName;
use handover_gateway::domain::MessageId;
use handover_gateway::store::Committed;
use handover_gateway::store::IdempotencyClaim;
use handover_gateway::store::IdempotencyRecord;
use handover_gateway::store::KeptAnswer;
use handover_gateway::store::Opened;
use handover_gateway::store::Reference;
use rstest::rstest;

use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::bot;
use crate::store_contract::fixtures::creating;
use crate::store_contract::fixtures::key;
use crate::store_contract::fixtures::next;
use crate::store_contract::fixtures::opened;
use crate::store_contract::stand::Stand;

fn answer(body: &str) -> KeptAnswer {
    KeptAnswer {
        status: 201,
        content_type: "application/json".to_owned(),
        location: Some("/v1/handovers/1".to_owned()),
        body: body.to_owned(),
    }
}

fn record(claim: &IdempotencyClaim, answer: Option<KeptAnswer>) -> IdempotencyRecord {
    IdempotencyRecord {
        request_sha256: claim.request_sha256,
        reference: claim.reference.clone(),
        answer,
    }
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_key_opens_one_handover_and_keeps_its_answer(#[case] mut stand: Stand) {
    let store = stand.store();
    let first = creating(None, at(0));
    let reserved = key("k-1", &first);
    assert_eq!(store.open(first, Some(reserved.clone())).await.unwrap(), Opened::Done);
    let again = creating(None, at(1));
    let mut other_body = key("k-1", &again);
    other_body.request_sha256 = [9; 32];
    let taken = store.open(again.clone(), Some(other_body)).await.unwrap();
    assert_eq!(taken, Opened::KeyTaken(record(&reserved, None)));
    assert!(store.handover(again.id()).await.unwrap().is_none());
    store.keep_answer(reserved.clone(), answer("first")).await.unwrap();
    drop(store);

    stand.restart();
    let store = stand.store();
    let kept = store.idempotency(&bot(), &reserved.scope, "k-1").await.unwrap();
    assert_eq!(kept, Some(record(&reserved, Some(answer("first")))));
    let taken = store.open(again, Some(reserved.clone())).await.unwrap();
    assert_eq!(taken, Opened::KeyTaken(record(&reserved, Some(answer("first")))));
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_taken_key_leaves_the_handover_as_it_was(#[case] stand: Stand) {
    let store = stand.store();
    let mut handover = opened(&*store, "s-1").await;
    let said = Reference::Message(handover.id().clone(), MessageId::generate(at(0)));
    let mut reserved = key("k-1", &handover);
    reserved.reference = said;
    let mut commit = next(&mut handover, 1, at(1));
    commit.claim = Some(reserved.clone());
    assert_eq!(store.commit(commit).await.unwrap(), Committed::Done);
    let before = handover.clone();
    let mut again = next(&mut handover, 1, at(2));
    again.claim = Some(key("k-1", &before));
    let taken = Committed::KeyTaken(record(&reserved, None));
    assert_eq!(store.commit(again).await.unwrap(), taken);
    assert_eq!(store.handover(before.id()).await.unwrap(), Some(before));
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_key_is_one_bots_and_one_calls(#[case] stand: Stand) {
    let store = stand.store();
    let handover = opened(&*store, "s-1").await;
    let claim = key("k-1", &handover);
    store.keep_answer(claim.clone(), answer("first")).await.unwrap();
    let other_scope = store.idempotency(&bot(), "POST /v1/other", "k-1").await.unwrap();
    assert_eq!(other_scope, None);
    let other_bot = BotName::new("sales");
    assert_eq!(store.idempotency(&other_bot, &claim.scope, "k-1").await.unwrap(), None);
    let mut other_body = claim.clone();
    other_body.request_sha256 = [9; 32];
    store.keep_answer(other_body, answer("of another body")).await.unwrap();
    let kept = store.idempotency(&bot(), &claim.scope, "k-1").await.unwrap();
    assert_eq!(kept, Some(record(&claim, Some(answer("first")))));
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_released_key_may_be_used_again_unless_it_was_answered(#[case] stand: Stand) {
    let store = stand.store();
    let first = creating(None, at(0));
    let claim = key("k-1", &first);
    assert_eq!(store.open(first, Some(claim.clone())).await.unwrap(), Opened::Done);
    store.release_key(&bot(), &claim.scope, "k-1").await.unwrap();
    let second = creating(None, at(1));
    let claim = key("k-1", &second);
    assert_eq!(store.open(second, Some(claim.clone())).await.unwrap(), Opened::Done);
    store.keep_answer(claim.clone(), answer("second")).await.unwrap();
    store.release_key(&bot(), &claim.scope, "k-1").await.unwrap();
    let kept = store.idempotency(&bot(), &claim.scope, "k-1").await.unwrap();
    assert_eq!(kept, Some(record(&claim, Some(answer("second")))));
}
