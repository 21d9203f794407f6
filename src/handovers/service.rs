//! The one way a handover changes: lock its slot, compute the transition, commit it, and only then let memory and
//! everyone who waits follow.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::MutexGuard;

use crate::attachment_links::AttachmentLinks;
use crate::bus::Bus;
use crate::bus::News;
use crate::bus::What;
use crate::clock::Clock;
use crate::delivery::Ephemerals;
use crate::delivery::Wake;
use crate::domain::EventContext;
use crate::domain::Handover;
use crate::domain::HandoverEvent;
use crate::domain::HandoverId;
use crate::domain::Marks;
use crate::domain::State;
use crate::domain::Timestamp;
use crate::domain::WebhookReceipt;
use crate::domain::transition;
use crate::domain::transition::Input;
use crate::domain::transition::Refused;
use crate::domain::transition::Transition;
use crate::handovers::HandoverMetrics;
use crate::handovers::NoticeMetrics;
use crate::handovers::Tenants;
use crate::handovers::channels::Channels;
use crate::handovers::deadlines::Deadlines;
use crate::handovers::inbound::Inbound;
use crate::handovers::session_map::SessionMap;
use crate::handovers::session_map::Slot;
use crate::handovers::ticket::Ticket;
use crate::store::AgentKnows;
use crate::store::CallSettled;
use crate::store::Commit;
use crate::store::Committed;
use crate::store::IdempotencyClaim;
use crate::store::IdempotencyRecord;
use crate::store::KeptWebhook;
use crate::store::Store;
use crate::store::StoreError;
use crate::supervisor::Supervisor;

/// A handover that ended stays in memory this long, since late events are likely.
pub(super) const LINGER: Duration = Duration::from_mins(10);

/// A commit is computed again this often when somebody else changed the handover meanwhile.
const ATTEMPTS: usize = 5;

/// Between two tries at something the store could not take.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// What the service is made of.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub tenants: Tenants,
    pub clock: Clock,
    pub supervisor: Supervisor,
    pub links: AttachmentLinks,
    pub bus: Bus,
    pub wake: Wake,
    pub ephemerals: Ephemerals,
    pub metrics: HandoverMetrics,
}

pub struct Handovers {
    pub(super) parts: Parts,
    pub(super) session_map: SessionMap,
    pub(super) deadlines: Deadlines,
    /// When each is compared with 8x8.
    pub(super) comparisons: Deadlines,
    pub(super) started_at: Timestamp,
    pub(super) channels: Channels,
    pub(super) inbound: Inbound,
    pub(super) notice_metrics: NoticeMetrics,
}

/// What rides along with an input into its commit.
#[derive(Default)]
pub(super) struct Along {
    pub(super) receipt: Option<WebhookReceipt>,
    pub(super) claim: Option<IdempotencyClaim>,
    pub(super) settled: Vec<CallSettled>,
    /// Waits for the last of the calls the input causes.
    pub(super) ticket: Option<Ticket>,
}

pub(super) enum Changed {
    Done,
    Seen { same_body: bool },
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ChangeError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the idempotency key is taken")]
    KeyTaken(IdempotencyRecord),
}

impl Handovers {
    pub fn new(parts: Parts) -> Arc<Self> {
        let started_at = parts.clock.now();
        Arc::new(Self {
            started_at,
            parts,
            session_map: SessionMap::default(),
            deadlines: Deadlines::default(),
            comparisons: Deadlines::default(),
            channels: Channels::default(),
            inbound: Inbound::default(),
            notice_metrics: NoticeMetrics::default(),
        })
    }

    /// How many handovers are in memory.
    pub fn in_memory(&self) -> usize {
        self.session_map.len()
    }

    /// The slot of a handover, from memory or from the store.
    pub(super) async fn slot(&self, id: &HandoverId) -> Result<Option<Arc<Slot>>, StoreError> {
        if let Some(slot) = self.session_map.get(id) {
            return Ok(Some(slot));
        }
        let stored = self.parts.store.handover(id).await?;
        Ok(stored.map(|handover| self.take_in(handover)))
    }

