//! Reads a proven webhook, in the Chat Gateway's dialect (fields under `data`) or the older flat one, whichever it uses.

use serde_json::value::RawValue;

use crate::chat_gateway::HANDOVER_PROPERTY;
use crate::domain::AgentRef;
use crate::domain::AttachmentSeen;
use crate::domain::ConversationId;
use crate::domain::ConversationState;
use crate::domain::ConversationUpdate;
use crate::domain::HandoverId;
use crate::domain::MessageSeen;
use crate::domain::Queue;
use crate::domain::RawJson;
use crate::domain::Source;
use crate::domain::WebhookEvent;
use crate::domain::WebhookKind;
use crate::domain::WebhookReceipt;
use crate::webhook::fingerprint;
use crate::webhook::signed::Signed;
use crate::webhook::wire::Object;
use crate::webhook::wire::list;
use crate::webhook::wire::raw;
use crate::webhook::wire::text;

const HELLO: &str = "WEB_HOOK_VERIFY";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    Event(Box<WebhookEvent>),
    /// 8x8 asks whether anyone is here.
    Verify,
    /// To be kept aside: a repeat would read no better.
    Unreadable(&'static str),
}

pub fn decode(signed: &Signed) -> Decoded {
    read(signed.event_id(), signed.body())
}

/// Reads again what was proven when it came and has been kept since.
pub fn decode_kept(receipt: &WebhookReceipt) -> Decoded {
    read(&receipt.event_id, &receipt.body)
}

/// Whether 8x8 only asks if anyone is here. It need not be signed, and nothing follows from it.
pub fn is_hello(body: &[u8]) -> bool {
    let event_type = || Object::read(std::str::from_utf8(body).ok()?)?.id("eventType");
    event_type().as_deref() == Some(HELLO)
}

fn read(event_id: &str, body: &[u8]) -> Decoded {
    let Ok(whole) = std::str::from_utf8(body) else {
        return Decoded::Unreadable("not UTF-8");
    };
    let Some(envelope) = Object::read(whole) else {
        return Decoded::Unreadable("not a JSON object");
    };
    let event_type = envelope.id("eventType").unwrap_or_default();
    if event_type == HELLO {
        return Decoded::Verify;
    }
    let Some(conversation) = envelope.id("conversationId").and_then(|id| ConversationId::parse(&id)) else {
        return Decoded::Unreadable("no conversationId");
    };
    let Ok(whole) = RawJson::parse(whole) else {
        return Decoded::Unreadable("not a JSON object");
    };
    // Fields are looked for in `data`, and beside it where there is none.
    let data = envelope.object("data");
    let nested = data.is_some();
    let fields = data.as_ref().unwrap_or(&envelope);
    let kind = match event_type.as_str() {
        "CONVERSATION_UPDATE" => {
            let raw_data = if nested {
                envelope.get("data").and_then(raw)
            } else {
                None
            };
            Some(conversation_update(fields, raw_data.unwrap_or_else(|| whole.clone())))
        }
        "QUEUED" => Some(WebhookKind::Queued(queue(fields))),
        "MEMBERS_CHANGED" => members_changed(fields),
        "AGENT_JOINED" => Some(WebhookKind::AgentJoined(flat_agent(fields))),
        "AGENT_LEFT" => Some(WebhookKind::AgentLeft(flat_agent(fields))),
        "TRANSFER" => Some(WebhookKind::Transfer),
        "MESSAGE" => Some(WebhookKind::Message(message(fields))),
        "TEXT" => Some(WebhookKind::Message(flat_message(fields))),
        "ACTIVITY" => activity(fields),
        _ => None,
    };
    Decoded::Event(Box::new(WebhookEvent {
        conversation,
        source: Source {
            event_type,
            event_id: event_id.to_owned(),
            timestamp: envelope.number("timestamp"),
        },
        kind: kind.unwrap_or(WebhookKind::Unrecognized { raw: whole }),
    }))
}

fn conversation_update(fields: &Object<'_>, raw: RawJson) -> WebhookKind {
    let assignment = fields.object("assignment");
    let assigned = |kind: &str| {
        let assignment = assignment.as_ref()?;
        (assignment.id("type")? == kind).then(|| assignment.id("id"))?
    };
    let state = fields.id("state").and_then(|state| match state.as_str() {
        "created" => Some(ConversationState::Created),
        "active" => Some(ConversationState::Active),
        "idle" => Some(ConversationState::Idle),
        _ => None,
    });
    WebhookKind::ConversationUpdate(ConversationUpdate {
        state,
        agent: assigned("agent").map(|id| AgentRef { id, name: None }),
        queue_id: assigned("queue"),
        handover: fields.object("user").and_then(|user| handover(&user)),
        fingerprint: fingerprint::of(fields),
        raw,
    })
}

