//! Looking at handovers without changing them. A bot sees its own only: another's does not exist for it.

use std::sync::Arc;

use crate::attachment_links::AttachmentLinks;
use crate::domain::BotName;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::handovers::CommandError;
use crate::handovers::Handovers;
use crate::handovers::Tenant;
use crate::handovers::session_map::Slot;
use crate::store::Store;

impl Handovers {
    pub async fn get(&self, bot: &BotName, id: &HandoverId) -> Result<Handover, CommandError> {
        Ok(self.slot_of(bot, id).await?.handover.lock().await.clone())
    }

    /// Lists and logs are read where they are kept.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.parts.store
    }

    /// For showing files again that were shown in an event.
    pub fn links(&self) -> &AttachmentLinks {
        &self.parts.links
    }

    pub(super) async fn slot_of(&self, bot: &BotName, id: &HandoverId) -> Result<Arc<Slot>, CommandError> {
        let slot = self.slot(id).await?.ok_or(CommandError::NotFound)?;
        let is_own = slot.handover.lock().await.facts.bot == *bot;
        if is_own { Ok(slot) } else { Err(CommandError::NotFound) }
    }

    pub(super) async fn tenant_of(&self, slot: &Slot) -> Option<Arc<Tenant>> {
        let name = slot.handover.lock().await.facts.tenant.clone();
        self.parts.tenants.tenant(&name)
    }
}
