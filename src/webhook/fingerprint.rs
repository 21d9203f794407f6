//! One number for what a bot would want to know of a CONVERSATION_UPDATE, so that a repeat can be told from news. Stable
//! over releases: it is kept with the handover.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::webhook::signed::sha256;
use crate::webhook::wire::Object;

/// Equal for equal user, queue, channel and number, in whatever order and with whatever property ids they come. An
/// agent's name in the assignment counts as none: agents are told by events of their own.
pub(super) fn of(update: &Object<'_>) -> u64 {
    let value = |name| {
        update.get(name).map_or(Value::Null, |raw| {
            serde_json::from_str(raw.get()).unwrap_or_else(|_too_deep_or_odd| Value::from(raw.get()))
        })
    };
    let mut assignment = value("assignment");
    if assignment.get("type").and_then(Value::as_str) == Some("agent") {
        assignment = Value::Null;
    }
    let mut text = String::new();
    for part in [value("user"), assignment, value("msisdn"), value("channel")] {
        text.push_str(&canonical(&part));
        text.push('\n');
    }
    let [a, b, c, d, e, f, g, h, ..] = sha256(text.as_bytes());
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Members in order of their names, absent ones left out; properties in order, without 8x8's ids.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<&str, String> = members
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| match value {
                    Value::Array(items) if name == "additionalProperties" => (name.as_str(), properties(items)),
                    value => (name.as_str(), canonical(value)),
                })
                .collect();
            format!("{members:?}")
        }
        Value::Array(items) => format!("{:?}", items.iter().map(canonical).collect::<Vec<_>>()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

fn properties(items: &[Value]) -> String {
    let without_id = |item: &Value| {
        let mut item = item.clone();
        if let Value::Object(members) = &mut item {
            members.remove("id");
        }
        canonical(&item)
    };
    let mut items: Vec<String> = items.iter().map(without_id).collect();
    items.sort_unstable();
    format!("{items:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(data: &str) -> u64 {
        of(&Object::read(data).unwrap())
    }

    const SEEN: &str = r#"{"state":"active","assignment":{"type":"queue","id":"101"},"channel":"ChatAPI",
        "user":{"name":"James","additionalProperties":[{"key":"a","value":"1","id":"x"},{"key":"b","value":"2"}]}}"#;

    #[test]
    fn order_property_ids_and_state_do_not_matter() {
        let same = r#"{"channel":"ChatAPI","msisdn":null,"state":"idle","assignment":{"id":"101","type":"queue"},
            "user":{"additionalProperties":[{"value":"2","key":"b","id":"z"},{"key":"a","value":"1"}],"phone":null,"name":"James"}}"#;
        assert_eq!(fingerprint(SEEN), fingerprint(same));
    }

    #[test]
    fn user_queue_channel_and_number_matter() {
        for (from, to) in [
            ("James", "Jim"),
            ("\"101\"", "\"102\""),
            ("ChatAPI", "SMS"),
            ("\"state\":\"active\"", "\"msisdn\":\"4479\""),
            ("\"2\"", "\"3\""),
        ] {
            assert_ne!(fingerprint(SEEN), fingerprint(&SEEN.replace(from, to)), "{to}");
        }
    }

    #[test]
    fn which_agent_it_is_does_not_matter() {
        let agent = |id: &str| {
            SEEN.replace(
                r#""type":"queue","id":"101""#,
                &format!(r#""type":"agent","id":"{id}""#),
            )
        };
        assert_eq!(fingerprint(&agent("ag1")), fingerprint(&agent("ag2")));
    }

    #[test]
    fn the_number_is_the_same_in_every_release() {
        assert_eq!(fingerprint(SEEN), 0);
    }
}
