//! Makes and signs a batch of events, on all processors.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::request::Load;
use crate::sandbox::clock;
use crate::sandbox::notifier::Outgoing;
use crate::sandbox::state::{Shared, State};
use crate::sandbox::world::{Agent, Event, Saying};

pub(super) type Headers = Vec<(String, String)>;

/// One event with its signature; `again` is the signature of its repeat, where it has one.
pub(super) struct Signed {
    pub(super) outgoing: Outgoing,
    pub(super) first: Headers,
    pub(super) again: Option<Headers>,
}

/// For each conversation its events with these numbers, in order.
pub(super) async fn sign_batch(
    shared: &Shared,
    load: &Arc<Load>,
    numbers: RangeInclusive<usize>,
) -> Result<VecDeque<VecDeque<Signed>>, String> {
    let count = load.conversation_ids.len();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = count.div_ceil(threads).max(1);
    let signers = (0..count).step_by(share).map(|first| {
        let (shared, load, numbers) = (Arc::clone(shared), Arc::clone(load), numbers.clone());
        tokio::task::spawn_blocking(move || sign_share(&shared, &load, first..=first + share - 1, &numbers))
    });
    let mut batch = VecDeque::new();
    for signed in signers.collect::<Vec<_>>() {
        batch.extend(signed.await.map_err(|error| error.to_string())??);
    }
    Ok(batch)
}

fn sign_share(
    shared: &State,
    load: &Load,
    conversations: RangeInclusive<usize>,
    numbers: &RangeInclusive<usize>,
) -> Result<Vec<VecDeque<Signed>>, String> {
    let mut share = Vec::new();
    for index in conversations {
        let Some(id) = load.conversation_ids.get(index) else {
            break;
        };
        let sign = |number: usize| {
            let place = index * load.events_per_conversation + number - 1;
            let signed = sign(shared, id, number)?;
            if load.is_repeated(u32::try_from(place).unwrap_or(u32::MAX)) {
                signed.repeated(shared)
            } else {
                Ok(signed)
            }
        };
        share.push(numbers.clone().map(sign).collect::<Result<_, _>>()?);
    }
    Ok(share)
}

fn sign(shared: &State, conversation_id: &str, number: usize) -> Result<Signed, String> {
    let outgoing = message(shared, conversation_id, number)?;
    let first = shared.signed_headers(&outgoing, 0)?;
    Ok(Signed {
        outgoing,
        first,
        again: None,
    })
}

impl Signed {
    fn repeated(mut self, shared: &State) -> Result<Self, String> {
        self.again = Some(shared.signed_headers(&self.outgoing, 1)?);
        Ok(self)
    }
}

fn message(shared: &State, conversation_id: &str, number: usize) -> Result<Outgoing, String> {
    let agent = Agent {
        id: "agent-1".to_owned(),
        name: "Ada Agent".to_owned(),
    };
    let said = Event::Message(Saying::by_agent(&agent, format!("{conversation_id}#{number}")));
    let world = shared.world();
    let conversation = world
        .conversations
        .get(conversation_id)
        .ok_or("the conversation is gone")?;
    let dialect = world.dialect(&conversation.channel_id, None);
    let rendered = said
        .render(dialect, conversation_id, clock::now_ms())
        .ok_or("the dialect has no messages")?;
    Ok(Outgoing::new(&shared.ledger, conversation, rendered))
}
