//! The audit log.

use handover_gateway::clock::Clock;
use handover_gateway::domain::BotName;
use handover_gateway::store::Actor;
use handover_gateway::store::AuditEntry;
use handover_gateway::store::Store as _;
use handover_gateway::store::sqlite::SqliteStore;
use rstest::rstest;

use crate::store_contract::fixtures::at;
use crate::store_contract::stand::Stand;
use crate::store_contract::stand::settings;

fn entry(second: i64) -> AuditEntry {
    AuditEntry::new(at(second), &Actor::Cli, "store.recover")
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn what_was_done_is_kept_in_order_and_whole_over_a_restart(#[case] mut stand: Stand) {
    let store = stand.store();
    let full = AuditEntry::new(at(2), &Actor::Bot(BotName::new("support")), "delivery.resend")
        .target("evt_1")
        .request_id(Some("request-1".to_owned()))
        .outcome("refused")
        .count("deliveries", 7)
        .count("failed", 0);
    // In the order of writing, whatever their times say.
    for entry in [&entry(3), &full, &entry(1)] {
        store.append_audit(entry.clone()).await.unwrap();
    }
    drop(store);

    stand.restart();
    let store = stand.store();
    assert_eq!(store.audit_log(10).await.unwrap(), [entry(1), full.clone(), entry(3)]);
    assert_eq!(store.audit_log(2).await.unwrap(), [entry(1), full]);
}

#[rstest]
#[case::sqlite(Stand::sqlite())]
#[case::model(Stand::model())]
#[tokio::test]
async fn old_entries_of_the_audit_log_go_in_slices_and_no_others(#[case] stand: Stand) {
    let store = stand.store();
    for second in 0..8 {
        store.append_audit(entry(second)).await.unwrap();
    }
    let mut slices = Vec::new();
    while slices.last() != Some(&0) {
        slices.push(store.prune_audit(at(5), 2).await.unwrap());
    }
    assert_eq!(slices, [2, 2, 1, 0]);
    let left: Vec<_> = store.audit_log(10).await.unwrap();
    assert_eq!(left, [entry(7), entry(6), entry(5)]);
}

#[tokio::test]
async fn an_entry_cannot_be_changed_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.db");
    let settings = settings(format!("sqlite://{}", file.display()));
    let store = SqliteStore::open(&settings, Clock::manual(at(0))).unwrap();
    store.append_audit(entry(1)).await.unwrap();
    drop(store);
    let db = rusqlite::Connection::open(&file).unwrap();
    let refused = db
        .execute_batch("UPDATE audit SET actor = 'somebody else'")
        .unwrap_err();
    assert!(refused.to_string().contains("not changed"), "{refused}");
}
