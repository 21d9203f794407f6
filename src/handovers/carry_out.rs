//! One call to 8x8 until its fate is known: what is repeated, what is looked for first, and who is told.

use std::sync::Arc;
use std::time::Duration;

use crate::chat_gateway::ChatGatewayError;
use crate::domain::Call;
use crate::domain::CallOutcome;
use crate::domain::CallRecord;
use crate::domain::ConversationId;
use crate::domain::MessagePart;
use crate::domain::MessageStatus;
use crate::domain::transition::Input;
use crate::handovers::Handovers;
use crate::handovers::Tenant;
use crate::handovers::problem;
use crate::handovers::resolve::Presence;
use crate::handovers::send_lane::Item;
use crate::handovers::service::Along;
use crate::handovers::session_map::Slot;
use crate::handovers::ticket::Fate;
use crate::handovers::ticket::Ticket;
use crate::store::CallSettled;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The process is stopping: the call stays open, and is taken up at the next start.
struct Stopped;

impl Handovers {
    pub(super) async fn carry_out(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        tenant: &Tenant,
        conversation: &ConversationId,
        item: Item,
    ) {
        let target = Target {
            slot,
            tenant,
            conversation,
        };
        let fate = match &item.record.call {
            Call::PostMessage(part) => self.post(&target, &item, part).await,
            Call::UserLeaves { display_message } => {
                let call = || {
                    tenant
                        .chat_gateway
                        .user_leaves(conversation, display_message.as_deref())
                };
                self.repeat(&item.record, call, Give::OnlyWhenGone).await
            }
            Call::Update { queue_id, user } => {
                let call = || {
                    tenant
                        .chat_gateway
                        .update(conversation, &slot.id, queue_id.as_deref(), user.as_deref())
                };
                self.repeat(&item.record, call, Give::WhenRefused).await
            }
        };
        if let Ok(fate) = fate {
            self.settle(slot, item, fate).await;
        }
    }

    /// Posts one message. After an unknown outcome it is looked for, and posted again only when 8x8 shows that it does
    /// not have it.
    async fn post(&self, target: &Target<'_>, item: &Item, part: &MessagePart) -> Result<Fate, Stopped> {
        let mut pause = Pause::new();
        let mut in_doubt_since = item.may_be_sent.then_some(item.record.created_at);
        loop {
            if let Some(since) = in_doubt_since {
                match self.find_message(target, &item.record, part, since).await {
                    Presence::Present => return Ok(Fate::Done),
                    Presence::Absent => in_doubt_since = None,
                    Presence::CouldNotTell if self.is_past(&item.record) => return Ok(Fate::Unconfirmed),
                    Presence::CouldNotTell => {
                        self.pause(&mut pause, None).await?;
                        continue;
                    }
                }
            }
            // 8x8 would open a new interaction for a message to a conversation that is over.
            if self.is_over_there(target.slot).await {
                return Ok(Fate::Failed(None));
            }
            match target
                .tenant
                .chat_gateway
                .post(target.conversation, part.author, part.text.as_deref(), &part.cards)
                .await
            {
                Ok(()) => return Ok(Fate::Done),
                Err(ChatGatewayError::Unanswered(_)) => {
                    stands(item.ticket.as_ref(), MessageStatus::Unconfirmed);
                    in_doubt_since = Some(self.parts.clock.now());
                }
                Err(error @ ChatGatewayError::Refused(_)) => return Ok(Fate::Failed(Some(error))),
                Err(error) if self.is_past(&item.record) => return Ok(Fate::Failed(Some(error))),
                Err(error) => {
                    stands(item.ticket.as_ref(), MessageStatus::Queued);
                    self.pause(&mut pause, error.retry_after()).await?;
                }
            }
        }
    }

    /// Repeats a call that may be made any number of times.
    async fn repeat<F>(&self, record: &CallRecord, call: impl Fn() -> F, give_up: Give) -> Result<Fate, Stopped>
    where
        F: Future<Output = Result<(), ChatGatewayError>>,
    {
        let mut pause = Pause::new();
        loop {
            let error = match call().await {
                Ok(()) => return Ok(Fate::Done),
                Err(error) => error,
            };
            let is_refused = matches!(error, ChatGatewayError::Refused(_));
            match give_up {
                Give::OnlyWhenGone if error.is_not_found() => return Ok(Fate::Done),
                Give::WhenRefused if is_refused => return Ok(Fate::Failed(Some(error))),
                Give::OnlyWhenGone | Give::WhenRefused if self.is_past(record) => return Ok(Fate::Failed(Some(error))),
                Give::OnlyWhenGone | Give::WhenRefused => self.pause(&mut pause, error.retry_after()).await?,
            }
        }
    }

    async fn settle(self: &Arc<Self>, slot: &Arc<Slot>, item: Item, fate: Fate) {
        let record = &item.record;
        match (&record.call, &fate) {
            (Call::PostMessage(part), Fate::Failed(_) | Fate::Unconfirmed) if !part.last => {
                self.give_up_rest(slot, &item, fate).await;
            }
            (Call::PostMessage(part), _) => self.settle_message(slot, &item, part, fate).await,
            (Call::Update { .. }, Fate::Failed(error)) => {
                let problem = problem::of_update(error.as_ref());
                let settled = self.settled(record, CallOutcome::Failed);
                let answered = item.ticket.as_ref().is_none_or(|ticket| ticket.settle(fate));
                self.conclude(slot, settled, answered.then_some(Input::UpdateFailed(problem)))
                    .await;
            }
            (Call::UserLeaves { .. } | Call::Update { .. }, _) => {
                if matches!(fate, Fate::Failed(_)) {
                    tracing::error!(handover.id = %slot.id, "8x8 never confirmed that the user left, an agent may still be held");
                }
                let settled = self.settled(record, outcome(&fate));
                if let Some(ticket) = &item.ticket {
                    ticket.settle(fate);
                }
                self.conclude(slot, settled, None).await;
            }
        }
    }

