//! The bot leads: a conversation that began at 8x8, the way to the agents' queue, and the way back from the agents.

use std::time::Duration;

use serde::Serialize;

use crate::domain::Arrival;
use crate::domain::AuthorType;
use crate::domain::Call;
use crate::domain::ConversationState;
use crate::domain::ConversationUpdate;
use crate::domain::EndReason;
use crate::domain::EventType;
use crate::domain::HandBack;
use crate::domain::MessageSeen;
use crate::domain::Origin;
use crate::domain::Queue;
use crate::domain::RawJson;
use crate::domain::ScheduleHandBack;
use crate::domain::Source;
use crate::domain::State;
use crate::domain::User;
use crate::domain::transition::Refused;
use crate::domain::transition::change::Change;
use crate::domain::transition::telling::Telling;
use crate::domain::transition::webhook;

/// A hand-back is worth scheduling for this long: the agent may be gone then.
const HAND_BACK_FOR: Duration = Duration::from_mins(2);

/// Whatever comes first to a conversation that began at 8x8, the bot is told of the conversation before it.
pub(super) fn start(change: &mut Change<'_>) {
    #[derive(Serialize)]
    struct Started<'a> {
        user: &'a User,
        #[serde(flatten)]
        arrival: &'a Arrival,
    }
    let handover = change.before();
    // One that is being created is the bot's own: it reopens what a customer began.
    let is_reopened = handover.state() == State::Creating;
    if handover.facts.origin != Origin::Channel || is_reopened || handover.progress.last_sequence > 0 {
        return;
    }
    let (facts, user) = (handover.facts.clone(), handover.progress.user.clone());
    let unknown = Arrival::default();
    let started = Started {
        user: &user,
        arrival: facts.arrival.as_ref().unwrap_or(&unknown),
    };
    change.log(EventType::ConversationStarted, &started);
}

pub(super) fn hand_back(change: &mut Change<'_>, asked: ScheduleHandBack) -> Result<(), Refused> {
    match change.state() {
        State::Queued | State::Active | State::Transferring => {}
        State::Creating | State::Bot => return Err(Refused::NotActive),
        State::Ended | State::Failed => return Err(Refused::Ended),
    }
    let perhaps_there = match change.progress.hand_back {
        None | Some(HandBack::AtJoin) => false,
        Some(HandBack::Unknown) => true,
        Some(HandBack::Calling) => return Err(Refused::HandBackUnderWay),
        Some(HandBack::Scheduled) => return Err(Refused::HandBackTaken),
    };
    schedule(change, asked, perhaps_there);
    Ok(())
}

/// The first agent joined: a hand-back asked for at the create is due.
pub(super) fn agent_came(change: &mut Change<'_>) {
    if change.progress.hand_back == Some(HandBack::AtJoin) {
        schedule(change, ScheduleHandBack::default(), false);
    }
}

fn schedule(change: &mut Change<'_>, asked: ScheduleHandBack, perhaps_there: bool) {
    change.progress.hand_back = Some(HandBack::Calling);
    change.call(Call::HandBack { asked, perhaps_there }, HAND_BACK_FOR);
}

pub(super) fn scheduled(change: &mut Change<'_>) {
    change.progress.hand_back = Some(HandBack::Scheduled);
}

pub(super) fn not_scheduled(change: &mut Change<'_>, problem: &RawJson, may_be_there: bool) {
    change.progress.hand_back = may_be_there.then_some(HandBack::Unknown);
    if change.state().is_live() {
        change.log(EventType::UpdateFailed, &serde_json::json!({"problem": problem}));
    }
}

/// Whether the bot may lead again now that the agents are gone and no transfer was seen.
pub(super) fn may_come(change: &Change<'_>) -> bool {
    let scheduled = change.progress.hand_back.is_some_and(HandBack::may_come);
    scheduled && change.state() == State::Transferring && !change.progress.transfer_seen
}

/// The agents are done and the conversation goes on; `at` is 8x8's time, where an event of 8x8's shows it.
pub(super) fn leads_again(change: &mut Change<'_>, at: Option<i64>, extra: &impl Serialize) {
    change.progress.state = State::Bot;
    change.progress.ask_at = None;
    change.progress.asked = 0;
    change.progress.queued_since = None;
    change.progress.last_message_at = change.now;
    if let Some(at) = at {
        webhook::mark(change, at);
    }
    change.log(EventType::HandedBack, extra);
}

/// What an update that is not old says of who leads: nobody else does, after the agents.
pub(super) fn updated(change: &mut Change<'_>, update: &ConversationUpdate, source: &Source, at: i64) {
    let is_free = update.agent.is_none() && update.queue_id.is_none();
    if may_come(change) && update.state == Some(ConversationState::Active) && is_free {
        leads_again(change, Some(at), &serde_json::json!({"source": source}));
    }
}

/// From the bot into a queue.
pub(super) fn waits_in(change: &mut Change<'_>, queue: Queue, at: i64) {
    change.progress.state = State::Queued;
    change.progress.queued_since = Some(change.now);
    change.progress.queue = Some(queue);
    webhook::mark(change, at);
}

/// Why a conversation that went idle at 8x8 is over: while the bot leads, because the user fell silent for too long.
pub(super) fn idle_reason(state: State) -> EndReason {
    match state {
        State::Bot => EndReason::IdleTimeout,
        State::Creating | State::Queued | State::Active | State::Transferring | State::Ended | State::Failed => {
            EndReason::AgentEnded
        }
    }
}

/// What is posted as the user comes back as the user's words, perhaps when the bot leads.
pub(super) fn remember(change: &mut Change<'_>, author: AuthorType, texts: &[String]) {
    let may_lead = change.state() == State::Bot
        || change.before().facts.origin == Origin::Channel
        || change.progress.hand_back.is_some();
    if author == AuthorType::User && may_lead {
        for text in texts {
            change.progress.own_words.add(text);
        }
    }
}

/// What the bot posted comes back as an event, and so does what the user writes to the agent. Only where the bot leads
/// is the user someone else's voice.
pub(super) fn is_echo(change: &mut Change<'_>, message: &MessageSeen, said: &Telling<'_>) -> bool {
    match message.sender_type.as_str() {
        "bot" => true,
        // Nobody posts as these but 8x8, whatever the mark says.
        "agent" | "system" => false,
        "user" => message.is_echo || is_not_for_the_bot(change, message, said),
        _ => message.is_echo,
    }
}

fn is_not_for_the_bot(change: &mut Change<'_>, message: &MessageSeen, said: &Telling<'_>) -> bool {
    if change.progress.own_words.take(&message.text) {
        return true;
    }
    let old = webhook::is_old(change, said.at);
    if change.before().facts.origin == Origin::Channel && change.state().is_live() {
        // The user writes in 8x8's own channel: nothing else shows that they are still there.
        change.progress.last_message_at = change.now;
        if !old && may_come(change) {
            leads_again(change, Some(said.at), &serde_json::json!({"source": said.source}));
        }
    }
    // Words from before the agents left were theirs to answer.
    change.state() != State::Bot || (old && !change.progress.agents.nobody_ever())
}
