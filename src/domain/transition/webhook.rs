//! What 8x8's events make of a handover. Events come in no promised order and more than once: each rule says what an old
//! or repeated one does.

use serde::Serialize;

use crate::domain::AgentRef;
use crate::domain::AttachmentSeen;
use crate::domain::ConversationId;
use crate::domain::ConversationState;
use crate::domain::ConversationUpdate;
use crate::domain::EndReason;
use crate::domain::EventType;
use crate::domain::MessageId;
use crate::domain::MessageSeen;
use crate::domain::Origin;
use crate::domain::Queue;
use crate::domain::RawJson;
use crate::domain::State;
use crate::domain::WebhookEvent;
use crate::domain::WebhookKind;
use crate::domain::agent::Told;
use crate::domain::transition::backfill;
use crate::domain::transition::bot_phase;
use crate::domain::transition::calls;
use crate::domain::transition::change::Change;
use crate::domain::transition::reopening;
use crate::domain::transition::reopening::Past;
use crate::domain::transition::routing;
use crate::domain::transition::telling::Telling;

/// Applies one event. An event for a handover still being created proves that 8x8 took it.
pub(super) fn apply(change: &mut Change<'_>, event: WebhookEvent) {
    let at = event.source.timestamp.unwrap_or(change.now.as_millis());
    if !backfill::was_filled(change, &event.kind, at) {
        happen(change, event, at);
    }
}

/// What an event of this time means, whoever told of it.
pub(super) fn happen(change: &mut Change<'_>, event: WebhookEvent, at: i64) {
    let WebhookEvent {
        conversation,
        source,
        kind,
    } = event;
    match reopening::past(change, &kind, at) {
        Past::OfBefore => return reopening::ask(change),
        Past::Reopens => {
            accept(change, conversation);
            reopening::turned_up(change);
        }
        Past::No if change.progress.reopening.is_some() => {}
        Past::No => accept(change, conversation),
    }
    let told = Telling { source: &source, at };
    match kind {
        WebhookKind::ConversationUpdate(update) => conversation_update(change, &told, update),
        WebhookKind::Queued(queue) => queued(change, &told, queue),
        WebhookKind::AgentJoined(agent) => told.joined(change, &agent),
        WebhookKind::AgentLeft(agent) => left(change, &told, &agent),
        WebhookKind::UserLeft => user_left(change, &told),
        WebhookKind::Transfer => transfer(change, &told),
        WebhookKind::Message(message) => said(change, &told, &message),
        WebhookKind::Typing { users, active } => {
            typing(change, &told, &serde_json::json!({"active": active, "users": users}));
        }
        WebhookKind::Action { name, value } => {
            change.log(
                EventType::ActionSubmitted,
                &told.with(
                    "action",
                    Action {
                        name: &name,
                        value: &value,
                    },
                ),
            );
        }
        WebhookKind::Unrecognized { raw } => change.log(EventType::Unrecognized, &told.with("raw", raw)),
        WebhookKind::UserJoined | WebhookKind::OwnTyping => {}
    }
}

/// Applies one event for a bot that gets 8x8's webhooks as they came: each is logged before what it means, also one that
/// means nothing. Typing is worth no entry.
pub(super) fn pass(change: &mut Change<'_>, event: WebhookEvent) {
    let passed = serde_json::json!({"source": event.source});
    if matches!(event.kind, WebhookKind::Typing { .. } | WebhookKind::OwnTyping) {
        apply(change, event);
        change.tell(EventType::WebhookTyping, &passed);
    } else {
        change.log(EventType::WebhookReceived, &passed);
        apply(change, event);
    }
}

