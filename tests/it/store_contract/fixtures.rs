//! Handovers and what happens to them, in as few words as the tests need.

use std::time::Duration;

use bytes::Bytes;
use handover_gateway::domain::AccountId;
use handover_gateway::domain::AuthorType;
use handover_gateway::domain::BotName;
use handover_gateway::domain::Call;
use handover_gateway::domain::CallId;
use handover_gateway::domain::CallRecord;
use handover_gateway::domain::ConversationId;
use handover_gateway::domain::EndReason;
use handover_gateway::domain::EventId;
use handover_gateway::domain::EventType;
use handover_gateway::domain::Facts;
use handover_gateway::domain::FileName;
use handover_gateway::domain::Handover;
use handover_gateway::domain::HandoverEvent;
use handover_gateway::domain::HandoverId;
use handover_gateway::domain::MessageFile;
use handover_gateway::domain::MessageId;
use handover_gateway::domain::MessageRecord;
use handover_gateway::domain::MessageStatus;
use handover_gateway::domain::Origin;
use handover_gateway::domain::Outcome;
use handover_gateway::domain::RawJson;
use handover_gateway::domain::State;
use handover_gateway::domain::TenantName;
use handover_gateway::domain::Timers;
use handover_gateway::domain::Timestamp;
use handover_gateway::domain::User;
use handover_gateway::domain::WebhookHeaders;
use handover_gateway::domain::WebhookReceipt;
use handover_gateway::store::Attempt;
use handover_gateway::store::Claimed;
use handover_gateway::store::Commit;
use handover_gateway::store::IdempotencyClaim;
use handover_gateway::store::Opened;
use handover_gateway::store::Reference;
use handover_gateway::store::Settlement;
use handover_gateway::store::Store;
use handover_gateway::store::Target;
use handover_gateway::store::Verdict;

/// So many seconds into the test.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_763_640_000_000 + seconds * 1000)
}

pub(crate) fn bot() -> BotName {
    BotName::new("support")
}

pub(crate) fn account() -> AccountId {
    AccountId::new("acme01")
}

pub(crate) fn conversation(name: &str) -> ConversationId {
    ConversationId::parse(name).unwrap()
}

pub(crate) fn creating(session: Option<&str>, created_at: Timestamp) -> Handover {
    let facts = Facts {
        id: HandoverId::generate(created_at),
        tenant: TenantName::new("acme"),
        account: account(),
        bot: bot(),
        origin: Origin::Bot,
        channel_id: "f5odm43occnifcdcsa".to_owned(),
        queue_id: Some("101".to_owned()),
        bot_session_id: session.map(ToOwned::to_owned),
        one_per_session: true,
        metadata: Some(RawJson::parse("{ \"kept\":  1.0 }").unwrap()),
        callback_url: Some("https://bot.example.com/handover".to_owned()),
        reopened_from: None,
        arrival: None,
        timers: Timers {
            queue: Some(Duration::from_mins(10)),
            idle: None,
            max_age: Duration::from_hours(24),
            transfer_grace: Duration::from_secs(10),
        },
        created_at,
        recovered_at: None,
    };
    let user = User {
        name: Some("James Jones".to_owned()),
        ..User::default()
    };
    Handover::creating(facts, user)
}

/// A handover that is in the store.
pub(crate) async fn opened(store: &dyn Store, session: &str) -> Handover {
    let handover = creating(Some(session), at(0));
    assert_eq!(store.open(handover.clone(), None).await.unwrap(), Opened::Done);
    handover
}

/// The next change of a handover, with so many events. The handover moves along with it.
pub(crate) fn next(handover: &mut Handover, events: u64, now: Timestamp) -> Commit {
    handover.version += 1;
    handover.progress.updated_at = now;
    let first = handover.progress.last_sequence + 1;
    handover.progress.last_sequence += events;
    let events = (first..first + events)
        .map(|sequence| event(handover, sequence, now))
        .collect();
    Commit {
        events,
        changed: true,
        ..unchanged(handover)
    }
}

/// A change that leaves the handover as it is.
pub(crate) fn unchanged(handover: &Handover) -> Commit {
    Commit {
        handover: handover.clone(),
        changed: false,
        events: Vec::new(),
        deliver: true,
        calls: Vec::new(),
        settled: Vec::new(),
        message: None,
        receipt: None,
        claim: None,
        agent_knows: None,
    }
}

