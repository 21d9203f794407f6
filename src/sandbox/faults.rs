//! Rules that make the stand-in misbehave: each says where it applies, how often, and what goes wrong.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The rules in force. The first one that fits is used, and used up.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Mutex<Vec<Rule>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Surface {
    Api,
    Webhook,
    Jwk,
}

/// Before the call is carried out (or the event sent), or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    Before,
    After,
}

/// What a change of a conversation that was accepted with 202 comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// What was asked for, and no event tells of it.
    Silent,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Rule {
    on: Surface,
    /// An operation's name; for webhooks an event type.
    operation: Option<String>,
    conversation_id: Option<String>,
    #[serde(default = "once")]
    times: u32,
    pub(crate) status: Option<u16>,
    /// With `status`: the call is carried out all the same.
    #[serde(default)]
    pub(crate) taken: bool,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Option<String>,
    #[serde(default, deserialize_with = "read_delay", serialize_with = "write_delay")]
    pub(crate) delay: Duration,
    pub(crate) drop: Option<Stage>,
    pub(crate) hang: Option<Stage>,
    /// For patch and put.
    pub(crate) effect: Option<Effect>,
    #[serde(default)]
    pub(crate) duplicate: u32,
    #[serde(default)]
    reorder: bool,
    #[serde(default, rename = "event-before-202")]
    pub(crate) event_before_202: bool,
}

impl Faults {
    pub(crate) fn add(&self, rule: Rule) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    pub(crate) fn all(&self) -> Vec<Rule> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn clear(&self) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The rule for one call or one attempt at a webhook event.
    pub(crate) fn take(&self, surface: Surface, operation: &str, conversation_id: Option<&str>) -> Option<Rule> {
        self.take_where(|rule| !rule.reorder && rule.fits(surface, operation, conversation_id))
    }

    /// Whether this event is to be swapped with the one behind it.
    pub(crate) fn take_reorder(&self, event_type: &str, conversation_id: &str) -> bool {
        self.take_where(|rule| rule.reorder && rule.fits(Surface::Webhook, event_type, Some(conversation_id)))
            .is_some()
    }

    fn take_where(&self, wanted: impl Fn(&Rule) -> bool) -> Option<Rule> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let rule = rules.iter_mut().find(|rule| wanted(rule))?;
        rule.times = rule.times.saturating_sub(1);
        let taken = rule.clone();
        rules.retain(|rule| rule.times > 0);
        Some(taken)
    }
}

impl Rule {
    fn fits(&self, surface: Surface, operation: &str, conversation_id: Option<&str>) -> bool {
        self.on == surface
            && self.operation.as_deref().is_none_or(|wanted| wanted == operation)
            && self
                .conversation_id
                .as_deref()
                .is_none_or(|wanted| Some(wanted) == conversation_id)
    }
}

fn once() -> u32 {
    1
}

fn read_delay<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_delay(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no duration such as 500ms or 2s")))
}

fn write_delay<S: Serializer>(delay: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{}ms", delay.as_millis()))
}

fn parse_delay(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Duration::from_mins(1).checked_mul(u32::try_from(number).ok()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn faults(rules: Vec<Value>) -> Faults {
        let faults = Faults::default();
        for rule in rules {
            faults.add(serde_json::from_value(rule).unwrap());
        }
        faults
    }

    #[test]
    fn a_rule_is_used_up() {
        let faults = faults(vec![
            json!({"on": "api", "operation": "create", "times": 2, "status": 503}),
        ]);
        assert!(faults.take(Surface::Api, "message", None).is_none());
        assert!(faults.take(Surface::Webhook, "create", None).is_none());
        assert_eq!(faults.take(Surface::Api, "create", None).unwrap().status, Some(503));
        assert_eq!(faults.all().len(), 1);
        assert!(faults.take(Surface::Api, "create", None).is_some());
        assert!(faults.take(Surface::Api, "create", None).is_none());
        assert!(faults.all().is_empty());
    }

    #[test]
    fn a_rule_can_be_for_one_conversation() {
        let faults = faults(vec![json!({"on": "webhook", "conversationId": "a", "drop": "before"})]);
        assert!(faults.take(Surface::Webhook, "MESSAGE", Some("b")).is_none());
        assert_eq!(
            faults.take(Surface::Webhook, "MESSAGE", Some("a")).unwrap().drop,
            Some(Stage::Before)
        );
    }

    #[test]
    fn reordering_is_asked_for_apart() {
        let faults = faults(vec![json!({"on": "webhook", "reorder": true})]);
        assert!(faults.take(Surface::Webhook, "MESSAGE", Some("a")).is_none());
        assert!(faults.take_reorder("MESSAGE", "a"));
        assert!(!faults.take_reorder("MESSAGE", "a"));
    }

    #[test]
    fn delays_carry_their_unit() {
        assert_eq!(parse_delay("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_delay("2s"), Some(Duration::from_secs(2)));
        assert_eq!(parse_delay("2"), None);
        assert_eq!(parse_delay("fast"), None);
    }
}
