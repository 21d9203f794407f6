//! Plays a customer in one of 8x8's own channels: opens conversations, writes, answers what was shown, leaves.

use axum::Json;
use axum::extract::{Path, State};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::{Refusal, read};
use crate::sandbox::clock;
use crate::sandbox::ids;
use crate::sandbox::state::Shared;
use crate::sandbox::world::{Channel, Conversation, Event};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Open {
    channel_id: Option<String>,
    #[serde(default)]
    user: Value,
    msisdn: Option<String>,
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct AddChannel {
    id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    webhook_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "do")]
enum Act {
    Say { text: String },
    Type,
    QuickReply { title: String, payload: Value },
    Card { data: Value },
    Activity { name: String, value: Value },
    Leave,
    TimeOut,
}

/// A channel as an administrator adds it in 8x8's own pages, of any type.
pub(super) async fn add_channel(State(shared): State<Shared>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let add: AddChannel = read(&body)?;
    let mut world = shared.world();
    let first = world
        .channels
        .get(&shared.options.channel_id)
        .ok_or_else(|| Refusal::bad("the first channel is gone"))?;
    let channel = Channel {
        id: add.id.unwrap_or_else(ids::token),
        name: "Added channel".to_owned(),
        kind: add.kind.unwrap_or_else(|| "WebChat".to_owned()),
        webhook_id: add.webhook_id.unwrap_or_else(|| first.webhook_id.clone()),
        queue_id: first.queue_id.clone(),
        created_at: clock::now_ms(),
    };
    if !world.webhooks.contains_key(&channel.webhook_id) {
        return Err(Refusal::bad(format!("there is no webhook {}", channel.webhook_id)));
    }
    let shown = channel.resource();
    world.channels.insert(channel.id.clone(), channel);
    Ok(Json(shown))
}

pub(super) async fn open(State(shared): State<Shared>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let open: Open = read(&body)?;
    let channel_id = open.channel_id.unwrap_or_else(|| shared.options.channel_id.clone());
    let kind = shared
        .world()
        .channels
        .get(&channel_id)
        .map(|channel| channel.kind.clone());
    let kind = kind.ok_or_else(|| Refusal::bad(format!("there is no channel {channel_id}")))?;
    let user = match open.user {
        Value::Null => json!({"language": "en"}),
        user if user.is_object() => user,
        _ => return Err(Refusal::bad("user must be an object")),
    };
    let mut conversation = Conversation::new(&shared.options.tenant_id, channel_id, user, Vec::new());
    conversation.kind = kind;
    conversation.msisdn = open.msisdn;
    let id = conversation.id.clone();
    shared.open(conversation, Conversation::begin);
    if let Some(text) = open.text {
        shared.change(&id, |conversation, order| ((), conversation.customer_says(order, text)));
    }
    Ok(Json(json!({"conversationId": id})))
}

pub(super) async fn act(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    let act: Act = read(&body)?;
    let done = shared.change(&id, |conversation, order| ((), act.carry_out(conversation, order)));
    done.map(|()| StatusCode::NO_CONTENT)
        .ok_or_else(|| Refusal::unknown_conversation(&id))
}

impl Act {
    fn carry_out(self, conversation: &mut Conversation, order: u64) -> Vec<Event> {
        match self {
            Self::Say { text } => conversation.customer_says(order, text),
            Self::Type => vec![Event::Activity {
                name: "typing".to_owned(),
                value: json!({"users": [{"id": "user", "type": "user"}]}),
            }],
            Self::QuickReply { title, payload } => vec![Event::Activity {
                name: "quickReply/action".to_owned(),
                value: json!({"type": "postback", "data": {"title": title, "payload": payload}}),
            }],
            Self::Card { data } => vec![Event::Activity {
                name: "adaptiveCard/action".to_owned(),
                value: json!({"type": "Action.Submit", "data": data}),
            }],
            Self::Activity { name, value } => vec![Event::Activity { name, value }],
            Self::Leave => conversation.user_leaves(),
            Self::TimeOut => conversation.finish(),
        }
    }
}
