//! Who the agents are, by id: 8x8's webhooks tell ids only. Fetched in the background, so that nobody waits for a name;
//! one that is not known yet is left out.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

use crate::availability::number::elements;
use crate::clock::Clock;
use crate::domain::Timestamp;

/// How many agents are asked for at once; 8x8 gives no more.
pub(super) const PAGE: usize = 1000;
/// More are not kept.
pub(super) const MOST_PAGES: usize = 20;
/// How long a name is believed.
const FRESH: Duration = Duration::from_mins(30);
/// Agents nobody knows are not asked about more often.
const PAUSE: Duration = Duration::from_secs(30);

pub(super) struct Directory {
    clock: Clock,
    names: Mutex<HashMap<String, String>>,
    /// Somebody asked for an agent who is not in it.
    missed: Notify,
}

impl Directory {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            names: Mutex::default(),
            missed: Notify::new(),
        }
    }

    /// What is known now; asks for more where it is not.
    pub(super) fn name(&self, id: &str) -> Option<String> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let name = names.get(id).cloned();
        if name.is_none() {
            self.missed.notify_one();
        }
        name
    }

    pub(super) fn keep(&self, names: HashMap<String, String>) {
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }

    /// Until it is time to ask again after an asking at `asked_at`.
    pub(super) async fn until_due(&self, asked_at: Timestamp) {
        self.clock.sleep_until(asked_at.plus(PAUSE)).await;
        tokio::select! {
            () = self.missed.notified() => {}
            () = self.clock.sleep_until(asked_at.plus(FRESH)) => {}
        }
    }
}

/// The agents of one page; those without id or name are left out.
pub(super) fn read(page: &Value) -> Vec<(String, String)> {
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(_) | None => None,
    };
    elements(page)
        .iter()
        .filter_map(|agent| Some((text(agent.get("id"))?, text(agent.get("name"))?)))
        .collect()
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn agents_are_read_from_a_list_or_alone() {
        let ada = json!({"id": "agent-1", "name": " Ada Agent ", "groupId": "1"});
        let known = ("agent-1".to_owned(), "Ada Agent".to_owned());
        assert_eq!(read(&ada), std::slice::from_ref(&known));
        assert_eq!(
            read(&json!([ada, {"id": 5, "name": "Five"}])),
            [known, ("5".to_owned(), "Five".to_owned())]
        );
        for nobody in [
            json!([{"id": "1"}]),
            json!([{"name": "x"}]),
            json!([{"id": "", "name": "x"}]),
            json!(null),
        ] {
            assert!(read(&nobody).is_empty(), "{nobody}");
        }
    }

    #[tokio::test]
    async fn it_is_filled_again_when_somebody_is_missing_and_not_at_once() {
        let clock = Clock::manual(Timestamp::from_millis(1_000_000));
        let directory = Directory::new(clock.clone());
        let asked_at = clock.now();
        directory.keep([("agent-1".to_owned(), "Ada".to_owned())].into());
        assert_eq!(directory.name("agent-1").as_deref(), Some("Ada"));
        assert_eq!(directory.name("agent-2"), None);
        let mut due = Box::pin(directory.until_due(asked_at));
        assert!(futures_util::poll!(&mut due).is_pending(), "not at once");
        clock.advance(PAUSE);
        due.await;
        // Nobody is missing: not before it is old.
        let asked_at = clock.now();
        clock.advance(PAUSE);
        let mut due = Box::pin(directory.until_due(asked_at));
        assert!(futures_util::poll!(&mut due).is_pending());
        clock.advance(FRESH);
        due.await;
    }
}
