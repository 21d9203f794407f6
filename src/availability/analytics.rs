//! The statistics of Analytics for Contact Center v5: `{id, name, metrics: [{key, value}]}`. Times are in milliseconds.

use serde_json::Value;

use crate::availability::figures::AgentCounts;
use crate::availability::figures::Figures;
use crate::availability::figures::sum;
use crate::availability::number::elements;
use crate::availability::number::number;
use crate::availability::number::rounded;
use crate::availability::number::whole;
use crate::availability::number::with_id;

/// All that is asked for.
pub(super) const METRICS: &str = "enabled.rt,eligible.rt,availableIdle.rt,offering.rt,handling.rt,wrapUp.rt,busy.rt,busyOther.rt,\
                                  interactionsWaitInQueue.rt,interactionsAvgWaitTime.int-30m";

/// A list of queues, or one that stands alone. `None` where the queue is not in it.
pub(super) fn read(answer: &Value, queue: &str) -> Option<Figures> {
    let entry = with_id(elements(answer), "id", queue)?;
    let metrics = elements(entry.get("metrics")?);
    let value = |key: &str| {
        let metric = metrics
            .iter()
            .find(|metric| metric.get("key").and_then(Value::as_str) == Some(key))?;
        metric.get("value")
    };
    let count = |key: &str| value(key).and_then(whole);
    let free = count("availableIdle.rt");
    // 8x8's own document misspells it in one place.
    let eligible = count("eligible.rt").or_else(|| count("eligibl.rt"));
    let at_work = ["offering.rt", "handling.rt", "wrapUp.rt", "busy.rt", "busyOther.rt"].map(count);
    Some(Figures {
        agents: AgentCounts {
            available: free,
            // Those who may receive and those at work overlap; only whether there is anybody matters.
            available_or_busy: sum(eligible.max(free), &at_work),
            logged_in: count("enabled.rt"),
            // Only those who are logged in.
            enabled: count("enabled.rt"),
        },
        waiting: count("interactionsWaitInQueue.rt"),
        wait_seconds: value("interactionsAvgWaitTime.int-30m")
            .and_then(number)
            .and_then(|millis| rounded(millis / 1000.0)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn queue(metrics: &Value) -> Value {
        json!({"id": 101, "name": "Support", "metrics": metrics})
    }

    #[test]
    fn a_list_and_an_object_are_read_alike() {
        let entry = queue(&json!([
            {"key": "enabled.rt", "value": "4"},
            {"key": "eligible.rt", "value": 2},
            {"key": "availableIdle.rt", "value": 0},
            {"key": "wrapUp.rt", "value": 1},
            {"key": "busy.rt", "value": null},
            {"key": "interactionsWaitInQueue.rt", "value": 3},
            {"key": "interactionsAvgWaitTime.int-30m", "value": 29_947.4},
        ]));
        let expected = Figures {
            agents: AgentCounts {
                available: Some(0),
                available_or_busy: Some(3),
                logged_in: Some(4),
                enabled: Some(4),
            },
            waiting: Some(3),
            wait_seconds: Some(30),
        };
        let other = json!({"id": "102", "metrics": []});
        for answer in [entry.clone(), json!([entry]), json!([other, entry])] {
            assert_eq!(read(&answer, "101"), Some(expected), "{answer}");
        }
    }

    #[test]
    fn null_metrics_and_one_metric_alone_are_no_fault() {
        let nothing = queue(&json!([
            {"key": "availableIdle.rt", "value": null},
            {"key": "interactionsWaitInQueue.rt", "value": "none"},
            {"key": "interactionsAvgWaitTime.int-30m", "value": null},
        ]));
        assert_eq!(read(&nothing, "101"), Some(Figures::default()));
        let alone = queue(&json!({"key": "eligibl.rt", "value": "1"}));
        assert_eq!(read(&alone, "101").unwrap().agents.available_or_busy, Some(1));
        assert_eq!(read(&json!([]), "101"), None);
        assert_eq!(read(&json!({"message": "Bad request"}), "101"), None);
    }
}
