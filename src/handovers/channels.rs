//! What 8x8 says of its channels, remembered for a while.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::chat_gateway::ChannelView;
use crate::chat_gateway::ChatGatewayError;
use crate::clock::Clock;
use crate::domain::TenantName;
use crate::domain::Timestamp;
use crate::handovers::Tenant;

/// An administrator may point a channel elsewhere at any time.
const REMEMBERED_FOR: Duration = Duration::from_mins(10);
/// More channels than one account has.
const REMEMBERED: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Channels(Mutex<HashMap<(TenantName, String), (ChannelView, Timestamp)>>);

impl Channels {
    pub(super) async fn get(&self, tenant: &Tenant, id: &str, clock: &Clock) -> Result<ChannelView, ChatGatewayError> {
        let key = (tenant.name.clone(), id.to_owned());
        let now = clock.now();
        let known = self.with(|known| known.get(&key).cloned());
        if let Some((view, until)) = known
            && now < until
        {
            return Ok(view);
        }
        let view = tenant.chat_gateway.channel(id).await?;
        self.with(|known| {
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(key, (view.clone(), now.plus(REMEMBERED_FOR)));
        });
        Ok(view)
    }

    /// What was remembered turned out to be wrong.
    pub(super) fn forget(&self, tenant: &Tenant, id: &str) {
        self.with(|known| known.remove(&(tenant.name.clone(), id.to_owned())));
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashMap<(TenantName, String), (ChannelView, Timestamp)>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
