//! Rules of a tenant's queues: their fallbacks lead somewhere, some time, and not in a circle.

use std::collections::BTreeMap;

use crate::settings::QueueSettings;
use crate::settings::check::Notes;

pub(super) fn check(section: &str, queues: &BTreeMap<String, QueueSettings>, notes: &mut Notes) {
    for (id, queue) in queues {
        let key = |field: &str| format!("{section}.{id}.{field}");
        notes.optional_text(key("name"), queue.name.as_deref());
        notes.optional_text(key("fallback"), queue.fallback.as_deref());
        if let Some(max_wait) = queue.max_wait {
            notes.positive(key("max_wait"), max_wait);
        }
        if queue.fallback.is_none() {
            continue;
        }
        let way = way_from(id, queues);
        if way
            .last()
            .is_some_and(|last| way.iter().filter(|stop| *stop == last).count() > 1)
        {
            notes.fault(key("fallback"), format!("leads in a circle: {}", way.join(" -> ")));
        } else if way
            .iter()
            .all(|stop| queues.get(*stop).is_none_or(|queue| queue.max_wait.is_none()))
        {
            notes.fault(
                key("max_wait"),
                "missing: `fallback` says where users go, and nothing says when",
            );
        }
    }
}

/// The queues a user comes through; ends with the first one that comes again.
fn way_from<'a>(id: &'a str, queues: &'a BTreeMap<String, QueueSettings>) -> Vec<&'a str> {
    let mut way = vec![id];
    let mut next = queues.get(id).and_then(|queue| queue.fallback.as_deref());
    while let Some(id) = next {
        let was_here = way.contains(&id);
        way.push(id);
        if was_here {
            break;
        }
        next = queues.get(id).and_then(|queue| queue.fallback.as_deref());
    }
    way
}
