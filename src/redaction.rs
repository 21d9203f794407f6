//! Takes out of texts what must not be kept, such as the numbers of cards: before anything is stored, and so also out of
//! what is passed on, since nothing is passed on that was not stored first.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use regex::NoExpand;
use regex::Regex;
use serde_json::Value;
use thiserror::Error;

use crate::domain::RawJson;

/// Rules in their order, each over what the one before left. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Redactor(Arc<[Rule]>);

#[derive(Debug)]
struct Rule {
    pattern: Regex,
    replace: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadPattern {
    #[error("is no regular expression: {0}")]
    Unreadable(String),
    #[error("also fits where there is no text at all, so that it would stand between all letters")]
    FitsNothing,
}

impl Redactor {
    /// Patterns, and what stands in the place of what they fit. Matching takes time in proportion to the text, whatever
    /// the pattern.
    pub fn new<'a>(rules: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, BadPattern> {
        let rule = |(pattern, replace): (&str, &str)| {
            let pattern = Regex::new(pattern).map_err(|error| BadPattern::Unreadable(last_line(&error)))?;
            if pattern.is_match("") {
                return Err(BadPattern::FitsNothing);
            }
            let replace = replace.to_owned();
            Ok(Rule { pattern, replace })
        };
        Ok(Self(rules.into_iter().map(rule).collect::<Result<_, _>>()?))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn text(&self, text: &mut String) {
        if let Cow::Owned(redacted) = self.redacted(text) {
            *text = redacted;
        }
    }

    /// All texts in it. One in which nothing fits stays as it is, to the byte.
    pub fn json(&self, json: &mut RawJson) {
        if let Some(redacted) = self.value(json.as_str()).and_then(|value| RawJson::of(&value).ok()) {
            *json = redacted;
        }
    }

    /// As [`Redactor::json`]. What is no JSON is a text.
    pub fn body(&self, body: &mut Bytes) {
        let Ok(text) = std::str::from_utf8(body) else {
            return;
        };
        if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
            if let Cow::Owned(redacted) = self.redacted(text) {
                *body = redacted.into();
            }
        } else if let Some(value) = self.value(text) {
            *body = value.to_string().into();
        }
    }

    /// `None` where nothing fits.
    fn value(&self, json: &str) -> Option<Value> {
        let mut value: Value = serde_json::from_str(json).ok()?;
        self.walk(&mut value).then_some(value)
    }

    fn walk(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => match self.redacted(text) {
                Cow::Borrowed(_) => false,
                Cow::Owned(redacted) => {
                    *text = redacted;
                    true
                }
            },
            Value::Array(items) => {
                let mut found = false;
                for item in items {
                    found |= self.walk(item);
                }
                found
            }
            Value::Object(fields) => {
                let mut found = false;
                for (_, item) in fields.iter_mut().filter(|(name, _)| !is_name_of_an_id(name)) {
                    found |= self.walk(item);
                }
                found
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn redacted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut redacted = Cow::Borrowed(text);
        for rule in self.0.iter() {
            if let Cow::Owned(next) = rule.pattern.replace_all(&redacted, NoExpand(&rule.replace)) {
                redacted = Cow::Owned(next);
            }
        }
        redacted
    }
}

/// By ids, types and times the gateway finds what a text belongs to; they are not texts.
fn is_name_of_an_id(name: &str) -> bool {
    let ends = |end: &str| name.ends_with(end);
    matches!(name, "id" | "type" | "timestamp" | "version") || ends("Id") || ends("Type") || ends("_id")
}

fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default().trim();
    line.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cards() -> Redactor {
        Redactor::new([(r"\b(?:\d[ -]?){12,18}\d\b", "[card $1]"), ("secret", "[gone]")]).unwrap()
    }

    #[test]
    fn every_place_a_pattern_fits_is_replaced_by_the_words_as_they_are() {
        let mut text = "my card 4111 1111 1111 1111, or 4111-1111-1111-1111; it is secret".to_owned();
        cards().text(&mut text);
        assert_eq!(text, "my card [card $1], or [card $1]; it is [gone]");
    }

    #[test]
    fn in_json_all_texts_are_replaced_and_ids_and_numbers_are_not() {
        let same = r#"{ "eventId": "4111111111111111", "timestamp": 1713100000000123, "text": "fine",  "x": 1.0 }"#;
        let mut json = RawJson::parse(same).unwrap();
        cards().json(&mut json);
        assert_eq!(json.as_str(), same, "to the byte");
        let mut body = Bytes::from(
            r#"{"data":{"text":"4111111111111111","cards":[{"content":{"body":[{"text":"secret"}]}}]},"conversationId":"4111111111111111","timestamp":1713100000000}"#,
        );
        cards().body(&mut body);
        let read: Value = serde_json::from_slice(&body).unwrap();
        let expected = serde_json::json!({"data": {"text": "[card $1]", "cards": [{"content": {"body": [{"text": "[gone]"}]}}]},
            "conversationId": "4111111111111111", "timestamp": 1_713_100_000_000_u64});
        assert_eq!(read, expected);
        let mut odd = Bytes::from_static(b"no json, but a secret");
        cards().body(&mut odd);
        assert_eq!(odd, "no json, but a [gone]");
    }

    #[test]
    fn a_pattern_that_cannot_be_meant_is_refused() {
        let why = |pattern| Redactor::new([(pattern, "x")]).unwrap_err();
        assert_eq!(why("(a"), BadPattern::Unreadable("unclosed group".to_owned()));
        assert_eq!(why("a*"), BadPattern::FitsNothing);
    }
}
