//! New tenants and bots while the process runs. What is under way goes on with what it began with; what waited for a tenant
//! or a bot that was gone goes on when it is back, and what 8x8 had to tell meanwhile is read from it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::BotName;
use crate::domain::TenantName;
use crate::handovers::Bot;
use crate::handovers::Handovers;
use crate::handovers::Tenant;

impl Handovers {
    /// Takes the place of all tenants and bots.
    pub fn replace_tenants(
        self: &Arc<Self>,
        tenants: impl IntoIterator<Item = Arc<Tenant>>,
        bots: impl IntoIterator<Item = Arc<Bot>>,
    ) {
        let before = self.parts.tenants.current();
        self.parts.tenants.replace(tenants, bots);
        let now = self.parts.tenants.current();
        let names = now.tenants().map(|tenant| tenant.name.clone());
        let back: BTreeSet<TenantName> = names.filter(|name| !before.has(name)).collect();
        self.inbound.forget_strangers();
        let this = Arc::clone(self);
        self.parts
            .supervisor
            .run(async move { this.take_up_what_waits(&back).await });
    }

    /// Starts the lanes whose tenant was gone, and says for whom handovers wait now. Webhooks of a tenant that was gone were
    /// refused, and nobody compared its handovers with 8x8.
    async fn take_up_what_waits(self: &Arc<Self>, back: &BTreeSet<TenantName>) {
        let mut without_bot: BTreeMap<BotName, usize> = BTreeMap::new();
        let mut to_compare = Vec::new();
        for slot in self.session_map.all() {
            let handover = slot.handover.lock().await;
            let (facts, is_live) = (&handover.facts, handover.state().is_live());
            if is_live && self.parts.tenants.bot(&facts.bot).is_none() {
                *without_bot.entry(facts.bot.clone()).or_default() += 1;
            }
            if is_live && back.contains(&facts.tenant) {
                to_compare.push((Arc::clone(&slot), facts.tenant.clone()));
            }
            let has_tenant = self.parts.tenants.tenant(&facts.tenant).is_some();
            let conversation = handover.progress.conversation.clone();
            drop(handover);
            if has_tenant {
                self.go_on(&slot, conversation.as_ref());
            }
        }
        self.look_at_all(to_compare).await;
        for (bot, live) in without_bot {
            tracing::warn!(%bot, live, "bot {bot} is not configured any more and has live handovers, their events wait for it");
        }
    }
}
