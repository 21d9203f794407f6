//! One input in, one transition out.

use thiserror::Error;

use crate::domain::AgentRef;
use crate::domain::AskedBy;
use crate::domain::CallId;
use crate::domain::ConversationId;
use crate::domain::EndHandover;
use crate::domain::Handover;
use crate::domain::MessageId;
use crate::domain::MessageStatus;
use crate::domain::Notice;
use crate::domain::RawJson;
use crate::domain::ScheduleHandBack;
use crate::domain::SendMessage;
use crate::domain::Timestamp;
use crate::domain::UpdateHandover;
use crate::domain::User;
use crate::domain::WebhookEvent;
use crate::domain::transition::Transition;
use crate::domain::transition::backfill;
use crate::domain::transition::bot_phase;
use crate::domain::transition::calls;
use crate::domain::transition::change::Change;
use crate::domain::transition::deadlines;
use crate::domain::transition::erasing;
use crate::domain::transition::notices;
use crate::domain::transition::routing;
use crate::domain::transition::routing::Whereabouts;
use crate::domain::transition::webhook;

/// Everything that can happen to a handover.
#[derive(Clone, Debug)]
pub enum Input {
    /// 8x8 called our webhook.
    Webhook(WebhookEvent),
    /// The same, where the bot gets the webhook itself.
    Passed(WebhookEvent),
    /// 8x8's record shows it, and no webhook told it.
    Backfilled {
        event: WebhookEvent,
        /// In epoch milliseconds.
        at: i64,
    },
    /// 8x8 accepted the create, or was found to have.
    Created(ConversationId),
    /// 8x8 refused the create, or was found not to have it. Carries the problem the bot is told.
    NotCreated(RawJson),
    Send(SendMessage),
    Update(UpdateHandover),
    HandBack(ScheduleHandBack),
    /// 8x8 took the hand-back.
    HandBackScheduled,
    /// 8x8 did not take it, or never said whether it did; with the problem the bot is told.
    HandBackFailed {
        problem: RawJson,
        may_be_there: bool,
    },
    /// 8x8 took a change: what is new of the user holds, whether the queue is another has yet to be seen.
    Updated {
        call: CallId,
        user: Option<Box<User>>,
    },
    /// 8x8 did not take a change.
    UpdateFailed {
        call: CallId,
        asked_by: AskedBy,
        problem: RawJson,
    },
    End(EndHandover),
    /// What people said and who they are is to be erased.
    Erase,
    /// The fate of a message changed after the bot was answered.
    MessageFate {
        message: MessageId,
        client_message_id: Option<String>,
        status: MessageStatus,
    },
    /// Who types now, as far as 8x8's last word still counts.
    Typing {
        users: RawJson,
        active: bool,
    },
    /// A timer may be due; which one is decided by the time.
    Deadline,
    /// 8x8 was asked whether the conversation goes on.
    Asked(Answer),
    /// 8x8 was asked where the user is, after a change of queue that no event has told.
    Looked(Whereabouts),
    /// The bot has not been given for long what an agent said.
    HeldUp(Notice),
    /// It is given everything again; with what the agent is told, if anything.
    CaughtUp(Option<Notice>),
}

/// What 8x8 said of a conversation whose last agent left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Idle, or not known to 8x8 any more.
    Over,
    /// It goes on, with this agent or waiting for one.
    GoesOn {
        agent: Option<AgentRef>,
        in_queue: bool,
    },
    CouldNotTell,
}

/// The bot asked for something this state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    #[error("the handover is over")]
    Ended,
    #[error("the handover is not in a state that allows this")]
    NotActive,
    #[error("the handover is not over")]
    NotOver,
    /// 8x8 takes one hand-back a conversation.
    #[error("the hand-back is scheduled already")]
    HandBackTaken,
    #[error("the hand-back is being scheduled")]
    HandBackUnderWay,
}

pub fn next(handover: &Handover, input: Input, now: Timestamp) -> Result<Transition, Refused> {
    let mut change = Change::of(handover, now);
    bot_phase::start(&mut change);
    match input {
        Input::Webhook(event) => webhook::apply(&mut change, event),
        Input::Passed(event) => webhook::pass(&mut change, event),
        Input::Backfilled { event, at } => backfill::fill(&mut change, event, at),
        Input::Created(conversation) => webhook::accept(&mut change, conversation),
        Input::NotCreated(problem) => calls::not_created(&mut change, &problem),
        Input::Send(message) => calls::send(&mut change, message)?,
        Input::Update(update) => calls::update(&mut change, update)?,
        Input::HandBack(asked) => bot_phase::hand_back(&mut change, asked)?,
        Input::HandBackScheduled => bot_phase::scheduled(&mut change),
        Input::HandBackFailed { problem, may_be_there } => {
            bot_phase::not_scheduled(&mut change, &problem, may_be_there);
        }
        Input::Updated { call, user } => calls::updated(&mut change, &call, user),
        Input::UpdateFailed {
            call,
            asked_by,
            problem,
        } => routing::refused(&mut change, &call, asked_by, &problem),
        Input::End(end) => calls::end(&mut change, end)?,
        Input::Erase => erasing::erase(&mut change)?,
        Input::MessageFate {
            message,
            client_message_id,
            status,
        } => {
            calls::fate(&mut change, &message, client_message_id.as_deref(), status);
        }
        Input::Typing { users, active } => webhook::types(&mut change, &users, active),
        Input::Deadline => deadlines::due(&mut change),
        Input::Asked(answer) => deadlines::asked(&mut change, answer),
        Input::Looked(seen) => routing::looked(&mut change, seen),
        Input::HeldUp(notice) => notices::held_up(&mut change, notice),
        Input::CaughtUp(notice) => notices::caught_up(&mut change, notice),
    }
    Ok(change.finish())
}
