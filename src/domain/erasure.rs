//! What is left of a handover, its events and its calls when what people said and who they are is erased: ids, states,
//! times and numbers. What is not named here as kept is gone, so that a field that comes later is erased too.

use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;

use crate::domain::Arrival;
use crate::domain::Backfilled;
use crate::domain::Call;
use crate::domain::Facts;
use crate::domain::Handover;
use crate::domain::HandoverEvent;
use crate::domain::MessagePart;
use crate::domain::OwnWords;
use crate::domain::Progress;
use crate::domain::RawJson;
use crate::domain::User;

/// How what an erased event adds to `data` begins, and an erased answer to a bot; no others do.
pub const ERASED_EXTRA: &str = "{\"erased\":true";

/// Of an event's own fields these stay.
const KEPT: [&str; 6] = [
    "reason",
    "outcome",
    "messageId",
    "clientMessageId",
    "status",
    "channelType",
];

/// And of these objects these fields.
const KEPT_OF: [(&str, &[&str]); 5] = [
    ("source", &["eventType", "eventId", "timestamp"]),
    ("queue", &["id", "name"]),
    ("agent", &["id"]),
    ("message", &["id"]),
    ("problem", &["type", "title", "status", "code"]),
];

impl Handover {
    /// Whether its content is erased, or on its way out.
    pub fn is_erased(&self) -> bool {
        self.progress.erased_at.is_some()
    }

    /// Takes out what people said and who they are.
    pub(super) fn erase(&mut self) {
        self.progress.erase();
        let facts = &*self.facts;
        if facts.metadata.is_some() || facts.arrival.as_ref().is_some_and(|arrival| arrival.msisdn.is_some()) {
            self.facts = Arc::new(facts.erased());
        }
    }
}

impl Facts {
    fn erased(&self) -> Self {
        let arrival = self.arrival.as_ref().map(|arrival| Arrival {
            channel_type: arrival.channel_type.clone(),
            msisdn: None,
        });
        Self {
            metadata: None,
            arrival,
            ..self.clone()
        }
    }
}

impl Progress {
    pub(super) fn erase(&mut self) {
        if *self.user != User::default() {
            self.user = Arc::default();
        }
        self.agents.forget_names();
        self.history_files.clear();
        // What the user and what was said look like can be guessed from these.
        self.own_words = OwnWords::default();
        self.conversation_seen = None;
        self.backfilled = Backfilled::default();
        if let Some(words) = &mut self.reopening {
            words.forget_words();
        }
        if let Some(end) = &mut self.end_requested {
            end.message = None;
        }
    }
}

impl HandoverEvent {
    pub fn is_erased(&self) -> bool {
        self.extra.as_str().starts_with(ERASED_EXTRA)
    }

    /// What happened and when, without a word of what was said and by whom.
    #[must_use]
    pub fn erased(&self) -> Self {
        if self.is_erased() {
            return self.clone();
        }
        Self {
            extra: erased(&self.extra),
            ..self.clone()
        }
    }
}

fn erased(extra: &RawJson) -> RawJson {
    let fields: Map<String, Value> = serde_json::from_str(extra.as_str()).unwrap_or_default();
    let mut kept = Map::new();
    for (name, value) in &fields {
        if KEPT.contains(&name.as_str()) {
            kept.insert(name.clone(), value.clone());
        }
        let of = KEPT_OF.iter().find(|(object, _)| object == name);
        if let (Some((_, names)), Value::Object(object)) = (of, value) {
            let inner = object.iter().filter(|(name, _)| names.contains(&name.as_str()));
            let inner: Map<String, Value> = inner.map(|(name, value)| (name.clone(), value.clone())).collect();
            kept.insert(name.clone(), Value::Object(inner));
        }
    }
    // Whether it was the user or an agent, not who.
    if let Some(kind) = fields
        .get("message")
        .and_then(|message| message.pointer("/sender/type"))
        && let Some(Value::Object(message)) = kept.get_mut("message")
    {
        message.insert("sender".to_owned(), serde_json::json!({"type": kind}));
    }
    let rest = Value::Object(kept).to_string();
    let rest = rest.strip_prefix('{').unwrap_or_default();
    let comma = if rest == "}" { "" } else { "," };
    let text = format!("{ERASED_EXTRA}{comma}{rest}");
    #[expect(
        clippy::expect_used,
        reason = "a member put in front of an object that was just written"
    )]
    RawJson::parse(&text).expect("an object with one member more is one")
}

impl Call {
    /// What was asked of 8x8, without what was said.
    #[must_use]
    pub fn erased(&self) -> Self {
        match self {
            Self::PostMessage(part) => Self::PostMessage(MessagePart {
                text: None,
                cards: Vec::new(),
                attachments: Vec::new(),
                instead: None,
                ..part.clone()
            }),
            Self::UserLeaves { display_message: _ } => Self::UserLeaves { display_message: None },
            Self::Update {
                queue_id,
                user: _,
                asked_by,
            } => Self::Update {
                queue_id: queue_id.clone(),
                user: None,
                asked_by: *asked_by,
            },
            Self::HandBack { asked, perhaps_there } => Self::HandBack {
                asked: asked.clone(),
                perhaps_there: *perhaps_there,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erased_text(extra: &str) -> String {
        erased(&RawJson::parse(extra).unwrap()).as_str().to_owned()
    }

    #[test]
    fn of_an_event_ids_and_times_stay_and_nothing_anybody_said() {
        let said = r#"{"message":{"id":"msg_1","text":"canary","sender":{"type":"agent","id":"canary","name":"canary"},
            "attachments":[{"filename":"canary"}],"cards":[{"x":"canary"}]},
            "source":{"eventType":"MESSAGE","eventId":"e-1","timestamp":7,"x":"canary"},"new field":"canary"}"#;
        assert_eq!(
            erased_text(said),
            r#"{"erased":true,"message":{"id":"msg_1","sender":{"type":"agent"}},"source":{"eventId":"e-1","eventType":"MESSAGE","timestamp":7}}"#
        );
        assert_eq!(
            erased_text(r#"{"agent":{"id":"a-1","name":"canary"}}"#),
            r#"{"erased":true,"agent":{"id":"a-1"}}"#
        );
        assert_eq!(
            erased_text(r#"{"problem":{"status":502,"detail":"canary","upstream":{"message":"canary"}}}"#),
            r#"{"erased":true,"problem":{"status":502}}"#
        );
        for extra in [
            r#"{"user":{"name":"canary"},"msisdn":"canary"}"#,
            r#"{"action":{"name":"canary","value":"canary"}}"#,
            r#"{"raw":{"erased":true,"x":"canary"}}"#,
            r#"{"conversation":{"x":"canary"},"message":"canary"}"#,
            "{}",
        ] {
            assert_eq!(erased_text(extra), r#"{"erased":true}"#, "{extra}");
        }
    }
}
