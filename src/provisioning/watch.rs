//! A running gateway's task: looks at 8x8 for the channel of a tenant that has none, so that `provision` works beside it
//! and before it, and writes down when 8x8 was last heard.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::chat_gateway::ChatGateway;
use crate::clock::Clock;
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
pub struct Watched {
    pub standing: Standing,
    pub gateway: ChatGateway,
    /// `None` without `server.public_url`: nothing can be looked for then.
    pub wanted: Option<Wanted>,
}

pub struct Watch {
    pub tenants: Vec<Watched>,
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    /// Somebody changed something at 8x8: look at every tenant now.
    pub look: Arc<Notify>,
}

impl Watch {
    /// Takes up what was kept of every tenant.
    pub async fn restore(&self) -> Result<(), StoreError> {
        for watched in &self.tenants {
            let kept = self.store.tenant_state(watched.standing.tenant()).await?;
            watched.standing.restore(kept);
            if watched.lacks_channel() && watched.wanted.is_none() {
                let tenant = watched.standing.tenant();
                tracing::warn!(%tenant, "no channel is known and none can be looked for: set channel_id, or server.public_url");
            }
        }
        Ok(())
    }

    pub async fn run(self, stop: CancellationToken) {
        let mut written: Vec<Heard> = self.tenants.iter().map(|watched| watched.standing.heard()).collect();
        let (mut pause, mut write_at, mut is_asked) = (FIRST_LOOK, self.clock.now(), false);
        loop {
            let looked = tokio::select! {
                lacking = self.look_at(is_asked) => lacking,
                () = stop.cancelled() => false,
            };
            let now = self.clock.now();
            if now >= write_at || stop.is_cancelled() {
                self.write(&mut written).await;
                write_at = now.plus(WRITE);
            }
            if stop.is_cancelled() {
                return;
            }
            let wait = if looked { pause } else { write_at.since(now) };
            pause = (pause * 2).min(LAST_LOOK);
            is_asked = tokio::select! {
                () = self.look.notified() => true,
                () = self.clock.sleep(wait) => false,
                () = stop.cancelled() => false,
            };
            if is_asked {
                pause = FIRST_LOOK;
            }
        }
    }

    /// Looks for those without a channel, or at all when asked. Whether one still lacks it.
    async fn look_at(&self, all: bool) -> bool {
        let mut lacking = false;
        for watched in &self.tenants {
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

    async fn write(&self, written: &mut [Heard]) {
        for (watched, written) in self.tenants.iter().zip(written) {
            let (standing, heard) = (&watched.standing, watched.standing.heard());
            if heard == *written {
                continue;
            }
            match self.store.keep_heard(standing.tenant(), heard).await {
                Ok(()) => *written = heard,
                Err(error) => tracing::debug!(%error, "when 8x8 was heard could not be written, trying again"),
            }
        }
    }
}

impl Watched {
    fn lacks_channel(&self) -> bool {
        !self.standing.is_configured() && self.standing.registration().is_none()
    }
}
