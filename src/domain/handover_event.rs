//! One entry of a handover's log: what the bot is told, and the JSON in which it is told.

use serde::Serialize;

use crate::domain::BotName;
use crate::domain::Control;
use crate::domain::ConversationId;
use crate::domain::EventClass;
use crate::domain::EventId;
use crate::domain::EventType;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::domain::RawJson;
use crate::domain::State;
use crate::domain::Timestamp;

/// Numbered by `sequence` without gaps. An ephemeral one carries the last logged number and is never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoverEvent {
    pub id: EventId,
    pub kind: EventType,
    pub sequence: u64,
    pub at: Timestamp,
    pub state: State,
    /// Recorded when the handover was over already.
    pub late: bool,
    /// What this type adds to `data`: the text of a JSON object.
    pub extra: RawJson,
}

/// What every event of a handover repeats; joined when an event is shown, not stored with each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventContext {
    pub handover: HandoverId,
    pub bot: BotName,
    pub conversation: Option<ConversationId>,
    pub bot_session_id: Option<String>,
    pub metadata: Option<RawJson>,
}

/// What a particular showing of an event adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Delivered after newer ones of its handover.
    pub late: bool,
}

impl HandoverEvent {
    /// The published JSON: a callback's body, an entry of the log, the data of a stream's message.
    pub fn render(&self, context: &EventContext, marks: Marks) -> Result<String, serde_json::Error> {
        let envelope = Envelope {
            id: &self.id,
            kind: self.kind,
            timestamp: self.at,
        };
        self.with_data(&envelope, context, marks)
    }

    /// The same as a `CloudEvent` 1.0 in its structured form. `source` is a URI of whoever tells it.
    pub fn render_cloud_event(
        &self,
        context: &EventContext,
        marks: Marks,
        source: &str,
    ) -> Result<String, serde_json::Error> {
        // An ephemeral event has no number of its own.
        let is_numbered = self.kind.class() != EventClass::Ephemeral;
        let envelope = CloudEnvelope {
            specversion: "1.0",
            id: &self.id,
            source,
            kind: self.kind,
            subject: &context.handover,
            time: self.at,
            datacontenttype: "application/json",
            sequence: is_numbered.then(|| format!("{:020}", self.sequence)),
        };
        self.with_data(&envelope, context, marks)
    }

    /// An envelope's members, then `data`.
    fn with_data(
        &self,
        envelope: &impl Serialize,
        context: &EventContext,
        marks: Marks,
    ) -> Result<String, serde_json::Error> {
        let extra = self.extra.as_str().trim();
        let data = Data {
            handover_id: &context.handover,
            conversation_id: context.conversation.as_ref(),
            bot_session_id: context.bot_session_id.as_deref(),
            sequence: self.sequence,
            state: self.state,
            control: self.state.control(),
            metadata: Metadata(context.metadata.as_ref()),
            ephemeral: (self.kind.class() == EventClass::Ephemeral).then_some(true),
            late: (marks.late || self.late).then_some(true),
        };
        let mut body = serde_json::to_string(envelope)?;
        body.pop();
        body.push_str(",\"data\":");
        body.push_str(&serde_json::to_string(&data)?);
        if let Some(fields) = extra.strip_prefix('{').filter(|fields| fields.trim() != "}") {
            body.pop();
            body.push(',');
            body.push_str(fields);
        }
        body.push('}');
        Ok(body)
    }
}

impl EventContext {
    pub fn of(handover: &Handover) -> Self {
        Self {
            handover: handover.facts.id.clone(),
            bot: handover.facts.bot.clone(),
            conversation: handover.progress.conversation.clone(),
            bot_session_id: handover.facts.bot_session_id.clone(),
            metadata: handover.facts.metadata.clone(),
        }
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    id: &'a EventId,
    #[serde(rename = "type")]
    kind: EventType,
    #[serde(serialize_with = "Timestamp::rfc3339")]
    timestamp: Timestamp,
}

#[derive(Serialize)]
struct CloudEnvelope<'a> {
    specversion: &'static str,
    id: &'a EventId,
    source: &'a str,
    #[serde(rename = "type")]
    kind: EventType,
    subject: &'a HandoverId,
    #[serde(serialize_with = "Timestamp::rfc3339")]
    time: Timestamp,
    datacontenttype: &'static str,
    /// With so many digits that texts sort as the numbers do.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    handover_id: &'a HandoverId,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<&'a ConversationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bot_session_id: Option<&'a str>,
    sequence: u64,
    state: State,
    control: Control,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ephemeral: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late: Option<bool>,
}

/// As the bot gave it; an empty object where it gave none.
struct Metadata<'a>(Option<&'a RawJson>);

impl Serialize for Metadata<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(metadata) => metadata.serialize(serializer),
            None => serializer.collect_map::<&str, &str, _>([]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventType, extra: &str) -> HandoverEvent {
        HandoverEvent {
            id: EventId::parse("evt_0192f7a0b1c27d3e8f4a5b6c7d8e9f00").unwrap(),
            kind,
            sequence: 7,
            at: Timestamp::from_millis(1_763_640_000_123),
            state: State::Active,
            late: false,
            extra: RawJson::parse(extra).unwrap(),
        }
    }

    fn context() -> EventContext {
        EventContext {
            handover: HandoverId::parse("ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00").unwrap(),
            bot: BotName::new("support"),
            conversation: ConversationId::parse("c-1"),
            bot_session_id: Some("s-1".to_owned()),
            metadata: Some(RawJson::parse("{ \"kept\":  1.0 }").unwrap()),
        }
    }

    #[test]
    fn a_rendered_event_is_json_and_keeps_metadata_to_the_byte() {
        let body = event(EventType::MessageCreated, r#"{"message":{"text":"Hi"}}"#)
            .render(&context(), Marks::default())
            .unwrap();
        assert!(body.contains("\"metadata\":{ \"kept\":  1.0 }"), "{body}");
        let json: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(json["type"], "message.created");
        assert_eq!(json["timestamp"], "2025-11-20T12:00:00.123Z");
        assert_eq!(json["data"]["message"]["text"], "Hi");
        assert_eq!(json["data"]["control"], "agent");
        assert_eq!(json["data"]["sequence"], 7);
    }

    #[test]
    fn a_cloud_event_has_the_same_data_and_its_own_envelope() {
        let said = event(EventType::MessageCreated, r#"{"message":{"text":"Hi"}}"#);
        let source = "urn:handover-gateway:tenant:acme";
        let body = said.render_cloud_event(&context(), Marks::default(), source).unwrap();
        let json: serde_json::Value = serde_json::from_str(&body).unwrap();
        let native = said.render(&context(), Marks::default()).unwrap();
        let native: serde_json::Value = serde_json::from_str(&native).unwrap();
        assert_eq!(json["data"], native["data"]);
        assert_eq!(json["subject"], "ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00");
        assert_eq!(json["sequence"], "00000000000000000007");
        let typing = event(EventType::AgentTyping, "{}");
        let body = typing.render_cloud_event(&context(), Marks::default(), source).unwrap();
        assert!(!body.contains(r#""sequence":"0"#), "{body}");
    }

    #[test]
    fn an_event_without_extra_data_renders_and_marks_show() {
        let body = event(EventType::AgentTyping, "{}")
            .render(&context(), Marks { late: true })
            .unwrap();
        let json: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(json["data"]["ephemeral"], true);
        assert_eq!(json["data"]["late"], true);
    }
}
