//! Takes up where the last run of the process stopped.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use crate::domain::CallRecord;
use crate::domain::ConversationId;
use crate::domain::HandoverId;
use crate::domain::State;
use crate::handovers::Handovers;
use crate::handovers::apply::takes_kept;
use crate::handovers::inbound::Place;
use crate::handovers::service::ChangeError;
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum RestartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a handover could not be taken up again")]
    Handover,
}

impl From<ChangeError> for RestartError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Store(error) => Self::Store(error),
            ChangeError::Refused(_) | ChangeError::KeyTaken(_) => Self::Handover,
        }
    }
}

impl Handovers {
    /// Loads the routing table and the open calls. How many handovers are live.
    pub async fn restart(self: &Arc<Self>) -> Result<usize, RestartError> {
        failpoint!("start.before_load");
        let loaded = self.parts.store.load().await?;
        let mut calls: HashMap<HandoverId, Vec<CallRecord>> = HashMap::new();
        let now = self.parts.clock.now();
        for mut call in loaded.calls {
            // By a clock that was ahead, and was put right since.
            call.deadline = call.deadline.minus(call.created_at.since(now));
            calls.entry(call.handover.clone()).or_default().push(call);
        }
        let mut unplaced: HashSet<_> = loaded.unplaced.into_iter().collect();
        let mut live = Vec::new();
        for handover in loaded.handovers {
            let (state, conversation) = (handover.state(), handover.progress.conversation.clone());
            if self.parts.tenants.bot(&handover.facts.bot).is_none() {
                let (id, bot) = (handover.id(), &handover.facts.bot);
                tracing::warn!(handover.id = %id, bot = %bot, "its bot is not configured any more, its events wait");
            }
            let tenant = handover.facts.tenant.clone();
            let slot = self.keep(handover);
            failpoint!("start.while_loading");
            if state.is_live() {
                live.push((Arc::clone(&slot), tenant));
            }
            // Before anything new: what was recorded first goes to 8x8 first.
            let open = calls.remove(&slot.id).unwrap_or_default();
            self.resume(&slot, open, conversation.as_ref());
            if !state.is_live() && conversation.is_none() {
                self.drop_lane(&slot);
            }
            let mut locked = slot.handover.lock().await;
            // Events may have been kept by a process that died before it applied them. Few are, so they are not asked for
            // one handover at a time.
            let place = |conversation: &ConversationId| (locked.facts.account.clone(), conversation.clone());
            if takes_kept(&locked)
                && conversation
                    .as_ref()
                    .map(place)
                    .is_some_and(|place| unplaced.remove(&place))
            {
                self.apply_kept(&slot, &mut locked).await?;
            }
            drop(locked);
            if state == State::Creating {
                self.resolve_create(&slot, self.parts.clock.now());
            }
        }
        for (account, conversation) in unplaced {
            self.look_into(Place { account, conversation });
        }
        let count = live.len();
        self.look_at_all(live).await;
        Ok(count)
    }
}
