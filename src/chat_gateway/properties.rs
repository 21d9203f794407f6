//! Merges a bot's own JSON properties into a body of ours. They add; they never overwrite.

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::MapAccess;
use serde::de::Visitor;
use thiserror::Error;

use crate::domain::RawJson;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PropertiesError {
    #[error("properties are not a JSON object")]
    NotAnObject,
    #[error("{pointer} is already set")]
    Conflict {
        /// JSON pointer into the properties.
        pointer: String,
    },
}

/// The list that both sides may fill.
const SHARED_LIST: &str = "/user/additionalProperties";

/// `theirs` within `ours`. Objects are merged member by member, the user's additional properties one after the other,
/// and everything else that both have is a conflict. Values keep their bytes.
pub(super) fn merge(ours: &RawJson, theirs: &RawJson) -> Result<RawJson, PropertiesError> {
    merge_objects(ours, theirs, "")?.ok_or(PropertiesError::NotAnObject)
}

/// `None` where either is not an object.
fn merge_objects(ours: &RawJson, theirs: &RawJson, at: &str) -> Result<Option<RawJson>, PropertiesError> {
    let (Some(Object(mut members)), Some(Object(added))) = (Object::read(ours), Object::read(theirs)) else {
        return Ok(None);
    };
    for (name, value) in added {
        let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        match members.iter_mut().find(|(known, _)| *known == name) {
            None => members.push((name, value)),
            Some((_, known)) => *known = merge_values(known, &value, &pointer)?,
        }
    }
    RawJson::of(&Object(members))
        .map(Some)
        .map_err(|_cannot_happen_with_string_keys| PropertiesError::NotAnObject)
}

fn merge_values(ours: &RawJson, theirs: &RawJson, at: &str) -> Result<RawJson, PropertiesError> {
    if at == SHARED_LIST {
        return append(ours, theirs, at);
    }
    merge_objects(ours, theirs, at)?.ok_or_else(|| conflict(at))
}

fn append(ours: &RawJson, theirs: &RawJson, at: &str) -> Result<RawJson, PropertiesError> {
    #[derive(Deserialize)]
    struct Keyed {
        #[serde(default)]
        key: String,
    }
    let key = |property: &RawJson| serde_json::from_str(property.as_str()).map_or(String::new(), |k: Keyed| k.key);
    let list = |json: &RawJson| serde_json::from_str::<Vec<RawJson>>(json.as_str()).map_err(|_not_a_list| conflict(at));
    let (mut all, added) = (list(ours)?, list(theirs)?);
    for (index, property) in added.into_iter().enumerate() {
        if all.iter().any(|known| key(known).trim() == key(&property).trim()) {
            return Err(conflict(&format!("{at}/{index}/key")));
        }
        all.push(property);
    }
    RawJson::of(&all).map_err(|_cannot_happen_with_json_inside| conflict(at))
}

fn conflict(at: &str) -> PropertiesError {
    PropertiesError::Conflict { pointer: at.to_owned() }
}

/// An object whose members keep their order and their bytes.
struct Object(Vec<(String, RawJson)>);

impl Object {
    fn read(json: &RawJson) -> Option<Self> {
        serde_json::from_str(json.as_str()).ok()
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str =
        r#"{"channelId":"c","user":{"name":"James","additionalProperties":[{"key":"handoverId","value":"ho_1"}]}}"#;

    fn merged(theirs: &str) -> Result<String, PropertiesError> {
        let ours = RawJson::parse(OURS).unwrap();
        merge(&ours, &RawJson::parse(theirs).unwrap()).map(|json| json.as_str().to_owned())
    }

    fn conflict_at(pointer: &str) -> Result<String, PropertiesError> {
        Err(conflict(pointer))
    }

    #[test]
    fn what_we_did_not_set_is_added_byte_for_byte() {
        assert_eq!(
            merged(r#"{"user":{"phone":"1","x":{"b":1.0,"a":2}},"k": [1,  2],"assignment":{"type":"queue","id":"7"}}"#)
                .unwrap(),
            concat!(
                r#"{"channelId":"c","user":{"name":"James","additionalProperties":[{"key":"handoverId","value":"ho_1"}],"#,
                r#""phone":"1","x":{"b":1.0,"a":2}},"k":[1,  2],"assignment":{"type":"queue","id":"7"}}"#
            )
        );
    }

    #[test]
    fn additional_properties_are_appended() {
        assert_eq!(
            merged(r#"{"user":{"additionalProperties":[{"key":"Intent","value":"balance"}]}}"#).unwrap(),
            concat!(
                r#"{"channelId":"c","user":{"name":"James","additionalProperties":[{"key":"handoverId","value":"ho_1"},"#,
                r#"{"key":"Intent","value":"balance"}]}}"#
            )
        );
    }

    #[test]
    fn nothing_of_ours_is_overwritten() {
        assert_eq!(merged(r#"{"channelId":"other"}"#), conflict_at("/channelId"));
        assert_eq!(merged(r#"{"user":{"name":"Eve"}}"#), conflict_at("/user/name"));
        assert_eq!(merged(r#"{"user":"Eve"}"#), conflict_at("/user"));
        assert_eq!(
            merged(r#"{"user":{"additionalProperties":{}}}"#),
            conflict_at("/user/additionalProperties")
        );
        assert_eq!(
            merged(
                r#"{"user":{"additionalProperties":[{"key":"a","value":""},{"key":" handoverId","value":"ho_2"}]}}"#
            ),
            conflict_at("/user/additionalProperties/1/key")
        );
        assert_eq!(merged(r#"{"a/b":1,"a/b":2}"#), conflict_at("/a~1b"));
    }

    #[test]
    fn properties_are_an_object() {
        for text in ["[]", "1", "null", "\"x\""] {
            assert_eq!(merged(text), Err(PropertiesError::NotAnObject), "{text}");
        }
    }
}
