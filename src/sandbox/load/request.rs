//! `POST /sandbox/load`: what is asked for, and the batches it is done in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::sending::send_batch;
use super::signing::sign_batch;
use super::tally::Tally;
use crate::sandbox::control::Refusal;
use crate::sandbox::state::Shared;

/// Signed events grow old: a batch is what can be sent in this time.
const BATCH_SECONDS: usize = 60;
/// The largest batch, and the batch when no rate is given.
const BATCH_EVENTS: usize = 100_000;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Load {
    pub(super) conversation_ids: Vec<String>,
    pub(super) events_per_conversation: usize,
    #[serde(default = "default_concurrency")]
    pub(super) concurrency: usize,
    /// Events a second over all conversations.
    pub(super) rate: Option<u32>,
    /// The share of events that are sent twice, 0 to 1.
    #[serde(default)]
    repeat_share: f64,
}

pub(crate) async fn run(State(shared): State<Shared>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let load: Load = serde_json::from_slice(&body).map_err(|error| Refusal::bad(error.to_string()))?;
    load.check(&shared)?;
    let worker = Arc::clone(&shared);
    let task = shared.start(async move { carry_out(&worker, load).await });
    let report = task.await.map_err(|error| Refusal::internal(&error))?;
    let report = report.unwrap_or_else(|| Err("the sandbox is stopping".to_owned()));
    report.map(Json).map_err(|error| Refusal::internal(&error))
}

async fn carry_out(shared: &Shared, load: Load) -> Result<Value, String> {
    let load = Arc::new(load);
    let mut total = Tally::default();
    let (mut signing, mut sending) = (Duration::ZERO, Duration::ZERO);
    let depth = load.batch_depth();
    for first in (1..=load.events_per_conversation).step_by(depth) {
        let last = first.saturating_add(depth - 1).min(load.events_per_conversation);
        let begun = Instant::now();
        let batch = sign_batch(shared, &load, first..=last).await?;
        signing += begun.elapsed();
        let begun = Instant::now();
        total.add(send_batch(shared, batch, &load).await?);
        sending += begun.elapsed();
    }
    Ok(total.report(sending, signing))
}

impl Load {
    fn check(&self, shared: &Shared) -> Result<(), Refusal> {
        if !(0.0..=1.0).contains(&self.repeat_share) || self.concurrency == 0 || self.rate == Some(0) {
            return Err(Refusal::bad("repeatShare is 0 to 1, concurrency and rate are above 0"));
        }
        let world = shared.world();
        match self
            .conversation_ids
            .iter()
            .find(|id| !world.conversations.contains_key(*id))
        {
            Some(unknown) => Err(Refusal::unknown_conversation(unknown)),
            None => Ok(()),
        }
    }

    /// How many events of each conversation are signed together.
    fn batch_depth(&self) -> usize {
        let in_time = |rate: u32| {
            usize::try_from(rate)
                .unwrap_or(BATCH_EVENTS)
                .saturating_mul(BATCH_SECONDS)
        };
        let events = self.rate.map_or(BATCH_EVENTS, in_time).min(BATCH_EVENTS);
        (events / self.conversation_ids.len().max(1)).max(1)
    }

    /// Spreads the repeats evenly over all events; `place` is the event's place among them, from 0.
    pub(super) fn is_repeated(&self, place: u32) -> bool {
        let due = |events: u32| (f64::from(events) * self.repeat_share).floor();
        due(place.saturating_add(1)) > due(place)
    }
}

fn default_concurrency() -> usize {
    32
}

#[cfg(test)]
mod tests {
    use super::Load;

    fn load(rate: Option<u32>, repeat_share: f64) -> Load {
        let conversation_ids = vec!["a".to_owned(), "b".to_owned()];
        Load {
            conversation_ids,
            events_per_conversation: 10,
            concurrency: 1,
            rate,
            repeat_share,
        }
    }

    #[test]
    fn repeats_are_spread_over_all_events() {
        let repeated = |share: f64| (0..100).filter(|&place| load(None, share).is_repeated(place)).count();
        assert_eq!([0.0, 0.03, 0.5, 1.0].map(repeated), [0, 3, 50, 100]);
    }

    #[test]
    fn a_batch_is_what_can_be_sent_before_signatures_grow_old() {
        assert_eq!(load(Some(10), 0.0).batch_depth(), 300);
        assert_eq!(load(None, 0.0).batch_depth(), 50_000);
    }
}
