//! One conversation: who is in it, what was said, and how it is shown.

use serde_json::{Value, json};

use super::attachment::Attachment;
use crate::sandbox::{clock, ids};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) id: String,
    pub(crate) name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Created,
    Active,
    Idle,
}

/// What someone says, before the conversation has taken it.
#[derive(Clone, Debug)]
pub(crate) struct Saying {
    pub(crate) author_type: String,
    pub(crate) author_id: String,
    pub(crate) author_name: String,
    pub(crate) text: String,
    pub(crate) cards: Vec<Value>,
    pub(crate) attachments: Vec<Attachment>,
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) order: u64,
    pub(crate) created_at: i64,
    pub(crate) said: Saying,
}

#[derive(Clone, Debug)]
pub(super) struct Participant {
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) removed: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Interaction {
    pub(super) id: String,
    pub(super) started_at: i64,
    pub(super) ended_at: Option<i64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    pub(crate) id: String,
    pub(crate) order: u64,
    pub(crate) created_at: i64,
    pub(crate) channel_id: String,
    pub(crate) user: Value,
    pub(crate) history: Vec<Value>,
    pub(crate) messages: Vec<Message>,
    /// Files by whomever, whether or not a message shows them.
    pub(crate) attachments: Vec<Attachment>,
    /// Typing, thinking and read-receipt calls as received.
    pub(crate) signals: Vec<Value>,
    /// User-leaves calls as received.
    pub(crate) leaves: Vec<Value>,
    pub(super) tenant_id: String,
    pub(super) phase: Phase,
    pub(super) assignment: Option<(&'static str, String)>,
    /// The queue it waits in now.
    pub(super) waiting_in: Option<Queue>,
    /// The queue a reopened conversation goes back to.
    pub(super) last_queue: Option<Queue>,
    pub(super) agents: Vec<Agent>,
    pub(super) participants: Vec<Participant>,
    pub(super) interactions: Vec<Interaction>,
}

impl Conversation {
    pub(crate) fn new(tenant_id: &str, channel_id: String, user: Value, history: Vec<Value>) -> Self {
        Self {
            id: ids::token(),
            order: 0,
            created_at: clock::now_ms(),
            channel_id,
            user,
            history,
            messages: Vec::new(),
            attachments: Vec::new(),
            signals: Vec::new(),
            leaves: Vec::new(),
            tenant_id: tenant_id.to_owned(),
            phase: Phase::Created,
            assignment: None,
            waiting_in: None,
            last_queue: None,
            agents: Vec::new(),
            participants: Vec::new(),
            interactions: Vec::new(),
        }
    }

    pub(crate) fn waiting_in(&self) -> Option<&Queue> {
        self.waiting_in.as_ref()
    }

    pub(crate) fn agents(&self) -> &[Agent] {
        &self.agents
    }

    /// The files with these ids, or the first id there is no file of.
    pub(crate) fn files(&self, ids: impl Iterator<Item = String>) -> Result<Vec<Attachment>, String> {
        ids.map(|id| self.attachments.iter().find(|one| one.id == id).cloned().ok_or(id))
            .collect()
    }

    pub(crate) fn name_of_user(&self) -> Option<String> {
        self.user.get("name").and_then(Value::as_str).map(str::to_owned)
    }

    /// The newest words of the user, from before or after the hand-over.
    pub(crate) fn last_words_of_user(&self) -> Option<String> {
        let posted = self
            .messages
            .iter()
            .rev()
            .find(|message| message.said.author_type == "user");
        let before = || {
            self.history
                .iter()
                .rev()
                .find(|message| message.get("authorType") == Some(&json!("user")))
        };
        match posted {
            Some(message) => Some(message.said.text.clone()),
            None => before()?.get("text")?.as_str().map(str::to_owned),
        }
    }

    /// As `GET /conversations/{id}` shows it.
    pub(crate) fn resource(&self) -> Value {
        let mut shown = json!({
            "id": self.id,
            "channelId": self.channel_id,
            "user": self.user,
            "state": self.state(),
        });
        if let (Some(assignment), Some(shown)) = (self.assignment(), shown.as_object_mut()) {
            shown.insert("assignment".to_owned(), assignment);
        }
        shown
    }

    /// As the control API shows it.
    pub(crate) fn full_view(&self) -> Value {
        json!({
            "id": self.id,
            "order": self.order,
            "createdAt": clock::iso(self.created_at),
            "channelId": self.channel_id,
            "state": self.state(),
            "assignment": self.assignment(),
            "queueId": self.waiting_in.as_ref().map(|queue| &queue.id),
            "user": self.user,
            "history": self.history,
            "messages": self.messages.iter().map(Message::full_view).collect::<Vec<_>>(),
            "attachments": self.attachments.iter().map(Attachment::full_view).collect::<Vec<_>>(),
            "participants": self.participants(),
            "agents": self.agents.iter().map(|agent| json!({"id": agent.id, "name": agent.name})).collect::<Vec<_>>(),
            "interactions": self.interactions(),
            "signals": self.signals,
            "leaves": self.leaves,
        })
    }

    pub(crate) fn participants(&self) -> Vec<Value> {
        let language = self.user.get("language");
        self.participants
            .iter()
            .map(|one| json!({"id": one.id, "removed": one.removed, "type": one.kind, "language": language}))
            .collect()
    }

    pub(crate) fn interactions(&self) -> Vec<Value> {
        self.interactions
            .iter()
            .map(|one| json!({"id": one.id, "startTime": clock::iso(one.started_at), "endTime": one.ended_at.map(clock::iso)}))
            .collect()
    }

    pub(super) fn state(&self) -> &'static str {
        match self.phase {
            Phase::Created => "created",
            Phase::Active => "active",
            Phase::Idle => "idle",
        }
    }

    pub(super) fn assignment(&self) -> Option<Value> {
        self.assignment
            .as_ref()
            .map(|(kind, id)| json!({"type": kind, "id": id}))
    }
}

