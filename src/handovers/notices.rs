//! Agents learn that the user is not receiving what they write, once, and once more when it is over.
//!
//! Looked for regularly rather than with each event: what counts is that nothing happens. The mark and the call that tells
//! are one commit, so that a crash neither loses nor doubles a notice; the call goes through the handover's lane like any
//! message, and is looked for at 8x8 when its outcome is not known.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::domain::HandoverId;
use crate::domain::MessageId;
use crate::domain::Notice;
use crate::domain::Origin;
use crate::domain::transition::Input;
use crate::handovers::Handovers;
use crate::handovers::Tenant;
use crate::handovers::service::Along;
use crate::handovers::service::ChangeError;
use crate::handovers::split;
use crate::store::StoreError;

/// How often lanes are looked at; oftener where agents are told sooner.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const AT_LEAST: Duration = Duration::from_millis(250);
/// Handovers looked at in one read …
const PAGE: usize = 200;
/// … and reads in one look: the rest comes with the next.
const PAGES: usize = 50;

#[derive(Clone, Debug)]
pub struct NoticeSettings {
    /// Agents are never told when zero.
    pub after: Duration,
    pub text: String,
    /// Nothing is said when it is over when empty.
    pub over_text: String,
}

/// Cheap to clone; all clones count together.
#[derive(Clone, Debug, Default)]
pub struct NoticeMetrics {
    held_up: Counter,
    caught_up: Counter,
}

impl NoticeMetrics {
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "agent_notices",
            "Agents told that the user is not receiving messages",
            self.held_up.clone(),
        );
        registry.register(
            "agent_notices_over",
            "Agents who had been told, whose user receives messages again or is gone",
            self.caught_up.clone(),
        );
    }
}

impl Handovers {
    pub fn notice_metrics(&self) -> &NoticeMetrics {
        &self.notice_metrics
    }

    pub async fn run_notices(self: Arc<Self>, settings: NoticeSettings, stop: CancellationToken) {
        let wait = (settings.after / 4).clamp(AT_LEAST, LOOK_EVERY);
        let work = async {
            loop {
                self.parts.clock.sleep(wait).await;
                if let Err(error) = self.step_notices(&settings).await {
                    tracing::warn!(error = %error, "whom to tell that messages do not get through could not be seen yet");
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work, if !settings.after.is_zero() => {}
        }
    }

    /// Looks once.
    pub async fn step_notices(self: &Arc<Self>, settings: &NoticeSettings) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        let (store, before) = (&self.parts.store, now.minus(settings.after));
        let mut after = None;
        for _ in 0..PAGES {
            let page = store.caught_up(before, after.take(), PAGE).await?;
            for id in &page {
                self.tell_over(id, settings).await?;
            }
            after = page.last().filter(|_| page.len() == PAGE).cloned();
            if after.is_none() {
                break;
            }
        }
        // What waited while the gateway was away has had no chance yet.
        if before < self.started_at {
            return Ok(());
        }
        let mut after = None;
        for _ in 0..PAGES {
            let page = store.held_up(before, after.take(), PAGE).await?;
            for held in &page {
                self.tell_held_up(&held.handover, settings).await?;
            }
            after = page.last().filter(|_| page.len() == PAGE).cloned();
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn tell_held_up(self: &Arc<Self>, id: &HandoverId, settings: &NoticeSettings) -> Result<(), StoreError> {
        let Some(slot) = self.slot(id).await? else {
            return Ok(());
        };
        let mut handover = slot.handover.lock().await;
        let facts = Arc::clone(&handover.facts);
        let bot = self.parts.tenants.bot(&facts.bot);
        // A bot that pulls, or wants no messages, is in no trouble with them; a user of 8x8's own channels not either.
        let depends = facts.origin == Origin::Bot
            && self.parts.tenants.delivers(&facts)
            && bot.is_some_and(|bot| bot.hears_messages);
        let Some(tenant) = self.parts.tenants.tenant(&facts.tenant).filter(|_| depends) else {
            return Ok(());
        };
        let input = Input::HeldUp(self.notice(&tenant, &settings.text));
        match self.change_locked(&slot, &mut handover, input, Along::default()).await {
            Ok(_) if handover.progress.agent_knows => {
                self.notice_metrics.held_up.inc();
                tracing::warn!(handover.id = %id, bot = %facts.bot,
                    "the bot does not take what the agent wrote, the agent is told");
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => unwritten(id, error),
        }
    }

    async fn tell_over(self: &Arc<Self>, id: &HandoverId, settings: &NoticeSettings) -> Result<(), StoreError> {
        let Some(slot) = self.slot(id).await? else {
            return Ok(());
        };
        let mut handover = slot.handover.lock().await;
        let facts = Arc::clone(&handover.facts);
        let tenant = self.parts.tenants.tenant(&facts.tenant);
        let says = tenant.filter(|_| !settings.over_text.trim().is_empty());
        let input = Input::CaughtUp(says.map(|tenant| self.notice(&tenant, &settings.over_text)));
        match self.change_locked(&slot, &mut handover, input, Along::default()).await {
            Ok(_) => {
                self.notice_metrics.caught_up.inc();
                tracing::info!(handover.id = %id, bot = %facts.bot,
                    "the bot takes what the agent writes again, or nobody writes any more");
                Ok(())
            }
            Err(error) => unwritten(id, error),
        }
    }

    fn notice(&self, tenant: &Tenant, text: &str) -> Notice {
        Notice {
            id: MessageId::generate(self.parts.clock.now()),
            text: text.to_owned(),
            parts: split(text, tenant.message_limit),
            deadline: tenant.message_deadline,
        }
    }
}

/// The next look tries again.
fn unwritten(id: &HandoverId, error: ChangeError) -> Result<(), StoreError> {
    match error {
        ChangeError::Store(error) => Err(error),
        // Neither is ever refused, nor brings an idempotency key.
        ChangeError::Refused(_) | ChangeError::KeyTaken(_) => {
            tracing::warn!(handover.id = %id, "whether the agent is to be told could not be recorded");
            Ok(())
        }
    }
}
