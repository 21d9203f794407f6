//! What failed is listed, and comes again in order when somebody asks; lanes that are held up are seen.

use std::time::Duration;

use handover_gateway::domain::BotName;
use handover_gateway::domain::EventId;
use handover_gateway::domain::Handover;
use handover_gateway::domain::State;
use handover_gateway::domain::Timestamp;
use handover_gateway::store::AgentKnows;
use handover_gateway::store::Claimed;
use handover_gateway::store::Recover;
use handover_gateway::store::Recovered;
use handover_gateway::store::Store;
use handover_gateway::store::Target;
use handover_gateway::store::Verdict;
use rstest::rstest;

use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::bot;
use crate::store_contract::fixtures::claim;
use crate::store_contract::fixtures::end;
use crate::store_contract::fixtures::lane;
use crate::store_contract::fixtures::next;
use crate::store_contract::fixtures::opened;
use crate::store_contract::fixtures::settle;
use crate::store_contract::fixtures::settlement;
use crate::store_contract::fixtures::unchanged;
use crate::store_contract::stand::Stand;

const FAILED: Verdict = Verdict::Failed { reason: "deadline" };

/// A handover with so many events, and their ids.
async fn with_events(store: &dyn Store, session: &str, events: u64) -> (Handover, Vec<EventId>) {
    let mut handover = opened(store, session).await;
    let commit = next(&mut handover, events, at(1));
    let ids = commit.events.iter().map(|event| event.id.clone()).collect();
    store.commit(commit).await.unwrap();
    (handover, ids)
}

/// The heads of its lane are given up one after the other, each a second later.
async fn give_up(store: &dyn Store, handover: &Handover, count: i64, from: i64) {
    for second in from..from + count {
        let claimed = claim(store, lane(handover), at(second)).await;
        settle(store, &claimed, FAILED, at(second)).await;
    }
}

async fn failed(store: &dyn Store) -> Vec<EventId> {
    let page = store.failed_deliveries(&bot(), None, 100).await.unwrap();
    page.deliveries.into_iter().map(|delivery| delivery.event).collect()
}

/// What is due beside the lanes at some time, claimed.
async fn asides(store: &dyn Store, now: Timestamp) -> Vec<Claimed> {
    let due = store.due_asides(now, 100).await.unwrap();
    let targets = due.into_iter().map(|aside| Target::Aside(aside.event)).collect();
    store.claim(targets, now).await.unwrap()
}

