//! The task that looks at handovers when something is due: time-outs, the time in which a transfer may follow, and
//! forgetting those that are over.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::HandoverId;
use crate::domain::Timestamp;
use crate::domain::transition;
use crate::domain::transition::Input;
use crate::handovers::Handovers;
use crate::handovers::service::Along;
use crate::handovers::service::LINGER;
use crate::handovers::session_map::Slot;

/// Handovers looked at before others get a turn.
const BATCH: usize = 64;
/// 8x8 repeats what it could not deliver within about this time.
const CATCH_UP: Duration = Duration::from_secs(30);
const AFTER_AN_ERROR: Duration = Duration::from_secs(5);
/// After a restart an agent may have come whom no event told of: nothing is timed out before 8x8 was asked, but for so long.
const COMPARED_WITHIN: Duration = Duration::from_mins(5);
const LOOK_AGAIN: Duration = Duration::from_secs(2);

impl Handovers {
    /// Runs the timers until the stop.
    pub async fn run_timers(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if self.step_timers().await {
                continue;
            }
            let next = self.deadlines.next();
            let due = async {
                match next {
                    Some(at) => self.parts.clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = due => {}
                () = self.deadlines.changed() => {}
            }
        }
    }

    /// Looks at what is due now. Whether there was anything.
    pub async fn step_timers(self: &Arc<Self>) -> bool {
        let due = self.deadlines.take_due(self.parts.clock.now(), BATCH);
        for id in &due {
            self.look_at(id).await;
        }
        !due.is_empty()
    }

    async fn look_at(self: &Arc<Self>, id: &HandoverId) {
        let Some(slot) = self.session_map.get(id) else { return };
        let now = self.parts.clock.now();
        let (live, due, ask, look) = {
            let handover = slot.handover.lock().await;
            let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
            let (ask, look) = (
                passed(handover.progress.ask_at),
                passed(handover.progress.routing.look_at()),
            );
            (
                handover.state().is_live(),
                transition::next_deadline(&handover),
                ask,
                look,
            )
        };
        match due {
            None if !live => self.forget(&slot).await,
            Some(due) if due > now => self.deadlines.add(due, id),
            // It passed while the gateway was away: what 8x8 has to tell of that time comes first.
            Some(due) if due <= self.started_at && now < self.started_at.plus(CATCH_UP) => {
                self.deadlines.add(self.started_at.plus(CATCH_UP), id);
            }
            Some(_) if slot.pulse.is_unseen() && now < self.started_at.plus(COMPARED_WITHIN) => {
                self.deadlines.add(now.plus(LOOK_AGAIN), id);
            }
            Some(_) | None => {
                failpoint!("timer.before_change");
                let changed = self.change(&slot, Input::Deadline, Along::default()).await;
                failpoint!("timer.after_change");
                if let Err(error) = changed {
                    tracing::warn!(handover.id = %id, error = %error, "a time-out could not be recorded yet");
                    self.deadlines.add(now.plus(AFTER_AN_ERROR), id);
                } else if ask || look {
                    let this = Arc::clone(self);
                    // 8x8 may take its time: the other timers do not wait for it.
                    self.parts.supervisor.run(async move {
                        let asked = !ask || this.ask(&slot).await;
                        let looked = !look || this.look(&slot).await;
                        if asked && looked {
                            this.watch(&slot).await;
                        } else {
                            this.deadlines
                                .add(this.parts.clock.now().plus(AFTER_AN_ERROR), &slot.id);
                        }
                    });
                } else {
                    self.watch(&slot).await;
                }
            }
        }
    }

    /// Looks again when the next timer is due.
    async fn watch(&self, slot: &Slot) {
        let due = transition::next_deadline(&*slot.handover.lock().await);
        self.deadlines
            .add(due.unwrap_or_else(|| self.parts.clock.now().plus(LINGER)), &slot.id);
    }

    async fn forget(&self, slot: &Slot) {
        let handover = slot.handover.lock().await;
        if slot.lane.is_idle() {
            self.session_map.remove(&handover);
        } else {
            self.deadlines.add(self.parts.clock.now().plus(LINGER), &slot.id);
        }
    }
}
