//! The user types: told to 8x8 at once and at most once, since it is worth nothing later.

use std::sync::Arc;

use crate::domain::AuthorType;
use crate::domain::HandoverId;
use crate::domain::transition;
use crate::handovers::Bot;
use crate::handovers::CommandError;
use crate::handovers::Handovers;

impl Handovers {
    /// Dropped while messages wait for 8x8: typing must not overtake what was typed before.
    pub async fn typing(
        self: &Arc<Self>,
        bot: &Arc<Bot>,
        id: &HandoverId,
        author: AuthorType,
    ) -> Result<(), CommandError> {
        let slot = self.slot_of(&bot.name, id).await?;
        let conversation = {
            let handover = slot.handover.lock().await;
            transition::allowed(handover.state())?;
            handover.progress.conversation.clone()
        };
        let Some(conversation) = conversation.filter(|_| slot.lane.is_idle()) else {
            return Ok(());
        };
        let typed = bot.tenant.chat_gateway.typing(&conversation, author).await;
        typed.map_err(|error| CommandError::ChatGateway {
            error,
            handover: Some(id.clone()),
        })
    }
}