/// 8x8 took the conversation: by its answer, or by the first event that names it.
pub(super) fn accept(change: &mut Change<'_>, conversation: ConversationId) {
    match change.state() {
        State::Creating => {}
        // It was given up before 8x8 showed that it has it: no agent may wait there for nobody.
        State::Failed if change.progress.conversation.is_none() => {
            change.progress.conversation = Some(conversation);
            return change.leave(None);
        }
        State::Failed | State::Queued | State::Active | State::Transferring | State::Bot | State::Ended => return,
    }
    change.progress.conversation = Some(conversation);
    change.progress.state = State::Queued;
    change.progress.queued_since = Some(change.now);
    change.progress.routing.since = Some(change.now);
    let end = change.progress.end_requested.take();
    let words = change.progress.reopening.take();
    let told = match change.before().facts.recovered_at {
        Some(_) => serde_json::json!({"recovered": true}),
        None => serde_json::json!({}),
    };
    change.log(EventType::HandoverAccepted, &told);
    if let Some(words) = words {
        reopening::taken(change, *words);
    }
    match end {
        Some(end) => {
            change.progress.history_files.clear();
            change.end_and_leave(EndReason::Cancelled, end.message);
        }
        None => calls::show_history_files(change),
    }
}

/// An agent who joined without an event of 8x8's to tell it by.
pub(super) fn joined(change: &mut Change<'_>, agent: &AgentRef, at: i64) {
    if enter(change, agent, at) {
        change.log(EventType::AgentJoined, &serde_json::json!({"agent": agent}));
    }
}

impl Telling<'_> {
    fn joined(&self, change: &mut Change<'_>, agent: &AgentRef) {
        if enter(change, agent, self.at) {
            change.log(EventType::AgentJoined, &self.with("agent", agent));
        }
    }
}

#[derive(Serialize)]
struct Action<'a> {
    name: &'a str,
    value: &'a RawJson,
}

/// Whether the join is worth telling. Only a join that is news moves the state.
fn enter(change: &mut Change<'_>, agent: &AgentRef, at: i64) -> bool {
    match change.progress.agents.join(agent, at) {
        Told::Again => false,
        Told::Late => true,
        Told::News => {
            if change.state().is_live() {
                change.progress.state = State::Active;
                change.progress.agent_joined_at.get_or_insert(change.now);
                change.progress.queued_since = None;
                change.progress.routing.rest();
                change.progress.transfer_seen = false;
                change.progress.ask_at = None;
                change.progress.asked = 0;
                change.progress.last_message_at = change.now;
                mark(change, at);
                bot_phase::agent_came(change);
            }
            true
        }
    }
}

fn left(change: &mut Change<'_>, told: &Telling<'_>, agent: &AgentRef) {
    let meaning = change.progress.agents.leave(agent, told.at);
    if meaning == Told::Again {
        return;
    }
    let grace = change.now.plus(change.before().facts.timers.transfer_grace);
    match change.state() {
        State::Active if meaning == Told::News && change.progress.agents.nobody_present() => {
            change.progress.state = State::Transferring;
            change.progress.ask_at = Some(grace);
            mark(change, told.at);
        }
        // The leave overtook its join: whether anyone else will come is for 8x8 to say.
        State::Queued => change.progress.ask_at = Some(grace),
        State::Creating | State::Active | State::Transferring | State::Bot | State::Ended | State::Failed => {}
    }
    let known = AgentRef {
        id: agent.id.clone(),
        name: change
            .progress
            .agents
            .get(&agent.id)
            .and_then(|agent| agent.name.clone()),
    };
    change.log(EventType::AgentLeft, &told.with("agent", known));
}

fn queued(change: &mut Change<'_>, told: &Telling<'_>, queue: Queue) {
    let old = is_old(change, told.at) || routing::is_old(change, told.at);
    let state = change.state();
    let known = !old && routing::queued(change, &queue.id, told.at);
    match state {
        State::Queued if !old => change.progress.queue = Some(queue.clone()),
        State::Bot if !old => bot_phase::waits_in(change, queue.clone(), told.at),
        State::Transferring if !old => {
            change.progress.transfer_seen = true;
            change.progress.queue = Some(queue.clone());
            mark(change, told.at);
        }
        State::Active if !old => change.progress.queue = Some(queue.clone()),
        // Words of ours that reached 8x8 after the end began it anew: no agent may be held there for nobody.
        State::Ended if change.before().facts.origin == Origin::Bot && is_newer(change, told.at) => change.leave(None),
        State::Creating
        | State::Queued
        | State::Bot
        | State::Transferring
        | State::Active
        | State::Ended
        | State::Failed => {}
    }
    if !known {
        change.log(EventType::HandoverQueued, &told.with("queue", queue));
    }
}

