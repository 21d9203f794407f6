//! Where a handover waits, where it goes when nobody comes there, and the queue 8x8 was asked for last.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::domain::CallId;
use crate::domain::Timestamp;

/// A queue, and how long the user waits in it before the next one is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    pub id: String,
    /// `None`: as long as the handover's own time-out allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait: Option<Duration>,
}

/// Whose wish a change of queue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedBy {
    #[default]
    Bot,
    /// The gateway's own, because the wait in a queue was over.
    Plan,
}

/// A queue 8x8 was asked for and has not shown yet. A newer wish takes the place of an older one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub queue: String,
    /// The call that asks for it.
    pub call: CallId,
    pub asked_by: AskedBy,
    /// What the plan is once the user is there.
    pub plan: Vec<Stop>,
    /// When 8x8 is to be asked where the user is: some time after it took the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_at: Option<Timestamp>,
    /// Looks that told nothing.
    #[serde(default)]
    pub looked: u8,
}

/// A queue the user was seen in, of which the bot hears by 8x8's QUEUED or, if that does not come, at this time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untold {
    pub queue: String,
    pub tell_at: Timestamp,
}

/// What few handovers have at a time stands apart: every live one is in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Routing {
    /// The bot's own list, as the create gave it; empty where the configuration decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<Stop>,
    /// Where it waits now, and what is tried after that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<Stop>,
    /// Since when it waits in the first of the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Box<Wanted>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untold: Option<Box<Untold>>,
    /// A queue the bot was told of before 8x8's QUEUED for it, which is then no news.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
    /// 8x8's newest time of an event that named a queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<i64>,
}

impl Stop {
    pub fn new(id: impl Into<String>, max_wait: Option<Duration>) -> Self {
        Self {
            id: id.into(),
            max_wait,
        }
    }

    /// A queue without a maximum is waited in as long as the next one.
    #[must_use]
    pub fn with_waits_of_the_next(mut stops: Vec<Self>) -> Vec<Self> {
        let mut next = None;
        for stop in stops.iter_mut().rev() {
            stop.max_wait = stop.max_wait.or(next);
            next = stop.max_wait;
        }
        stops
    }
}

impl Routing {
    /// `list` is the bot's own; without one `chain` holds, what the configuration says of the queue.
    pub fn starting(list: Vec<Stop>, chain: Vec<Stop>) -> Self {
        let plan = if list.is_empty() { chain } else { list.clone() };
        Self {
            list,
            plan,
            ..Self::default()
        }
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The plan from a queue on: the bot's list from there, or else `chain`.
    pub fn plan_from(&self, queue: &str, chain: Vec<Stop>) -> Vec<Stop> {
        let listed = self.list.iter().position(|stop| stop.id == queue);
        match listed.and_then(|at| self.list.get(at..)) {
            Some(rest) => rest.to_vec(),
            None if chain.is_empty() => vec![Stop::new(queue, None)],
            None => chain,
        }
    }

    /// When the wait in the present queue is over. While another queue is asked for it is not.
    pub(crate) fn wait_ends(&self) -> Option<Timestamp> {
        match &self.wanted {
            Some(_) => None,
            None => Some(self.since?.plus(self.plan.first()?.max_wait?)),
        }
    }

    /// When 8x8 is to be asked where the user is.
    pub fn look_at(&self) -> Option<Timestamp> {
        self.wanted.as_ref()?.look_at
    }

    /// Nobody waits any more. The list stays, for a reopened handover.
    pub(crate) fn rest(&mut self) {
        *self = Self {
            list: std::mem::take(&mut self.list),
            mark: self.mark,
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(id: &str, minutes: Option<u64>) -> Stop {
        Stop::new(id, minutes.map(Duration::from_mins))
    }

    #[test]
    fn a_queue_without_a_maximum_is_waited_in_as_long_as_the_next() {
        let stops = vec![stop("1", None), stop("2", None), stop("3", Some(3)), stop("4", None)];
        let waits = Stop::with_waits_of_the_next(stops);
        let expected = [
            stop("1", Some(3)),
            stop("2", Some(3)),
            stop("3", Some(3)),
            stop("4", None),
        ];
        assert_eq!(waits, expected);
    }

    #[test]
    fn a_plan_goes_on_from_a_queue_of_the_list_and_otherwise_as_configured() {
        let routing = Routing::starting(vec![stop("1", Some(1)), stop("2", Some(2))], Vec::new());
        assert_eq!(routing.plan_from("2", vec![stop("2", None)]), [stop("2", Some(2))]);
        let chain = vec![stop("7", Some(7)), stop("8", None)];
        assert_eq!(routing.plan_from("7", chain.clone()), chain);
        assert_eq!(routing.plan_from("9", Vec::new()), [stop("9", None)]);
    }
}
