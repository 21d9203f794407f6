//! A create that asks for agents is refused while none are there, before anything is written or sent.

use crate::availability::Verdict;
use crate::domain::Facts;
use crate::domain::HandoverId;
use crate::domain::State;
use crate::handovers::Bot;
use crate::handovers::CommandError;
use crate::handovers::Handovers;
use crate::store::HandoverFilter;

/// Whether a create is made while nobody is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    Ignore,
    /// Refused where 8x8 says that nobody is there; not where it does not say.
    Require,
}

impl Bot {
    /// Where a handover of this bot waits when the call names no queue.
    pub fn default_queue(&self) -> Option<&str> {
        self.queue_id.as_deref().or(self.tenant.queue_id.as_deref())
    }
}

impl Handovers {
    /// An error where nobody is there, unless the session has a live handover already: its id then. What cannot be found
    /// out stands in nobody's way.
    pub(super) async fn refuse_without_agents(
        &self,
        bot: &Bot,
        facts: &Facts,
    ) -> Result<Option<HandoverId>, CommandError> {
        let answer = bot.tenant.availability.of(facts.queue_id.as_deref()).await;
        if answer.available != Verdict::No {
            return Ok(None);
        }
        match self.live_of_session(facts).await? {
            Some(live) => Ok(Some(live)),
            None => Err(CommandError::AgentsUnavailable(Box::new(answer))),
        }
    }

    async fn live_of_session(&self, facts: &Facts) -> Result<Option<HandoverId>, CommandError> {
        let Some(session) = facts.bot_session_id.clone().filter(|_| facts.one_per_session) else {
            return Ok(None);
        };
        let live = HandoverFilter {
            bot: facts.bot.clone(),
            states: State::ALL.into_iter().filter(|state| state.is_live()).collect(),
            conversation: None,
            bot_session_id: Some(session),
            before: None,
            limit: 1,
        };
        let page = self.parts.store.handovers(live).await?;
        Ok(page.handovers.first().map(|handover| handover.id().clone()))
    }
}
