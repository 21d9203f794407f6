//! The statistics of `cc/v1` and of the clusters: one form, made from XML. Times are in seconds.

use serde_json::Value;

use crate::availability::figures::AgentCounts;
use crate::availability::figures::Figures;
use crate::availability::figures::sum;
use crate::availability::number::elements;
use crate::availability::number::whole;
use crate::availability::number::with_id;

/// `{queue: {…}}`, `{queue: […]}` or `{queues: {queue: […]}}`. `None` where the queue is not in it.
pub(super) fn read(answer: &Value, queue: &str) -> Option<Figures> {
    let holder = answer.get("queues").unwrap_or(answer);
    let queues = elements(holder.get("queue").unwrap_or(holder));
    let entry = with_id(queues, "queue-id", queue).filter(|entry| is_queue(entry))?;
    let count = |name: &str| entry.get(name).and_then(whole);
    let agents = |state: &str| count(&format!("agent-count-{state}"));
    let free = agents("waitTransact");
    // Someone who wraps up is as good as busy: the next chat comes after it.
    let at_work = [agents("busy"), agents("postProcess")];
    let away = [agents("onBreak"), agents("workOffline")];
    Some(Figures {
        agents: AgentCounts {
            available: free,
            available_or_busy: sum(free, &at_work),
            logged_in: sum(free, &[at_work, away].concat()),
            enabled: count("enabled-agent-count"),
        },
        waiting: count("queue-size"),
        wait_seconds: count("thirty-min-avg-wait-time"),
    })
}

/// Anything may be an object without an id; a queue has figures.
fn is_queue(entry: &Value) -> bool {
    let mut keys = entry.as_object().into_iter().flat_map(|fields| fields.keys());
    keys.any(|key| key.starts_with("queue-") || key.starts_with("agent-count-"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn queue(id: &Value, free: &Value) -> Value {
        json!({
            "queue-id": id, "queue-name": "Support", "media-type": "chat", "queue-size": "4",
            "agent-count-waitTransact": free, "agent-count-busy": 2, "agent-count-postProcess": "1",
            "enabled-agent-count": "7", "agent-count-onBreak": 1, "agent-count-workOffline": null, "agent-count-loggedOut": 9,
            "thirty-min-avg-wait-time": 75,
        })
    }

    #[test]
    fn every_envelope_is_read() {
        let one = queue(&json!(101), &json!("0"));
        let other = queue(&json!("102"), &json!(5));
        let expected = Figures {
            agents: AgentCounts {
                available: Some(0),
                available_or_busy: Some(3),
                logged_in: Some(4),
                enabled: Some(7),
            },
            waiting: Some(4),
            wait_seconds: Some(75),
        };
        for answer in [
            json!({"queue": one}),
            json!({"queue": [one]}),
            json!({"queue": [other, one]}),
            json!({"queues": {"queue": [one, other]}}),
            json!({"queues": {"queue": one}}),
            json!([other, one]),
            one.clone(),
        ] {
            assert_eq!(read(&answer, "101"), Some(expected), "{answer}");
        }
    }

    #[test]
    fn a_queue_that_is_not_there_is_none() {
        for answer in [
            json!({"queue": queue(&json!(102), &json!(1))}),
            json!({"queue": []}),
            json!({"queues": null}),
            json!({"message": "no"}),
            json!("<xml/>"),
            json!(null),
        ] {
            assert_eq!(read(&answer, "101"), None, "{answer}");
        }
    }

    #[test]
    fn what_is_not_told_is_not_known() {
        let read = read(&json!({"queue": {"queue-id": 101, "queue-size": null}}), "101").unwrap();
        assert_eq!(read, Figures::default());
    }
}
