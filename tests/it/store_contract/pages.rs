//! What is read in pages: handovers, a handover's events, a bot's events.

use handover_gateway::domain::BotName;
use handover_gateway::domain::HandoverId;
use handover_gateway::domain::State;
use handover_gateway::store::HandoverFilter;
use handover_gateway::store::Store;
use rstest::rstest;

use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::bot;
use crate::store_contract::fixtures::conversation;
use crate::store_contract::fixtures::creating;
use crate::store_contract::fixtures::end;
use crate::store_contract::fixtures::next;
use crate::store_contract::fixtures::opened;
use crate::store_contract::stand::Stand;

fn filter() -> HandoverFilter {
    HandoverFilter {
        bot: bot(),
        states: Vec::new(),
        conversation: None,
        bot_session_id: None,
        before: None,
        limit: 10,
    }
}

async fn ids(store: &dyn Store, filter: HandoverFilter) -> (Vec<HandoverId>, bool) {
    let page = store.handovers(filter).await.unwrap();
    (page.handovers.iter().map(|h| h.id().clone()).collect(), page.more)
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn handovers_are_listed_newest_first_by_what_was_asked(#[case] stand: Stand) {
    let store = stand.store();
    let mut made = Vec::new();
    for second in 0..4 {
        let mut handover = creating(Some(&format!("s-{second}")), at(second));
        store.open(handover.clone(), None).await.unwrap();
        handover.progress.conversation = Some(conversation(&format!("c-{second}")));
        handover.progress.state = State::Queued;
        store.commit(next(&mut handover, 1, at(second))).await.unwrap();
        made.push(handover);
    }
    store.commit(end(&mut made[1], at(10))).await.unwrap();
    let id = |place: usize| made[place].id().clone();
    let some = |places: &[usize]| places.iter().map(|place| id(*place)).collect::<Vec<_>>();

    assert_eq!(ids(&*store, filter()).await, (some(&[3, 2, 1, 0]), false));
    let two = HandoverFilter { limit: 2, ..filter() };
    assert_eq!(ids(&*store, two.clone()).await, (some(&[3, 2]), true));
    let before = Some(id(2));
    assert_eq!(
        ids(&*store, HandoverFilter { before, ..two }).await,
        (some(&[1, 0]), false)
    );
    let live: Vec<State> = State::ALL.into_iter().filter(|state| state.is_live()).collect();
    let live = HandoverFilter {
        states: live,
        ..filter()
    };
    assert_eq!(ids(&*store, live).await, (some(&[3, 2, 0]), false));
    let ended = vec![State::Ended, State::Failed];
    let ended = HandoverFilter {
        states: ended,
        ..filter()
    };
    assert_eq!(ids(&*store, ended).await, (some(&[1]), false));
    let on = HandoverFilter {
        conversation: Some(conversation("c-2")),
        ..filter()
    };
    assert_eq!(ids(&*store, on).await, (some(&[2]), false));
    let of = HandoverFilter {
        bot_session_id: Some("s-3".to_owned()),
        ..filter()
    };
    assert_eq!(ids(&*store, of.clone()).await, (some(&[3]), false));
    let neither = HandoverFilter {
        conversation: Some(conversation("c-2")),
        ..of
    };
    assert_eq!(ids(&*store, neither).await, (Vec::new(), false));
    let other = HandoverFilter {
        bot: BotName::new("sales"),
        ..filter()
    };
    assert_eq!(ids(&*store, other).await, (Vec::new(), false));
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_handovers_events_are_read_after_a_sequence(#[case] stand: Stand) {
    let store = stand.store();
    let mut handover = opened(&*store, "s-1").await;
    let first = next(&mut handover, 3, at(1));
    store.commit(first.clone()).await.unwrap();
    let last = end(&mut handover, at(2));
    store.commit(last.clone()).await.unwrap();

    let page = store.events(handover.id(), 1, 2).await.unwrap().unwrap();
    assert_eq!(page.events, first.events[1..]);
    assert_eq!(page.state, State::Ended);
    assert_eq!(page.context.metadata, handover.facts.metadata);
    let page = store.events(handover.id(), 3, 10).await.unwrap().unwrap();
    assert_eq!(page.events, last.events);
    assert!(
        store
            .events(handover.id(), 4, 10)
            .await
            .unwrap()
            .unwrap()
            .events
            .is_empty()
    );
    let unknown = HandoverId::generate(at(0));
    assert!(store.events(&unknown, 0, 10).await.unwrap().is_none());
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_bots_events_are_read_in_the_order_of_their_commits(#[case] mut stand: Stand) {
    let store = stand.store();
    let mut one = opened(&*store, "s-1").await;
    let mut other = opened(&*store, "s-2").await;
    assert_eq!(store.bot_position(&bot()).await.unwrap(), 0);
    store.commit(next(&mut one, 1, at(1))).await.unwrap();
    store.commit(next(&mut other, 1, at(1))).await.unwrap();
    store.commit(next(&mut one, 2, at(1))).await.unwrap();
    drop(store);

    stand.restart();
    let store = stand.store();
    let all = store.bot_events(&bot(), 0, 10).await.unwrap().events;
    let told: Vec<_> = all
        .iter()
        .map(|event| (event.context.handover.clone(), event.event.sequence))
        .collect();
    let (first, second) = (one.id().clone(), other.id().clone());
    assert_eq!(
        told,
        vec![(first.clone(), 1), (second, 1), (first.clone(), 2), (first, 3)]
    );
    assert!(all.is_sorted_by(|earlier, later| earlier.position < later.position));
    assert_eq!(store.bot_position(&bot()).await.unwrap(), all[3].position);
    let rest = store.bot_events(&bot(), all[1].position, 1).await.unwrap().events;
    assert_eq!((rest.len(), rest[0].position), (1, all[2].position));
    assert!(
        store
            .bot_events(&BotName::new("sales"), 0, 10)
            .await
            .unwrap()
            .events
            .is_empty()
    );
}