impl Saying {
    /// The two authors who speak through the API have their type as id.
    pub(crate) fn by_caller(author_type: String, text: String) -> Self {
        let author_id = author_type.clone();
        let author_name = String::new();
        Self {
            author_type,
            author_id,
            author_name,
            text,
            cards: Vec::new(),
            attachments: Vec::new(),
        }
    }

    pub(crate) fn by_agent(agent: &Agent, text: String) -> Self {
        Self {
            author_type: "agent".to_owned(),
            author_id: agent.id.clone(),
            author_name: agent.name.clone(),
            text,
            cards: Vec::new(),
            attachments: Vec::new(),
        }
    }
}

impl Saying {
    fn attachment_ids(&self) -> Vec<Value> {
        self.attachments.iter().map(|one| json!({"id": one.id})).collect()
    }
}

impl Message {
    pub(crate) fn resource(&self, language: Option<&Value>) -> Value {
        let mut shown = json!({
            "id": self.id,
            "text": self.said.text,
            "createdAt": clock::iso(self.created_at),
            "author": {"id": self.said.author_id, "removed": false, "type": self.said.author_type, "language": language},
        });
        if let Some(shown) = shown.as_object_mut() {
            if !self.said.cards.is_empty() {
                shown.insert("cards".to_owned(), self.said.cards.clone().into());
            }
            if !self.said.attachments.is_empty() {
                shown.insert("attachments".to_owned(), self.said.attachment_ids().into());
            }
        }
        shown
    }

    fn full_view(&self) -> Value {
        json!({
            "id": self.id,
            "order": self.order,
            "author": self.said.author_type,
            "authorId": self.said.author_id,
            "text": self.said.text,
            "cards": self.said.cards,
            "attachments": self.said.attachment_ids(),
            "createdAt": clock::iso(self.created_at),
        })
    }
}
