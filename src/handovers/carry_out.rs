//! One call to 8x8 until its fate is known: what is repeated, what is looked for first, and who is told.

use std::sync::Arc;
use std::time::Duration;

use crate::chat_gateway::ChatGateway;
use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::NewMessage;
use crate::domain::AskedBy;
use crate::domain::Attached;
use crate::domain::Call;
use crate::domain::CallOutcome;
use crate::domain::CallRecord;
use crate::domain::ConversationId;
use crate::domain::MessagePart;
use crate::domain::MessageStatus;
use crate::domain::State;
use crate::domain::User;
use crate::domain::transition::Input;
use crate::handovers::Handovers;
use crate::handovers::Tenant;
use crate::handovers::hand_back;
use crate::handovers::problem;
use crate::handovers::resolve::Presence;
use crate::handovers::resolve::is_idle;
use crate::handovers::send_lane::Item;
use crate::handovers::service::Along;
use crate::handovers::session_map::Slot;
use crate::handovers::ticket::Fate;
use crate::handovers::ticket::Ticket;
use crate::handovers::update::is_wanted;
use crate::store::CallSettled;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The process is stopping: the call stays open, and is taken up at the next start.
pub(super) struct Stopped;

impl Handovers {
    pub(super) async fn carry_out(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        tenant: &Tenant,
        conversation: &ConversationId,
        mut item: Item,
    ) {
        let bot = slot.handover.lock().await.facts.bot.clone();
        let target = Target {
            slot,
            tenant,
            conversation,
            gateway: tenant.chat_gateway.asked_by(&bot),
        };
        let fate = match &item.record.call {
            Call::PostMessage(part) => {
                let part = part.clone();
                self.post_with_files(&target, &mut item, part).await
            }
            Call::UserLeaves { display_message } => self.leave(&target, &item.record, display_message.as_deref()).await,
            Call::Update {
                queue_id,
                user,
                asked_by,
            } => {
                let change = (queue_id.as_deref(), user.as_deref(), *asked_by);
                self.update_there(&target, &item.record, change).await
            }
            Call::HandBack { asked, perhaps_there } => {
                self.hand_back_there(&target, &item, asked, *perhaps_there).await
            }
        };
        if let Ok(fate) = fate {
            self.settle(slot, item, fate).await;
        }
    }