fn handover(user: &Object<'_>) -> Option<HandoverId> {
    user.list("additionalProperties")
        .into_iter()
        .filter_map(|property| Object::read(property.get()))
        .filter(|property| property.id("key").as_deref() == Some(HANDOVER_PROPERTY))
        .find_map(|property| HandoverId::parse(&property.id("value")?))
}

fn queue(fields: &Object<'_>) -> Queue {
    let name = fields.id("queueName");
    Queue {
        id: fields.id("queueId").or_else(|| name.clone()).unwrap_or_default(),
        name,
    }
}

/// `None` for members and changes we do not know.
fn members_changed(fields: &Object<'_>) -> Option<WebhookKind> {
    let agent = || AgentRef {
        id: fields.id("id").unwrap_or_default(),
        name: fields.id("name"),
    };
    match (fields.id("memberType")?.as_str(), fields.id("change")?.as_str()) {
        ("agent", "joined") => Some(WebhookKind::AgentJoined(agent())),
        ("agent", "left") => Some(WebhookKind::AgentLeft(agent())),
        ("user", "joined") => Some(WebhookKind::UserJoined),
        ("user", "left") => Some(WebhookKind::UserLeft),
        _ => None,
    }
}

fn flat_agent(fields: &Object<'_>) -> AgentRef {
    let name = fields.id("agentName");
    AgentRef {
        id: fields.id("agentId").or_else(|| name.clone()).unwrap_or_default(),
        name,
    }
}

fn message(fields: &Object<'_>) -> MessageSeen {
    let sender = fields.object("sender");
    let of_sender = |name: &str| sender.as_ref().and_then(|sender| sender.id(name));
    MessageSeen {
        is_echo: fields.is_true("isEcho"),
        sender_type: of_sender("type").unwrap_or_default(),
        sender: AgentRef {
            id: of_sender("id").unwrap_or_default(),
            name: of_sender("name"),
        },
        text: fields.text("text").unwrap_or_default(),
        attachments: fields.list("attachments").into_iter().filter_map(attachment).collect(),
        cards: fields.list("cards").into_iter().filter_map(raw).collect(),
    }
}

/// In this dialect only agents speak.
fn flat_message(fields: &Object<'_>) -> MessageSeen {
    MessageSeen {
        sender_type: "agent".to_owned(),
        sender: flat_agent(fields),
        text: fields
            .text("message")
            .or_else(|| fields.text("text"))
            .unwrap_or_default(),
        is_echo: false,
        attachments: Vec::new(),
        cards: Vec::new(),
    }
}

/// An object, or in older releases perhaps only the id.
fn attachment(json: &RawValue) -> Option<AttachmentSeen> {
    let Some(attachment) = Object::read(json.get()) else {
        return Some(AttachmentSeen {
            id: text(json)?,
            filename: None,
            content_type: None,
            url: None,
        });
    };
    Some(AttachmentSeen {
        id: attachment.id("id")?,
        filename: attachment.id("fileName").or_else(|| attachment.id("filename")),
        content_type: attachment.id("type"),
        url: None,
    })
}

/// `None` for activities we do not know. Names with a slash are what a user did with something shown to them; which ones
/// there are depends on the provider behind the channel.
fn activity(fields: &Object<'_>) -> Option<WebhookKind> {
    let name = fields.id("name")?;
    if name == "typing" {
        typing(fields)
    } else if name.contains('/') {
        let value = fields.get("value").and_then(raw);
        Some(WebhookKind::Action {
            name,
            value: value.or_else(null)?,
        })
    } else {
        None
    }
}

fn typing(fields: &Object<'_>) -> Option<WebhookKind> {
    let users = fields.object("value").and_then(|value| value.get("users"));
    let who = users.map(list).unwrap_or_default();
    let is_agent = |user: &&RawValue| {
        Object::read(user.get()).is_some_and(|user| match user.id("type").as_deref() {
            Some(kind) => kind == "agent",
            None => !matches!(user.id("id").as_deref(), Some("user" | "bot") | None),
        })
    };
    let active = who.iter().any(is_agent);
    if !active && !who.is_empty() {
        return Some(WebhookKind::OwnTyping);
    }
    let users = if active {
        users.and_then(raw)?
    } else {
        RawJson::parse("[]").ok()?
    };
    Some(WebhookKind::Typing { users, active })
}

fn null() -> Option<RawJson> {
    RawJson::parse("null").ok()
}
