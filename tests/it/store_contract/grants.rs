//! Grants of the token endpoint, and webhooks kept as they came.

use handover_gateway::domain::HandoverId;
use handover_gateway::domain::TenantName;
use handover_gateway::domain::WebhookHeaders;
use handover_gateway::store::Access;
use handover_gateway::store::Commit;
use handover_gateway::store::Committed;
use handover_gateway::store::Exchange;
use handover_gateway::store::Exchanged;
use handover_gateway::store::Grant;
use rstest::rstest;

use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::creating;
use crate::store_contract::fixtures::next;
use crate::store_contract::fixtures::opened;
use crate::store_contract::fixtures::receipt;
use crate::store_contract::stand::Stand;

fn grant(family: &str, holder: u8, expires_at: i64) -> Grant {
    Grant {
        family: family.to_owned(),
        tenant: TenantName::new("acme"),
        holder: [holder; 32],
        refresh: [1; 32],
        access: access(2, 3_600),
        previous: None,
        expires_at: at(expires_at),
    }
}

fn access(byte: u8, until: i64) -> Access {
    Access {
        sha256: [byte; 32],
        until: at(until),
    }
}

fn exchange(family: &str, given: u8, refresh: u8) -> Exchange {
    Exchange {
        family: family.to_owned(),
        given: [given; 32],
        refresh: [refresh; 32],
        access: access(9, 7_200),
    }
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_refresh_token_is_exchanged_once_and_its_second_use_ends_the_grant(#[case] mut stand: Stand) {
    let store = stand.store();
    store.keep_grant(grant("f", 1, 9_000), 10).await.unwrap();
    store.keep_grant(grant("other", 1, 9_000), 10).await.unwrap();
    let done = store.exchange_grant(exchange("f", 1, 5)).await.unwrap();
    assert_eq!(done, Exchanged::Done);
    drop(store);
    stand.restart();

    let store = stand.store();
    let mut expected = grant("f", 1, 9_000);
    expected.previous = Some(expected.access);
    expected.refresh = [5; 32];
    expected.access = access(9, 7_200);
    assert_eq!(store.grant("f").await.unwrap(), Some(expected));
    let again = store.exchange_grant(exchange("f", 1, 6)).await.unwrap();
    assert_eq!(again, Exchanged::Revoked);
    assert_eq!(store.grant("f").await.unwrap(), None);
    let after = store.exchange_grant(exchange("f", 5, 7)).await.unwrap();
    assert_eq!(after, Exchanged::Unknown);
    assert_eq!(store.grant("other").await.unwrap(), Some(grant("other", 1, 9_000)));
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_holder_has_so_many_grants_and_old_ones_are_pruned(#[case] stand: Stand) {
    let store = stand.store();
    for (family, holder, expires_at) in [("a", 1, 100), ("b", 1, 300), ("x", 2, 50), ("c", 1, 200)] {
        store.keep_grant(grant(family, holder, expires_at), 2).await.unwrap();
    }
    let mut left = Vec::new();
    for family in ["a", "b", "c", "x"] {
        left.extend(store.grant(family).await.unwrap().map(|grant| grant.family));
    }
    assert_eq!(left, ["b", "c", "x"]);
    assert_eq!(store.prune(at(250), at(0), 100).await.unwrap(), 2);
    assert!(store.grant("b").await.unwrap().is_some());
    assert!(store.grant("c").await.unwrap().is_none());
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_webhook_is_given_back_as_it_came_with_the_headers_of_its_first_attempt(#[case] stand: Stand) {
    let store = stand.store();
    let mut handover = opened(&*store, "s-1").await;
    let mut first = receipt("e-1", "{ \"a\": 1 }");
    first.headers = WebhookHeaders(vec![("x-8x8-retry".to_owned(), "0".to_owned())]);
    store.keep_unplaced(first.clone()).await.unwrap();
    let kept = store
        .unplaced(&first.account, first.conversation.as_ref().unwrap())
        .await
        .unwrap();
    assert_eq!(kept, [first.clone()]);

    let mut second = first.clone();
    second.headers = WebhookHeaders(vec![("x-8x8-retry".to_owned(), "1".to_owned())]);
    let commit = Commit {
        receipt: Some(second),
        ..next(&mut handover, 1, at(1))
    };
    let id: HandoverId = handover.id().clone();
    assert_eq!(
        store.webhook_of(&id, "e-1").await.unwrap(),
        None,
        "nobody has taken it yet"
    );
    assert_eq!(store.commit(commit).await.unwrap(), Committed::Done);
    let webhook = store.webhook_of(&id, "e-1").await.unwrap().unwrap();
    assert_eq!(
        (&webhook.headers, &webhook.body[..]),
        (&first.headers, &b"{ \"a\": 1 }"[..])
    );
    assert_eq!(store.webhook_of(&id, "e-2").await.unwrap(), None);
    let stranger = creating(None, at(2));
    assert_eq!(store.webhook_of(stranger.id(), "e-1").await.unwrap(), None);
}
