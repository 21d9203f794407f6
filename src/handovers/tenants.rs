//! The tenants and bots of the configuration, as the service needs them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::chat_gateway::ChatGateway;
use crate::domain::AccountId;
use crate::domain::BotName;
use crate::domain::Facts;
use crate::domain::TenantName;
use crate::provisioning::Standing;

#[derive(Debug)]
pub struct Tenant {
    pub name: TenantName,
    pub account: AccountId,
    pub chat_gateway: ChatGateway,
    pub channel_id: Option<String>,
    /// Has the channel that was provisioned, where the configuration names none.
    pub standing: Standing,
    pub queue_id: Option<String>,
    /// What bots are told a queue is called until 8x8 says it.
    pub queue_names: HashMap<String, String>,
    pub transfer_grace: Duration,
    /// Characters 8x8 is sent at once.
    pub message_limit: usize,
    /// How long a bot's call waits for 8x8's answer.
    pub send_wait: Duration,
    /// How long 8x8 is tried with a message.
    pub message_deadline: Duration,
}

#[derive(Debug)]
pub struct Bot {
    pub name: BotName,
    pub tenant: Arc<Tenant>,
    pub channel_id: Option<String>,
    pub queue_id: Option<String>,
    /// Whether events go to an address of the bot's own; without one it pulls.
    pub is_called_back: bool,
    pub duplicate: Duplicate,
    pub queue_timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    pub max_age: Duration,
}

/// What a second create for a session with a live handover does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicate {
    Reject,
    Return,
    Allow,
}

#[derive(Debug, Default)]
pub struct Tenants {
    tenants: HashMap<TenantName, Arc<Tenant>>,
    bots: HashMap<BotName, Arc<Bot>>,
}

impl Tenants {
    pub fn new(tenants: impl IntoIterator<Item = Arc<Tenant>>, bots: impl IntoIterator<Item = Arc<Bot>>) -> Self {
        Self {
            tenants: tenants
                .into_iter()
                .map(|tenant| (tenant.name.clone(), tenant))
                .collect(),
            bots: bots.into_iter().map(|bot| (bot.name.clone(), bot)).collect(),
        }
    }

    pub fn tenant(&self, name: &TenantName) -> Option<&Arc<Tenant>> {
        self.tenants.get(name)
    }

    pub fn bot(&self, name: &BotName) -> Option<&Arc<Bot>> {
        self.bots.get(name)
    }

    /// Whether a handover's events are to be delivered. Those of a bot that is not configured any more are kept for it.
    pub(super) fn delivers(&self, facts: &Facts) -> bool {
        facts.callback_url.is_some() || self.bot(&facts.bot).is_none_or(|bot| bot.is_called_back)
    }
}
