//! What a transcript and a timeline are made of.

use handover_gateway::domain::AuthorType;
use handover_gateway::domain::CallOutcome;
use handover_gateway::domain::MessageStatus;
use handover_gateway::domain::PastMessage;
use handover_gateway::domain::RawJson;
use handover_gateway::store::CallSettled;
use handover_gateway::store::Timeline;
use handover_gateway::store::Verdict;
use rstest::rstest;

use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::call;
use crate::store_contract::fixtures::claim;
use crate::store_contract::fixtures::end;
use crate::store_contract::fixtures::lane;
use crate::store_contract::fixtures::message;
use crate::store_contract::fixtures::next;
use crate::store_contract::fixtures::opened;
use crate::store_contract::fixtures::settle;
use crate::store_contract::stand::Stand;

fn past(author: AuthorType, text: &str) -> PastMessage {
    PastMessage {
        author,
        text: Some(text.to_owned()),
        cards: vec![RawJson::parse("{\"card\":  1.0}").unwrap()],
    }
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn history_is_kept_once_across_a_restart_and_goes_with_its_handover(#[case] mut stand: Stand) {
    let store = stand.store();
    let mut handover = opened(&*store, "s-1").await;
    let id = handover.id().clone();
    assert!(store.history(&id).await.unwrap().is_empty());
    let said = vec![past(AuthorType::User, "Balance?"), past(AuthorType::Bot, "Wait")];
    store.keep_history(&id, said.clone()).await.unwrap();
    store
        .keep_history(&id, vec![past(AuthorType::Bot, "other")])
        .await
        .unwrap();
    drop(store);
    stand.restart();
    let store = stand.store();
    assert_eq!(store.history(&id).await.unwrap(), said, "to the byte");
    store.commit(end(&mut handover, at(10))).await.unwrap();
    while store.prune(at(0), at(11), 10).await.unwrap() > 0 {}
    assert!(store.history(&id).await.unwrap().is_empty());
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_timeline_tells_what_became_of_everything(#[case] stand: Stand) {
    let store = stand.store();
    let mut handover = opened(&*store, "s-1").await;
    let mut commit = next(&mut handover, 3, at(1));
    let posted = message(&handover, None);
    let (settled, open) = (call(&handover), call(&handover));
    commit.message = Some(posted.clone());
    commit.calls = vec![settled.clone(), open.clone()];
    store.commit(commit).await.unwrap();
    let ended = CallSettled {
        id: settled.id.clone(),
        outcome: CallOutcome::Failed,
        message: Some((posted.id.clone(), MessageStatus::Failed)),
        at: at(3),
    };
    store.settle_calls(vec![ended]).await.unwrap();
    let first = claim(&*store, lane(&handover), at(1)).await;
    settle(&*store, &first, Verdict::Again { at: at(2) }, at(1)).await;
    let again = claim(&*store, lane(&handover), at(2)).await;
    settle(&*store, &again, Verdict::Failed { reason: "deadline" }, at(2)).await;
    let second = claim(&*store, lane(&handover), at(2)).await;
    settle(&*store, &second, Verdict::Done, at(3)).await;
    // Another's does not show.
    opened(&*store, "s-2").await;

    let timeline = store.timeline(handover.id(), 100).await.unwrap();
    let sequences: Vec<_> = timeline.events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, [1, 2, 3]);
    let attempts = timeline.attempts.iter();
    let attempts: Vec<_> = attempts
        .map(|attempt| (attempt.sequence, attempt.number, attempt.status, attempt.took_millis))
        .collect();
    assert_eq!(
        attempts,
        [(1, 1, Some(200), 20), (1, 2, Some(200), 20), (2, 1, Some(200), 20)]
    );
    let [left] = timeline.deliveries.as_slice() else {
        panic!("one left its lane: {:?}", timeline.deliveries);
    };
    assert_eq!((left.sequence, left.status.as_str(), left.attempts), (1, "failed", 2));
    assert_eq!((left.reason.as_deref(), left.at), (Some("deadline"), at(2)));
    assert_eq!(left.event, timeline.events[0].id);
    let calls: Vec<_> = timeline
        .calls
        .iter()
        .map(|call| (&call.id, call.name, call.outcome, call.settled_at))
        .collect();
    assert_eq!(
        calls,
        [
            (&settled.id, "leave", Some(CallOutcome::Failed), Some(at(3))),
            (&open.id, "leave", None, None)
        ]
    );
    let [shown] = timeline.messages.as_slice() else {
        panic!("one was posted: {:?}", timeline.messages);
    };
    assert_eq!((&shown.id, shown.status), (&posted.id, MessageStatus::Failed));
    assert!(!timeline.cut);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_long_timeline_keeps_its_newest(#[case] stand: Stand) {
    let store = stand.store();
    let mut handover = opened(&*store, "s-1").await;
    store.commit(next(&mut handover, 5, at(1))).await.unwrap();
    let timeline = store.timeline(handover.id(), 2).await.unwrap();
    let sequences: Vec<_> = timeline.events.iter().map(|event| event.sequence).collect();
    assert_eq!((sequences.as_slice(), timeline.cut), (&[4, 5][..], true));
    assert!(!store.timeline(handover.id(), 5).await.unwrap().cut);
    let nobody = handover_gateway::domain::HandoverId::generate(at(9));
    assert_eq!(store.timeline(&nobody, 5).await.unwrap(), Timeline::default());
}