    /// Posts one message. After an unknown outcome it is looked for, and posted again only when 8x8 shows that it does
    /// not have it.
    pub(super) async fn post(&self, target: &Target<'_>, item: &Item, part: &MessagePart) -> Result<Fate, Stopped> {
        let mut pause = Pause::new();
        // An earlier run sent it before this one began, if it did: those that wait here need not each be waited for.
        let mut in_doubt_since = item.may_be_sent.then_some(self.started_at);
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
            // 8x8 would open a new interaction for a message to a conversation that is over, and a message of an hour ago
            // would make no sense to the agent.
            if self.is_over_there(target.slot).await || self.is_past(&item.record) {
                return Ok(Fate::Failed(None));
            }
            let files: Vec<&str> = part.attachments.iter().filter_map(Attached::id).collect();
            let message = NewMessage {
                author_type: part.author,
                text: part.text.as_deref(),
                attachments: &files,
                cards: &part.cards,
            };
            failpoint!("message.before_call");
            let posted = target.gateway.post_message(target.conversation, &message).await;
            failpoint!("message.after_call");
            match posted {
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

    /// Repeated until 8x8 confirms, or shows that the conversation is over.
    async fn leave(&self, target: &Target<'_>, record: &CallRecord, message: Option<&str>) -> Result<Fate, Stopped> {
        let gateway = &target.gateway;
        let mut pause = Pause::new();
        loop {
            failpoint!("end.before_call");
            let left = gateway.user_leaves(target.conversation, message).await;
            failpoint!("end.after_call");
            let error = match left {
                Ok(()) => return Ok(Fate::Done),
                Err(error) if error.is_not_found() => return Ok(Fate::Done),
                Err(error) => error,
            };
            let is_refused = matches!(error, ChatGatewayError::Refused(_));
            if is_refused && gateway.get(target.conversation).await.is_ok_and(|view| is_idle(&view)) {
                return Ok(Fate::Done);
            }
            if self.is_past(record) {
                return Ok(Fate::Failed(Some(error)));
            }
            tokio::select! {
                paused = self.pause(&mut pause, error.retry_after()) => paused?,
                () = target.slot.lane.hurried(), if error.retry_after().is_none() => {}
            }
        }
    }

    /// Repeated while it still makes sense: an agent may have come, or the conversation have ended, meanwhile.
    async fn update_there(
        &self,
        target: &Target<'_>,
        record: &CallRecord,
        (queue_id, changes, asked_by): (Option<&str>, Option<&User>, AskedBy),
    ) -> Result<Fate, Stopped> {
        let mut pause = Pause::new();
        loop {
            let (state, is_wanted, user) = {
                let handover = target.slot.handover.lock().await;
                let merged = changes.map(|changes| handover.progress.user.merged(changes.clone()));
                let session = handover.facts.bot_session_id.as_deref();
                let bot = self.parts.tenants.bot(&handover.facts.bot);
                let shown = merged.map(|user| match bot {
                    Some(bot) => bot.shown_user(user, session),
                    None => user,
                });
                (handover.state(), is_wanted(&handover, record, asked_by), shown)
            };
            let may_move = is_wanted && matches!(state, State::Queued | State::Bot);
            let fits = state.is_live() && (queue_id.is_none() || may_move);
            if !fits || self.is_past(record) {
                return Ok(Fate::Failed(None));
            }
            let gateway = &target.gateway;
            let updated = gateway.update(target.conversation, &target.slot.id, queue_id, user.as_ref());
            failpoint!("update.before_call");
            let updated = updated.await;
            failpoint!("update.after_call");
            match updated {
                Ok(()) => return Ok(Fate::Done),
                Err(error @ ChatGatewayError::Refused(_)) => return Ok(Fate::Failed(Some(error))),
                Err(error) => self.pause(&mut pause, error.retry_after()).await?,
            }
        }
    }

    /// Records the end of a call first and tells of it then, so that nobody is told what a crash would undo.
    pub(super) async fn settle(self: &Arc<Self>, slot: &Arc<Slot>, item: Item, fate: Fate) {
        match &item.record.call {
            Call::PostMessage(part) => {
                let part = part.clone();
                self.settle_message(slot, item, &part, fate).await;
            }
            Call::Update { user, asked_by, .. } => {
                let call = item.record.id.clone();
                let told = match &fate {
                    Fate::Failed(error) => Input::UpdateFailed {
                        call,
                        asked_by: *asked_by,
                        problem: problem::of_update(error.as_ref()),
                    },
                    Fate::Open(_) | Fate::Done | Fate::Unconfirmed | Fate::Unfetched { .. } => Input::Updated {
                        call,
                        user: user.clone(),
                    },
                };
                let settled = vec![self.settled(&item.record, outcome(&fate))];
                self.conclude(slot, settled, || Some(told.clone())).await;
                if let Some(ticket) = &item.ticket {
                    ticket.settle(fate);
                }
            }
            Call::HandBack { asked, .. } => {
                let told = hand_back::told(&fate, asked);
                self.conclude(slot, vec![self.settled(&item.record, outcome(&fate))], || {
                    Some(told.clone())
                })
                .await;
                if let Some(ticket) = &item.ticket {
                    ticket.settle(fate);
                }
            }
            Call::UserLeaves { .. } => {
                if matches!(fate, Fate::Failed(_)) {
                    tracing::error!(handover.id = %slot.id, "8x8 never confirmed that the user left, an agent may still be held");
                }
                self.conclude(slot, vec![self.settled(&item.record, outcome(&fate))], || None)
                    .await;
            }
        }
    }

    /// A part that failed takes the rest of its message with it: what follows would make no sense to the agent.
    async fn settle_message(self: &Arc<Self>, slot: &Arc<Slot>, item: Item, part: &MessagePart, fate: Fate) {
        let mut items = vec![item];
        if !matches!(fate, Fate::Done) {
            items.extend(slot.lane.take_parts(&part.message));
        }
        let mut settled: Vec<CallSettled> = items
            .iter()
            .map(|item| self.settled(&item.record, outcome(&fate)))
            .collect();
        let decides = part.last || !matches!(fate, Fate::Done);
        let (Some(last), true) = (settled.last_mut(), decides) else {
            return self.conclude(slot, settled, || None).await;
        };
        let status = status(&fate);
        last.message = Some((part.message.clone(), status));
        let ticket = items.last().and_then(|item| item.ticket.as_ref());
        let told = || {
            let answered = ticket.map(Ticket::decide);
            if part.instead.is_some() || part.notice {
                return None;
            }
            // Nobody waits for a message of an earlier run: it is told by an event.
            let is_news = answered.is_none_or(|answered| answered.is_some_and(|answered| answered != status));
            is_news.then(|| Input::MessageFate {
                message: part.message.clone(),
                client_message_id: part.client_message_id.clone(),
                status,
            })
        };
        if part.notice && !matches!(fate, Fate::Done) {
            tracing::warn!(handover.id = %slot.id, "8x8 is not known to have shown the agent that messages do not get through");
        }
        self.conclude(slot, settled, told).await;
        if let Some(ticket) = ticket {
            ticket.settle(fate);
        }
    }

    /// Records the end of calls, with the event that tells of it when nobody was told yet: who was, may change while a
    /// store that is away is waited for. Until it is back the calls count as open, and a restart would look at 8x8 again.
    async fn conclude(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        settled: Vec<CallSettled>,
        told: impl Fn() -> Option<Input> + Sync,
    ) {
        failpoint!("call.before_settle");
        let mut pause = Pause::new();
        loop {
            let done = if let Some(input) = told() {
                let along = Along {
                    settled: settled.clone(),
                    ..Along::default()
                };
                let changed = self.change(slot, input, along).await;
                changed.map(|_changed| ()).map_err(|error| error.to_string())
            } else {
                let settled = self.parts.store.settle_calls(settled.clone()).await;
                settled.map_err(|error| error.to_string())
            };
            failpoint!("call.after_settle");
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

    pub(super) fn is_past(&self, record: &CallRecord) -> bool {
        self.parts.clock.now() >= record.deadline
    }

    /// Over, and not by a leave call of ours that still waits behind this message.
    pub(super) async fn is_over_there(&self, slot: &Slot) -> bool {
        !slot.handover.lock().await.state().is_live() && !slot.lane.leave_waits()
    }

    pub(super) async fn pause(&self, pause: &mut Pause, at_least: Option<Duration>) -> Result<(), Stopped> {
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
    /// The tenant's access to 8x8, for the handover's bot.
    pub(super) gateway: ChatGateway,
}

pub(super) struct Pause(Duration);

impl Pause {
    pub(super) fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    pub(super) fn next(&mut self) -> Duration {
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
        Fate::Failed(_) | Fate::Unfetched { .. } => CallOutcome::Failed,
        Fate::Open(_) | Fate::Unconfirmed => CallOutcome::Unconfirmed,
    }
}

fn status(fate: &Fate) -> MessageStatus {
    match fate {
        Fate::Done => MessageStatus::Accepted,
        Fate::Failed(_) | Fate::Unfetched { .. } => MessageStatus::Failed,
        Fate::Unconfirmed => MessageStatus::Unconfirmed,
        Fate::Open(status) => *status,
    }
}