    async fn settle_message(self: &Arc<Self>, slot: &Arc<Slot>, item: &Item, part: &MessagePart, fate: Fate) {
        let mut settled = self.settled(&item.record, outcome(&fate));
        if !part.last {
            return self.conclude(slot, settled, None).await;
        }
        let status = status(&fate);
        settled.message = Some((part.message.clone(), status));
        let answered = item.ticket.as_ref().is_none_or(|ticket| ticket.settle(fate));
        let told = Input::MessageFate {
            message: part.message.clone(),
            client_message_id: part.client_message_id.clone(),
            status,
        };
        self.conclude(slot, settled, answered.then_some(told)).await;
    }

    /// A part failed: what follows of the message would make no sense to the agent.
    async fn give_up_rest(self: &Arc<Self>, slot: &Arc<Slot>, item: &Item, fate: Fate) {
        let Call::PostMessage(part) = &item.record.call else {
            return;
        };
        self.conclude(slot, self.settled(&item.record, outcome(&fate)), None)
            .await;
        let mut rest = slot.lane.take_parts(&part.message);
        let last = rest.pop();
        for item in rest {
            self.conclude(slot, self.settled(&item.record, CallOutcome::Failed), None)
                .await;
        }
        if let Some(item) = last
            && let Call::PostMessage(part) = &item.record.call
        {
            self.settle_message(slot, &item, part, fate).await;
        }
    }

    /// Records the end of a call, with the event that tells of it when nobody was told yet. A store that is away is
    /// waited for: until it is back the call counts as open, and a restart would look at 8x8 again.
    async fn conclude(self: &Arc<Self>, slot: &Arc<Slot>, settled: CallSettled, told: Option<Input>) {
        let mut pause = Pause::new();
        loop {
            let done = match told.clone() {
                Some(input) => {
                    let along = Along {
                        settled: Some(settled.clone()),
                        ..Along::default()
                    };
                    self.change(slot, input, along)
                        .await
                        .map(|_changed| ())
                        .map_err(|error| error.to_string())
                }
                None => self
                    .parts
                    .store
                    .settle_call(settled.clone())
                    .await
                    .map_err(|error| error.to_string()),
            };
            let Err(error) = done else { return };
            tracing::warn!(handover.id = %slot.id, error, "the end of a call to 8x8 could not be recorded yet");
            if self.pause(&mut pause, None).await.is_err() {
                return;
            }
        }
    }

    fn settled(&self, record: &CallRecord, outcome: CallOutcome) -> CallSettled {
        CallSettled {
            id: record.id.clone(),
            outcome,
            message: None,
            at: self.parts.clock.now(),
        }
    }

    fn is_past(&self, record: &CallRecord) -> bool {
        self.parts.clock.now() >= record.deadline
    }

    /// Over, and not by a leave call of ours that still waits behind this message.
    async fn is_over_there(&self, slot: &Slot) -> bool {
        !slot.handover.lock().await.state().is_live() && !slot.lane.leave_waits()
    }

    async fn pause(&self, pause: &mut Pause, at_least: Option<Duration>) -> Result<(), Stopped> {
        let stop = self.parts.supervisor.stop_token();
        let wait = pause.next().max(at_least.unwrap_or_default().min(LONGEST_PAUSE));
        tokio::select! {
            () = stop.cancelled() => Err(Stopped),
            () = self.parts.clock.sleep(wait) => Ok(()),
        }
    }
}

/// Where a call goes.
pub(super) struct Target<'a> {
    pub(super) slot: &'a Arc<Slot>,
    pub(super) tenant: &'a Tenant,
    pub(super) conversation: &'a ConversationId,
}

/// When a repeatable call is given up before its deadline.
#[derive(Clone, Copy)]
enum Give {
    /// 8x8 does not know the conversation: what was wanted is so.
    OnlyWhenGone,
    WhenRefused,
}

struct Pause(Duration);

impl Pause {
    fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 2).min(LONGEST_PAUSE);
        now
    }
}

fn stands(ticket: Option<&Ticket>, status: MessageStatus) {
    if let Some(ticket) = ticket {
        ticket.stands(status);
    }
}

fn outcome(fate: &Fate) -> CallOutcome {
    match fate {
        Fate::Done => CallOutcome::Done,
        Fate::Failed(_) => CallOutcome::Failed,
        Fate::Open(_) | Fate::Unconfirmed => CallOutcome::Unconfirmed,
    }
}

fn status(fate: &Fate) -> MessageStatus {
    match fate {
        Fate::Done => MessageStatus::Accepted,
        Fate::Failed(_) => MessageStatus::Failed,
        Fate::Unconfirmed => MessageStatus::Unconfirmed,
        Fate::Open(status) => *status,
    }
}
