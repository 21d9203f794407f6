//! 8x8's event as the bot is told of it: what it says, and where it came from.

use serde::Serialize;

use crate::domain::Source;

pub(super) struct Telling<'a> {
    pub(super) source: &'a Source,
    pub(super) at: i64,
}

impl Telling<'_> {
    pub(super) fn with(&self, name: &str, value: impl Serialize) -> impl Serialize {
        let mut fields = serde_json::Map::new();
        fields.insert("source".to_owned(), serde_json::json!(self.source));
        Fields {
            name: name.to_owned(),
            value,
            source: fields,
        }
    }

    pub(super) fn only_source(&self) -> impl Serialize {
        serde_json::json!({"source": self.source})
    }
}

/// `{<name>: value, "source": {…}}`, with raw JSON in `value` left as it is.
struct Fields<V> {
    name: String,
    value: V,
    source: serde_json::Map<String, serde_json::Value>,
}

impl<V: Serialize> Serialize for Fields<V> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(&self.name, &self.value)?;
        for (key, value) in &self.source {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
