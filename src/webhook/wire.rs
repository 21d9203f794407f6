//! JSON read as leniently as it can be: any field may be missing, of another type or repeated, and values keep their bytes.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;

use crate::domain::RawJson;

/// An object whose values have not been looked at. Borrows from the body.
#[derive(Debug)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// `None` for anything that is not an object.
    pub(super) fn read(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// As JSON's usual readers do, the last one wins. `null` is absent.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let (_, value) = self.0.iter().rev().find(|(known, _)| known == name)?;
        (value.get() != "null").then_some(*value)
    }

    pub(super) fn object(&self, name: &str) -> Option<Self> {
        Object::read(self.get(name)?.get())
    }

    /// The elements of a list; none where it is missing or something else.
    pub(super) fn list(&self, name: &str) -> Vec<&'a RawValue> {
        self.get(name).map(list).unwrap_or_default()
    }

    /// A string, number or truth value as it is.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        text(self.get(name)?)
    }

    /// A string or number, trimmed; `None` when blank.
    pub(super) fn id(&self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        let trimmed = text.trim();
        (!trimmed.is_empty()).then(|| trimmed.to_owned())
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.text(name)
            .is_some_and(|text| text.trim().eq_ignore_ascii_case("true") || text == "1")
    }

    /// A whole number, or the whole part of one.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.id(name)?.split('.').next()?.parse().ok()
    }
}

/// The elements of a list; none when it is something else.
pub(super) fn list(json: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(json.get()).unwrap_or_default()
}

/// The same bytes, owned.
pub(super) fn raw(json: &RawValue) -> Option<RawJson> {
    RawJson::parse(json.get()).ok()
}

pub(super) fn text(json: &RawValue) -> Option<String> {
    let json = json.get();
    match json.bytes().next()? {
        b'"' => serde_json::from_str(json).ok().or_else(|| lossy(json)),
        b'{' | b'[' | b'n' => None,
        _ => Some(json.to_owned()),
    }
}

/// Half an emoji, as some senders cut them, is no reason to lose what was said around it.
fn lossy(json: &str) -> Option<String> {
    struct Wtf8(String);
    impl<'de> Deserialize<'de> for Wtf8 {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Bytes;
            impl Visitor<'_> for Bytes {
                type Value = Wtf8;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a string")
                }

                fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Wtf8, E> {
                    Ok(Wtf8(String::from_utf8_lossy(bytes).into_owned()))
                }
            }
            deserializer.deserialize_bytes(Bytes)
        }
    }
    serde_json::from_str(json).ok().map(|Wtf8(text)| text)
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_across_types() {
        let object = Object::read(
            r#"{"n":12,"s":" 12 ","t":"true","b":true,"f":"1713100000000.0","x":null,"o":{},"half":"a\ud83db","d":1,"d":2}"#,
        )
        .unwrap();
        assert_eq!(object.id("n"), object.id("s"));
        assert_eq!(object.number("s"), Some(12));
        assert_eq!(object.number("f"), Some(1_713_100_000_000));
        assert!(object.is_true("t") && object.is_true("b") && !object.is_true("n") && !object.is_true("y"));
        assert_eq!(
            (object.text("x"), object.text("o"), object.text("y")),
            (None, None, None)
        );
        assert_eq!(object.number("d"), Some(2));
        assert_eq!(object.text("half").unwrap().replace('\u{fffd}', ""), "ab");
    }
}
