//! What is kept of a tenant.

use handover_gateway::domain::TenantName;
use handover_gateway::store::Heard;
use handover_gateway::store::Registration;
use handover_gateway::store::TenantState;
use rstest::rstest;

use crate::store_contract::fixtures::at;
use crate::store_contract::stand::Stand;

fn registration(number: u32) -> Registration {
    Registration {
        webhook_id: format!("webhook-{number}"),
        channel_id: format!("channel-{number}"),
    }
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn a_tenants_registration_outlives_the_process_is_replaced_whole_and_forgotten(#[case] mut stand: Stand) {
    let (acme, other) = (TenantName::new("acme"), TenantName::new("other"));
    let store = stand.store();
    assert_eq!(store.tenant_state(&acme).await.unwrap(), TenantState::default());
    store.keep_registration(&acme, Some(registration(1))).await.unwrap();
    store.keep_registration(&other, Some(registration(2))).await.unwrap();
    store.keep_registration(&acme, Some(registration(3))).await.unwrap();
    drop(store);

    stand.restart();
    let store = stand.store();
    let kept = async |tenant| store.tenant_state(tenant).await.unwrap().registration;
    assert_eq!(kept(&acme).await, Some(registration(3)));
    assert_eq!(kept(&other).await, Some(registration(2)));
    store.keep_registration(&acme, None).await.unwrap();
    assert_eq!(kept(&acme).await, None);
    assert_eq!(kept(&other).await, Some(registration(2)));
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn the_times_8x8_was_heard_never_go_back(#[case] mut stand: Stand) {
    let acme = TenantName::new("acme");
    let heard = |verify_at, webhook_at| Heard { verify_at, webhook_at };
    let store = stand.store();
    store.keep_heard(&acme, heard(Some(at(5)), None)).await.unwrap();
    store.keep_heard(&acme, heard(Some(at(4)), Some(at(9)))).await.unwrap();
    store.keep_heard(&acme, heard(None, Some(at(10)))).await.unwrap();
    store.keep_registration(&acme, Some(registration(1))).await.unwrap();
    store.keep_registration(&acme, None).await.unwrap();
    drop(store);

    stand.restart();
    let state = stand.store().tenant_state(&acme).await.unwrap();
    assert_eq!(state.last_verify_at, Some(at(5)));
    assert_eq!(state.last_webhook_at, Some(at(10)));
}
