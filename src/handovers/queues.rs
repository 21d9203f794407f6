//! What the configuration says of queues: how long users wait in one, and where they go then.

use std::time::Duration;

use crate::domain::Queue;
use crate::domain::Stop;
use crate::handovers::Tenant;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueRule {
    pub max_wait: Option<Duration>,
    pub fallback: Option<String>,
}

impl Tenant {
    /// A queue and its fallbacks, in the order in which they are tried. The settings allow no circle.
    pub fn chain(&self, queue: &str) -> Vec<Stop> {
        let mut chain: Vec<Stop> = Vec::new();
        let mut next = Some(queue);
        while let Some(id) = next.filter(|id| chain.iter().all(|stop| stop.id != *id)) {
            let rule = self.queue_rules.get(id);
            chain.push(Stop::new(id, rule.and_then(|rule| rule.max_wait)));
            next = rule.and_then(|rule| rule.fallback.as_deref());
        }
        Stop::with_waits_of_the_next(chain)
    }

    /// How long users wait in a queue at most, where that is configured.
    pub fn max_wait(&self, queue: &str) -> Option<Duration> {
        self.queue_rules.get(queue)?.max_wait
    }

    /// A queue by its configured name.
    pub(super) fn queue(&self, id: String) -> Queue {
        let name = self.queue_names.get(&id).cloned();
        Queue { id, name }
    }
}