/// The change that ends it.
pub(crate) fn end(handover: &mut Handover, now: Timestamp) -> Commit {
    handover.progress.state = State::Ended;
    // Over is over: the transition function never moves this.
    handover.progress.ended_at.get_or_insert(now);
    handover.progress.end_reason = Some(EndReason::AgentEnded);
    handover.progress.outcome = Some(Outcome::Completed);
    next(handover, 1, now)
}

fn event(handover: &Handover, sequence: u64, now: Timestamp) -> HandoverEvent {
    HandoverEvent {
        id: EventId::generate(now),
        kind: EventType::MessageCreated,
        sequence,
        at: now,
        state: handover.state(),
        late: !handover.state().is_live(),
        extra: RawJson::parse(&format!("{{\"message\":{{\"text\":\"{sequence}\"}}}}")).unwrap(),
    }
}

pub(crate) fn receipt(event_id: &str, body: &str) -> WebhookReceipt {
    let mut sha256 = [0; 32];
    for (place, byte) in sha256.iter_mut().zip(body.bytes()) {
        *place = byte;
    }
    WebhookReceipt {
        account: account(),
        event_id: event_id.to_owned(),
        conversation: Some(conversation("c-1")),
        sha256,
        body: Bytes::copy_from_slice(body.as_bytes()),
        received_at: at(0),
        headers: WebhookHeaders::default(),
    }
}

pub(crate) fn key(name: &str, handover: &Handover) -> IdempotencyClaim {
    IdempotencyClaim {
        bot: bot(),
        scope: "POST /v1/handovers".to_owned(),
        key: name.to_owned(),
        request_sha256: [1; 32],
        reference: Reference::Handover(handover.id().clone()),
        at: at(0),
    }
}

pub(crate) fn message(handover: &Handover, client_id: Option<&str>) -> MessageRecord {
    MessageRecord {
        id: MessageId::generate(at(0)),
        handover: handover.id().clone(),
        client_message_id: client_id.map(ToOwned::to_owned),
        request_sha256: [2; 32],
        author: AuthorType::User,
        text: Some("Hello".to_owned()),
        cards: vec![RawJson::parse("{\"card\": 1.0}").unwrap()],
        attachments: vec![MessageFile {
            id: Some("f-1".to_owned()),
            filename: FileName::of("bill.png"),
        }],
        status: MessageStatus::Queued,
        created_at: at(0),
        notice: false,
    }
}

pub(crate) fn call(handover: &Handover) -> CallRecord {
    let leave = Call::UserLeaves {
        display_message: Some("Bye".to_owned()),
    };
    CallRecord {
        id: CallId::generate(at(0)),
        handover: handover.id().clone(),
        call: leave,
        created_at: at(0),
        deadline: at(60),
    }
}

pub(crate) fn lane(handover: &Handover) -> Target {
    Target::Lane(handover.id().clone())
}

/// The head of a lane, which is known to be due and free.
pub(crate) async fn claim(store: &dyn Store, target: Target, now: Timestamp) -> Claimed {
    let mut claimed = store.claim(vec![target], now).await.unwrap();
    assert_eq!(claimed.len(), 1);
    claimed.remove(0)
}

pub(crate) fn settlement(claimed: &Claimed, verdict: Verdict, now: Timestamp) -> Settlement {
    let attempt = Attempt {
        number: claimed.attempts + 1,
        started_at: now,
        took_millis: 20,
        status: Some(200),
        error: None,
    };
    Settlement {
        target: claimed.target.clone(),
        epoch: claimed.epoch,
        handover: claimed.context.handover.clone(),
        sequence: claimed.event.sequence,
        verdict,
        attempt: Some(attempt),
        at: now,
    }
}

/// Settles one claim; whether its lane has more at once.
pub(crate) async fn settle(store: &dyn Store, claimed: &Claimed, verdict: Verdict, now: Timestamp) -> bool {
    let settled = store.settle(vec![settlement(claimed, verdict, now)]).await.unwrap();
    assert_eq!(settled.len(), 1);
    settled[0]
}
