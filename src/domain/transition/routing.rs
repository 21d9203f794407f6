//! Changes of queue: asked for, taken by 8x8, and only then seen or not. 8x8's yes to a change proves nothing.

use crate::domain::AgentRef;
use crate::domain::AskedBy;
use crate::domain::Call;
use crate::domain::CallId;
use crate::domain::EndReason;
use crate::domain::EventType;
use crate::domain::Handover;
use crate::domain::Queue;
use crate::domain::RawJson;
use crate::domain::State;
use crate::domain::Stop;
use crate::domain::Timestamp;
use crate::domain::Untold;
use crate::domain::Wanted;
use crate::domain::transition::bot_phase;
use crate::domain::transition::calls::UPDATE_FOR;
use crate::domain::transition::change::Change;
use crate::domain::transition::deadlines::settling;
use crate::domain::transition::problem;
use crate::domain::transition::reopening;
use crate::domain::transition::webhook;

/// So many looks that tell nothing are enough.
const LOOK_AT_MOST: u8 = 3;

/// Where 8x8 says the user is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    Queue(Queue),
    Agent(AgentRef),
    /// The conversation is idle, or not known any more.
    Over,
    CouldNotTell,
}

pub(super) fn next_deadline(handover: &Handover) -> Option<Timestamp> {
    let routing = &handover.progress.routing;
    let untold = routing.untold.as_ref().map(|untold| untold.tell_at);
    let wait_ends = routing.wait_ends().filter(|_| handover.state() == State::Queued);
    [untold, routing.look_at(), wait_ends].into_iter().flatten().min()
}

/// A newer wish takes the place of the older one, whatever comes of that.
pub(super) fn want(change: &mut Change<'_>, queue: String, call: CallId, plan: Vec<Stop>, asked_by: AskedBy) {
    let routing = &mut change.progress.routing;
    routing.untold = None;
    routing.told = None;
    routing.wanted = Some(Box::new(Wanted {
        queue,
        call,
        asked_by,
        plan,
        look_at: None,
        looked: 0,
    }));
}

/// 8x8 took the call: from now on the change is to be seen.
pub(super) fn taken(change: &mut Change<'_>, call: &CallId) {
    let look_at = change.now.plus(settling(change));
    if let Some(wanted) = &mut change.progress.routing.wanted
        && wanted.call == *call
    {
        wanted.look_at = Some(look_at);
    }
}

/// 8x8 did not take the call. The bot is told of its own wishes, and of the gateway's while they mattered.
pub(super) fn refused(change: &mut Change<'_>, call: &CallId, asked_by: AskedBy, problem: &RawJson) {
    let is_wanted = change
        .progress
        .routing
        .wanted
        .as_ref()
        .is_some_and(|wanted| wanted.call == *call);
    if is_wanted {
        return fail(change, problem);
    }
    match asked_by {
        AskedBy::Bot => tell_failed(change, problem),
        AskedBy::Plan => {}
    }
}

/// 8x8's QUEUED. Whether the bot knows of it already.
pub(super) fn queued(change: &mut Change<'_>, queue: &str, at: i64) -> bool {
    if !matches!(change.state(), State::Queued | State::Bot) {
        return false;
    }
    seen(change, queue, at);
    let routing = &mut change.progress.routing;
    routing.untold = None;
    routing.told.take().is_some_and(|told| told == queue)
}

/// CONVERSATION_UPDATE names the queue it is assigned to. QUEUED tells the bot, with the queue's name, if it comes.
pub(super) fn assigned(change: &mut Change<'_>, id: String, at: i64) {
    let is_wanted = is_wanted(change, &id);
    match change.state() {
        State::Queued => {}
        // What an assignment says while the bot leads is known only where it is what was asked for.
        State::Bot if is_wanted => {}
        State::Creating | State::Bot | State::Active | State::Transferring | State::Ended | State::Failed => return,
    }
    seen(change, &id, at);
    if is_wanted {
        let tell_at = change.now.plus(settling(change));
        let queue = id.clone();
        change.progress.routing.untold = Some(Box::new(Untold { queue, tell_at }));
    }
    if change.progress.queue.as_ref().is_none_or(|queue| queue.id != id) {
        change.progress.queue = Some(Queue { id, name: None });
    }
}

/// Older, by 8x8's clock, than what last named a queue.
pub(super) fn is_old(change: &Change<'_>, at: i64) -> bool {
    change.progress.routing.mark.is_some_and(|mark| at < mark)
}

/// What is due: telling of a queue that 8x8 did not tell of, and the end of a wait.
pub(super) fn due(change: &mut Change<'_>) {
    let now = change.now;
    let routing = &change.progress.routing;
    if let Some(untold) = &routing.untold
        && untold.tell_at <= now
    {
        let queue = change.progress.queue.clone().filter(|queue| queue.id == untold.queue);
        let queue = queue.unwrap_or(Queue {
            id: untold.queue.clone(),
            name: None,
        });
        tell(change, &queue);
    }
    let is_over = change.progress.routing.wait_ends().is_some_and(|at| at <= now);
    if is_over && change.state() == State::Queued {
        let rest: Vec<Stop> = change.progress.routing.plan.iter().skip(1).cloned().collect();
        if rest.is_empty() {
            change.end_and_leave(EndReason::QueueTimeout, None);
        } else {
            move_on(change, rest);
        }
    }
}

