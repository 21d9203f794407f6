//! What waits for bots: counted, given up from its oldest on, and put aside where it cannot be read.

use handover_gateway::clock::Clock;
use handover_gateway::delivery::BacklogKeeper;
use handover_gateway::delivery::DeliveryMetrics;
use handover_gateway::delivery::DeliverySettings;
use handover_gateway::domain::BotName;
use handover_gateway::domain::Handover;
use handover_gateway::store::ATTEMPTS_KEPT;
use handover_gateway::store::Backlog;
use handover_gateway::store::BacklogAsked;
use handover_gateway::store::GivenUp;
use handover_gateway::store::OUTAGES_KEPT;
use handover_gateway::store::Outage;
use handover_gateway::store::Store;
use handover_gateway::store::StoreError;
use handover_gateway::store::Target;
use handover_gateway::store::Verdict;
use rstest::rstest;

use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::bot;
use crate::store_contract::fixtures::claim;
use crate::store_contract::fixtures::lane;
use crate::store_contract::fixtures::next;
use crate::store_contract::fixtures::opened;
use crate::store_contract::fixtures::settle;
use crate::store_contract::stand::Stand;

const ALL: BacklogAsked = BacklogAsked {
    long_lane: 3,
    weigh_from: 0,
};

/// A handover with so many events to deliver.
async fn with_events(store: &dyn Store, session: &str, events: u64, second: i64) -> Handover {
    let mut handover = opened(store, session).await;
    store.commit(next(&mut handover, events, at(second))).await.unwrap();
    handover
}

/// What became a failed delivery, in the order of its sequences.
async fn failed(store: &dyn Store, handover: &Handover) -> Vec<(u64, Option<String>)> {
    let timeline = store.timeline(handover.id(), 10_000).await.unwrap();
    let mut failed: Vec<_> = timeline
        .deliveries
        .into_iter()
        .filter(|delivery| delivery.status == "failed")
        .map(|delivery| (delivery.sequence, delivery.reason))
        .collect();
    failed.sort();
    failed
}

