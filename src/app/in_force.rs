//! What the tenants and bots of the settings became. A reload makes it anew and takes over what did not change, with what
//! was learnt meanwhile: keys, tokens, figures, names.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use crate::app::BuildError;
use crate::app::availability::availability;
use crate::app::build;
use crate::app::build::Account;
use crate::availability::Availability;
use crate::chat_gateway::ChatGateway;
use crate::chat_gateway::KeySource;
use crate::chat_gateway::KeySourceSettings;
use crate::chat_gateway::Pace;
use crate::clock::Clock;
use crate::domain::BotName;
use crate::domain::TenantName;
use crate::handovers::AttachmentRules;
use crate::handovers::Bot;
use crate::handovers::Tenant;
use crate::outbound;
use crate::provisioning::Standing;
use crate::settings::Changes;
use crate::settings::Settings;
use crate::settings::TenantSettings;

#[derive(Default)]
pub(super) struct InForce {
    pub(super) tenants: BTreeMap<TenantName, Arc<Tenant>>,
    pub(super) bots: BTreeMap<BotName, Arc<Bot>>,
    /// 8x8's keys, by tenant.
    pub(super) keys: BTreeMap<TenantName, Arc<KeySource>>,
    /// To 8x8, of tenants that are gone, too: calls under way go by them, and by new credentials once there are some.
    ways: BTreeMap<TenantName, ChatGateway>,
    paces: HashMap<Account, Arc<Pace>>,
}

/// One that is not in force yet.
pub(super) struct Made {
    pub(super) next: InForce,
    /// Ways to 8x8 that calls under way go by, each with the one it is to follow.
    pub(super) moved: Vec<(ChatGateway, ChatGateway)>,
    /// How fast each account may be called from now on.
    pub(super) limits: Vec<(Arc<Pace>, Option<u32>)>,
}

/// What it is made from.
pub(super) struct Making<'a> {
    pub(super) settings: &'a Settings,
    pub(super) clock: &'a Clock,
    pub(super) before: &'a InForce,
    pub(super) changes: &'a Changes,
}

impl InForce {
    /// At the start, when nothing was before.
    pub(super) fn first(settings: &Settings, clock: &Clock) -> Result<Self, BuildError> {
        let making = Making {
            settings,
            clock,
            before: &Self::default(),
            changes: &Changes::default(),
        };
        Ok(making.made()?.next)
    }
}

