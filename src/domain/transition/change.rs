//! Collects what an input changes, and numbers the events in the order they are logged.

use serde::Serialize;

use crate::domain::AgentSeen;
use crate::domain::Call;
use crate::domain::CallId;
use crate::domain::CallRecord;
use crate::domain::EndReason;
use crate::domain::EventId;
use crate::domain::EventType;
use crate::domain::Handover;
use crate::domain::HandoverEvent;
use crate::domain::MessageRecord;
use crate::domain::Outcome;
use crate::domain::Progress;
use crate::domain::RawJson;
use crate::domain::State;
use crate::domain::Timestamp;
use crate::domain::transition::erasing;

/// 8x8 is told that the user left until it confirms, for a day at most.
const LEAVE_FOR: std::time::Duration = std::time::Duration::from_hours(24);

/// What is to be committed, all of it or nothing.
#[derive(Clone, Debug)]
pub struct Transition {
    pub next: Handover,
    /// Whether `next` differs: an echo leaves the handover as it was, and only its receipt is kept.
    pub changed: bool,
    pub events: Vec<HandoverEvent>,
    /// Told to whoever listens now, never stored.
    pub ephemeral: Vec<HandoverEvent>,
    pub calls: Vec<CallRecord>,
    pub message: Option<MessageRecord>,
}

impl Transition {
    /// Nothing to write: at most something ephemeral to tell.
    pub fn says_nothing(&self) -> bool {
        !self.changed && self.events.is_empty() && self.calls.is_empty() && self.message.is_none()
    }
}

pub(super) struct Change<'a> {
    before: &'a Handover,
    pub(super) progress: Progress,
    pub(super) now: Timestamp,
    events: Vec<HandoverEvent>,
    ephemeral: Vec<HandoverEvent>,
    calls: Vec<CallRecord>,
    message: Option<MessageRecord>,
}

impl<'a> Change<'a> {
    pub(super) fn of(before: &'a Handover, now: Timestamp) -> Self {
        Self {
            before,
            progress: before.progress.clone(),
            now,
            events: Vec::new(),
            ephemeral: Vec::new(),
            calls: Vec::new(),
            message: None,
        }
    }

    pub(super) fn before(&self) -> &Handover {
        self.before
    }

    pub(super) fn state(&self) -> State {
        self.progress.state
    }

    /// Logs an event with `extra` beside the fields every event has. Call it after the state was set: the event says
    /// where the handover stands once it happened.
    pub(super) fn log(&mut self, kind: EventType, extra: &impl Serialize) {
        self.progress.last_sequence += 1;
        let late = !self.before.state().is_live();
        let event = self.event(kind, extra, late);
        self.events.push(event);
    }

    pub(super) fn tell(&mut self, kind: EventType, extra: &impl Serialize) {
        let event = self.event(kind, extra, false);
        self.ephemeral.push(event);
    }

    pub(super) fn call(&mut self, call: Call, for_at_most: std::time::Duration) -> CallId {
        let id = CallId::generate(self.now);
        self.calls.push(CallRecord {
            id: id.clone(),
            handover: self.before.id().clone(),
            call,
            created_at: self.now,
            deadline: self.now.plus(for_at_most),
        });
        id
    }

    pub(super) fn record(&mut self, message: MessageRecord) {
        self.message = Some(message);
    }

    /// Ends the handover for the bot at once.
    pub(super) fn end(&mut self, reason: EndReason) {
        let seen = if self.progress.agents.nobody_ever() {
            AgentSeen::No
        } else {
            AgentSeen::Yes
        };
        let outcome = Outcome::of(reason, seen);
        self.close(State::Ended);
        self.progress.end_reason = Some(reason);
        self.progress.outcome = Some(outcome);
        self.log(
            EventType::HandoverEnded,
            &serde_json::json!({"reason": reason, "outcome": outcome}),
        );
    }

    /// Ends it, and has 8x8 told, so that no agent keeps a slot for someone who is gone.
    pub(super) fn end_and_leave(&mut self, reason: EndReason, message: Option<String>) {
        self.end(reason);
        self.leave(message);
    }

    /// Has 8x8 told that the user is gone.
    pub(super) fn leave(&mut self, message: Option<String>) {
        let call = Call::UserLeaves {
            display_message: message,
        };
        self.call(call, LEAVE_FOR);
    }

    pub(super) fn fail(&mut self, problem: &RawJson) {
        self.close(State::Failed);
        self.progress.outcome = Some(Outcome::Error);
        self.log(EventType::HandoverFailed, &serde_json::json!({"problem": problem}));
    }

    pub(super) fn finish(mut self) -> Transition {
        let mut next = self.before.clone();
        next.progress = self.progress;
        if next.is_erased() {
            erasing::keep_erased(&mut next, &mut self.events);
        }
        let same_facts = std::sync::Arc::ptr_eq(&next.facts, &self.before.facts);
        let changed = !same_facts || next.progress != self.before.progress;
        if changed {
            next.progress.updated_at = self.now;
            next.version += 1;
        }
        Transition {
            next,
            changed,
            events: self.events,
            ephemeral: self.ephemeral,
            calls: self.calls,
            message: self.message,
        }
    }

    fn close(&mut self, state: State) {
        if let Some(words) = &mut self.progress.reopening {
            words.forget_words();
        }
        self.progress.state = state;
        self.progress.ended_at = Some(self.now);
        self.progress.queued_since = None;
        self.progress.routing.rest();
        self.progress.ask_at = None;
        self.progress.end_requested = None;
        self.progress.history_files.clear();
    }

    fn event(&self, kind: EventType, extra: &impl Serialize, late: bool) -> HandoverEvent {
        HandoverEvent {
            id: EventId::generate(self.now),
            kind,
            sequence: self.progress.last_sequence,
            at: self.now,
            state: self.progress.state,
            late,
            extra: object(extra),
        }
    }
}

/// The fields of an event are our own structures and JSON that was parsed before: they always serialise.
fn object(extra: &impl Serialize) -> RawJson {
    #[expect(
        clippy::expect_used,
        reason = "string keys and parsed JSON only; every event type is built in a test"
    )]
    RawJson::of(extra).expect("an event's fields serialise")
}
