//! Looks where 8x8 has a user whose change of queue no event has told.

use std::sync::Arc;

use crate::chat_gateway::ConversationView;
use crate::domain::AgentRef;
use crate::domain::transition::Input;
use crate::domain::transition::Whereabouts;
use crate::handovers::Handovers;
use crate::handovers::Tenant;
use crate::handovers::resolve::is_idle;
use crate::handovers::service::Along;
use crate::handovers::session_map::Slot;

impl Handovers {
    /// `false` when there is no answer on record.
    pub(super) async fn look(self: &Arc<Self>, slot: &Arc<Slot>) -> bool {
        let Some(conversation) = slot.handover.lock().await.progress.conversation.clone() else {
            return false;
        };
        let Some(tenant) = self.tenant_of(slot).await else {
            return false;
        };
        let found = match tenant.chat_gateway.get(&conversation).await {
            Ok(view) => whereabouts(&view, &tenant),
            Err(error) if error.is_not_found() => Whereabouts::Over,
            Err(_) => Whereabouts::CouldNotTell,
        };
        let looked = self.change(slot, Input::Looked(found), Along::default()).await;
        if let Err(error) = &looked {
            tracing::warn!(handover.id = %slot.id, error = %error, "where 8x8 has the user could not be recorded, it is asked again");
        }
        looked.is_ok()
    }
}

fn whereabouts(view: &ConversationView, tenant: &Tenant) -> Whereabouts {
    if is_idle(view) {
        return Whereabouts::Over;
    }
    let assigned = view.assignment.as_ref();
    let Some((kind, id)) = assigned.and_then(|assigned| Some((assigned.kind.as_str(), assigned.id.clone()?))) else {
        return Whereabouts::CouldNotTell;
    };
    match kind {
        "queue" => Whereabouts::Queue(tenant.queue(id)),
        "agent" => Whereabouts::Agent(AgentRef { id, name: None }),
        _ => Whereabouts::CouldNotTell,
    }
}
