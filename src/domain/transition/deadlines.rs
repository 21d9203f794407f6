//! Timers: when the next is due, and what a due one does.

use std::time::Duration;

use crate::domain::EndReason;
use crate::domain::Handover;
use crate::domain::Origin;
use crate::domain::State;
use crate::domain::Timestamp;
use crate::domain::transition::Answer;
use crate::domain::transition::bot_phase;
use crate::domain::transition::change::Change;
use crate::domain::transition::problem;
use crate::domain::transition::reopening;
use crate::domain::transition::routing;
use crate::domain::transition::webhook;

/// A transfer that is known to go on is asked about this often.
const TRANSFER_CHECK: Duration = Duration::from_mins(1);
/// So many answers that say neither yes nor no end the handover: nobody is there.
const ASK_AT_MOST: u8 = 3;
const NEVER_ANSWERED: &str = "8x8 never said whether it took the conversation, and the handover's maxAge has passed";

/// The earliest moment at which `due` or a question to 8x8 has something to do; `None` when it is over.
pub fn next_deadline(handover: &Handover) -> Option<Timestamp> {
    if !handover.state().is_live() {
        return None;
    }
    [
        Some(max_age(handover)),
        queue(handover),
        idle(handover),
        handover.progress.ask_at,
        routing::next_deadline(handover),
    ]
    .into_iter()
    .flatten()
    .min()
}

pub(super) fn due(change: &mut Change<'_>) {
    let (handover, now) = (change.before(), change.now);
    let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let reason = if passed(Some(max_age(handover))) {
        EndReason::Expired
    } else if passed(queue(handover)) {
        EndReason::QueueTimeout
    } else if passed(idle(handover)) {
        EndReason::IdleTimeout
    } else {
        return routing::due(change);
    };
    match change.state() {
        State::Creating => change.fail(&problem::never_answered(NEVER_ANSWERED)),
        State::Queued | State::Active | State::Transferring | State::Bot => change.end_and_leave(reason, None),
        State::Ended | State::Failed => {}
    }
}

/// 8x8's answer, once the time in which a transfer may follow has passed.
pub(super) fn asked(change: &mut Change<'_>, answer: Answer) {
    if change.progress.ask_at.is_none_or(|at| at > change.now) {
        return;
    }
    match change.state() {
        State::Transferring => transferring(change, answer),
        State::Queued => match answer {
            Answer::Over if may_be_requeued_yet(change) => {
                change.progress.asked = change.progress.asked.saturating_add(1);
                ask_again(change);
            }
            Answer::Over => change.end(EndReason::AgentEnded),
            Answer::GoesOn { .. } => {
                change.progress.ask_at = None;
                change.progress.asked = 0;
            }
            Answer::CouldNotTell => ask_again(change),
        },
        State::Creating | State::Active | State::Bot | State::Ended | State::Failed => change.progress.ask_at = None,
    }
}

fn transferring(change: &mut Change<'_>, answer: Answer) {
    match answer {
        Answer::Over => change.end(EndReason::AgentEnded),
        Answer::CouldNotTell => ask_again(change),
        Answer::GoesOn { agent: Some(agent), .. } if change.progress.agents.get(&agent.id).is_none() => {
            let at = change.now.as_millis();
            webhook::joined(change, &agent, at);
        }
        Answer::GoesOn { in_queue, .. } if in_queue || change.progress.transfer_seen => {
            change.progress.transfer_seen = true;
            change.progress.ask_at = Some(change.now.plus(TRANSFER_CHECK));
        }
        Answer::GoesOn { .. } if bot_phase::may_come(change) => {
            bot_phase::leads_again(change, None, &serde_json::json!({}));
        }
        Answer::GoesOn { .. } => {
            change.progress.asked = change.progress.asked.saturating_add(1);
            if change.progress.asked >= ASK_AT_MOST {
                change.end_and_leave(EndReason::AgentEnded, None);
            } else {
                ask_again(change);
            }
        }
    }
}

/// 8x8 puts what is reopened into its queue again, and takes its time for what began in a channel of its own.
fn may_be_requeued_yet(change: &Change<'_>) -> bool {
    let is_channels = change.before().facts.origin == Origin::Channel;
    is_channels && reopening::may_be_of_before(change) && change.progress.asked.saturating_add(1) < ASK_AT_MOST
}

fn ask_again(change: &mut Change<'_>) {
    change.progress.ask_at = Some(change.now.plus(settling(change)));
}

/// How long what 8x8 says may be behind what it does.
pub(super) fn settling(change: &Change<'_>) -> Duration {
    change.before().facts.timers.transfer_grace.max(Duration::from_secs(1))
}

fn max_age(handover: &Handover) -> Timestamp {
    handover.facts.created_at.plus(handover.facts.timers.max_age)
}

fn queue(handover: &Handover) -> Option<Timestamp> {
    let since = handover.progress.queued_since?;
    Some(since.plus(handover.facts.timers.queue?))
}

fn idle(handover: &Handover) -> Option<Timestamp> {
    match handover.state() {
        State::Active | State::Transferring | State::Bot => {
            Some(handover.progress.last_message_at.plus(handover.facts.timers.idle?))
        }
        State::Creating | State::Queued | State::Ended | State::Failed => None,
    }
}