impl Making<'_> {
    pub(super) fn made(&self) -> Result<Made, BuildError> {
        let client = outbound::for_chat_gateway(&self.settings.outbound)?;
        let (mut moved, mut limits) = (Vec::new(), Vec::new());
        let mut next = InForce {
            ways: self.before.ways.clone(),
            ..InForce::default()
        };
        for (account, limit) in build::rate_limits(self.settings) {
            let before = self.before.paces.get(&account).map(Arc::clone);
            let pace = before.unwrap_or_else(|| Arc::new(Pace::new(limit)));
            limits.push((Arc::clone(&pace), limit));
            next.paces.insert(account, pace);
        }
        for (name, section) in &self.settings.tenants {
            let tenant = match self.unchanged(name) {
                Some(tenant) => tenant,
                None => self.tenant(&client, (name, section), &next.paces, &mut moved)?,
            };
            next.ways.insert(name.clone(), tenant.chat_gateway.clone());
            next.tenants.insert(name.clone(), tenant);
            next.keys.insert(name.clone(), self.keys(&client, name, section)?);
        }
        for (name, section) in &self.settings.bots {
            let tenant = next.tenants.get(&section.tenant);
            let tenant = tenant.ok_or_else(|| BuildError::NoTenant(name.clone()))?;
            let bot = match self.unchanged_bot(name, tenant) {
                Some(bot) => bot,
                None => Arc::new(build::bot(self.settings, (name, section), tenant)?),
            };
            next.bots.insert(name.clone(), bot);
        }
        Ok(Made { next, moved, limits })
    }

    fn unchanged(&self, name: &TenantName) -> Option<Arc<Tenant>> {
        let is_same = !self.changes.touch(&format!("tenants.{name}"));
        self.before.tenants.get(name).filter(|_| is_same).cloned()
    }

    fn unchanged_bot(&self, name: &BotName, tenant: &Arc<Tenant>) -> Option<Arc<Bot>> {
        let is_same = self.is_same(name);
        let before = self.before.bots.get(name);
        before
            .filter(|bot| is_same && Arc::ptr_eq(&bot.tenant, tenant))
            .cloned()
    }

    /// Whether a bot is as it was, its tenant aside.
    pub(super) fn is_same(&self, bot: &BotName) -> bool {
        let sections = [&format!("bots.{bot}"), "delivery"];
        self.before.bots.contains_key(bot) && !sections.iter().any(|section| self.changes.touch(section))
    }

    fn tenant(
        &self,
        client: &reqwest::Client,
        (name, section): (&TenantName, &TenantSettings),
        paces: &HashMap<Account, Arc<Pace>>,
        moved: &mut Vec<(ChatGateway, ChatGateway)>,
    ) -> Result<Arc<Tenant>, BuildError> {
        let before = self.before.tenants.get(name);
        let fresh = build::chat_gateway(client, name, section)?;
        let fresh = match paces.get(&build::account(section)) {
            Some(pace) => fresh.paced(Arc::clone(pace), section.send_wait),
            None => fresh,
        };
        let chat_gateway = match self.before.ways.get(name) {
            Some(way) => {
                moved.push((way.clone(), fresh));
                way.clone()
            }
            None => fresh,
        };
        Ok(Arc::new(Tenant {
            name: name.clone(),
            standing: standing(name, section, before),
            account: section.tenant_id.clone(),
            chat_gateway,
            channel_id: section.channel_id.clone(),
            queue_id: section.queue_id.clone(),
            queue_names: build::queue_names(section),
            queue_rules: build::queue_rules(section),
            transfer_grace: section.transfer_grace,
            reconcile_after: section.reconcile_after,
            message_limit: section.message_limit,
            send_wait: section.send_wait,
            message_deadline: section.message_deadline,
            availability: self.availability(client, name, section)?,
            attachments: AttachmentRules {
                limit: u64::try_from(section.attachment_limit).unwrap_or(u64::MAX),
                types: section.attachment_types.clone(),
            },
            redactor: build::redactor(name, section)?,
        }))
    }

    fn availability(
        &self,
        client: &reqwest::Client,
        name: &TenantName,
        section: &TenantSettings,
    ) -> Result<Arc<Availability>, BuildError> {
        let matter = [
            "schedule",
            "statistics",
            "queues",
            "base_url",
            "tenant_id",
            "auth",
            "api_key",
        ];
        let is_same = !self.touches_any(name, &matter);
        match self.before.tenants.get(name).filter(|_| is_same) {
            Some(before) => Ok(Arc::clone(&before.availability)),
            None => availability(name, section, client, self.clock).map(Arc::new),
        }
    }

    fn keys(
        &self,
        client: &reqwest::Client,
        name: &TenantName,
        section: &TenantSettings,
    ) -> Result<Arc<KeySource>, BuildError> {
        let is_same = !self.touches_any(name, &["base_url", "tenant_id", "webhook.jwk_fallback_url"]);
        if let Some(before) = self.before.keys.get(name).filter(|_| is_same) {
            return Ok(Arc::clone(before));
        }
        let source = KeySourceSettings {
            base_url: section.base_url.clone(),
            tenant_id: Some(section.tenant_id.as_str().to_owned()),
            jwk_fallback_url: section.webhook.jwk_fallback_url.clone(),
        };
        let keys = KeySource::new(client.clone(), &source, self.clock.clone());
        keys.map(Arc::new).map_err(|error| BuildError::Tenant {
            tenant: name.clone(),
            error,
        })
    }

    fn touches_any(&self, tenant: &TenantName, keys: &[&str]) -> bool {
        keys.iter()
            .any(|key| self.changes.touch(&format!("tenants.{tenant}.{key}")))
    }
}

/// The same while account and channel are, since others hold it; what was heard is taken along otherwise, too.
fn standing(name: &TenantName, section: &TenantSettings, before: Option<&Arc<Tenant>>) -> Standing {
    let is_same =
        |before: &&Arc<Tenant>| before.account == section.tenant_id && before.channel_id == section.channel_id;
    if let Some(before) = before.filter(is_same) {
        return before.standing.clone();
    }
    let standing = Standing::new(name.clone(), section.tenant_id.clone(), section.channel_id.clone());
    if let Some(before) = before {
        let heard = before.standing.heard();
        heard.verify_at.into_iter().for_each(|at| standing.heard_verify(at));
        heard.webhook_at.into_iter().for_each(|at| standing.heard_webhook(at));
    }
    standing
}
