//! A bot re-routes a waiting handover, or tells more of the user. 8x8's 202 proves nothing: events tell how it went.

use std::sync::Arc;

use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::domain::UpdateHandover;
use crate::domain::transition::Input;
use crate::handovers::Bot;
use crate::handovers::CommandError;
use crate::handovers::Handovers;
use crate::handovers::redact::redact_user;
use crate::handovers::service::Along;
use crate::handovers::ticket::Fate;
use crate::handovers::ticket::Ticket;

impl Handovers {
    pub async fn update(
        self: &Arc<Self>,
        bot: &Arc<Bot>,
        id: &HandoverId,
        update: UpdateHandover,
    ) -> Result<Handover, CommandError> {
        let (this, bot, id) = (Arc::clone(self), Arc::clone(bot), id.clone());
        self.parts
            .supervisor
            .finish(async move { this.update_now(&bot, &id, update).await })
            .await?
    }

    async fn update_now(
        self: &Arc<Self>,
        bot: &Bot,
        id: &HandoverId,
        mut update: UpdateHandover,
    ) -> Result<Handover, CommandError> {
        if let Some(user) = &mut update.user {
            redact_user(user, &bot.tenant.redactor);
        }
        let slot = self.slot_of(&bot.name, id).await?;
        if slot.lane.is_full() {
            return Err(CommandError::LaneFull);
        }
        let ticket = Ticket::new();
        let along = Along {
            ticket: Some(ticket.clone()),
            ..Along::default()
        };
        self.change(&slot, Input::Update(update), along).await?;
        match ticket.wait(bot.tenant.send_wait).await {
            Fate::Failed(Some(error)) => Err(CommandError::ChatGateway {
                error,
                handover: Some(id.clone()),
            }),
            Fate::Done | Fate::Open(_) | Fate::Unconfirmed | Fate::Failed(None) | Fate::Unfetched { .. } => {
                Ok(slot.handover.lock().await.clone())
            }
        }
    }
}
