//! Conversations: create, look, and change their queue or user.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, ConversationId, accepted, ok};
use super::page::{ListKind, ListQuery, Row};
use crate::sandbox::clock;
use crate::sandbox::faults::Effect;
use crate::sandbox::problem::Problem;
use crate::sandbox::state::Shared;
use crate::sandbox::validate::{Assignment, ConversationCreate, ConversationPatch, ConversationWrite, read};
use crate::sandbox::world::{Conversation, Event, Queue};

/// Asked for by a fault.
type Asked = Option<Extension<Effect>>;

pub(super) async fn list(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Answer {
    let query = ListQuery::read(query.as_deref(), ListKind::Conversations)?;
    let world = shared.world();
    let rows = world
        .conversations
        .values()
        .map(|one| Row {
            id: &one.id,
            created_at: (one.created_at, one.order),
            name: None,
            item: one,
        })
        .collect();
    Ok(ok(&query.envelope(
        Some("/chat-gateway/v1/conversations"),
        "conversations",
        rows,
        |one| one.resource(),
    )))
}

pub(super) async fn create(State(shared): State<Shared>, body: Bytes) -> Answer {
    let create: ConversationCreate = read(&body).map_err(Problem::invalid)?;
    let (queue, script) = first_assignment(&shared, &create)?;
    let messages = create.history.map(|history| history.messages).unwrap_or_default();
    let history = messages
        .iter()
        .map(|message| serde_json::to_value(message).unwrap_or_default())
        .collect();
    let tenant_id = &shared.options.tenant_id;
    let mut conversation = Conversation::new(tenant_id, create.channel_id, create.user.into_stored(), history);
    if let Some(script_id) = script {
        conversation.assign_script(script_id);
    }
    let (id, created_at) = (conversation.id.clone(), clock::iso(conversation.created_at));
    shared.open(conversation, |conversation| conversation.open(queue));
    let mut response = accepted(&json!({"conversationId": id, "createdAt": created_at}));
    response.extensions_mut().insert(ConversationId(id));
    Ok(response)
}

/// The queue asked for, or else the channel's; or the script that leads the conversation.
fn first_assignment(shared: &Shared, create: &ConversationCreate) -> Result<(Option<Queue>, Option<String>), Problem> {
    let world = shared.world();
    let Some(channel) = world.channels.get(&create.channel_id) else {
        let message = format!("Channel ID {} is invalid.", create.channel_id);
        return Err(Problem::general(StatusCode::BAD_REQUEST, "invalid_channel", &message));
    };
    let queue_id = match &create.assignment {
        Some(Assignment { kind, id }) if kind == "script" => return Ok((None, Some(id.clone()))),
        Some(Assignment { id, .. }) => id,
        None => &channel.queue_id,
    };
    let queue = world
        .queue(queue_id)
        .cloned()
        .ok_or_else(|| Problem::invalid_queue(queue_id))?;
    Ok((Some(queue), None))
}

pub(super) async fn get(State(shared): State<Shared>, Path(id): Path<String>) -> Answer {
    let world = shared.world();
    Ok(ok(&world
        .conversations
        .get(&id)
        .ok_or_else(|| not_found(&id))?
        .resource()))
}

pub(super) async fn replace(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    effect: Asked,
    body: Bytes,
) -> Answer {
    let effect = effect.map(|Extension(effect)| effect);
    let write: ConversationWrite = read(&body).map_err(Problem::invalid)?;
    let channel_id = write
        .channel_id
        .filter(|channel_id| shared.world().channels.contains_key(channel_id));
    let user = write.user.map(crate::sandbox::validate::User::into_stored);
    let queue = known_queue(&shared, write.assignment.as_ref());
    let shown = shared.change(&id, |conversation, _| {
        let events = carry_out(effect, conversation, |conversation| {
            if let Some(channel_id) = channel_id {
                conversation.channel_id = channel_id;
            }
            conversation.rewrite(user, queue)
        });
        (conversation.resource(), events)
    });
    Ok(accepted(&shown.ok_or_else(|| not_found(&id))?))
}

/// A queue that does not exist is accepted and nothing happens: this operation documents no 400.
pub(super) async fn patch(State(shared): State<Shared>, Path(id): Path<String>, effect: Asked, body: Bytes) -> Answer {
    let effect = effect.map(|Extension(effect)| effect);
    let patch: ConversationPatch = read(&body).map_err(Problem::invalid)?;
    let queue = known_queue(&shared, patch.assignment.as_ref());
    let user = patch.user.map(crate::sandbox::validate::User::into_patch);
    let shown = shared.change(&id, |conversation, _| {
        let user = user.map(|user| merged(&conversation.user, user));
        let events = carry_out(effect, conversation, |conversation| conversation.rewrite(user, queue));
        (conversation.resource(), events)
    });
    Ok(accepted(&shown.ok_or_else(|| not_found(&id))?))
}

pub(super) async fn interactions(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = ListQuery::read(query.as_deref(), ListKind::Plain)?;
    let path = format!("/chat-gateway/v1/conversations/{id}/interactions");
    let interactions = {
        let world = shared.world();
        world
            .conversations
            .get(&id)
            .ok_or_else(|| not_found(&id))?
            .interactions()
    };
    Ok(ok(&query.envelope(
        Some(&path),
        "interactions",
        in_order(&interactions),
        |one| (*one).clone(),
    )))
}

/// Rows for a list that keeps the order in which its entries came to be.
pub(super) fn in_order(items: &[Value]) -> Vec<Row<'_, &Value>> {
    items
        .iter()
        .zip(0..)
        .map(|(item, number)| Row {
            id: "",
            created_at: (0, number),
            name: None,
            item,
        })
        .collect()
}

fn carry_out(
    effect: Option<Effect>,
    conversation: &mut Conversation,
    change: impl FnOnce(&mut Conversation) -> Vec<Event>,
) -> Vec<Event> {
    match effect {
        None => change(conversation),
        Some(Effect::Silent) => {
            drop(change(conversation));
            Vec::new()
        }
        Some(Effect::None) => Vec::new(),
    }
}

fn known_queue(shared: &Shared, assignment: Option<&Assignment>) -> Option<Queue> {
    let assignment = assignment.filter(|assignment| assignment.kind == "queue")?;
    shared.world().queue(&assignment.id).cloned()
}

fn merged(user: &Value, patch: Value) -> Value {
    let mut merged = user.clone();
    if let (Value::Object(merged), Value::Object(patch)) = (&mut merged, patch) {
        merged.extend(patch);
    }
    merged
}

fn not_found(id: &str) -> Problem {
    Problem::not_found("conversation", id)
}