fn since(seconds: i64, limit: usize) -> Recover {
    Recover {
        bot: bot(),
        since: at(seconds),
        until: at(100),
        now: at(100),
        start: at(100),
        apart: Duration::from_secs(1),
        limit,
    }
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn failed_deliveries_are_listed_newest_first_and_only_to_their_bot(#[case] stand: Stand) {
    let store = stand.store();
    let (handover, ids) = with_events(&*store, "s-1", 4).await;
    give_up(&*store, &handover, 3, 2).await;
    let page = store.failed_deliveries(&bot(), None, 2).await.unwrap();
    let mut sorted: Vec<_> = ids[..3].to_vec();
    sorted.sort_by(|one, other| other.cmp(one));
    let listed: Vec<_> = page.deliveries.iter().map(|delivery| delivery.event.clone()).collect();
    assert_eq!((&listed[..], page.more), (&sorted[..2], true));
    let rest = store.failed_deliveries(&bot(), Some(&sorted[1]), 2).await.unwrap();
    assert_eq!((rest.deliveries.len(), rest.more), (1, false));
    let shown = page.deliveries.iter().find(|delivery| delivery.sequence == 2);
    let shown = shown
        .or_else(|| rest.deliveries.iter().find(|delivery| delivery.sequence == 2))
        .unwrap();
    assert_eq!(
        (&shown.handover, shown.kind.as_str()),
        (handover.id(), "message.created")
    );
    assert_eq!((shown.attempts, shown.first_attempt_at), (1, Some(at(3))));
    assert_eq!((shown.failed_at, shown.reason.as_str()), (at(3), "deadline"));
    let sales = store.failed_deliveries(&BotName::new("sales"), None, 9).await.unwrap();
    assert!(sales.deliveries.is_empty() && !sales.more);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn what_is_asked_for_again_comes_one_at_a_time_the_oldest_first(#[case] mut stand: Stand) {
    let store = stand.store();
    let (handover, ids) = with_events(&*store, "s-1", 4).await;
    give_up(&*store, &handover, 3, 2).await;
    for id in [&ids[1], &ids[2], &ids[0]] {
        let resent = store.resend(&bot(), id, at(10)).await.unwrap().unwrap();
        assert_eq!((&resent.handover, resent.resumed), (handover.id(), false));
    }
    assert!(failed(&*store).await.is_empty());
    drop(store);
    stand.restart();
    let store = stand.store();
    // The first that was asked for is on its way; of the others the oldest comes next.
    let mut came = Vec::new();
    for second in 11..14 {
        let claimed = asides(&*store, at(second)).await;
        assert_eq!(claimed.len(), 1, "one at a time");
        assert!(claimed[0].replay);
        assert_eq!(
            (claimed[0].attempts, claimed[0].first_attempt_at),
            (0, None),
            "clocks begin anew"
        );
        assert!(asides(&*store, at(second)).await.is_empty());
        came.push(claimed[0].event.sequence);
        let verdict = if second == 12 { FAILED } else { Verdict::Done };
        settle(&*store, &claimed[0], verdict, at(second)).await;
    }
    assert_eq!(came, [2, 1, 3]);
    assert!(asides(&*store, at(100)).await.is_empty());
    assert_eq!(failed(&*store).await, [ids[0].clone()], "one may fail again");
    let head = claim(&*store, lane(&handover), at(14)).await;
    assert_eq!(
        (head.event.sequence, head.replay),
        (4, false),
        "the lane goes its own way"
    );
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn an_event_that_was_delivered_can_be_had_again_and_one_on_its_way_is_not_doubled(#[case] stand: Stand) {
    let store = stand.store();
    let (handover, ids) = with_events(&*store, "s-1", 3).await;
    let first = claim(&*store, lane(&handover), at(2)).await;
    settle(&*store, &first, Verdict::Done, at(2)).await;
    for _ in 0..3 {
        store.resend(&bot(), &ids[0], at(3)).await.unwrap().unwrap();
    }
    let again = asides(&*store, at(3)).await;
    assert_eq!((again.len(), again[0].event.sequence), (1, 1));
    store.resend(&bot(), &ids[0], at(3)).await.unwrap().unwrap();
    settle(&*store, &again[0], Verdict::Done, at(3)).await;
    assert!(
        asides(&*store, at(9)).await.is_empty(),
        "one asked for while under way is that one"
    );

    let second = claim(&*store, lane(&handover), at(4)).await;
    settle(&*store, &second, Verdict::Again { at: at(30) }, at(4)).await;
    store.resend(&bot(), &ids[1], at(5)).await.unwrap().unwrap();
    assert!(asides(&*store, at(9)).await.is_empty());
    let head = claim(&*store, lane(&handover), at(5)).await;
    assert_eq!(
        (head.event.sequence, head.replay),
        (2, false),
        "the head is tried at once, in its place"
    );
    settle(&*store, &head, Verdict::Aside { at: at(60) }, at(5)).await;
    store.resend(&bot(), &ids[1], at(6)).await.unwrap().unwrap();
    let aside = asides(&*store, at(6)).await;
    assert_eq!((aside.len(), aside[0].replay, aside[0].attempts), (1, false, 2));
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn nobody_resends_what_is_not_theirs_or_was_never_to_be_delivered(#[case] stand: Stand) {
    let store = stand.store();
    let (handover, ids) = with_events(&*store, "s-1", 1).await;
    give_up(&*store, &handover, 1, 2).await;
    let sales = BotName::new("sales");
    assert_eq!(store.resend(&sales, &ids[0], at(3)).await.unwrap(), None);
    assert_eq!(
        store.resend(&bot(), &EventId::generate(at(3)), at(3)).await.unwrap(),
        None
    );
    let mut pulling = opened(&*store, "s-2").await;
    let mut pulled = next(&mut pulling, 1, at(2));
    pulled.deliver = false;
    let id = pulled.events[0].id.clone();
    store.commit(pulled).await.unwrap();
    assert_eq!(store.resend(&bot(), &id, at(3)).await.unwrap(), None);
    let all = Recover {
        bot: sales,
        ..since(0, 100)
    };
    assert_eq!(store.recover(all).await.unwrap(), Recovered::default());
    assert_eq!(failed(&*store).await, ids);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_lane_that_was_stopped_lists_its_head_and_goes_on_from_there(#[case] mut stand: Stand) {
    let store = stand.store();
    let (handover, ids) = with_events(&*store, "s-1", 3).await;
    give_up(&*store, &handover, 1, 2).await;
    let second = claim(&*store, lane(&handover), at(3)).await;
    settle(&*store, &second, Verdict::Stop, at(3)).await;
    let listed = store.failed_deliveries(&bot(), None, 9).await.unwrap().deliveries;
    let gone = listed.iter().find(|delivery| delivery.sequence == 2).unwrap();
    assert_eq!(
        (gone.reason.as_str(), gone.failed_at, gone.attempts),
        ("gone", at(3), 1)
    );
    // Any event of the handover will do.
    let resent = store.resend(&bot(), &ids[0], at(500)).await.unwrap().unwrap();
    assert!(resent.resumed);
    drop(store);
    stand.restart();
    let store = stand.store();
    assert!(failed(&*store).await.is_empty(), "the head is the lane's again");
    for sequence in 2..=3 {
        let head = claim(&*store, lane(&handover), at(500)).await;
        assert_eq!(
            (head.event.sequence, head.attempts, head.first_attempt_at),
            (sequence, 0, None)
        );
        settle(&*store, &head, Verdict::Done, at(500)).await;
    }
    let beside = asides(&*store, at(500)).await;
    assert_eq!((beside.len(), beside[0].event.sequence), (1, 1));
    let again = store.resend(&bot(), &ids[2], at(501)).await.unwrap().unwrap();
    assert!(!again.resumed);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn recovery_puts_back_what_failed_since_a_time_a_handover_at_once_and_spread(#[case] stand: Stand) {
    let store = stand.store();
    let (first, _) = with_events(&*store, "s-1", 3).await;
    let (second, _) = with_events(&*store, "s-2", 2).await;
    let (stopped, _) = with_events(&*store, "s-3", 2).await;
    give_up(&*store, &first, 3, 10).await;
    give_up(&*store, &second, 2, 20).await;
    let head = claim(&*store, lane(&stopped), at(30)).await;
    settle(&*store, &head, Verdict::Stop, at(30)).await;
    // A slice ends with the handover in which its limit is reached.
    let slice = store.recover(since(11, 1)).await.unwrap();
    assert_eq!(
        slice,
        Recovered {
            deliveries: 2,
            resumed: 0
        }
    );
    let slice = store.recover(since(11, 2)).await.unwrap();
    assert_eq!(
        slice,
        Recovered {
            deliveries: 2,
            resumed: 0
        }
    );
    let slice = store.recover(since(11, 100)).await.unwrap();
    assert_eq!(
        slice,
        Recovered {
            deliveries: 1,
            resumed: 1
        }
    );
    assert_eq!(store.recover(since(11, 100)).await.unwrap(), Recovered::default());
    assert_eq!(failed(&*store).await.len(), 1, "what failed before stays");
    claim(&*store, lane(&stopped), at(100)).await;
    let mut came = Vec::new();
    for second in 100..104 {
        for claimed in asides(&*store, at(second)).await {
            came.push((second, claimed.context.handover.clone(), claimed.event.sequence));
            settle(&*store, &claimed, Verdict::Done, at(second)).await;
        }
    }
    let (one, two) = (first.id().clone(), second.id().clone());
    let of = |id| {
        let mine = came.iter().filter(move |(_, of, _)| *of == id);
        mine.map(|(second, _, sequence)| (*second, *sequence))
            .collect::<Vec<_>>()
    };
    assert_eq!(of(one), [(100, 2), (101, 3)]);
    assert_eq!(of(two), [(100, 1), (101, 2)]);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn what_failed_earlier_in_a_lane_comes_first_however_late_it_was_given_up(#[case] stand: Stand) {
    let store = stand.store();
    let (handover, _) = with_events(&*store, "s-1", 2).await;
    let join = claim(&*store, lane(&handover), at(2)).await;
    settle(&*store, &join, Verdict::Aside { at: at(3) }, at(2)).await;
    give_up(&*store, &handover, 1, 4).await;
    let aside = asides(&*store, at(50)).await;
    settle(&*store, &aside[0], FAILED, at(50)).await;
    store.recover(since(0, 100)).await.unwrap();
    let first = asides(&*store, at(200)).await;
    assert_eq!((first.len(), first[0].event.sequence), (1, 1));
}

/// With an agent in it.
async fn served(store: &dyn Store, handover: &mut Handover) {
    handover.progress.state = State::Active;
    store.commit(next(handover, 0, at(1))).await.unwrap();
}

async fn is_held_up(store: &dyn Store, before: i64) -> bool {
    !store.held_up(at(before), None, 9).await.unwrap().is_empty()
}

async fn has_caught_up(store: &dyn Store, before: i64) -> bool {
    !store.caught_up(at(before), None, 9).await.unwrap().is_empty()
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_lane_is_held_up_while_something_said_waits_and_nothing_goes(#[case] mut stand: Stand) {
    let store = stand.store();
    let (mut handover, _) = with_events(&*store, "s-1", 2).await;
    assert!(!is_held_up(&*store, 60).await, "nobody is there to be told");
    served(&*store, &mut handover).await;
    assert!(is_held_up(&*store, 1).await && !is_held_up(&*store, 0).await);
    let first = claim(&*store, lane(&handover), at(5)).await;
    settle(&*store, &first, Verdict::Again { at: at(9) }, at(5)).await;
    assert!(is_held_up(&*store, 1).await, "an attempt changes nothing");
    let first = claim(&*store, lane(&handover), at(10)).await;
    settle(&*store, &first, Verdict::Done, at(10)).await;
    assert!(
        !is_held_up(&*store, 9).await && is_held_up(&*store, 10).await,
        "something went"
    );
    let held = store.held_up(at(60), None, 9).await.unwrap();
    assert_eq!(store.held_up(at(60), Some(held[0].clone()), 9).await.unwrap(), []);

    handover.progress.agent_knows = true;
    let mut told = next(&mut handover, 0, at(70));
    told.agent_knows = Some(AgentKnows::Yes);
    store.commit(told).await.unwrap();
    drop(store);
    stand.restart();
    let store = stand.store();
    assert!(!is_held_up(&*store, 60).await, "the agent knows");
    assert!(!has_caught_up(&*store, 60).await, "and it is not over");
    let second = claim(&*store, lane(&handover), at(80)).await;
    let mut given_up = settlement(&second, FAILED, at(80));
    given_up.attempt.as_mut().unwrap().status = Some(500);
    store.settle(vec![given_up]).await.unwrap();
    assert!(!has_caught_up(&*store, 60).await, "giving up is no success");
    store.commit(next(&mut handover, 1, at(90))).await.unwrap();
    assert!(!has_caught_up(&*store, 60).await);
    let third = claim(&*store, lane(&handover), at(91)).await;
    settle(&*store, &third, Verdict::Done, at(91)).await;
    assert_eq!(store.caught_up(at(60), None, 9).await.unwrap(), [handover.id().clone()]);
    assert_eq!(
        store.caught_up(at(60), Some(handover.id().clone()), 9).await.unwrap(),
        []
    );
    let mut over = unchanged(&handover);
    over.agent_knows = Some(AgentKnows::No);
    store.commit(over).await.unwrap();
    assert!(!has_caught_up(&*store, 60).await);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_lane_that_only_gives_up_is_as_quiet_as_before(#[case] stand: Stand) {
    let store = stand.store();
    let (mut handover, _) = with_events(&*store, "s-1", 3).await;
    served(&*store, &mut handover).await;
    give_up(&*store, &handover, 1, 10).await;
    let second = claim(&*store, lane(&handover), at(11)).await;
    settle(&*store, &second, Verdict::Aside { at: at(90) }, at(11)).await;
    assert!(is_held_up(&*store, 1).await);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_stopped_lane_is_held_up_and_an_end_ends_that(#[case] stand: Stand) {
    let store = stand.store();
    let (mut handover, _) = with_events(&*store, "s-1", 1).await;
    served(&*store, &mut handover).await;
    let head = claim(&*store, lane(&handover), at(5)).await;
    let mut stop = settlement(&head, Verdict::Stop, at(5));
    stop.attempt.as_mut().unwrap().status = Some(410);
    store.settle(vec![stop]).await.unwrap();
    assert!(is_held_up(&*store, 60).await);
    let mut told = next(&mut handover, 0, at(70));
    told.agent_knows = Some(AgentKnows::Yes);
    store.commit(told).await.unwrap();
    assert!(!has_caught_up(&*store, 60).await);
    store.commit(end(&mut handover, at(71))).await.unwrap();
    assert!(has_caught_up(&*store, 60).await && !is_held_up(&*store, 60).await);
}
