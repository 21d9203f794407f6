//! The task that tells those who wait how long it may take: one question to 8x8 for all of a tenant's handovers in a
//! queue, none while nobody waits.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::availability::Wait;
use crate::domain::EventId;
use crate::domain::EventType;
use crate::domain::Handover;
use crate::domain::HandoverEvent;
use crate::domain::HandoverId;
use crate::domain::Queue;
use crate::domain::RawJson;
use crate::domain::State;
use crate::domain::TenantName;
use crate::domain::Timestamp;
use crate::handovers::Handovers;
use crate::handovers::session_map::Slot;

/// Shorter than any interval that can be set.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Queues asked about at once.
const AT_ONCE: usize = 8;

/// When a tenant is due, and what each of its handovers that wait was told last.
#[derive(Debug)]
struct Turn {
    due: Timestamp,
    told: HashMap<HandoverId, Wait>,
}

type Turns = HashMap<TenantName, Turn>;
/// Who waits in which queue of which tenant.
type Waiting = BTreeMap<(TenantName, String), Vec<Arc<Slot>>>;

impl Handovers {
    pub async fn run_queue_news(self: Arc<Self>, stop: CancellationToken) {
        let mut turns = Turns::new();
        let work = async {
            loop {
                self.parts.clock.sleep(LOOK_EVERY).await;
                self.tell_waiting(&mut turns).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    async fn tell_waiting(&self, turns: &mut Turns) {
        let due = self.tenants_due(turns);
        if due.is_empty() {
            return;
        }
        let waiting = self.waiting(&due).await;
        for tenant in &due {
            if let Some(turn) = turns.get_mut(tenant) {
                let slots = waiting
                    .iter()
                    .filter(|((of, _), _)| of == tenant)
                    .flat_map(|(_, slots)| slots);
                let told = slots.filter_map(|slot| turn.told.remove_entry(&slot.id)).collect();
                turn.told = told;
            }
        }
        let questions = waiting.into_iter().map(|((name, queue), slots)| async move {
            let tenant = self.parts.tenants.tenant(&name);
            let wait = match tenant {
                Some(tenant) => tenant.availability.wait(&queue).await,
                None => None,
            };
            (name, queue, slots, wait)
        });
        let mut answers = stream::iter(questions).buffer_unordered(AT_ONCE);
        while let Some((name, queue, slots, wait)) = answers.next().await {
            if let (Some(wait), Some(turn)) = (wait, turns.get_mut(&name)) {
                for slot in slots {
                    self.tell_wait(&slot, &queue, wait, &mut turn.told).await;
                }
            }
        }
    }

    fn tenants_due(&self, turns: &mut Turns) -> Vec<TenantName> {
        let now = self.parts.clock.now();
        let mut due = Vec::new();
        for (name, interval) in self.parts.tenants.update_intervals() {
            let turn = turns.entry(name.clone()).or_insert_with(|| Turn {
                due: now,
                told: HashMap::new(),
            });
            if turn.due <= now {
                turn.due = now.plus(interval);
                due.push(name.clone());
            }
        }
        due
    }

    async fn waiting(&self, tenants: &[TenantName]) -> Waiting {
        let mut waiting = Waiting::new();
        for slot in self.session_map.all() {
            let handover = slot.handover.lock().await;
            let tenant = &handover.facts.tenant;
            if let (Some(queue), true) = (queue_waited_in(&handover), tenants.contains(tenant)) {
                let place = (tenant.clone(), queue.id.clone());
                waiting.entry(place).or_default().push(Arc::clone(&slot));
            }
        }
        waiting
    }

    /// Under the lock: a logged event cannot come between, and so is not overtaken.
    async fn tell_wait(&self, slot: &Slot, queue: &str, wait: Wait, told: &mut HashMap<HandoverId, Wait>) {
        if told.get(&slot.id) == Some(&wait) {
            return;
        }
        let handover = slot.handover.lock().await;
        // It may have gone on meanwhile.
        let Some(queue) = queue_waited_in(&handover).filter(|now| now.id == queue) else {
            return;
        };
        if let Some(event) = event(&handover, queue, wait, self.parts.clock.now()) {
            self.tell_one(&handover, &event, None);
            told.insert(slot.id.clone(), wait);
        }
    }
}

fn queue_waited_in(handover: &Handover) -> Option<&Queue> {
    let waits = match handover.state() {
        State::Queued => true,
        State::Transferring => handover.progress.transfer_seen,
        State::Creating | State::Active | State::Bot | State::Ended | State::Failed => false,
    };
    handover.progress.queue.as_ref().filter(|_| waits)
}

#[derive(Serialize)]
struct Extra<'a> {
    queue: QueueNow<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QueueNow<'a> {
    #[serde(flatten)]
    queue: &'a Queue,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_wait_seconds: Option<u64>,
}

fn event(handover: &Handover, queue: &Queue, wait: Wait, now: Timestamp) -> Option<HandoverEvent> {
    let queue = QueueNow {
        queue,
        waiting: wait.waiting,
        estimated_wait_seconds: wait.estimated_seconds,
    };
    Some(HandoverEvent {
        id: EventId::generate(now),
        kind: EventType::QueueUpdated,
        sequence: handover.progress.last_sequence,
        at: now,
        state: handover.state(),
        late: false,
        extra: RawJson::of(&Extra { queue }).ok()?,
    })
}