fn quota(sequences: std::ops::RangeInclusive<u64>) -> Vec<(u64, Option<String>)> {
    sequences
        .map(|sequence| (sequence, Some("backlog-quota".to_owned())))
        .collect()
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn what_waits_is_counted_for_each_bot(#[case] stand: Stand) {
    let store = stand.store();
    assert_eq!(store.backlog(ALL).await.unwrap(), []);
    let first = with_events(&*store, "s-1", 5, 10).await;
    let second = with_events(&*store, "s-2", 2, 5).await;
    let bytes: u64 = (1..=5)
        .chain(1..=2)
        .map(|n| format!("{{\"message\":{{\"text\":\"{n}\"}}}}").len() as u64)
        .sum();
    let expected = Backlog {
        bot: bot(),
        events: 7,
        bytes: Some(bytes),
        oldest_at: Some(at(5)),
        long_lanes: vec![(first.id().clone(), 5)],
    };
    assert_eq!(store.backlog(ALL).await.unwrap(), [expected]);
    let unweighed = BacklogAsked { weigh_from: 8, ..ALL };
    assert_eq!(store.backlog(unweighed).await.unwrap()[0].bytes, None);
    // Delivered, or stopped: it does not wait any more.
    let claimed = claim(&*store, lane(&first), at(20)).await;
    settle(&*store, &claimed, Verdict::Done, at(20)).await;
    assert_eq!(store.backlog(ALL).await.unwrap()[0].events, 6);
    let claimed = claim(&*store, lane(&second), at(20)).await;
    settle(&*store, &claimed, Verdict::Stop, at(20)).await;
    let left = store.backlog(ALL).await.unwrap().remove(0);
    assert_eq!((left.events, left.oldest_at), (4, Some(at(10))));
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn the_oldest_of_a_lane_become_failed_deliveries_and_the_lane_goes_on(#[case] stand: Stand) {
    let store = stand.store();
    let handover = with_events(&*store, "s-1", 5, 1).await;
    let first = claim(&*store, lane(&handover), at(2)).await;
    settle(&*store, &first, Verdict::Again { at: at(500) }, at(2)).await;
    let of_lane = |events| GivenUp::OfLane(handover.id().clone(), events);
    let held = claim(&*store, lane(&handover), at(500)).await;
    assert_eq!(
        store.give_up(of_lane(2), at(501)).await.unwrap(),
        0,
        "an attempt is under way"
    );
    settle(&*store, &held, Verdict::Again { at: at(900) }, at(502)).await;
    assert_eq!(store.give_up(of_lane(2), at(503)).await.unwrap(), 2);
    assert_eq!(failed(&*store, &handover).await, quota(1..=2));
    let timeline = store.timeline(handover.id(), 10).await.unwrap();
    let tries: Vec<_> = timeline
        .deliveries
        .iter()
        .map(|delivery| (delivery.sequence, delivery.attempts))
        .collect();
    assert!(tries.contains(&(1, 2)) && tries.contains(&(2, 0)), "{tries:?}");
    let third = claim(&*store, lane(&handover), at(503)).await;
    assert_eq!(
        (third.event.sequence, third.attempts, third.first_attempt_at),
        (3, 0, None)
    );
    settle(&*store, &third, Verdict::Done, at(503)).await;
    assert_eq!(store.give_up(of_lane(99), at(504)).await.unwrap(), 2);
    assert_eq!(store.give_up(of_lane(99), at(504)).await.unwrap(), 0);
    let long = with_events(&*store, "s-2", 700, 600).await;
    let all = || GivenUp::OfLane(long.id().clone(), 700);
    assert_eq!(store.give_up(all(), at(601)).await.unwrap(), 500, "a slice at a time");
    assert_eq!(store.give_up(all(), at(601)).await.unwrap(), 200);
    assert_eq!(store.backlog(ALL).await.unwrap(), []);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn the_oldest_of_a_bot_go_first_whatever_their_handover(#[case] stand: Stand) {
    let store = stand.store();
    let mut one = with_events(&*store, "s-1", 2, 1).await;
    let other = with_events(&*store, "s-2", 2, 2).await;
    store.commit(next(&mut one, 2, at(3))).await.unwrap();
    let of_bot = |events| GivenUp::OfBot(bot(), events);
    assert_eq!(store.give_up(of_bot(3), at(9)).await.unwrap(), 3);
    assert_eq!(failed(&*store, &one).await, quota(1..=2));
    assert_eq!(failed(&*store, &other).await, quota(1..=1));
    // What is being tried stays.
    let held = claim(&*store, lane(&other), at(10)).await;
    assert_eq!(store.give_up(of_bot(2), at(10)).await.unwrap(), 1);
    assert_eq!(failed(&*store, &one).await, quota(1..=3));
    assert!(!settle(&*store, &held, Verdict::Done, at(11)).await);
    let nobody = GivenUp::OfBot(BotName::new("nobody"), 5);
    assert_eq!(store.give_up(nobody, at(12)).await.unwrap(), 0);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn outages_outlive_the_process_and_take_bounded_room(#[case] mut stand: Stand) {
    let store = stand.store();
    let outage = |second: usize, until| Outage {
        bot: bot(),
        since: at(i64::try_from(second).unwrap()),
        until,
        usual_per_minute: 90,
    };
    store.keep_outage(outage(1, None)).await.unwrap();
    store.keep_outage(outage(1, Some(at(9)))).await.unwrap();
    let other = Outage {
        bot: BotName::new("other"),
        ..outage(0, None)
    };
    store.keep_outage(other.clone()).await.unwrap();
    drop(store);
    stand.restart();
    let store = stand.store();
    assert_eq!(store.outages().await.unwrap(), [other.clone(), outage(1, Some(at(9)))]);
    for second in 2..=OUTAGES_KEPT + 1 {
        store.keep_outage(outage(second, None)).await.unwrap();
    }
    let kept = store.outages().await.unwrap();
    assert_eq!(kept.len(), OUTAGES_KEPT + 1);
    assert_eq!(kept[..2], [other, outage(2, None)]);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn of_an_events_attempts_the_newest_are_kept(#[case] stand: Stand) {
    let store = stand.store();
    let handover = with_events(&*store, "s-1", 2, 1).await;
    let tries = i64::from(ATTEMPTS_KEPT) + 20;
    for second in 0..tries {
        let claimed = claim(&*store, lane(&handover), at(second + 10)).await;
        settle(
            &*store,
            &claimed,
            Verdict::Again { at: at(second + 11) },
            at(second + 10),
        )
        .await;
    }
    let timeline = store.timeline(handover.id(), 1_000).await.unwrap();
    let numbers: Vec<u32> = timeline.attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers.len(), usize::try_from(ATTEMPTS_KEPT).unwrap());
    assert_eq!((numbers.iter().min(), numbers.iter().max()), (Some(&21), Some(&70)));
}

/// A row as a fault of the disk or of a hand leaves it.
fn spoil(stand: &Stand, handover: &Handover, sequence: u64, change: &str) {
    let Stand::Sqlite { folder, .. } = stand else {
        panic!("a file")
    };
    let db = rusqlite::Connection::open(folder.path().join("handover.db")).unwrap();
    let sql = format!("UPDATE event SET {change} WHERE handover = ?1 AND sequence = ?2");
    let sequence = i64::try_from(sequence).unwrap();
    assert_eq!(
        db.execute(&sql, rusqlite::params![handover.id().as_str(), sequence])
            .unwrap(),
        1
    );
}

#[rstest]
#[case("extra = '{broken'")]
#[case("type = 'of another world'")]
#[case("state = '?'")]
#[case("id = 'x'")]
#[case("extra = ''")]
#[tokio::test]
async fn an_event_that_cannot_be_read_says_so_and_is_passed_over_when_it_is_given_up(#[case] change: &str) {
    let stand = Stand::sqlite();
    let store = stand.store();
    let bad = with_events(&*store, "s-1", 2, 1).await;
    let good = with_events(&*store, "s-2", 1, 1).await;
    spoil(&stand, &bad, 1, change);
    for _again in 0..2 {
        let both = store.claim(vec![lane(&good), lane(&bad)], at(2)).await;
        assert!(matches!(both, Err(StoreError::Inconsistent { .. })), "{both:?}");
    }
    claim(&*store, lane(&good), at(2)).await;
    let unreadable = GivenUp::Unreadable(lane(&bad));
    assert_eq!(store.give_up(unreadable, at(3)).await.unwrap(), 1);
    assert_eq!(claim(&*store, lane(&bad), at(3)).await.event.sequence, 2);
}

#[tokio::test]
async fn an_event_beside_its_lane_that_cannot_be_read_is_given_up_alone() {
    let stand = Stand::sqlite();
    let store = stand.store();
    let handover = with_events(&*store, "s-1", 2, 1).await;
    let first = claim(&*store, lane(&handover), at(2)).await;
    settle(&*store, &first, Verdict::Aside { at: at(3) }, at(2)).await;
    spoil(&stand, &handover, 1, "extra = '['");
    let aside = Target::Aside(first.event.id.clone());
    assert!(store.claim(vec![aside.clone()], at(4)).await.is_err());
    assert_eq!(store.give_up(GivenUp::Unreadable(aside), at(4)).await.unwrap(), 1);
    assert_eq!(store.due_asides(at(100), 10).await.unwrap(), []);
    assert_eq!(failed(&*store, &handover).await, [(1, Some("unreadable".to_owned()))]);
    assert_eq!(claim(&*store, lane(&handover), at(4)).await.event.sequence, 2);
}

fn keeper(stand: &Stand, per_bot: usize) -> BacklogKeeper {
    let settings = DeliverySettings {
        backlog_per_bot: per_bot,
        ..DeliverySettings::default()
    };
    let clock = Clock::manual(at(100));
    BacklogKeeper::new(stand.store(), clock, &settings, DeliveryMetrics::default())
}

#[tokio::test]
async fn a_handover_keeps_its_newest_thousand_events_and_a_bot_its_newest() {
    let stand = Stand::sqlite();
    let store = stand.store();
    let long = with_events(&*store, "s-1", 2_300, 1).await;
    let short = with_events(&*store, "s-2", 10, 2).await;
    let mut keeper = keeper(&stand, 1_000_000);
    assert_eq!(keeper.step().await.unwrap(), 1_300);
    assert_eq!(keeper.step().await.unwrap(), 0);
    assert_eq!(failed(&*store, &long).await, quota(1..=1_300));
    assert_eq!(failed(&*store, &short).await, []);
    assert_eq!(claim(&*store, lane(&long), at(101)).await.event.sequence, 1_301);

    let mut keeper = self::keeper(&stand, 400);
    while keeper.step().await.unwrap() > 0 {}
    // The head of the long one is being tried: it stays, and all behind it.
    assert_eq!(failed(&*store, &long).await.len(), 1_300);
}

#[tokio::test]
async fn beyond_a_bots_quota_the_oldest_of_all_its_handovers_go() {
    let stand = Stand::sqlite();
    let store = stand.store();
    let mut handovers = Vec::new();
    for number in 0..30 {
        handovers.push(with_events(&*store, &format!("s-{number}"), 50, number).await);
    }
    let mut keeper = keeper(&stand, 200);
    while keeper.step().await.unwrap() > 0 {}
    assert_eq!(store.backlog(ALL).await.unwrap()[0].events, 200);
    for (number, handover) in handovers.iter().enumerate() {
        let expected = if number < 26 { 50 } else { 0 };
        assert_eq!(failed(&*store, handover).await.len(), expected, "{number}");
    }
    assert_eq!(keeper.step().await.unwrap(), 0, "and no more than that");
}