fn transfer(change: &mut Change<'_>, told: &Telling<'_>) {
    match change.state() {
        State::Active | State::Transferring => {
            if change.progress.agents.newest_join().is_none_or(|join| told.at >= join) {
                change.progress.transfer_seen = true;
            }
        }
        State::Creating | State::Queued | State::Bot | State::Ended | State::Failed => {}
    }
    change.log(EventType::HandoverTransferred, &told.only_source());
}

fn user_left(change: &mut Change<'_>, told: &Telling<'_>) {
    if change.state().is_live() && !is_old(change, told.at) {
        mark(change, told.at);
        change.end(EndReason::UserLeft);
    }
}

fn conversation_update(change: &mut Change<'_>, told: &Telling<'_>, update: ConversationUpdate) {
    if !change.state().is_live() {
        return;
    }
    let old = is_old(change, told.at);
    if update.state == Some(ConversationState::Idle) {
        if !old {
            mark(change, told.at);
            change.end(bot_phase::idle_reason(change.state()));
        }
        return;
    }
    // An assignment says who has the conversation, not when they came: it stands after they left. One never seen came.
    if let Some(agent) = &update.agent
        && change.progress.agents.get(&agent.id).is_none()
        && !reopening::may_be_of_before(change)
    {
        told.joined(change, agent);
    }
    if !old {
        bot_phase::updated(change, &update, told.source, told.at);
    }
    if let Some(id) = update.queue_id
        && !old
        && !routing::is_old(change, told.at)
    {
        routing::assigned(change, id, told.at);
    }
    match change.progress.conversation_seen.replace(update.fingerprint) {
        Some(seen) if seen != update.fingerprint => {
            change.log(EventType::ConversationUpdated, &told.with("conversation", update.raw));
        }
        Some(_) | None => {}
    }
}

fn said(change: &mut Change<'_>, told: &Telling<'_>, message: &MessageSeen) {
    #[derive(Serialize)]
    struct Said<'a> {
        id: MessageId,
        text: &'a str,
        sender: Sender<'a>,
        attachments: &'a [AttachmentSeen],
        cards: &'a [RawJson],
    }
    #[derive(Serialize)]
    struct Sender<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    }
    if bot_phase::is_echo(change, message, told) {
        return;
    }
    let known = change
        .progress
        .agents
        .get(&message.sender.id)
        .and_then(|agent| agent.name.clone());
    let id = MessageId::generate(change.now);
    change.progress.last_message_at = change.now;
    let is_old = routing::is_old(change, told.at) || reopening::is_of_before(change, told.at);
    if message.sender_type == "agent" && !is_old {
        // Somebody is there, though the join was not told yet: the wait in the queue is over.
        change.progress.queued_since = None;
        change.progress.routing.since = None;
    }
    let said = Said {
        id,
        text: &message.text,
        sender: Sender {
            kind: &message.sender_type,
            id: &message.sender.id,
            name: message.sender.name.clone().or(known),
        },
        attachments: &message.attachments,
        cards: &message.cards,
    };
    change.log(EventType::MessageCreated, &told.with("message", said));
}

/// Who types without an event of 8x8's to tell it by.
pub(super) fn types(change: &mut Change<'_>, users: &RawJson, active: bool) {
    #[derive(Serialize)]
    struct Typing<'a> {
        active: bool,
        users: &'a RawJson,
    }
    if change.state().is_live() {
        change.tell(
            EventType::AgentTyping,
            &serde_json::json!({"typing": Typing { active, users }}),
        );
    }
}

fn typing(change: &mut Change<'_>, told: &Telling<'_>, typing: &serde_json::Value) {
    if change.state().is_live() {
        change.tell(EventType::AgentTyping, &told.with("typing", typing));
    }
}

pub(super) fn mark(change: &mut Change<'_>, at: i64) {
    change.progress.state_mark = change.progress.state_mark.max(Some(at));
}

/// Newer, by 8x8's clock, than what 8x8 ended it by.
fn is_newer(change: &Change<'_>, at: i64) -> bool {
    change.progress.state_mark.is_some_and(|mark| at > mark)
}

/// Older, by 8x8's clock, than what last moved the state.
pub(super) fn is_old(change: &Change<'_>, at: i64) -> bool {
    change.progress.state_mark.is_some_and(|mark| at < mark)
}
