//! Agents that act by themselves. They see a conversation's events, as real agents see their screen, and use the same
//! steps as the control API.

use std::sync::Arc;

use super::options::{Pace, Script};
use super::state::Shared;
use super::world::{Agent, Event, Queue, Saying};

/// What the script does about these events.
pub(crate) fn react(shared: &Shared, conversation_id: &str, events: &[Event]) {
    let Script::Helpful(pace) = shared.options.script else {
        return;
    };
    for event in events {
        let shift = Shift {
            shared: Arc::clone(shared),
            conversation_id: conversation_id.to_owned(),
            pace,
        };
        match event {
            Event::Queued(queue) => drop(shared.start(shift.serve(queue.clone()))),
            Event::Message(said) if said.author_type == "user" => {
                drop(shared.start(shift.answer(said.text.clone())));
            }
            Event::Message(_)
            | Event::Update(_)
            | Event::AgentJoined(_)
            | Event::AgentLeft(_)
            | Event::UserLeft
            | Event::Transfer
            | Event::Typing(_)
            | Event::Activity { .. } => {}
        }
    }
}

/// The agent of a queue: the first queue has Ada, the others Grace.
pub(crate) fn agent_of(shared: &Shared, queue: &Queue) -> Agent {
    let world = shared.world();
    let (id, name) = match world.queues.first() {
        Some(first) if first.id == queue.id => ("agent-1", "Ada Agent"),
        _ => ("agent-2", "Grace Agent"),
    };
    Agent {
        id: id.to_owned(),
        name: name.to_owned(),
    }
}

/// One agent's doings in one conversation.
struct Shift {
    shared: Shared,
    conversation_id: String,
    pace: Pace,
}

impl Shift {
    /// Joins when the conversation still waits in this queue, and greets.
    async fn serve(self, queue: Queue) {
        tokio::time::sleep(self.pace.join).await;
        let agent = agent_of(&self.shared, &queue);
        let joined = self.shared.change(&self.conversation_id, |conversation, _| {
            if conversation.waiting_in() == Some(&queue) {
                let last_words = conversation.last_words_of_user();
                (
                    Some((conversation.name_of_user(), last_words)),
                    conversation.join(&agent),
                )
            } else {
                (None, Vec::new())
            }
        });
        if let Some(Some((name, last_words))) = joined {
            let greeting = greeting(&agent, &queue, name.as_deref(), last_words.as_deref());
            self.type_and_say(&agent, greeting).await;
        }
    }

    async fn answer(self, text: String) {
        let Some(agent) = self.agent_in_charge() else { return };
        let said = text.to_lowercase();
        if said.contains("transfer") {
            let Some(queue) = self.other_queue(&agent) else {
                return self
                    .type_and_say(&agent, "There is nobody else I could transfer you to.".to_owned())
                    .await;
            };
            self.type_and_say(&agent, format!("One moment, I am transferring you to {}.", queue.name))
                .await;
            self.act(&agent, |conversation| conversation.transfer(&agent, queue));
        } else if said.contains("bye") {
            self.type_and_say(&agent, "Thank you for contacting us. Goodbye!".to_owned())
                .await;
            self.act(&agent, super::world::Conversation::end);
        } else {
            self.type_and_say(&agent, reply(&text)).await;
        }
    }

    async fn type_and_say(&self, agent: &Agent, text: String) {
        tokio::time::sleep(self.pace.think).await;
        self.act(agent, |_| vec![Event::Typing(vec![agent.id.clone()])]);
        tokio::time::sleep(self.pace.typing).await;
        self.shared.change(&self.conversation_id, |conversation, order| {
            if !conversation.agents().contains(agent) {
                return ((), Vec::new());
            }
            let mut events = vec![Event::Typing(Vec::new())];
            events.extend(conversation.say(order, Saying::by_agent(agent, text)));
            ((), events)
        });
    }

    /// Does something if the agent is still in the conversation.
    fn act(&self, agent: &Agent, step: impl FnOnce(&mut super::world::Conversation) -> Vec<Event>) {
        self.shared.change(&self.conversation_id, |conversation, _| {
            let present = conversation.agents().contains(agent);
            ((), if present { step(conversation) } else { Vec::new() })
        });
    }

    fn agent_in_charge(&self) -> Option<Agent> {
        let world = self.shared.world();
        world
            .conversations
            .get(&self.conversation_id)?
            .agents()
            .first()
            .cloned()
    }

    fn other_queue(&self, agent: &Agent) -> Option<Queue> {
        let queues = self.shared.world().queues.clone();
        queues.into_iter().find(|queue| agent_of(&self.shared, queue) != *agent)
    }
}

fn greeting(agent: &Agent, queue: &Queue, name: Option<&str>, last_words: Option<&str>) -> String {
    let first_name = agent.name.split(' ').next().unwrap_or_default();
    let hello = name.map_or_else(|| "Hello".to_owned(), |name| format!("Hello {name}"));
    match last_words {
        Some(words) => format!(
            "{hello}, this is {first_name} from {}. I see you wrote “{words}”.",
            queue.name
        ),
        None => format!("{hello}, this is {first_name} from {}. How can I help?", queue.name),
    }
}

fn reply(text: &str) -> String {
    let text = text.trim();
    let lower = text.to_lowercase();
    if lower.contains("thank") {
        "You are welcome. Is there anything else?".to_owned()
    } else if let Some(number) = text
        .split_whitespace()
        .find(|word| word.chars().filter(char::is_ascii_digit).count() > 3)
    {
        format!(
            "I have noted {} and am looking it up.",
            number.trim_end_matches(['.', ',', '!', '?'])
        )
    } else if text.ends_with('?') {
        format!("Let me check that for you: “{text}”")
    } else if text.is_empty() {
        "Thank you, I have received it and am taking a look.".to_owned()
    } else {
        format!("I understand: “{text}”. Let me see what I can do.")
    }
}

#[cfg(test)]
mod tests {
    use super::reply;

    #[test]
    fn replies_take_up_what_was_said() {
        assert_eq!(
            reply("My account is 12345678."),
            "I have noted 12345678 and am looking it up."
        );
        assert!(reply("Where is my order?").contains("Where is my order?"));
        assert!(reply("thanks a lot").starts_with("You are welcome"));
    }
}
