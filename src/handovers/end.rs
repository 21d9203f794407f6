//! A bot ends a handover: over for the bot at once; 8x8 is told until it confirms.

use std::sync::Arc;

use crate::domain::EndHandover;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::domain::transition::Input;
use crate::handovers::Bot;
use crate::handovers::CommandError;
use crate::handovers::Handovers;
use crate::handovers::Key;
use crate::handovers::redact::redact_option;
use crate::handovers::service::Along;
use crate::store::Reference;

impl Handovers {
    pub async fn end(
        self: &Arc<Self>,
        bot: &Arc<Bot>,
        id: &HandoverId,
        end: EndHandover,
        key: Option<Key>,
    ) -> Result<Handover, CommandError> {
        let (this, bot, id) = (Arc::clone(self), Arc::clone(bot), id.clone());
        self.parts
            .supervisor
            .finish(async move { this.end_now(&bot, &id, end, key).await })
            .await?
    }

    async fn end_now(
        self: &Arc<Self>,
        bot: &Bot,
        id: &HandoverId,
        mut end: EndHandover,
        key: Option<Key>,
    ) -> Result<Handover, CommandError> {
        redact_option(&mut end.message, &bot.tenant.redactor);
        let slot = self.slot_of(&bot.name, id).await?;
        let now = self.parts.clock.now();
        let claim = key.map(|key| key.claim(&bot.name, Reference::Handover(id.clone()), now));
        let mut handover = slot.handover.lock().await;
        failpoint!("end.before_intent");
        self.change_locked(
            &slot,
            &mut handover,
            Input::End(end),
            Along {
                claim,
                ..Along::default()
            },
        )
        .await?;
        failpoint!("end.after_intent");
        Ok(handover.clone())
    }
}
