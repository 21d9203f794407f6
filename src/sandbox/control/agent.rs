//! Plays an agent, one step a call.

use axum::extract::{Path, State};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::refusal::{Refusal, read};
use crate::sandbox::state::Shared;
use crate::sandbox::world::{Agent, Attachment, Conversation, Event, Queue, Saying};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Act {
    #[serde(rename = "do")]
    step: Step,
    #[serde(default = "default_id")]
    agent_id: String,
    #[serde(default = "default_name")]
    agent_name: String,
    text: Option<String>,
    queue_id: Option<String>,
    #[serde(default)]
    cards: Vec<Value>,
    #[serde(default)]
    attachments: Vec<File>,
}

/// A file the agent sends: some text, or so many bytes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "fileName")]
    name: String,
    #[serde(default)]
    text: String,
    bytes: Option<usize>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Step {
    Join,
    Type,
    StopTyping,
    Say,
    Leave,
    Transfer,
    End,
}

/// A step with all it needs.
enum Deed {
    Join,
    Type,
    StopTyping,
    Say(Saying),
    Leave,
    Transfer(Queue),
    End,
}

pub(super) async fn act(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    let act: Act = read(&body)?;
    let agent = Agent {
        id: act.agent_id.clone(),
        name: act.agent_name.clone(),
    };
    let deed = deed(&shared, act, &agent)?;
    let done = shared.change(&id, |conversation, order| {
        ((), deed.carry_out(conversation, order, &agent))
    });
    done.map(|()| StatusCode::NO_CONTENT)
        .ok_or_else(|| Refusal::unknown_conversation(&id))
}

fn deed(shared: &Shared, act: Act, agent: &Agent) -> Result<Deed, Refusal> {
    Ok(match act.step {
        Step::Join => Deed::Join,
        Step::Type => Deed::Type,
        Step::StopTyping => Deed::StopTyping,
        Step::Say if act.text.is_none() && act.cards.is_empty() && act.attachments.is_empty() => {
            return Err(Refusal::bad("say needs text, cards or attachments"));
        }
        Step::Say => {
            let mut saying = Saying::by_agent(agent, act.text.unwrap_or_default());
            saying.cards = act.cards;
            saying.attachments = act.attachments.into_iter().map(File::into_attachment).collect();
            Deed::Say(saying)
        }
        Step::Leave => Deed::Leave,
        Step::Transfer => {
            let queue_id = act.queue_id.ok_or_else(|| Refusal::bad("transfer needs queueId"))?;
            let queue = shared.world().queue(&queue_id).cloned();
            Deed::Transfer(queue.ok_or_else(|| Refusal::bad(format!("there is no queue {queue_id}")))?)
        }
        Step::End => Deed::End,
    })
}

impl File {
    fn into_attachment(self) -> Attachment {
        let bytes = self.bytes.map_or_else(
            || Bytes::from(self.text),
            |count| (b'a'..=b'z').cycle().take(count).collect(),
        );
        Attachment::new(self.name, "agent".to_owned(), bytes)
    }
}

impl Deed {
    fn carry_out(self, conversation: &mut Conversation, order: u64, agent: &Agent) -> Vec<Event> {
        match self {
            Self::Join => conversation.join(agent),
            Self::Type => vec![Event::Typing(vec![agent.id.clone()])],
            Self::StopTyping => vec![Event::Typing(Vec::new())],
            Self::Say(saying) => {
                conversation.attachments.extend(saying.attachments.iter().cloned());
                conversation.say(order, saying)
            }
            Self::Leave => conversation.leave(agent),
            Self::Transfer(queue) => conversation.transfer(agent, queue),
            Self::End => conversation.end(),
        }
    }
}

fn default_id() -> String {
    "agent-1".to_owned()
}

fn default_name() -> String {
    "Ada Agent".to_owned()
}