/// 8x8's answer, some time after it took a change that no event has told.
pub(super) fn looked(change: &mut Change<'_>, found: Whereabouts) {
    if change.progress.routing.look_at().is_none_or(|at| at > change.now) {
        return;
    }
    match found {
        Whereabouts::Over => change.end(bot_phase::idle_reason(change.state())),
        Whereabouts::Queue(queue) if is_wanted(change, &queue.id) => {
            arrive(change);
            change.progress.queue = Some(queue.clone());
            tell(change, &queue);
        }
        Whereabouts::Queue(queue) => {
            let problem = elsewhere(change, &queue.id);
            fail(change, &problem);
        }
        Whereabouts::Agent(agent)
            if change.progress.agents.get(&agent.id).is_none() && !reopening::may_be_of_before(change) =>
        {
            let at = change.now.as_millis();
            webhook::joined(change, &agent, at);
        }
        Whereabouts::Agent(_) | Whereabouts::CouldNotTell => look_again(change),
    }
}

fn look_again(change: &mut Change<'_>) {
    let look_at = change.now.plus(settling(change));
    let Some(wanted) = &mut change.progress.routing.wanted else {
        return;
    };
    wanted.looked = wanted.looked.saturating_add(1);
    if wanted.looked < LOOK_AT_MOST {
        wanted.look_at = Some(look_at);
        return;
    }
    let problem = never_seen(&wanted.queue);
    fail(change, &problem);
}

fn is_wanted(change: &Change<'_>, queue: &str) -> bool {
    let wanted = change.progress.routing.wanted.as_ref();
    wanted.is_some_and(|wanted| wanted.queue == queue)
}

/// 8x8 has the user in this queue: the one asked for, or one it chose itself.
fn seen(change: &mut Change<'_>, queue: &str, at: i64) {
    change.progress.routing.mark = change.progress.routing.mark.max(Some(at));
    if is_wanted(change, queue) {
        arrive(change);
        return;
    }
    let now = change.now;
    let routing = &mut change.progress.routing;
    if let Some(ahead) = routing.plan.iter().skip(1).position(|stop| stop.id == queue) {
        routing.plan.drain(..=ahead);
        routing.since = Some(now);
    }
}

/// The wish came true.
fn arrive(change: &mut Change<'_>) {
    let now = change.now;
    let Some(wanted) = change.progress.routing.wanted.take() else {
        return;
    };
    change.progress.routing.plan = wanted.plan;
    change.progress.routing.since = Some(now);
    if change.state() == State::Bot {
        change.progress.state = State::Queued;
        change.progress.queued_since = Some(now);
    }
}

/// Tells of a queue in 8x8's place; its own QUEUED is no news after that.
fn tell(change: &mut Change<'_>, queue: &Queue) {
    change.progress.routing.untold = None;
    change.progress.routing.told = Some(queue.id.clone());
    change.log(EventType::HandoverQueued, &serde_json::json!({"queue": queue}));
}

/// The user stays where they are. A fallback that cannot be had is passed over; when there is no other they go on waiting.
fn fail(change: &mut Change<'_>, problem: &RawJson) {
    let Some(wanted) = change.progress.routing.wanted.take() else {
        return;
    };
    tell_failed(change, problem);
    if wanted.asked_by == AskedBy::Bot {
        return;
    }
    let rest: Vec<Stop> = wanted.plan.into_iter().skip(1).collect();
    if rest.is_empty() {
        change.progress.routing.plan.clear();
        change.progress.routing.since = None;
    } else {
        change.progress.routing.plan.truncate(1);
        change.progress.routing.plan.extend(rest.iter().cloned());
        move_on(change, rest);
    }
}

/// Goes to the first of `rest`, or is there already because 8x8 moved the user itself.
fn move_on(change: &mut Change<'_>, rest: Vec<Stop>) {
    let Some(id) = rest.first().map(|stop| stop.id.clone()) else {
        return;
    };
    if change.progress.queue.as_ref().is_some_and(|queue| queue.id == id) {
        change.progress.routing.plan = rest;
        change.progress.routing.since = Some(change.now);
        return;
    }
    let call = change.call(
        Call::Update {
            queue_id: Some(id.clone()),
            user: None,
            asked_by: AskedBy::Plan,
        },
        UPDATE_FOR,
    );
    want(change, id, call, rest, AskedBy::Plan);
}

fn tell_failed(change: &mut Change<'_>, problem: &RawJson) {
    change.log(EventType::UpdateFailed, &serde_json::json!({"problem": problem}));
}

fn elsewhere(change: &Change<'_>, found: &str) -> RawJson {
    let wanted = change.progress.routing.wanted.as_ref();
    let wanted = wanted.map_or("another", |wanted| wanted.queue.as_str());
    problem::not_done(&format!(
        "8x8 took the change to queue {wanted} and did not carry it out: the user waits in queue {found}"
    ))
}

fn never_seen(wanted: &str) -> RawJson {
    problem::never_answered(&format!(
        "8x8 took the change to queue {wanted}, and whether it carried it out could not be seen"
    ))
}
