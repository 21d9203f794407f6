//! Which handovers are compared with 8x8 and from when on: new ones, all after a restart, and those 8x8 is silent about.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::Facts;
use crate::domain::Handover;
use crate::domain::TenantName;
use crate::domain::transition;
use crate::handovers::Handovers;
use crate::handovers::Tenant;
use crate::handovers::reconcile::PACE;
use crate::handovers::session_map::Slot;

/// After a restart 8x8 repeats what it could not deliver: that has a moment's precedence.
const FIRST_AFTER_RESTART: Duration = Duration::from_millis(500);
/// Whose time is up within this is compared before the others after a restart.
const SOON_UP: Duration = Duration::from_mins(1);
/// For a tenant that is not configured any more.
pub(super) const USUAL: Duration = Duration::from_mins(5);

impl Handovers {
    /// After a restart: everyone is looked at once, spread so that 8x8 is asked at the usual pace; first those for whom the
    /// time is up.
    pub(super) async fn look_at_all(&self, slots: Vec<(Arc<Slot>, TenantName)>) {
        let until = self.parts.clock.now().plus(SOON_UP);
        let (mut first, mut others) = (Vec::new(), Vec::new());
        for (slot, tenant) in slots {
            let due = transition::next_deadline(&*slot.handover.lock().await);
            let is_up = due.is_some_and(|due| due <= until);
            if is_up { &mut first } else { &mut others }.push((slot, tenant));
        }
        let mut begun = HashMap::new();
        self.spread(&first, &mut begun);
        self.spread(&others, &mut begun);
    }

    /// Over the time that it takes, after what was spread before.
    fn spread(&self, slots: &[(Arc<Slot>, TenantName)], begun: &mut HashMap<TenantName, Duration>) {
        let now = self.parts.clock.now();
        let mut of_tenant: HashMap<&TenantName, u32> = HashMap::new();
        for (_, tenant) in slots {
            *of_tenant.entry(tenant).or_default() += 1;
        }
        for (slot, tenant) in slots {
            let count = of_tenant.get(tenant).copied().unwrap_or(1);
            let spread = PACE.saturating_mul(count).mul_f64(rand::random_range(0.0..1.0));
            let before = begun.get(tenant).copied().unwrap_or_default();
            let due = now.plus(FIRST_AFTER_RESTART).plus(before).plus(spread);
            slot.pulse.restore(due, self.usual(tenant));
            self.comparisons.add(due, &slot.id);
        }
        for (tenant, count) in of_tenant {
            *begun.entry(tenant.clone()).or_default() += PACE.saturating_mul(count);
        }
    }

    /// A conversation that 8x8 has taken is watched from now on. Of one that an earlier process asked for, much may have been
    /// missed.
    pub(super) fn begins(&self, slot: &Slot, facts: &Facts) {
        let (now, usual) = (self.parts.clock.now(), self.usual(&facts.tenant));
        let due = if facts.created_at < self.started_at {
            let due = now.plus(FIRST_AFTER_RESTART);
            slot.pulse.restore(due, usual);
            Some(due)
        } else {
            slot.pulse.begin(now, usual)
        };
        if let Some(due) = due {
            self.comparisons.add(due, &slot.id);
        }
    }

    /// An event of 8x8's came for it; `backfilled` is how much it had told too late before and after.
    pub(super) fn hears(&self, slot: &Slot, handover: &Handover, backfilled: usize) {
        let now = self.parts.clock.now();
        let beats = slot.pulse.hear(now, self.usual(&handover.facts.tenant));
        if beats.silent_no_longer {
            self.silent_no_longer(&handover.facts.tenant);
        }
        if let Some(due) = beats.earlier {
            self.comparisons.add(due, &slot.id);
        }
        if handover.progress.backfilled.len() < backfilled {
            self.parts.metrics.late();
            self.comparisons.add(slot.pulse.doubt(now), &slot.id);
        }
    }

    pub(super) fn stops(&self, slot: &Slot, tenant: &TenantName) {
        if slot.pulse.stop() {
            self.silent_no_longer(tenant);
        }
    }

    fn silent_no_longer(&self, tenant: &TenantName) {
        self.parts.metrics.silent_no_longer();
        if let Some(tenant) = self.parts.tenants.tenant(tenant) {
            tenant.standing.silent_no_longer();
        }
    }

    pub(super) fn fell_silent(&self, slot: &Slot, tenant: &Tenant) {
        self.parts.metrics.fell_silent();
        let Some(refused) = tenant.standing.falls_silent() else {
            return;
        };
        tracing::warn!(
            handover.id = %slot.id,
            tenant = %tenant.name,
            webhooks.refused = refused,
            "8x8 took a conversation and no webhook came for it within 30 s. Perhaps the channel has no webhook or another \
             address (run `handover-gateway doctor`), the path secret in the address is another, signatures are refused \
             (webhooks.refused counts those since the last good one), or a firewall stands between. Until webhooks come, \
             8x8 is asked every few seconds"
        );
    }

    fn usual(&self, tenant: &TenantName) -> Duration {
        let tenant = self.parts.tenants.tenant(tenant);
        tenant.map_or(USUAL, |tenant| tenant.reconcile_after)
    }
}
