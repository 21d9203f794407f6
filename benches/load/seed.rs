//! Live handovers and undelivered events, written into a store before the process under test opens it.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use handover_gateway::clock::Clock;
use handover_gateway::domain::AccountId;
use handover_gateway::domain::BotName;
use handover_gateway::domain::ConversationId;
use handover_gateway::domain::EventId;
use handover_gateway::domain::EventType;
use handover_gateway::domain::Facts;
use handover_gateway::domain::Handover;
use handover_gateway::domain::HandoverEvent;
use handover_gateway::domain::HandoverId;
use handover_gateway::domain::Origin;
use handover_gateway::domain::RawJson;
use handover_gateway::domain::State;
use handover_gateway::domain::TenantName;
use handover_gateway::domain::Timers;
use handover_gateway::domain::Timestamp;
use handover_gateway::domain::User;
use handover_gateway::store::Commit;
use handover_gateway::store::Committed;
use handover_gateway::store::Opened;
use handover_gateway::store::Store;
use handover_gateway::store::StoreSettings;
use handover_gateway::store::sqlite::SqliteStore;

use crate::events::ACCOUNT;
use crate::gateway::Setup;

/// Writes at once; the store writes them in groups.
const AT_ONCE: usize = 256;

/// What is in the store at first. Handovers belong to the setup's bots in turn.
pub(crate) struct Seed {
    pub(crate) handovers: usize,
    /// Undelivered, of each handover.
    pub(crate) events: usize,
}

pub(crate) fn bot_name(bot: usize) -> String {
    // No digits at the end of letters: names are letters, digits and single underscores.
    format!("bot_{bot}")
}

pub(crate) fn open(setup: &Setup) -> SqliteStore {
    let settings = StoreSettings {
        url: setup.store_url(),
        retention: std::time::Duration::from_hours(24),
        content_retention: std::time::Duration::from_hours(24),
    };
    SqliteStore::open(&settings, Clock::system()).expect("the store opens")
}

/// The conversations, in the order in which their handovers belong to the bots.
pub(crate) async fn plant(setup: &Setup, seed: &Seed) -> Vec<String> {
    let store = Arc::new(open(setup));
    let bots = setup.callbacks.len().max(1);
    let now = Clock::system().now();
    let planting = stream::iter(0..seed.handovers).map(|number| {
        let store = Arc::clone(&store);
        async move {
            let handover = live(number, number % bots, now);
            let opened = store
                .open(handover.clone(), None)
                .await
                .expect("the store takes a handover");
            assert_eq!(opened, Opened::Done);
            if seed.events > 0 {
                let committed = store.commit(backlog(handover, seed.events, now)).await;
                assert_eq!(committed.expect("the store takes events"), Committed::Done);
            }
        }
    });
    planting.buffer_unordered(AT_ONCE).collect::<()>().await;
    store.close();
    (0..seed.handovers).map(conversation).collect()
}

fn conversation(number: usize) -> String {
    format!("k3TqGkWqTl{number:012}")
}

/// With an agent in, as most are.
pub(crate) fn live(number: usize, bot: usize, now: Timestamp) -> Handover {
    let facts = Facts {
        id: HandoverId::generate(now),
        tenant: TenantName::new("bench"),
        account: AccountId::new(ACCOUNT),
        bot: BotName::new(&bot_name(bot)),
        origin: Origin::Bot,
        channel_id: "bench-channel".to_owned(),
        queue_id: Some("101".to_owned()),
        bot_session_id: Some(format!("session-{number:08}")),
        one_per_session: true,
        metadata: Some(
            RawJson::parse(r#"{"site":"www.example.com","page":"/account/balance","visit":1713}"#).expect("is JSON"),
        ),
        callback_url: None,
        reopened_from: None,
        arrival: None,
        timers: Timers {
            queue: None,
            idle: None,
            max_age: std::time::Duration::from_hours(24),
            transfer_grace: std::time::Duration::from_secs(10),
        },
        created_at: now,
        recovered_at: None,
    };
    let user = User {
        name: Some("James Jones".to_owned()),
        email: Some(format!("user-{number}@example.com")),
        phone: Some("07917846011".to_owned()),
        language: Some("en".to_owned()),
        ..User::default()
    };
    let mut handover = Handover::creating(facts, user);
    let progress = &mut handover.progress;
    progress.state = State::Active;
    progress.conversation = ConversationId::parse(&conversation(number));
    progress.agent_joined_at = Some(now);
    let agent = format!(
        r#"[{{"id":"agent-1","name":"Ada Agent","present":true,"joined":{}}}]"#,
        now.as_millis()
    );
    progress.agents = serde_json::from_str(&agent).expect("is an agent");
    handover
}

fn backlog(mut handover: Handover, events: usize, now: Timestamp) -> Commit {
    let events = (1..)
        .take(events)
        .map(|sequence| said(&handover, sequence, now))
        .collect();
    handover.version += 1;
    handover.progress.last_sequence = u64::try_from(Vec::len(&events)).expect("few");
    Commit {
        handover,
        changed: true,
        events,
        deliver: true,
        calls: Vec::new(),
        settled: Vec::new(),
        message: None,
        receipt: None,
        claim: None,
        agent_knows: None,
    }
}

/// A message as the transition makes one, about 1 KB.
pub(crate) fn said(handover: &Handover, sequence: u64, now: Timestamp) -> HandoverEvent {
    let text = "Thank you for waiting, I am looking at your account now. ".repeat(13);
    let extra = serde_json::json!({
        "message": {"id": format!("message-{sequence}"), "text": text,
            "sender": {"type": "agent", "id": "agent-1", "name": "Ada Agent"}, "attachments": [], "cards": []},
        "source": {"eventType": "MESSAGE", "eventId": format!("bench-backlog-{sequence:010}"), "timestamp": now.as_millis()},
    });
    HandoverEvent {
        id: EventId::generate(now),
        kind: EventType::MessageCreated,
        sequence,
        at: now,
        state: handover.state(),
        late: false,
        extra: RawJson::of(&extra).expect("is JSON"),
    }
}
