//! Messages that 8x8's list shows without anything in them, such as one of cards only: each is asked for by itself.

use crate::chat_gateway::SaidView;
use crate::domain::Handover;
use crate::domain::Timestamp;
use crate::handovers::Tenant;
use crate::handovers::transcript::ASK_FOR;
use crate::handovers::transcript::answered;

/// So many are asked for; the others stay as they are.
const AT_MOST: usize = 20;

/// What 8x8 does not tell in time stays as the list shows it. It is as it was said: to be redacted by who keeps or shows it.
pub(super) async fn fill_in(tenant: Option<&Tenant>, handover: &Handover, missing: &mut [(Timestamp, SaidView)]) {
    let (Some(tenant), Some(conversation)) = (tenant, &handover.progress.conversation) else {
        return;
    };
    let bare = missing.iter_mut().map(|(_, said)| said).filter(|said| said.is_bare());
    let each = async {
        for said in bare.take(AT_MOST) {
            let Some(id) = said.id.clone() else { continue };
            let asked = tenant.chat_gateway.said_in_full(conversation, &id).await;
            if let Some(full) = answered(handover.id(), Some(asked)) {
                *said = full;
            }
        }
    };
    if tokio::time::timeout(ASK_FOR, each).await.is_err() {
        tracing::warn!(handover.id = %handover.id(), "8x8 took too long to tell what is in some messages");
    }
}
