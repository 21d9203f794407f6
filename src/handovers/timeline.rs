//! What happened to a handover, and what 8x8's support calls it.

use crate::chat_gateway::InteractionView;
use crate::domain::BotName;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::handovers::CommandError;
use crate::handovers::Handovers;
use crate::handovers::transcript::ASK_FOR;
use crate::handovers::transcript::answered;
use crate::store::Timeline;

/// Of each kind; of more the newest.
const ROWS: usize = 2000;

#[derive(Debug)]
pub struct Happened {
    pub handover: Handover,
    pub timeline: Timeline,
    /// `None` when 8x8 could not be asked.
    pub interactions: Option<Vec<InteractionView>>,
}

impl Handovers {
    pub async fn timeline(&self, bot: &BotName, id: &HandoverId) -> Result<Happened, CommandError> {
        let handover = self.get(bot, id).await?;
        let timeline = self.parts.store.timeline(id, ROWS).await?;
        let tenant = self.parts.tenants.tenant(&handover.facts.tenant);
        let interactions = match (tenant, &handover.progress.conversation) {
            (Some(tenant), Some(conversation)) => {
                let asked = tenant.chat_gateway.interactions(conversation);
                answered(id, tokio::time::timeout(ASK_FOR, asked).await.ok())
            }
            (None, Some(_)) => None,
            (_, None) => Some(Vec::new()),
        };
        Ok(Happened {
            handover,
            timeline,
            interactions,
        })
    }
}
