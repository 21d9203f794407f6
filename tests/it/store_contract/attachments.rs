//! What files need of the store: the key of links, and calls that learn what became of a file.

use handover_gateway::domain::Attached;
use handover_gateway::domain::AuthorType;
use handover_gateway::domain::Call;
use handover_gateway::domain::CallOutcome;
use handover_gateway::domain::CallRecord;
use handover_gateway::domain::FileName;
use handover_gateway::domain::Handover;
use handover_gateway::domain::MessageFile;
use handover_gateway::domain::MessagePart;
use handover_gateway::domain::MessageRecord;
use handover_gateway::store::CallSettled;
use rstest::rstest;

use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::call;
use crate::store_contract::fixtures::message;
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

fn posting(handover: &Handover, message: &MessageRecord, attached: Attached) -> CallRecord {
    let part = MessagePart {
        message: message.id.clone(),
        client_message_id: None,
        last: true,
        author: AuthorType::User,
        text: None,
        cards: Vec::new(),
        attachments: vec![attached],
        instead: None,
        notice: false,
    };
    CallRecord {
        call: Call::PostMessage(part),
        ..call(handover)
    }
}

fn there(id: &str) -> Attached {
    Attached::There {
        id: id.to_owned(),
        filename: FileName::of("a.png"),
    }
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_message_shows_the_files_of_its_open_call(#[case] mut stand: Stand) {
    let store = stand.store();
    let mut handover = opened(&*store, "s-1").await;
    let (first, second) = (message(&handover, None), message(&handover, None));
    let calls = [&first, &second].map(|message| posting(&handover, message, there("old")));
    for (n, message) in [&first, &second].into_iter().enumerate() {
        let mut commit = next(&mut handover, 1, at(1));
        commit.message = Some(message.clone());
        commit.calls = vec![calls[n].clone()];
        store.commit(commit).await.unwrap();
    }
    let settled = CallSettled {
        id: calls[1].id.clone(),
        outcome: CallOutcome::Done,
        message: None,
        at: at(2),
    };
    store.settle_calls(vec![settled]).await.unwrap();
    for (call, message) in calls.iter().zip([&first, &second]) {
        let rewritten = CallRecord {
            id: call.id.clone(),
            ..posting(&handover, message, there("new"))
        };
        store.rewrite_call(rewritten).await.unwrap();
    }
    drop(store);
    stand.restart();
    let kept = stand.store().messages(handover.id()).await.unwrap();
    let shown = MessageFile {
        id: Some("new".to_owned()),
        filename: FileName::of("a.png"),
    };
    assert_eq!(kept[0].attachments, [shown]);
    assert_eq!(kept[1].attachments, second.attachments, "it is settled");
}
