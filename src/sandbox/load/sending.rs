//! Posts a batch of signed events: many conversations at a time, one event of each.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::request::Load;
use super::signing::{Headers, Signed};
use super::tally::Tally;
use crate::sandbox::clock;
use crate::sandbox::ledger::is_success;
use crate::sandbox::notifier::Outgoing;
use crate::sandbox::state::{Shared, State};

const REPEAT_WAIT: Duration = Duration::from_millis(200);
/// An event that is never acknowledged is given up after this many attempts, so that a load ends.
const ATTEMPTS: u32 = 600;

/// A conversation is in the queue or in the hands of one worker, so its events keep their order.
struct Batch {
    conversations: Mutex<VecDeque<VecDeque<Signed>>>,
    pace: Option<Pace>,
}

/// Hands out the moments at which events may be sent.
struct Pace {
    next: Mutex<Instant>,
    gap: Duration,
}

pub(super) async fn send_batch(
    shared: &Shared,
    conversations: VecDeque<VecDeque<Signed>>,
    load: &Load,
) -> Result<Tally, String> {
    let pace = |rate: u32| Pace {
        next: Mutex::new(Instant::now()),
        gap: Duration::from_secs(1) / rate,
    };
    let batch = Arc::new(Batch {
        pace: load.rate.map(pace),
        conversations: Mutex::new(conversations),
    });
    let workers = (0..load.concurrency).map(|_| {
        let (worker, batch) = (Arc::clone(shared), Arc::clone(&batch));
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
async fn work(shared: &State, batch: &Batch) -> Tally {
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

async fn deliver(shared: &State, signed: Signed, tally: &mut Tally) {
    let Signed { outgoing, first, again } = signed;
    tally.sent += 1;
    if !deliver_once(shared, &outgoing, first, tally).await {
        return shared.ledger.given_up(outgoing.entry);
    }
    tally.acked += 1;
    if let Some(headers) = again {
        tally.repeated += 1;
        attempt(shared, &outgoing, headers, tally).await;
    }
}

async fn deliver_once(shared: &State, outgoing: &Outgoing, mut headers: Headers, tally: &mut Tally) -> bool {
    for retry in 1..=ATTEMPTS {
        if attempt(shared, outgoing, headers, tally).await {
            return true;
        }
        tokio::time::sleep(REPEAT_WAIT).await;
        headers = match shared.signed_headers(outgoing, retry) {
            Ok(headers) => headers,
            Err(_) => return false,
        };
    }
    false
}

/// Every answer is read to the end, so that its connection is used again.
async fn attempt(shared: &State, outgoing: &Outgoing, headers: Headers, tally: &mut Tally) -> bool {
    let (at, begun) = (clock::now_ms(), Instant::now());
    let outcome = match shared.webhook_url(outgoing) {
        None => Err("no webhook url is set".to_owned()),
        Some(url) => match shared.send(url, headers, outgoing.body.clone()).await {
            Err(error) => Err(error),
            Ok(response) => {
                let status = response.status().as_u16();
                response
                    .bytes()
                    .await
                    .map(|_| status)
                    .map_err(|error| error.to_string())
            }
        },
    };
    let acked = outcome.as_ref().is_ok_and(|&status| is_success(status));
    if acked {
        tally.latencies.push(begun.elapsed());
    } else {
        tally.failures += 1;
    }
    shared.ledger.attempt(outgoing.entry, at, outcome);
    acked
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
            let turn = *next;
            *next = turn + self.gap;
            turn
        };
        tokio::time::sleep_until(turn.into()).await;
    }
}
