//! The body of the call that creates a conversation, made whole before 8x8 is asked.

use serde::Serialize;

use crate::chat_gateway::properties;
use crate::chat_gateway::properties::PropertiesError;
use crate::domain::AuthorType;
use crate::domain::HandoverId;
use crate::domain::Property;
use crate::domain::RawJson;
use crate::domain::User;

/// The user's property by which an event or a list leads back to the handover. It takes one of 8x8's 30.
pub const HANDOVER_PROPERTY: &str = "handoverId";

#[derive(Clone, Debug, PartialEq)]
pub struct CreateConversation {
    pub handover: HandoverId,
    pub channel_id: String,
    pub user: User,
    /// The channel's own queue when absent.
    pub queue_id: Option<String>,
    /// At most 200.
    pub history: Vec<HistoryMessage>,
    /// The bot's own JSON, merged into the body.
    pub properties: Option<RawJson>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryMessage {
    pub author_type: AuthorType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<RawJson>,
}

/// A body ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateBody(RawJson);

impl CreateBody {
    pub(super) const fn json(&self) -> &RawJson {
        &self.0
    }
}

impl TryFrom<&CreateConversation> for CreateBody {
    type Error = PropertiesError;

    fn try_from(create: &CreateConversation) -> Result<Self, Self::Error> {
        let ours = Body {
            channel_id: &create.channel_id,
            user: &marked(&create.user, &create.handover),
            assignment: create.queue_id.as_deref().map(Assignment::queue),
            history: History::of(&create.history),
        };
        let ours = RawJson::of(&ours).map_err(|_cannot_happen_with_plain_fields| PropertiesError::NotAnObject)?;
        match &create.properties {
            Some(theirs) => properties::merge(&ours, theirs).map(Self),
            None => Ok(Self(ours)),
        }
    }
}

/// The user with our property, in place of anything of that name.
pub(super) fn marked(user: &User, handover: &HandoverId) -> User {
    let mut user = user.clone();
    user.additional_properties
        .retain(|property| property.key.trim() != HANDOVER_PROPERTY);
    user.additional_properties.push(Property {
        key: HANDOVER_PROPERTY.to_owned(),
        value: handover.as_str().to_owned(),
    });
    user
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    channel_id: &'a str,
    user: &'a User,
    #[serde(skip_serializing_if = "Option::is_none")]
    assignment: Option<Assignment<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<History<'a>>,
}

#[derive(Serialize)]
pub(super) struct Assignment<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
}

impl<'a> Assignment<'a> {
    pub(super) const fn queue(id: &'a str) -> Self {
        Self { kind: "queue", id }
    }
}

#[derive(Serialize)]
struct History<'a> {
    messages: &'a [HistoryMessage],
}

impl<'a> History<'a> {
    const fn of(messages: &'a [HistoryMessage]) -> Option<Self> {
        if messages.is_empty() {
            None
        } else {
            Some(Self { messages })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(json: &str) -> CreateConversation {
        CreateConversation {
            handover: HandoverId::parse("ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00").unwrap(),
            channel_id: "f5odm43occnifcdcsa".to_owned(),
            user: serde_json::from_str(json).unwrap(),
            queue_id: None,
            history: Vec::new(),
            properties: None,
        }
    }

    #[test]
    fn the_body_is_as_8x8_documents_it_and_cards_keep_their_bytes() {
        let mut create =
            create(r#"{"name":"James Jones","additionalProperties":[{"key":"Intent","value":"balance"}]}"#);
        create.queue_id = Some("123".to_owned());
        create.history = vec![HistoryMessage {
            author_type: AuthorType::User,
            text: Some("I would like my balance please".to_owned()),
            cards: vec![RawJson::parse(r#"{"content": {"b":1.0, "a":2}}"#).unwrap()],
        }];
        let body = CreateBody::try_from(&create).unwrap();
        insta::assert_snapshot!(body.json().as_str(), @r#"{"channelId":"f5odm43occnifcdcsa","user":{"name":"James Jones","additionalProperties":[{"key":"Intent","value":"balance"},{"key":"handoverId","value":"ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00"}]},"assignment":{"type":"queue","id":"123"},"history":{"messages":[{"authorType":"user","text":"I would like my balance please","cards":[{"content": {"b":1.0, "a":2}}]}]}}"#);
    }

    #[test]
    fn a_handover_property_of_the_bots_does_not_replace_ours() {
        let create = create(r#"{"additionalProperties":[{"key":" handoverId","value":"ho_else"}]}"#);
        let body = CreateBody::try_from(&create).unwrap();
        insta::assert_snapshot!(body.json().as_str(), @r#"{"channelId":"f5odm43occnifcdcsa","user":{"additionalProperties":[{"key":"handoverId","value":"ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00"}]}}"#);
    }
}
