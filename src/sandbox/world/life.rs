//! The life of a conversation: each step changes it and says which events 8x8 would send, in which order.
//! `CONVERSATION_UPDATE` goes out whenever state, assignment or user change.

use serde_json::{Value, json};

use super::conversation::{Agent, Conversation, Interaction, Message, Participant, Phase, Queue, Saying};
use super::event::Event;
use crate::sandbox::{clock, ids};

impl Conversation {
    /// Created, then active, then waiting in a queue. A conversation that a script leads waits nowhere.
    pub(crate) fn open(&mut self, queue: Option<Queue>) -> Vec<Event> {
        self.present("user", "user");
        self.last_queue.clone_from(&queue);
        self.assignment = queue.as_ref().map(|queue| ("queue", queue.id.clone()));
        let created = self.update();
        self.activate();
        let mut events = vec![created];
        match queue {
            Some(queue) => events.extend(self.wait_in(queue)),
            None => events.push(self.update()),
        }
        events
    }

    pub(crate) fn assign_script(&mut self, script_id: String) {
        self.assignment = Some(("script", script_id));
    }

    /// Puts it into a queue, as on a change of assignment while nobody serves it.
    pub(crate) fn wait_in(&mut self, queue: Queue) -> Vec<Event> {
        self.assignment = Some(("queue", queue.id.clone()));
        self.last_queue = Some(queue.clone());
        self.waiting_in = Some(queue.clone());
        self.ends_post_agent();
        vec![self.update(), Event::Queued(queue)]
    }

    /// A new assignment takes effect only while no agent serves a live conversation.
    fn reroute(&mut self, queue: Queue) -> Vec<Event> {
        if self.phase != Phase::Active || !self.agents.is_empty() {
            return Vec::new();
        }
        self.wait_in(queue)
    }

    fn change_user(&mut self, user: Value) -> Vec<Event> {
        if self.user == user {
            return Vec::new();
        }
        self.user = user;
        vec![self.update()]
    }

    /// A change by the API: first the user, then the queue.
    pub(crate) fn rewrite(&mut self, user: Option<Value>, queue: Option<Queue>) -> Vec<Event> {
        let mut events = user.map(|user| self.change_user(user)).unwrap_or_default();
        events.extend(queue.map(|queue| self.reroute(queue)).unwrap_or_default());
        events
    }

    pub(crate) fn join(&mut self, agent: &Agent) -> Vec<Event> {
        if !self.agents.iter().any(|one| one.id == agent.id) {
            self.agents.push(agent.clone());
        }
        self.present(&agent.id, "agent");
        self.waiting_in = None;
        self.activate();
        self.assignment = Some(("agent", agent.id.clone()));
        vec![Event::AgentJoined(agent.clone()), self.update()]
    }

    pub(crate) fn leave(&mut self, agent: &Agent) -> Vec<Event> {
        self.agents.retain(|one| one.id != agent.id);
        self.absent(&agent.id);
        vec![Event::AgentLeft(agent.clone())]
    }

    pub(crate) fn transfer(&mut self, agent: &Agent, queue: Queue) -> Vec<Event> {
        let mut events = self.leave(agent);
        events.push(Event::Transfer);
        events.extend(self.wait_in(queue));
        events
    }

    /// Every agent leaves. The conversation goes on where a post-agent assignment says so, or else goes idle.
    pub(crate) fn end(&mut self) -> Vec<Event> {
        if self.phase != Phase::Active || self.agents.is_empty() {
            return self.finish();
        }
        let mut events: Vec<Event> = self.agents.clone().iter().flat_map(|agent| self.leave(agent)).collect();
        let next = self.pass_on().unwrap_or_else(|| self.finish());
        events.extend(next);
        events
    }

    /// Every agent leaves and the conversation goes idle.
    pub(crate) fn finish(&mut self) -> Vec<Event> {
        let mut events: Vec<Event> = self.agents.clone().iter().flat_map(|agent| self.leave(agent)).collect();
        if self.phase != Phase::Idle {
            self.phase = Phase::Idle;
            self.waiting_in = None;
            self.close_interaction();
            events.push(self.update());
        }
        events
    }

    pub(crate) fn user_leaves(&mut self) -> Vec<Event> {
        if self.phase == Phase::Idle {
            return Vec::new();
        }
        self.absent("user");
        let mut events = vec![Event::UserLeft];
        events.extend(self.finish());
        events
    }

    /// Takes a message. What the user writes into an idle conversation puts it back into its last queue.
    pub(crate) fn say(&mut self, order: u64, said: Saying) -> Vec<Event> {
        if said.author_type == "bot" {
            self.present("bot", "bot");
        }
        let reopens = self.phase == Phase::Idle && said.author_type == "user" && !self.bot_led;
        let mut events = vec![Event::Message(said.clone())];
        self.messages.push(Message {
            id: ids::token(),
            order,
            created_at: clock::now_ms(),
            said,
        });
        if reopens {
            events.extend(self.reopen());
        }
        events
    }

