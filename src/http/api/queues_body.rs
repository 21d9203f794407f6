//! The queues a handover goes through when nobody comes.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::Stop;
use crate::handovers::Tenant;
use crate::http::api::faults::Faults;

const MOST: usize = 10;

/// A queue to wait in when nobody came in the one before.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = FallbackQueue)]
pub(in crate::http) struct QueueBody {
    #[schema(example = "124")]
    id: String,
    /// A number with a unit. Not given: what is configured for the queue, or else as long as in the next.
    #[schema(example = "3m")]
    max_wait: Option<String>,
}

/// The plan: `first` and the list, or the list alone where `first` leads it or is not given. Empty without a list.
pub(super) fn check(list: Vec<QueueBody>, first: Option<&str>, tenant: &Tenant, faults: &mut Faults) -> Vec<Stop> {
    if list.len() > MOST {
        faults.add("/queues", format!("must have at most {MOST} entries"));
        return Vec::new();
    }
    let mut stops = Vec::new();
    for (at, queue) in list.into_iter().enumerate() {
        let pointer = |field: &str| format!("/queues/{at}/{field}");
        let id = faults.id(&pointer("id"), Some(queue.id)).unwrap_or_default();
        let max_wait = faults.duration(&pointer("maxWait"), queue.max_wait.as_deref());
        if stops.iter().any(|stop: &Stop| stop.id == id) || (at > 0 && first == Some(id.as_str())) {
            faults.add(pointer("id"), "names a queue that stands before it already");
        }
        let max_wait = max_wait.or_else(|| tenant.max_wait(&id));
        stops.push(Stop::new(id, max_wait));
    }
    if let Some(first) = first
        && stops.first().is_some_and(|stop| stop.id != first)
    {
        stops.insert(0, Stop::new(first, tenant.max_wait(first)));
    }
    let stops = Stop::with_waits_of_the_next(stops);
    let endless = |stop: &Stop| stop.max_wait.is_none();
    if let Some(at) = stops.iter().position(endless).filter(|at| at + 1 < stops.len()) {
        faults.add(
            "/queues",
            format!(
                "needs a `maxWait` in queue {} or behind it: nothing says when the next one is tried",
                stops.get(at).map_or("", |stop| stop.id.as_str())
            ),
        );
    }
    stops
}
