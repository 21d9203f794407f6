//! A running gateway's task: looks at 8x8 for the channel of a tenant that has none, so that `provision` works beside it
//! and before it, and writes down when 8x8 was last heard.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::chat_gateway::ChatGateway;
use crate::clock::Clock;
use crate::domain::TenantName;
use crate::provisioning::Known;
use crate::provisioning::Standing;
use crate::provisioning::Wanted;
use crate::provisioning::find;
use crate::store::Heard;
use crate::store::Registration;
use crate::store::Store;
use crate::store::StoreError;

/// Between two looks for a channel: from the first, doubled, up to the second.
const FIRST_LOOK: Duration = Duration::from_secs(2);
const LAST_LOOK: Duration = Duration::from_mins(1);
/// How often the times 8x8 was heard are written.
const WRITE: Duration = Duration::from_mins(1);

/// One tenant, as the watch needs it.
#[derive(Clone)]
pub struct Watched {
    pub standing: Standing,
    pub gateway: ChatGateway,
    /// `None` without `server.public_url`: nothing can be looked for then.
    pub wanted: Option<Wanted>,
}

pub struct Watch {
    /// Replaced as a whole when settings change.
    tenants: watch::Receiver<Arc<Vec<Watched>>>,
    store: Arc<dyn Store>,
    clock: Clock,
    /// Somebody changed something at 8x8: look at every tenant now.
    look: Arc<Notify>,
}

impl Watch {
    pub fn new(
        tenants: watch::Receiver<Arc<Vec<Watched>>>,
        store: Arc<dyn Store>,
        clock: Clock,
        look: Arc<Notify>,
    ) -> Self {
        Self {
            tenants,
            store,
            clock,
            look,
        }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        let mut tenants = Arc::clone(&self.tenants.borrow_and_update());
        let mut written: HashMap<TenantName, Heard> = tenants.iter().map(Watched::heard).collect();
        let (mut pause, mut write_at, mut is_asked) = (FIRST_LOOK, self.clock.now(), false);
        loop {
            let looked = tokio::select! {
                lacking = self.look_at(&tenants, is_asked) => lacking,
                () = stop.cancelled() => false,
            };
            let now = self.clock.now();
            if now >= write_at || stop.is_cancelled() {
                self.write(&tenants, &mut written).await;
                write_at = now.plus(WRITE);
            }
            if stop.is_cancelled() {
                return;
            }
            let wait = if looked { pause } else { write_at.since(now) };
            pause = (pause * 2).min(LAST_LOOK);
            let mut is_new = false;
            is_asked = tokio::select! {
                () = self.look.notified() => true,
                () = self.clock.sleep(wait) => false,
                Ok(()) = self.tenants.changed() => {
                    is_new = true;
                    false
                }
                () = stop.cancelled() => false,
            };
            if is_new {
                // What was heard of those that are gone is written before they are.
                self.write(&tenants, &mut written).await;
                tenants = Arc::clone(&self.tenants.borrow_and_update());
            }
            if is_asked || is_new {
                pause = FIRST_LOOK;
            }
        }
    }

    /// Looks for those without a channel, or at all when asked. Whether one still lacks it.
    async fn look_at(&self, tenants: &[Watched], all: bool) -> bool {
        let mut lacking = false;
        for watched in tenants {
            if watched.standing.is_configured() || !(all || watched.lacks_channel()) {
                continue;
            }
            if let Some(wanted) = &watched.wanted {
                self.look_for(watched, wanted).await;
                lacking |= watched.lacks_channel();
            }
        }
        lacking
    }

    /// Takes a channel up only when its webhook is ours and points here; one that does not exist any more is forgotten.
    async fn look_for(&self, watched: &Watched, wanted: &Wanted) {
        let (standing, tenant) = (&watched.standing, watched.standing.tenant());
        let known = Known {
            registration: standing.registration(),
            ..Known::default()
        };
        let found = match find(&watched.gateway, wanted, &known).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%tenant, %error, "8x8 could not be asked for this tenant's channel, trying again");
                return;
            }
        };
        let exists = found.channel.is_some();
        let ours = found.webhook.filter(|webhook| wanted.is_here(webhook.uri.as_deref()));
        let ours = ours
            .zip(found.channel)
            .filter(|(webhook, channel)| channel.webhook_id.as_ref() == Some(&webhook.id));
        let next = ours.map(|(webhook, channel)| Registration {
            webhook_id: webhook.id,
            channel_id: channel.id,
        });
        // One that exists and is not ours now may be moved back: it is not forgotten.
        if next == known.registration || (next.is_none() && (exists || !found.is_all)) {
            return;
        }
        if let Err(error) = self.store.keep_registration(tenant, next.clone()).await {
            tracing::warn!(%tenant, %error, "the channel that was found could not be kept yet, trying again");
            return;
        }
        if let Some(next) = &next {
            tracing::info!(%tenant, channel = next.channel_id, webhook = next.webhook_id, "channel found");
        } else {
            tracing::warn!(%tenant, "the channel is gone from 8x8, handovers are refused until there is one");
        }
        standing.set_registration(next);
    }

    async fn write(&self, tenants: &[Watched], written: &mut HashMap<TenantName, Heard>) {
        for (tenant, heard) in tenants.iter().map(Watched::heard) {
            if written.get(&tenant).copied().unwrap_or_default() == heard {
                continue;
            }
            match self.store.keep_heard(&tenant, heard).await {
                Ok(()) => drop(written.insert(tenant, heard)),
                Err(error) => tracing::debug!(%error, "when 8x8 was heard could not be written, trying again"),
            }
        }
    }
}

impl Watched {
    /// Takes up what was kept of the tenant.
    pub async fn restore(&self, store: &dyn Store) -> Result<(), StoreError> {
        let tenant = self.standing.tenant();
        self.standing.restore(store.tenant_state(tenant).await?);
        if self.lacks_channel() && self.wanted.is_none() {
            tracing::warn!(%tenant, "no channel is known and none can be looked for: set channel_id, or server.public_url");
        }
        Ok(())
    }

    fn heard(&self) -> (TenantName, Heard) {
        (self.standing.tenant().clone(), self.standing.heard())
    }

    fn lacks_channel(&self) -> bool {
        !self.standing.is_configured() && self.standing.registration().is_none()
    }
}
