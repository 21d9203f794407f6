//! What a webhook is told, in both of 8x8's dialects: nested (Chat Gateway v1.0) and flat (Chat API v2.0).

use serde_json::{Map, Value, json};

use super::attachment::Attachment;
use super::conversation::{Agent, Queue, Saying};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Gateway,
    V2,
}

#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// State, assignment and user as they were at this moment.
    Update(Value),
    Queued(Queue),
    AgentJoined(Agent),
    AgentLeft(Agent),
    UserLeft,
    Transfer,
    Message(Saying),
    Typing(Vec<String>),
}

/// An event as it goes over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    pub(crate) event_type: String,
    pub(crate) body: Value,
}

impl Event {
    /// Nothing for what the dialect does not know.
    pub(crate) fn render(&self, dialect: Dialect, conversation_id: &str, timestamp: i64) -> Option<Rendered> {
        let (event_type, rest) = match dialect {
            Dialect::Gateway => self.nested(),
            Dialect::V2 => self.flat()?,
        };
        let mut body = json!({"eventType": event_type, "conversationId": conversation_id, "timestamp": timestamp});
        if let (Value::Object(body), Value::Object(rest)) = (&mut body, rest) {
            body.extend(rest);
        }
        Some(Rendered {
            event_type: event_type.to_owned(),
            body,
        })
    }

    fn nested(&self) -> (&'static str, Value) {
        let (event_type, data) = match self {
            Self::Update(data) => ("CONVERSATION_UPDATE", data.clone()),
            Self::Queued(queue) => ("QUEUED", json!({"queueId": queue.id, "queueName": queue.name})),
            Self::AgentJoined(agent) => ("MEMBERS_CHANGED", member("agent", "joined", &agent.id)),
            Self::AgentLeft(agent) => ("MEMBERS_CHANGED", member("agent", "left", &agent.id)),
            Self::UserLeft => ("MEMBERS_CHANGED", member("user", "left", "user")),
            Self::Transfer => return ("TRANSFER", Value::Object(Map::new())),
            Self::Message(said) => ("MESSAGE", message(said)),
            Self::Typing(agents) => ("ACTIVITY", json!({"name": "typing", "value": {"users": users(agents)}})),
        };
        (event_type, json!({"data": data}))
    }

    fn flat(&self) -> Option<(&'static str, Value)> {
        match self {
            Self::Queued(queue) => {
                let body = json!({"messageType": "SYSTEM", "queueId": queue.id, "queueName": queue.name});
                Some(("QUEUED", body))
            }
            Self::AgentJoined(agent) => Some(("AGENT_JOINED", flat_agent(agent))),
            Self::AgentLeft(agent) => Some(("AGENT_LEFT", flat_agent(agent))),
            Self::Transfer => Some(("TRANSFER", json!({"messageType": "SYSTEM"}))),
            Self::Message(said) if said.author_type == "agent" => {
                let (id, name) = (&said.author_id, &said.author_name);
                Some((
                    "TEXT",
                    json!({"messageType": "AGENT", "agentId": id, "agentName": name, "message": said.text}),
                ))
            }
            Self::Message(_) | Self::Update(_) | Self::UserLeft | Self::Typing(_) => None,
        }
    }
}

fn member(kind: &str, change: &str, id: &str) -> Value {
    json!({"memberType": kind, "change": change, "id": id})
}

fn users(agents: &[String]) -> Vec<Value> {
    agents.iter().map(|id| json!({"id": id, "type": "agent"})).collect()
}

fn flat_agent(agent: &Agent) -> Value {
    json!({"messageType": "SYSTEM", "agentId": agent.id, "agentName": agent.name})
}

fn message(said: &Saying) -> Value {
    json!({
        "isEcho": said.author_type == "bot",
        "sender": {"id": said.author_id, "type": said.author_type},
        "text": said.text,
        "attachments": said.attachments.iter().map(Attachment::in_event).collect::<Vec<_>>(),
        "cards": said.cards,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Agent {
        Agent {
            id: "agent-1".to_owned(),
            name: "Ada Agent".to_owned(),
        }
    }

    #[test]
    fn a_joining_agent_is_nested_in_one_dialect_and_flat_in_the_other() {
        let event = Event::AgentJoined(ada());
        let nested = event.render(Dialect::Gateway, "c", 1).unwrap().body;
        assert_eq!(
            nested,
            json!({"eventType": "MEMBERS_CHANGED", "conversationId": "c", "timestamp": 1,
                "data": {"memberType": "agent", "change": "joined", "id": "agent-1"}})
        );
        let flat = event.render(Dialect::V2, "c", 1).unwrap().body;
        assert_eq!(
            flat,
            json!({"eventType": "AGENT_JOINED", "messageType": "SYSTEM", "conversationId": "c", "timestamp": 1,
                "agentId": "agent-1", "agentName": "Ada Agent"})
        );
    }

    #[test]
    fn a_transfer_has_no_data() {
        let body = Event::Transfer.render(Dialect::Gateway, "c", 1).unwrap().body;
        assert_eq!(
            body,
            json!({"eventType": "TRANSFER", "conversationId": "c", "timestamp": 1})
        );
    }

    #[test]
    fn only_the_bots_own_words_are_an_echo() {
        let echo = |author: &str| {
            let said = Saying::by_caller(author.to_owned(), "hi".to_owned());
            Event::Message(said).render(Dialect::Gateway, "c", 1).unwrap().body["data"]["isEcho"].clone()
        };
        assert_eq!(echo("bot"), true);
        assert_eq!(echo("user"), false);
    }
}
