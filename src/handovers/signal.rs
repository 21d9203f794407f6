//! What a bot shows the agent in passing: told to 8x8 at once and at most once, since it is worth little later.

use std::sync::Arc;

use crate::chat_gateway::ChatGatewayError;
use crate::domain::HandoverId;
use crate::domain::Signal;
use crate::domain::transition;
use crate::handovers::Bot;
use crate::handovers::CommandError;
use crate::handovers::Handovers;

impl Handovers {
    /// Not told while messages wait for 8x8, where it would overtake what was said before it.
    pub async fn signal(self: &Arc<Self>, bot: &Arc<Bot>, id: &HandoverId, signal: Signal) -> Result<(), CommandError> {
        let slot = self.slot_of(&bot.name, id).await?;
        let conversation = {
            let handover = slot.handover.lock().await;
            transition::allowed(handover.state())?;
            handover.progress.conversation.clone()
        };
        let may_go = match signal {
            // Of words that are still on their way.
            Signal::Typing(_) | Signal::Thinking { .. } => slot.lane.is_idle(),
            // Of what the agent wrote, which no message of the bot's changes.
            Signal::ReadReceipt { .. } => true,
        };
        let Some(conversation) = conversation.filter(|_| may_go) else {
            return Ok(());
        };
        let gateway = bot.tenant.chat_gateway.asked_by(&bot.name);
        let told = match (signal, gateway.signal(&conversation, signal).await) {
            // While calls have to wait, typing is dropped: it would be told too late, in the place of words.
            (Signal::Typing(_) | Signal::Thinking { .. }, Err(ChatGatewayError::Throttled { .. })) => Ok(()),
            (_, told) => told,
        };
        told.map_err(|error| CommandError::ChatGateway {
            error,
            handover: Some(id.clone()),
        })
    }
}