    pub(super) fn take_in(&self, handover: Handover) -> Arc<Slot> {
        let is_watched = handover.state() != State::Creating && handover.state().is_live();
        let facts = Arc::clone(&handover.facts);
        let slot = self.keep(handover);
        if is_watched {
            self.begins(&slot, &facts);
        }
        slot
    }

    /// As [`Handovers::take_in`], for one whose comparison with 8x8 is settled by the caller.
    pub(super) fn keep(&self, handover: Handover) -> Arc<Slot> {
        let due = transition::next_deadline(&handover).unwrap_or_else(|| self.parts.clock.now().plus(LINGER));
        self.deadlines.add(due, handover.id());
        // One that reopens stands on its conversation already: no other can be its.
        if handover.state() == State::Creating && handover.progress.conversation.is_none() {
            self.inbound.create_begins(&handover.facts);
        }
        self.session_map.insert(handover)
    }

    pub(super) async fn change(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        input: Input,
        along: Along,
    ) -> Result<Changed, ChangeError> {
        let mut handover = slot.handover.lock().await;
        self.change_locked(slot, &mut handover, input, along).await
    }

    pub(super) async fn change_locked(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        handover: &mut MutexGuard<'_, Handover>,
        input: Input,
        along: Along,
    ) -> Result<Changed, ChangeError> {
        for _ in 0..ATTEMPTS {
            let next = transition::next(handover, input.clone(), self.parts.clock.now())?;
            if next.says_nothing() && along.settled.is_empty() {
                self.tell_ephemeral(&next, along.receipt.as_ref());
                // An echo is remembered by its receipt all the same; typing is not worth a write.
                if along.receipt.is_none() || !next.ephemeral.is_empty() {
                    return Ok(Changed::Done);
                }
            }
            let agent_knows = news_of_agent(handover, &next);
            let commit = Commit {
                agent_knows,
                ..self.commit_of(&next, &along)
            };
            match self.parts.store.commit(commit).await? {
                Committed::Done => {
                    self.follow(slot, handover, next, &along);
                    return Ok(Changed::Done);
                }
                Committed::Seen { same_body } => return Ok(Changed::Seen { same_body }),
                Committed::KeyTaken(record) => return Err(ChangeError::KeyTaken(record)),
                Committed::Stale => self.reload(handover).await?,
            }
        }
        Err(StoreError::Unavailable("somebody else keeps changing the same handover".into()).into())
    }

