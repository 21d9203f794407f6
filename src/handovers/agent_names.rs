//! What a bot is told of an agent's name. Names are made so before anything is recorded: what a bot is not to know is in
//! none of its events, lists and transcripts.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::domain::AgentRef;
use crate::domain::Handover;
use crate::domain::WebhookEvent;
use crate::domain::WebhookKind;
use crate::handovers::Handovers;

/// The id of an agent of whom nothing is known that the bot may know.
const NAMELESS: &str = "agent";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AgentNames {
    #[default]
    Full,
    First,
    None,
}

impl Handovers {
    /// The event as the bot of this handover is told it.
    pub(super) fn named(&self, handover: &Handover, event: WebhookEvent) -> WebhookEvent {
        let event = self.with_known_name(handover, event);
        let bot = self.parts.tenants.bot(&handover.facts.bot);
        bot.map(|bot| bot.agent_names).unwrap_or_default().applied(event)
    }
}

impl Handovers {
    /// 8x8's webhooks often tell an agent's id only; its analytics may have told the name.
    fn with_known_name(&self, handover: &Handover, mut event: WebhookEvent) -> WebhookEvent {
        let is_anothers = matches!(&event.kind, WebhookKind::Message(message) if message.sender_type != "agent");
        let nameless = |agent: &&mut AgentRef| !is_anothers && agent.name.is_none() && !agent.id.is_empty();
        if let Some(agent) = person(&mut event.kind).filter(nameless) {
            let tenant = self.parts.tenants.tenant(&handover.facts.tenant);
            agent.name = tenant.and_then(|tenant| tenant.availability.agent_name(&agent.id));
        }
        event
    }

    /// Keeps the names of all tenants' agents at hand.
    pub async fn run_agent_names(self: Arc<Self>, stop: CancellationToken) {
        let mut changes = self.parts.tenants.changes();
        while !stop.is_cancelled() {
            let tenants = Arc::clone(&changes.borrow_and_update());
            let names = tenants.tenants().map(|tenant| tenant.availability.keep_agent_names());
            let all = async {
                drop(futures_util::future::join_all(names).await);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = stop.cancelled() => {}
                // Its sender is in `self`.
                _ = changes.changed() => {}
                () = all => {}
            }
        }
    }
}

impl AgentNames {
    /// The event with the names of its agents as the bot is told them.
    pub(super) fn applied(self, mut event: WebhookEvent) -> WebhookEvent {
        if let Some(person) = person(&mut event.kind) {
            self.rename(person);
        }
        event
    }

    fn rename(self, agent: &mut AgentRef) {
        let Some(name) = agent.name.take() else { return };
        agent.name = self.shown(&name);
        // An agent that 8x8 gave no id is known by the name.
        if agent.id == name {
            agent.id = agent.name.clone().unwrap_or_else(|| NAMELESS.to_owned());
        }
    }

    /// 8x8's older dialect joins the parts of a name with a comma.
    fn shown(self, name: &str) -> Option<String> {
        let mut parts = name
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|part| !part.is_empty());
        let shown = match self {
            Self::Full => parts.collect::<Vec<_>>().join(" "),
            Self::First => parts.next()?.to_owned(),
            Self::None => return None,
        };
        (!shown.is_empty()).then_some(shown)
    }
}

/// Whom the event names: an agent, or whoever wrote a message.
const fn person(kind: &mut WebhookKind) -> Option<&mut AgentRef> {
    match kind {
        WebhookKind::AgentJoined(agent) | WebhookKind::AgentLeft(agent) => Some(agent),
        WebhookKind::Message(message) => Some(&mut message.sender),
        WebhookKind::ConversationUpdate(update) => update.agent.as_mut(),
        WebhookKind::Queued(_)
        | WebhookKind::UserJoined
        | WebhookKind::UserLeft
        | WebhookKind::Transfer
        | WebhookKind::Typing { .. }
        | WebhookKind::OwnTyping
        | WebhookKind::Action { .. }
        | WebhookKind::Unrecognized { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(names: AgentNames, name: &str) -> Option<String> {
        names.shown(name)
    }

    #[test]
    fn a_name_is_whole_its_first_part_or_none() {
        for (name, full, first) in [
            ("Cosmin,Malutan", "Cosmin Malutan", "Cosmin"),
            ("Ada Agent", "Ada Agent", "Ada"),
            (" Ada ,  Lovelace ", "Ada Lovelace", "Ada"),
            ("Cher", "Cher", "Cher"),
        ] {
            assert_eq!(shown(AgentNames::Full, name).as_deref(), Some(full));
            assert_eq!(shown(AgentNames::First, name).as_deref(), Some(first));
            assert_eq!(shown(AgentNames::None, name), None);
        }
        assert_eq!(shown(AgentNames::Full, " , "), None);
        assert_eq!(shown(AgentNames::First, ""), None);
    }

    #[test]
    fn a_name_that_stood_for_the_id_is_no_way_around_it() {
        let renamed = |names: AgentNames| {
            let name = "Cosmin,Malutan".to_owned();
            let mut agent = AgentRef {
                id: name.clone(),
                name: Some(name),
            };
            names.rename(&mut agent);
            (agent.id, agent.name)
        };
        assert_eq!(renamed(AgentNames::None), ("agent".to_owned(), None));
        assert_eq!(
            renamed(AgentNames::First),
            ("Cosmin".to_owned(), Some("Cosmin".to_owned()))
        );
    }
}
