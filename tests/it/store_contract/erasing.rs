//! What people said and who they are is erased, and the record stays.

use handover_gateway::domain::AuthorType;
use handover_gateway::domain::Call;
use handover_gateway::domain::CallOutcome;
use handover_gateway::domain::Handover;
use handover_gateway::domain::PastMessage;
use handover_gateway::domain::Timestamp;
use handover_gateway::domain::WebhookHeaders;
use handover_gateway::domain::transition;
use handover_gateway::domain::transition::Input;
use handover_gateway::store::Actor;
use handover_gateway::store::AuditEntry;
use handover_gateway::store::CallSettled;
use handover_gateway::store::Commit;
use handover_gateway::store::KeptAnswer;
use handover_gateway::store::Store;
use handover_gateway::store::Verdict;
use rstest::rstest;

use crate::store_contract::fixtures::account;
use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::bot;
use crate::store_contract::fixtures::call;
use crate::store_contract::fixtures::claim;
use crate::store_contract::fixtures::conversation;
use crate::store_contract::fixtures::creating;
use crate::store_contract::fixtures::end;
use crate::store_contract::fixtures::key;
use crate::store_contract::fixtures::lane;
use crate::store_contract::fixtures::message;
use crate::store_contract::fixtures::next;
use crate::store_contract::fixtures::opened;
use crate::store_contract::fixtures::receipt;
use crate::store_contract::fixtures::settle;
use crate::store_contract::fixtures::unchanged;
use crate::store_contract::stand::Stand;

/// In everything that is kept of a handover made by `full`.
const CANARY: &str = "canary";

fn erased(handover: &Handover, now: Timestamp) -> Handover {
    transition::next(handover, Input::Erase, now).unwrap().next
}

fn answer() -> KeptAnswer {
    KeptAnswer {
        status: 201,
        content_type: "application/json".to_owned(),
        location: Some("/v1/handovers/1".to_owned()),
        // Whoever gave the metadata may have given this too.
        body: r#"{"id":"1","user":{"name":"canary"},"metadata":{"erased":true,"x":"canary"},"agents":[{"id":"a","name":"canary"}]}"#
            .to_owned(),
    }
}

fn history() -> Vec<PastMessage> {
    vec![PastMessage {
        author: AuthorType::User,
        text: Some("canary".to_owned()),
        cards: Vec::new(),
    }]
}

/// A handover that is over, with something of every kind hanging on it, and nothing to be delivered or told 8x8.
async fn full(store: &dyn Store) -> Handover {
    let mut handover = creating(Some("s-1"), at(0));
    let facts = std::sync::Arc::make_mut(&mut handover.facts);
    facts.metadata = Some(handover_gateway::domain::RawJson::parse("{\"x\":\"canary\"}").unwrap());
    std::sync::Arc::make_mut(&mut handover.progress.user).name = Some("canary".to_owned());
    let claimed = key("k-1", &handover);
    store.open(handover.clone(), Some(claimed.clone())).await.unwrap();
    store.keep_answer(claimed, answer()).await.unwrap();
    store.keep_history(handover.id(), history()).await.unwrap();
    let mut said = next(&mut handover, 3, at(1));
    for event in &mut said.events {
        let text = r#"{"message":{"id":"m","text":"canary","sender":{"type":"agent","name":"canary"}}}"#;
        event.extra = handover_gateway::domain::RawJson::parse(text).unwrap();
    }
    let mut webhook = receipt("e-1", "{\"text\":\"canary\"}");
    webhook.headers = WebhookHeaders(vec![("x-8x8-signature".to_owned(), "canary".to_owned())]);
    let mut posted = message(&handover, Some("m-1"));
    posted.text = Some("canary".to_owned());
    let leave = Call::UserLeaves {
        display_message: Some("canary".to_owned()),
    };
    let mut made = call(&handover);
    made.call = leave;
    let settled = settled(&made.id);
    (said.receipt, said.message, said.calls) = (Some(webhook), Some(posted), vec![made]);
    store.commit(said).await.unwrap();
    store.settle_calls(vec![settled]).await.unwrap();
    store.commit(end(&mut handover, at(10))).await.unwrap();
    deliver_all(store, &handover).await;
    handover
}

