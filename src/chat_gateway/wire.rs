//! What is read of 8x8's answers. Every field may be absent, and a number may come as text or text as a number.

use serde_json::Value;

use crate::chat_gateway::create::HANDOVER_PROPERTY;
use crate::domain::ConversationId;
use crate::domain::ConversationState;
use crate::domain::HandoverId;
use crate::domain::Property;
use crate::domain::Timestamp;
use crate::domain::User;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedConversation {
    pub id: ConversationId,
    pub created_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationView {
    pub id: ConversationId,
    /// `None` for a state we do not know.
    pub state: Option<ConversationState>,
    pub channel_id: Option<String>,
    pub assignment: Option<AssignmentView>,
    /// Our own property of the user.
    pub handover: Option<HandoverId>,
    /// Without our own property.
    pub user: User,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignmentView {
    /// `queue`, `script`, `agent`, or whatever 8x8 says.
    pub kind: String,
    pub id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageView {
    pub id: Option<String>,
    /// `user`, `bot`, `agent`, `system`, or whatever 8x8 says; may be empty.
    pub author_type: String,
    pub text: String,
    /// Ids of the files it shows.
    pub attachments: Vec<String>,
    pub created_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentView {
    pub id: String,
    pub filename: Option<String>,
    pub size: Option<u64>,
    pub created_at: Option<Timestamp>,
}

impl CreatedConversation {
    pub(super) fn read(body: &Value) -> Option<Self> {
        Some(Self {
            id: ConversationId::parse(&text(body.get("conversationId")).or_else(|| text(body.get("id")))?)?,
            created_at: time(body.get("createdAt")),
        })
    }
}

impl ConversationView {
    pub(super) fn read(body: &Value) -> Option<Self> {
        let assignment = body.get("assignment").and_then(|assignment| {
            Some(AssignmentView {
                kind: text(assignment.get("type"))?,
                id: text(assignment.get("id")),
            })
        });
        Some(Self {
            id: ConversationId::parse(&text(body.get("id")).or_else(|| text(body.get("conversationId")))?)?,
            state: text(body.get("state")).and_then(|state| conversation_state(&state)),
            channel_id: text(body.get("channelId")),
            assignment,
            handover: handover(body.pointer("/user/additionalProperties")),
            user: body.get("user").map(user).unwrap_or_default(),
        })
    }
}

impl MessageView {
    pub(super) fn read(body: &Value) -> Option<Self> {
        body.is_object().then(|| Self {
            id: text(body.get("id")),
            author_type: text(body.pointer("/author/type"))
                .or_else(|| text(body.get("authorType")))
                .unwrap_or_default(),
            text: untrimmed(body.get("text")).unwrap_or_default(),
            attachments: ids(body.get("attachments")),
            created_at: time(body.get("createdAt")),
        })
    }
}

impl AttachmentView {
    pub(super) fn read(body: &Value) -> Option<Self> {
        let size = text(body.get("sizeInBytes")).or_else(|| text(body.get("size")));
        Some(Self {
            id: text(body.get("id"))?,
            filename: text(body.get("filename")).or_else(|| text(body.get("fileName"))),
            size: size.and_then(|size| size.parse().ok()),
            created_at: time(body.get("createdAt")),
        })
    }
}

/// One page of a list, and how many pages there are as far as 8x8 says.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// Whether all that was on it could be read.
    pub(super) is_whole: bool,
    pub(super) total_pages: Option<u64>,
}

impl<T> Page<T> {
    /// `name` is the list's in `_embedded`. An empty list may leave out both.
    pub(super) fn read(body: &Value, name: &str, item: impl Fn(&Value) -> Option<T>) -> Self {
        let items = body
            .get("_embedded")
            .and_then(|embedded| embedded.get(name))
            .and_then(Value::as_array);
        let there = items.map_or(0, Vec::len);
        let items: Vec<T> = items.into_iter().flatten().filter_map(item).collect();
        Self {
            is_whole: items.len() == there,
            items,
            total_pages: body
                .pointer("/page/totalPages")
                .and_then(|pages| text(Some(pages))?.parse().ok()),
        }
    }
}

/// A string or a number as trimmed text; `None` for everything else and for blanks.
pub(super) fn text(value: Option<&Value>) -> Option<String> {
    let text = untrimmed(value)?;
    let trimmed = text.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// Of objects with an id, or of ids.
fn ids(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array);
    let id = |item: &Value| text(item.get("id")).or_else(|| text(Some(item)));
    items.into_iter().flatten().filter_map(id).collect()
}

pub(super) fn untrimmed(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

pub(super) fn time(value: Option<&Value>) -> Option<Timestamp> {
    let text = text(value)?;
    Timestamp::parse_rfc3339(&text).or_else(|| text.parse().ok().map(Timestamp::from_millis))
}

fn conversation_state(name: &str) -> Option<ConversationState> {
    match name {
        "created" => Some(ConversationState::Created),
        "active" => Some(ConversationState::Active),
        "idle" => Some(ConversationState::Idle),
        _ => None,
    }
}

fn user(body: &Value) -> User {
    let of = |name: &str| text(body.get(name));
    let properties = body.get("additionalProperties").and_then(Value::as_array);
    let property = |property: &Value| {
        let (key, value) = (text(property.get("key"))?, text(property.get("value"))?);
        (key != HANDOVER_PROPERTY).then_some(Property { key, value })
    };
    User {
        name: of("name"),
        user_id: of("userId"),
        customer_id: of("customerId"),
        email: of("email"),
        phone: of("phone"),
        company: of("company"),
        case_id: of("caseId"),
        language: of("language"),
        ipaddress: of("ipaddress"),
        timezone_offset: of("timezoneOffset").and_then(|offset| offset.parse().ok()),
        additional_properties: properties.into_iter().flatten().filter_map(property).collect(),
    }
}

fn handover(properties: Option<&Value>) -> Option<HandoverId> {
    properties?
        .as_array()?
        .iter()
        .filter(|property| text(property.get("key")).as_deref() == Some(HANDOVER_PROPERTY))
        .find_map(|property| HandoverId::parse(&text(property.get("value"))?))
}