    /// Repeats what the store could not take, until it can or the process stops.
    pub(super) async fn until_it_works<F, E>(&self, work: impl Fn() -> F)
    where
        F: Future<Output = Result<(), E>>,
    {
        let stop = self.parts.supervisor.stop_token();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.parts.clock.sleep(STORE_PAUSE) => {}
            }
            if work().await.is_ok() {
                return;
            }
        }
    }

    /// Someone else wrote this handover: take what the store has and compute again.
    pub(super) async fn reload(&self, handover: &mut MutexGuard<'_, Handover>) -> Result<(), StoreError> {
        let id = handover.id().clone();
        let stored = self.parts.store.handover(&id).await?;
        let missing = || StoreError::Inconsistent {
            table: "handover",
            column: "id",
            id: id.to_string(),
        };
        **handover = stored.ok_or_else(missing)?;
        Ok(())
    }

    fn commit_of(&self, next: &Transition, along: &Along) -> Commit {
        Commit {
            handover: next.next.clone(),
            changed: next.changed,
            events: next.events.clone(),
            deliver: self.parts.tenants.delivers(&next.next.facts),
            calls: next.calls.clone(),
            settled: along.settled.clone(),
            message: next.message.clone(),
            receipt: along.receipt.as_ref().map(|receipt| kept(receipt, &next.next)),
            claim: along.claim.clone(),
            agent_knows: None,
        }
    }

    /// What was committed becomes visible: the slot, the routing table, the timers, the lanes, whoever listens.
    fn follow(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        handover: &mut MutexGuard<'_, Handover>,
        next: Transition,
        along: &Along,
    ) {
        let was_bound = handover.progress.conversation.is_some();
        let was_creating = handover.state() == State::Creating;
        let due_before = transition::next_deadline(handover);
        **handover = next.next.clone();
        let facts = &handover.facts;
        if let (false, Some(conversation)) = (was_bound, &handover.progress.conversation) {
            self.session_map.bind(&facts.account, conversation.clone(), slot);
        }
        if handover.state() != State::Creating {
            self.inbound.create_is_over(facts);
        }
        if was_creating && handover.state() == State::Queued {
            self.begins(slot, facts);
        }
        match transition::next_deadline(handover) {
            Some(due) if due_before.is_none_or(|before| due < before) => self.deadlines.add(due, &slot.id),
            Some(_) => {}
            None if due_before.is_some() => self.deadlines.add(self.parts.clock.now().plus(LINGER), &slot.id),
            None => {}
        }
        if !next.events.is_empty() {
            if self.parts.tenants.delivers(facts) {
                self.parts.wake.lane(&slot.id, &facts.bot);
            }
            let what = What::Logged {
                last_sequence: handover.progress.last_sequence,
            };
            self.parts.bus.tell(
                &facts.bot,
                News {
                    handover: slot.id.clone(),
                    what,
                },
            );
        }
        // After the wake-up for what was logged: it must not overtake that.
        self.tell_ephemeral(&next, along.receipt.as_ref());
        let ticket = along.ticket.as_ref();
        self.enqueue(slot, next.calls, handover.progress.conversation.as_ref(), ticket);
        if handover.state() == State::Failed && handover.progress.conversation.is_none() {
            self.drop_lane(slot);
        }
    }

    fn tell_ephemeral(&self, next: &Transition, receipt: Option<&WebhookReceipt>) {
        for event in &next.ephemeral {
            self.tell_one(&next.next, event, receipt);
        }
    }

    /// Tells an ephemeral event to whoever listens now. The handover's lock is held.
    pub(super) fn tell_one(&self, handover: &Handover, event: &HandoverEvent, receipt: Option<&WebhookReceipt>) {
        let context = EventContext::of(handover);
        let bot = context.bot.clone();
        if let Ok(body) = event.render(&context, Marks::default()) {
            let what = What::Ephemeral {
                name: event.kind.as_str(),
                body: body.into(),
            };
            self.parts.bus.tell(
                &bot,
                News {
                    handover: context.handover.clone(),
                    what,
                },
            );
        }
        if self.parts.tenants.delivers(&handover.facts) {
            let (ephemerals, callback_url) = (&self.parts.ephemerals, handover.facts.callback_url.clone());
            match receipt {
                Some(receipt) if event.kind.is_webhook() => {
                    ephemerals.pass_on(context, event.clone(), callback_url, KeptWebhook::of(receipt));
                }
                _ => ephemerals.offer(context, event.clone(), callback_url),
            }
        }
    }
}

/// Whether the agent learns that the user is not receiving messages, or that it is over.
fn news_of_agent(before: &Handover, next: &Transition) -> Option<AgentKnows> {
    match (before.progress.agent_knows, next.next.progress.agent_knows) {
        (false, true) => Some(AgentKnows::Yes),
        (true, false) => Some(AgentKnows::No),
        (true, true) | (false, false) => None,
    }
}

/// Of an event of a handover whose content is erased no more is kept than that it came.
fn kept(receipt: &WebhookReceipt, handover: &Handover) -> WebhookReceipt {
    if handover.is_erased() {
        receipt.without_content()
    } else {
        receipt.clone()
    }
}