fn settled(id: &handover_gateway::domain::CallId) -> CallSettled {
    CallSettled {
        id: id.clone(),
        outcome: CallOutcome::Done,
        message: None,
        at: at(2),
    }
}

async fn deliver_all(store: &dyn Store, handover: &Handover) {
    while let Some(claimed) = store.claim(vec![lane(handover)], at(20)).await.unwrap().pop() {
        settle(store, &claimed, Verdict::Done, at(20)).await;
    }
}

/// Everything that can be read of it.
async fn read(store: &dyn Store, handover: &Handover) -> String {
    let id = handover.id();
    let page = store.events(id, 0, 100).await.unwrap();
    let all = store.bot_events(&bot(), 0, 100).await.unwrap();
    let key = store.idempotency(&bot(), "POST /v1/handovers", "k-1").await.unwrap();
    let webhook = store.webhook_of(id, "e-1").await.unwrap();
    format!(
        "{:?} {page:?} {all:?} {:?} {:?} {:?} {key:?} {webhook:?}",
        store.handover(id).await.unwrap(),
        store.messages(id).await.unwrap(),
        store.history(id).await.unwrap(),
        store.timeline(id, 100).await.unwrap(),
    )
}

async fn erase_all(store: &dyn Store, handover: &Handover) {
    for _ in 0..100 {
        if store.erase_slice(handover.id(), 2).await.unwrap() == 0 {
            return;
        }
    }
    panic!("erasing does not end");
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn no_word_is_left_of_an_erased_handover_and_its_record_is(#[case] mut stand: Stand) {
    let store = stand.store();
    let handover = full(&*store).await;
    assert!(read(&*store, &handover).await.matches(CANARY).count() > 10);
    let timeline = store.timeline(handover.id(), 100).await.unwrap();
    let entry = AuditEntry::new(at(30), &Actor::Cli, "content.erase");
    let next = erased(&handover, at(30));
    assert!(store.begin_erasing(next.clone(), Some(entry.clone())).await.unwrap());
    assert!(
        !store.begin_erasing(next.clone(), Some(entry.clone())).await.unwrap(),
        "stale"
    );
    assert_eq!(store.audit_log(10).await.unwrap(), [entry]);
    erase_all(&*store, &handover).await;
    drop(store);

    stand.restart();
    let store = stand.store();
    let left = read(&*store, &handover).await;
    assert!(!left.contains(CANARY), "{left}");
    assert_eq!(store.handover(handover.id()).await.unwrap(), Some(next));
    let after = store.timeline(handover.id(), 100).await.unwrap();
    assert_eq!(format!("{after:?}"), format!("{timeline:?}"), "the record is as it was");
    assert_eq!(store.erasable(at(1000), 10).await.unwrap(), []);
    // A repeat is still known for one.
    let mut again = unchanged(&handover);
    again.receipt = Some(receipt("e-1", "{\"text\":\"canary\"}"));
    let seen = store.commit(again).await.unwrap();
    assert_eq!(seen, handover_gateway::store::Committed::Seen { same_body: true });
    let record = store.idempotency(&bot(), "POST /v1/handovers", "k-1").await.unwrap();
    assert_eq!(record.unwrap().answer.unwrap().status, 201);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn erasing_that_a_crash_cut_off_is_found_and_gone_on_with(#[case] mut stand: Stand) {
    let store = stand.store();
    let handover = full(&*store).await;
    store.begin_erasing(erased(&handover, at(11)), None).await.unwrap();
    store.erase_slice(handover.id(), 1).await.unwrap();
    drop(store);
    stand.restart();

    let store = stand.store();
    if let Stand::Sqlite { .. } = stand {
        // However young it is.
        assert_eq!(store.erasable(at(0), 10).await.unwrap(), [handover.id().clone()]);
        assert!(
            read(&*store, &handover).await.contains(CANARY),
            "there is something left to do"
        );
    }
    erase_all(&*store, &handover).await;
    assert!(!read(&*store, &handover).await.contains(CANARY));
    assert_eq!(store.erasable(at(1000), 10).await.unwrap(), []);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn only_what_is_over_delivered_and_told_8x8_is_erased_by_its_age(#[case] stand: Stand) {
    let store = stand.store();
    let due = async || store.erasable(at(50), 10).await.unwrap();
    let live = opened(&*store, "live").await;
    assert!(
        !store.begin_erasing(with_version(&live), None).await.unwrap(),
        "it goes on"
    );

    let mut old = opened(&*store, "old").await;
    store.commit(end(&mut old, at(10))).await.unwrap();
    assert_eq!(due().await, [], "its end is not delivered");
    deliver_all(&*store, &old).await;
    assert_eq!(due().await, [old.id().clone()]);

    let mut young = opened(&*store, "young").await;
    store
        .commit(Commit {
            deliver: false,
            ..end(&mut young, at(50))
        })
        .await
        .unwrap();

    let mut aside = opened(&*store, "aside").await;
    store.commit(end(&mut aside, at(11))).await.unwrap();
    let claimed = claim(&*store, lane(&aside), at(12)).await;
    settle(&*store, &claimed, Verdict::Aside { at: at(60) }, at(12)).await;

    let mut calling = opened(&*store, "calling").await;
    let mut commit = Commit {
        deliver: false,
        ..end(&mut calling, at(13))
    };
    commit.calls = vec![call(&calling)];
    let open = commit.calls[0].id.clone();
    store.commit(commit).await.unwrap();

    let mut stopped = opened(&*store, "stopped").await;
    store.commit(end(&mut stopped, at(14))).await.unwrap();
    let claimed = claim(&*store, lane(&stopped), at(15)).await;
    settle(&*store, &claimed, Verdict::Stop, at(15)).await;
    assert_eq!(
        due().await,
        [old.id().clone(), stopped.id().clone()],
        "the oldest first"
    );
    assert_eq!(store.erasable(at(50), 1).await.unwrap(), [old.id().clone()]);

    store.settle_calls(vec![settled(&open)]).await.unwrap();
    assert!(due().await.contains(calling.id()));
}

fn with_version(handover: &Handover) -> Handover {
    let mut next = handover.clone();
    next.version += 1;
    next
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_call_8x8_has_not_confirmed_is_erased_when_it_has(#[case] stand: Stand) {
    let store = stand.store();
    let mut handover = opened(&*store, "s-1").await;
    let mut commit = Commit {
        deliver: false,
        ..end(&mut handover, at(1))
    };
    commit.calls = vec![call(&handover)];
    let id = commit.calls[0].id.clone();
    let open = commit.calls[0].clone();
    store.commit(commit).await.unwrap();
    store.begin_erasing(erased(&handover, at(2)), None).await.unwrap();
    erase_all(&*store, &handover).await;
    assert_eq!(
        store.load().await.unwrap().calls,
        [open],
        "8x8 is still to be told all of it"
    );
    assert_eq!(store.erasable(at(100), 10).await.unwrap(), []);
    store.settle_calls(vec![settled(&id)]).await.unwrap();
    assert_eq!(store.erasable(at(0), 10).await.unwrap(), [handover.id().clone()]);
    assert_eq!(store.erase_slice(handover.id(), 10).await.unwrap(), 1);
    assert_eq!(store.erasable(at(100), 10).await.unwrap(), []);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn what_comes_late_to_an_erased_handover_brings_no_words_back(#[case] stand: Stand) {
    let store = stand.store();
    let handover = full(&*store).await;
    let mut unplaced = receipt("e-2", "{\"text\":\"canary\"}");
    unplaced.conversation = Some(conversation("c-2"));
    store.keep_unplaced(unplaced.clone()).await.unwrap();
    let mut next = erased(&handover, at(30));
    store.begin_erasing(next.clone(), None).await.unwrap();
    erase_all(&*store, &handover).await;

    store.keep_history(handover.id(), history()).await.unwrap();
    store.keep_answer(key("k-1", &handover), answer()).await.unwrap();
    let mut late = crate::store_contract::fixtures::next(&mut next, 0, at(31));
    late.receipt = Some(unplaced.without_content());
    store.commit(late).await.unwrap();
    let left = read(&*store, &handover).await;
    assert!(!left.contains(CANARY), "{left}");
    assert_eq!(store.webhook_of(handover.id(), "e-2").await.unwrap(), None);
    assert!(
        store
            .unplaced(&account(), &conversation("c-2"))
            .await
            .unwrap()
            .is_empty()
    );
}
