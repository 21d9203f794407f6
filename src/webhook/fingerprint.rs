//! One number for what a bot would want to know of a CONVERSATION_UPDATE, so that a repeat can be told from news. Stable
//! over releases: it is kept with the handover.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::webhook::signed::sha256;
use crate::webhook::wire::Object;

/// Equal for equal user, channel and number, in whatever order and with whatever property ids they come. State, queue
/// and agent are told by events of their own.
pub(super) fn of(update: &Object<'_>) -> u64 {
    let value = |name| {
        update.get(name).map_or(Value::Null, |raw| {
            serde_json::from_str(raw.get()).unwrap_or_else(|_too_deep_or_odd| Value::from(raw.get()))
        })
    };
    let mut text = String::new();
    for part in [value("user"), value("msisdn"), value("channel")] {
        write(&mut text, &part);
        text.push('\n');
    }
    let digest = sha256(text.as_bytes());
    digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

/// JSON with its members in order of their names and absent ones left out.
fn write(text: &mut String, value: &Value) {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members.iter().filter(|(_, value)| !value.is_null()).collect();
            text.push('{');
            for (name, value) in members {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                match value {
                    Value::Array(items) if name == "additionalProperties" => write_properties(text, items),
                    value => write(text, value),
                }
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(text, item);
                text.push(',');
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
}

/// In an order of their own, without 8x8's ids.
fn write_properties(text: &mut String, items: &[Value]) {
    let mut items: Vec<String> = items
        .iter()
        .map(|item| {
            let mut item = item.clone();
            if let Value::Object(members) = &mut item {
                members.remove("id");
            }
            let mut text = String::new();
            write(&mut text, &item);
            text
        })
        .collect();
    items.sort_unstable();
    text.push('[');
    for item in items {
        text.push_str(&item);
        text.push(',');
    }
    text.push(']');
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
    fn order_property_ids_state_and_assignment_do_not_matter() {
        let same = r#"{"channel":"ChatAPI","msisdn":null,"state":"idle","assignment":{"id":"ag1","type":"agent"},
            "user":{"additionalProperties":[{"value":"2","key":"b","id":"z"},{"key":"a","value":"1"}],"phone":null,"name":"James"}}"#;
        assert_eq!(fingerprint(SEEN), fingerprint(same));
    }

    #[test]
    fn user_channel_and_number_matter() {
        for (from, to) in [
            ("James", "Jim"),
            ("ChatAPI", "SMS"),
            ("\"state\":\"active\"", "\"msisdn\":\"4479\""),
            ("\"2\"", "\"3\""),
        ] {
            assert_ne!(fingerprint(SEEN), fingerprint(&SEEN.replace(from, to)), "{to}");
        }
    }

    #[test]
    fn the_number_is_the_same_in_every_release() {
        assert_eq!(fingerprint(SEEN), 2_638_690_263_980_071_801);
    }
}
