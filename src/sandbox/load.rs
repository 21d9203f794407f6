//! A signed load: MESSAGE events for given conversations, signed beforehand and posted as fast as the receiver takes
//! them. A conversation's own events keep their order; an event is repeated until it is acknowledged.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::control::Refusal;
use super::ledger::is_success;
use super::notifier::Outgoing;
use super::state::{Shared, State as Sandbox};
use super::world::{Agent, Dialect, Event, Rendered, Saying};
use super::{clock, ids};

/// Signed events grow old: a batch is what can be sent in this time.
const BATCH_SECONDS: f64 = 60.0;
/// A batch when no rate is given.
const BATCH_EVENTS: usize = 100_000;
const REPEAT_WAIT: Duration = Duration::from_millis(200);

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Load {
    conversation_ids: Vec<String>,
    events_per_conversation: usize,
    #[serde(default = "default_concurrency")]
    concurrency: usize,
    rate: Option<f64>,
    #[serde(default)]
    repeat_share: f64,
}

/// One event with its signature; `again` is the signature of its repeat, where it has one.
struct Signed {
    outgoing: Outgoing,
    first: Vec<(String, String)>,
    again: Option<Vec<(String, String)>>,
}

#[derive(Default)]
struct Tally {
    sent: u64,
    acked: u64,
    repeated: u64,
    failures: u64,
    latencies: Vec<Duration>,
}

/// One batch while it is being sent: per conversation its events, in order. A conversation is in the queue or in the
/// hands of one worker.
struct Batch {
    conversations: Mutex<VecDeque<VecDeque<Signed>>>,
    pace: Option<Pace>,
}

struct Pace {
    next: Mutex<Instant>,
    gap: Duration,
}

pub(crate) async fn run(State(shared): State<Shared>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let load: Load = serde_json::from_slice(&body).map_err(|error| Refusal::bad(error.to_string()))?;
    if let Some(problem) = load.problem(&shared) {
        return Err(problem);
    }
    let worker = Arc::clone(&shared);
    let report = shared
        .start(async move { carry_out(&worker, load).await })
        .await
        .map_err(|error| Refusal::internal(&error))?;
    report
        .unwrap_or_else(|| Err("the sandbox is stopping".to_owned()))
        .map(Json)
        .map_err(|error| Refusal::internal(&error))
}

impl Load {
    fn problem(&self, shared: &Shared) -> Option<Refusal> {
        if !(0.0..=1.0).contains(&self.repeat_share)
            || self.concurrency == 0
            || self.rate.is_some_and(|rate| rate <= 0.0)
        {
            return Some(Refusal::bad("repeatShare is 0 to 1, concurrency and rate are above 0"));
        }
        let world = shared.world();
        let unknown = self
            .conversation_ids
            .iter()
            .find(|id| !world.conversations.contains_key(*id));
        unknown.map(|id| Refusal::unknown_conversation(id))
    }

    /// How many events of each conversation are signed together.
    fn batch_depth(&self) -> usize {
        let events = match self.rate {
            Some(rate) => Duration::from_secs_f64(rate * BATCH_SECONDS)
                .as_secs()
                .try_into()
                .unwrap_or(BATCH_EVENTS),
            None => BATCH_EVENTS,
        };
        (events.min(BATCH_EVENTS) / self.conversation_ids.len().max(1)).max(1)
    }

    /// Spreads the repeats evenly.
    fn is_repeated(&self, number: u64) -> bool {
        let before = |number: u64| (Duration::from_secs(number).as_secs_f64() * self.repeat_share).floor();
        before(number) > before(number.saturating_sub(1))
    }
}

async fn carry_out(shared: &Shared, load: Load) -> Result<Value, String> {
    let mut total = Tally::default();
    let (mut signing, mut sending) = (Duration::ZERO, Duration::ZERO);
    let depth = load.batch_depth();
    for first in (1..=load.events_per_conversation).step_by(depth) {
        let last = (first + depth - 1).min(load.events_per_conversation);
        let begun = Instant::now();
        let batch = sign_batch(shared, &load, first..=last).await?;
        signing += begun.elapsed();
        let begun = Instant::now();
        total.add(send_batch(shared, batch, &load).await?);
        sending += begun.elapsed();
    }
    Ok(total.report(sending, signing))
}

async fn sign_batch(
    shared: &Shared,
    load: &Load,
    numbers: std::ops::RangeInclusive<usize>,
) -> Result<VecDeque<VecDeque<Signed>>, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = load.conversation_ids.len().div_ceil(threads).max(1);
    let signers = load.conversation_ids.chunks(share).map(|conversations| {
        let (shared, load, numbers) = (Arc::clone(shared), load.clone(), numbers.clone());
        let conversations = conversations.to_vec();
        tokio::task::spawn_blocking(move || {
            let sign = |id: &String| {
                numbers
                    .clone()
                    .map(|number| Signed::new(&shared, &load, id, number))
                    .collect::<Result<_, _>>()
            };
            conversations
                .iter()
                .map(sign)
                .collect::<Result<Vec<VecDeque<Signed>>, String>>()
        })
    });
    let mut batch = VecDeque::new();
    for signed in signers.collect::<Vec<_>>() {
        batch.extend(signed.await.map_err(|error| error.to_string())??);
    }
    Ok(batch)
}

