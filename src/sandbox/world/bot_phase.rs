//! The part of a conversation's life in which a bot leads: one that a customer began in a channel, and what follows the
//! agents when a post-agent assignment is there.

use serde_json::{Value, json};

use super::conversation::{Conversation, Phase, Saying};
use super::event::Event;

/// Who leads when the agents are done: 8x8 takes one a conversation.
#[derive(Clone, Debug)]
pub(crate) struct PostAgent {
    pub(crate) webhook_id: String,
    /// Whether the channel's own webhook hears of it as well.
    pub(crate) tell_channel: bool,
    pub(crate) asked: Value,
    pub(super) used: bool,
    /// From the agents' end to the next queue.
    pub(super) leads: bool,
}

impl PostAgent {
    pub(crate) fn new(webhook_id: String, tell_channel: bool, asked: Value) -> Self {
        Self {
            webhook_id,
            tell_channel,
            asked,
            used: false,
            leads: false,
        }
    }

    fn view(&self) -> Value {
        json!({"webhookId": self.webhook_id, "used": self.used, "asked": self.asked})
    }
}

impl Conversation {
    /// A customer opens a conversation: active at once, and no agent's.
    pub(crate) fn begin(&mut self) -> Vec<Event> {
        self.bot_led = true;
        self.ends_post_agent();
        self.present("user", "user");
        self.activate();
        vec![self.update()]
    }

    /// The customer's own words, in a channel. An idle conversation begins again with the bot.
    pub(crate) fn customer_says(&mut self, order: u64, text: String) -> Vec<Event> {
        let mut events = if self.phase == Phase::Idle {
            self.begin()
        } else {
            Vec::new()
        };
        let saying = Saying::by_caller("user".to_owned(), text);
        events.extend(self.say(order, saying));
        events
    }

    /// The post-agent phase begins, once.
    pub(super) fn pass_on(&mut self) -> Option<Vec<Event>> {
        let post_agent = self.post_agent.as_mut().filter(|post_agent| !post_agent.used)?;
        post_agent.used = true;
        post_agent.leads = true;
        self.assignment = None;
        self.waiting_in = None;
        Some(vec![self.update()])
    }

    /// Whether the bot named by the post-agent assignment leads now.
    pub(crate) fn is_after_agents(&self) -> bool {
        self.phase == Phase::Active && self.post_agent.as_ref().is_some_and(|post_agent| post_agent.leads)
    }

    pub(super) fn ends_post_agent(&mut self) {
        if let Some(post_agent) = &mut self.post_agent {
            post_agent.leads = false;
        }
    }

    /// The webhooks an event goes to instead of the channel's own; none: the channel's own.
    pub(crate) fn hearers(&self, event: &Event) -> Vec<Option<String>> {
        match &self.post_agent {
            // An agent's leaving belongs to what was before.
            Some(post_agent) if post_agent.leads && !matches!(event, Event::AgentLeft(_)) => {
                let mut hearers = vec![Some(post_agent.webhook_id.clone())];
                hearers.extend(post_agent.tell_channel.then_some(None));
                hearers
            }
            _ => vec![None],
        }
    }

    pub(super) fn post_agent_view(&self) -> Option<Value> {
        self.post_agent.as_ref().map(PostAgent::view)
    }
}
