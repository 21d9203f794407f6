//! What people said and who they are goes: when a bot asks for it, and some time after a handover is over. The record stays.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::HandoverId;
use crate::domain::transition;
use crate::domain::transition::Input;
use crate::handovers::Bot;
use crate::handovers::CommandError;
use crate::handovers::Handovers;
use crate::handovers::service::ChangeError;
use crate::handovers::session_map::Slot;
use crate::store::Actor;
use crate::store::AuditEntry;
use crate::store::StoreError;
use crate::store::audit;

/// Rows of one transaction: no commit waits long behind it.
const SLICE: usize = 500;
/// Handovers looked up at once.
const BATCH: usize = 16;
const BETWEEN_BATCHES: Duration = Duration::from_millis(200);
const BETWEEN_ROUNDS: Duration = Duration::from_mins(10);
/// One that was taken into memory to be erased is forgotten again after this.
const FORGET_AFTER: Duration = Duration::from_mins(1);
/// Computed again this often when somebody else changed the handover meanwhile.
const ATTEMPTS: usize = 5;

impl Handovers {
    /// Erases what was said in a handover of the bot's that is over, and who said it. Again, where it was done before.
    pub async fn erase(
        self: &Arc<Self>,
        bot: &Arc<Bot>,
        id: &HandoverId,
        request_id: Option<String>,
    ) -> Result<(), CommandError> {
        let (this, bot, id) = (Arc::clone(self), Arc::clone(bot), id.clone());
        let work = async move {
            let slot = this.slot_of(&bot.name, &id).await?;
            let entry = AuditEntry::new(this.parts.clock.now(), &Actor::Bot(bot.name.clone()), "content.erase")
                .target(id.as_str())
                .request_id(request_id);
            Ok(this.erase_slot(&slot, Some(entry)).await?)
        };
        self.parts.supervisor.finish(work).await?
    }

    /// Erases until the stop what is older than `content_retention`.
    pub async fn run_erasure(self: Arc<Self>, content_retention: Duration, stop: CancellationToken) {
        let mut erased = 0;
        while !stop.is_cancelled() {
            let batch = self.step_erasure(content_retention).await;
            erased += batch;
            let wait = if batch == BATCH {
                BETWEEN_BATCHES
            } else {
                self.tell_erased(std::mem::take(&mut erased)).await;
                BETWEEN_ROUNDS
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.parts.clock.sleep(wait) => {}
            }
        }
    }

    /// Erases some handovers. How many.
    pub async fn step_erasure(self: &Arc<Self>, content_retention: Duration) -> usize {
        let before = self.parts.clock.now().minus(content_retention);
        let due = match self.parts.store.erasable(before, BATCH).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(error = %error, "it could not be seen yet whose words are to be erased");
                return 0;
            }
        };
        let mut erased = 0;
        for id in due {
            match self.erase_old(&id).await {
                Ok(()) => erased += 1,
                Err(error) => {
                    tracing::warn!(handover.id = %id, error = %error, "what was said could not be erased yet");
                }
            }
        }
        erased
    }

    async fn erase_old(self: &Arc<Self>, id: &HandoverId) -> Result<(), ChangeError> {
        let Some(slot) = self.slot(id).await? else {
            return Ok(());
        };
        self.erase_slot(&slot, None).await?;
        self.deadlines.add(self.parts.clock.now().plus(FORGET_AFTER), id);
        Ok(())
    }

    async fn erase_slot(self: &Arc<Self>, slot: &Arc<Slot>, entry: Option<AuditEntry>) -> Result<(), ChangeError> {
        self.begin_erasing(slot, entry).await?;
        // From here on a restart goes on with it.
        while self.parts.store.erase_slice(&slot.id, SLICE).await? > 0 {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// The handover itself, on disk and then in memory.
    async fn begin_erasing(self: &Arc<Self>, slot: &Arc<Slot>, entry: Option<AuditEntry>) -> Result<(), ChangeError> {
        let mut handover = slot.handover.lock().await;
        for _ in 0..ATTEMPTS {
            let next = transition::next(&handover, Input::Erase, self.parts.clock.now())?;
            if !next.changed {
                return Ok(());
            }
            let begun = self.parts.store.begin_erasing(next.next.clone(), entry.clone());
            if begun.await? {
                *handover = next.next;
                slot.typists.stopped();
                if let Some(entry) = &entry {
                    entry.log();
                }
                return Ok(());
            }
            self.reload(&mut handover).await?;
        }
        Err(StoreError::Unavailable("somebody else keeps changing the same handover".into()).into())
    }

    async fn tell_erased(&self, handovers: usize) {
        if handovers == 0 {
            return;
        }
        let entry = AuditEntry::new(self.parts.clock.now(), &Actor::Gateway, "content.retention");
        if let Err(error) = audit(&*self.parts.store, entry.count("handovers", handovers)).await {
            tracing::warn!(error = %error, "the audit log has no entry of what was erased by its age");
        }
    }
}