async fn send_batch(shared: &Shared, conversations: VecDeque<VecDeque<Signed>>, load: &Load) -> Result<Tally, String> {
    let gap = load.rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
    let batch = Arc::new(Batch {
        pace: gap.map(|gap| Pace {
            next: Mutex::new(Instant::now()),
            gap,
        }),
        conversations: Mutex::new(conversations),
    });
    let workers = (0..load.concurrency).map(|_| {
        let (shared, batch) = (Arc::clone(shared), Arc::clone(&batch));
        let worker = Arc::clone(&shared);
        shared.start(async move { work(&worker, &batch).await })
    });
    let mut total = Tally::default();
    for worker in workers.collect::<Vec<_>>() {
        let tally = worker.await.map_err(|error| error.to_string())?;
        total.add(tally.ok_or("the sandbox is stopping")?);
    }
    Ok(total)
}

/// Takes a conversation, sends its next event until it is acknowledged, puts the conversation back.
async fn work(shared: &Sandbox, batch: &Batch) -> Tally {
    let mut tally = Tally::default();
    while let Some(mut conversation) = batch.take() {
        if let Some(signed) = conversation.pop_front() {
            if let Some(pace) = &batch.pace {
                pace.wait().await;
            }
            deliver(shared, signed, &mut tally).await;
        }
        if !conversation.is_empty() {
            batch.put_back(conversation);
        }
    }
    tally
}

async fn deliver(shared: &Sandbox, signed: Signed, tally: &mut Tally) {
    let Signed { outgoing, first, again } = signed;
    tally.sent += 1;
    let mut headers = Ok(first);
    for retry in 1.. {
        let acked = match headers {
            Ok(headers) => attempt(shared, &outgoing, headers, tally).await,
            Err(_) => false,
        };
        if acked {
            break;
        }
        tally.failures += 1;
        tokio::time::sleep(REPEAT_WAIT).await;
        headers = shared.signed_headers(&outgoing, retry);
    }
    tally.acked += 1;
    if let Some(headers) = again {
        tally.repeated += 1;
        if !attempt(shared, &outgoing, headers, tally).await {
            tally.failures += 1;
        }
    }
}

async fn attempt(shared: &Sandbox, outgoing: &Outgoing, headers: Vec<(String, String)>, tally: &mut Tally) -> bool {
    let Some(url) = shared.webhook_url(&outgoing.channel_id) else {
        return false;
    };
    let (at, begun) = (clock::now_ms(), Instant::now());
    let response = shared.send(url, headers, outgoing.body.clone()).await;
    let outcome = match response {
        Ok(response) => {
            let status = response.status().as_u16();
            // Read to the end, so that the connection is used again.
            response
                .bytes()
                .await
                .map(|_| status)
                .map_err(|error| error.to_string())
        }
        Err(error) => Err(error),
    };
    let acked = outcome.as_ref().is_ok_and(|&status| is_success(status));
    if acked {
        tally.latencies.push(begun.elapsed());
    }
    shared.ledger.attempt(outgoing.entry, at, outcome);
    acked
}

impl Signed {
    fn new(shared: &Sandbox, load: &Load, conversation_id: &str, number: usize) -> Result<Self, String> {
        let rendered = message(shared, conversation_id, number)?;
        let channel_id = {
            let world = shared.world();
            let conversation = world
                .conversations
                .get(conversation_id)
                .ok_or("the conversation is gone")?;
            conversation.channel_id.clone()
        };
        let (event_id, body) = (ids::token(), Bytes::from(rendered.body.to_string()));
        let outgoing = Outgoing {
            entry: shared
                .ledger
                .event(&event_id, &rendered.event_type, conversation_id, &body),
            event_id,
            event_type: rendered.event_type,
            conversation_id: conversation_id.to_owned(),
            channel_id,
            body,
            tampering: super::notifier::Tampering::default(),
        };
        let first = shared.signed_headers(&outgoing, 0)?;
        let repeated = load.is_repeated(u64::try_from(number).unwrap_or_default());
        let again = if repeated {
            Some(shared.signed_headers(&outgoing, 1)?)
        } else {
            None
        };
        Ok(Self { outgoing, first, again })
    }
}

fn message(shared: &Sandbox, conversation_id: &str, number: usize) -> Result<Rendered, String> {
    let agent = Agent {
        id: "agent-1".to_owned(),
        name: "Ada Agent".to_owned(),
    };
    let said = Saying::by_agent(&agent, format!("{conversation_id}#{number}"));
    let dialect = {
        let world = shared.world();
        let conversation = world.conversations.get(conversation_id);
        conversation.map_or(Dialect::Gateway, |conversation| {
            world.dialect_of_channel(&conversation.channel_id)
        })
    };
    let rendered = Event::Message(said).render(dialect, conversation_id, clock::now_ms());
    rendered.ok_or_else(|| "the dialect has no messages".to_owned())
}

impl Batch {
    fn take(&self) -> Option<VecDeque<Signed>> {
        self.conversations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    fn put_back(&self, conversation: VecDeque<Signed>) {
        self.conversations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(conversation);
    }
}

impl Pace {
    async fn wait(&self) {
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(Instant::now());
            *next = turn + self.gap;
            turn
        };
        tokio::time::sleep_until(turn.into()).await;
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.acked += other.acked;
        self.repeated += other.repeated;
        self.failures += other.failures;
        self.latencies.extend(other.latencies);
    }

    fn report(mut self, sending: Duration, signing: Duration) -> Value {
        self.latencies.sort_unstable();
        let at = |percent: usize| {
            let index = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
            self.latencies.get(index).map(|latency| latency.as_secs_f64() * 1000.0)
        };
        json!({
            "sent": self.sent,
            "acked": self.acked,
            "repeated": self.repeated,
            "failures": self.failures,
            "seconds": sending.as_secs_f64(),
            "signSeconds": signing.as_secs_f64(),
            "latencyMs": {"p50": at(50), "p90": at(90), "p99": at(99), "max": at(100)},
        })
    }
}

fn default_concurrency() -> usize {
    32
}