    fn reopen(&mut self) -> Vec<Event> {
        self.present("user", "user");
        self.activate();
        match self.last_queue.clone() {
            Some(queue) => self.wait_in(queue),
            None => vec![self.update()],
        }
    }

    pub(super) fn activate(&mut self) {
        if self.phase != Phase::Active {
            self.phase = Phase::Active;
            let id = ids::interaction(&self.tenant_id);
            self.interactions.push(Interaction {
                id,
                started_at: clock::now_ms(),
                ended_at: None,
            });
        }
    }

    fn close_interaction(&mut self) {
        if let Some(interaction) = self.interactions.last_mut() {
            interaction.ended_at.get_or_insert_with(clock::now_ms);
        }
    }

    pub(super) fn present(&mut self, id: &str, kind: &'static str) {
        match self.participants.iter_mut().find(|one| one.id == id) {
            Some(known) => known.removed = false,
            None => self.participants.push(Participant {
                id: id.to_owned(),
                kind,
                removed: false,
            }),
        }
    }

    fn absent(&mut self, id: &str) {
        if let Some(known) = self.participants.iter_mut().find(|one| one.id == id) {
            known.removed = true;
        }
    }

    pub(super) fn update(&self) -> Event {
        let mut data = json!({"state": self.state(), "user": self.user, "channel": self.kind});
        if let Some(data) = data.as_object_mut() {
            data.extend(
                self.assignment()
                    .map(|assignment| ("assignment".to_owned(), assignment)),
            );
            data.extend(
                self.msisdn
                    .clone()
                    .map(|msisdn| ("msisdn".to_owned(), Value::from(msisdn))),
            );
        }
        Event::Update(data)
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::Dialect;
    use super::*;

    fn names(events: &[Event]) -> Vec<String> {
        let name = |event: &Event| {
            let body = event.render(Dialect::Gateway, "c", 1).unwrap().body;
            let detail = body["data"]["state"].as_str().or(body["data"]["change"].as_str());
            let name = body["eventType"].as_str().unwrap();
            detail.map_or(name.to_owned(), |detail| format!("{name} {detail}"))
        };
        events.iter().map(name).collect()
    }

    fn support() -> Queue {
        Queue {
            id: "101".to_owned(),
            name: "Support".to_owned(),
        }
    }

    fn ada() -> Agent {
        Agent {
            id: "agent-1".to_owned(),
            name: "Ada Agent".to_owned(),
        }
    }

    fn opened() -> Conversation {
        let mut conversation = Conversation::new("t", "c".to_owned(), json!({}), Vec::new());
        let events = conversation.open(Some(support()));
        assert_eq!(
            names(&events),
            ["CONVERSATION_UPDATE created", "CONVERSATION_UPDATE active", "QUEUED"]
        );
        conversation
    }

    #[test]
    fn a_transfer_is_left_transfer_queued() {
        let mut conversation = opened();
        conversation.join(&ada());
        let events = conversation.transfer(&ada(), support());
        assert_eq!(
            names(&events),
            [
                "MEMBERS_CHANGED left",
                "TRANSFER",
                "CONVERSATION_UPDATE active",
                "QUEUED"
            ]
        );
    }

    #[test]
    fn a_leaving_user_frees_the_agent() {
        let mut conversation = opened();
        conversation.join(&ada());
        let events = conversation.user_leaves();
        assert_eq!(
            names(&events),
            [
                "MEMBERS_CHANGED left",
                "MEMBERS_CHANGED left",
                "CONVERSATION_UPDATE idle"
            ]
        );
        assert!(conversation.user_leaves().is_empty());
    }

    #[test]
    fn the_users_words_reopen_an_idle_conversation_and_the_bots_do_not() {
        let mut conversation = opened();
        conversation.end();
        let bot = conversation.say(1, Saying::by_caller("bot".to_owned(), "hi".to_owned()));
        assert_eq!(names(&bot), ["MESSAGE"]);
        let user = conversation.say(2, Saying::by_caller("user".to_owned(), "hi".to_owned()));
        assert_eq!(names(&user), ["MESSAGE", "CONVERSATION_UPDATE active", "QUEUED"]);
        assert_eq!(conversation.interactions().len(), 2);
    }

    #[test]
    fn a_served_conversation_is_not_rerouted() {
        let mut conversation = opened();
        assert_eq!(
            names(&conversation.reroute(support())),
            ["CONVERSATION_UPDATE active", "QUEUED"]
        );
        conversation.join(&ada());
        assert!(conversation.reroute(support()).is_empty());
    }
}
