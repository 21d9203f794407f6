//! The tenants and bots of the configuration, as the service needs them. Replaced as a whole when settings change; whoever
//! works with one of them goes on with what it took.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::availability::Availability;
use crate::chat_gateway::ChatGateway;
use crate::chat_gateway::CopilotLink;
use crate::delivery::CallbackFormat;
use crate::domain::AccountId;
use crate::domain::BotName;
use crate::domain::Facts;
use crate::domain::TenantName;
use crate::domain::User;
use crate::handovers::AgentNames;
use crate::handovers::QueueRule;
use crate::outbound::Fetcher;
use crate::provisioning::Standing;
use crate::redaction::Redactor;

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
    /// How long users wait in a queue, and where they go then.
    pub queue_rules: HashMap<String, QueueRule>,
    pub transfer_grace: Duration,
    /// How long a conversation may be quiet before it is compared with 8x8.
    pub reconcile_after: Duration,
    /// Characters 8x8 is sent at once.
    pub message_limit: usize,
    /// How long a bot's call waits for 8x8's answer.
    pub send_wait: Duration,
    /// How long 8x8 is tried with a message.
    pub message_deadline: Duration,
    pub availability: Arc<Availability>,
    pub attachments: AttachmentRules,
    /// Of what is said.
    pub redactor: Redactor,
}

/// Which files bots may give 8x8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentRules {
    /// Bytes.
    pub limit: u64,
    /// Media types, `image/*` for all of a group; any when empty.
    pub types: Vec<String>,
}

impl AttachmentRules {
    /// Parameters of the type do not matter.
    pub fn takes(&self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let fits = |allowed: &String| match allowed.strip_suffix('*') {
            Some(group) => essence
                .get(..group.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(group)),
            None => essence.eq_ignore_ascii_case(allowed),
        };
        self.types.is_empty() || self.types.iter().any(fits)
    }
}

#[derive(Debug)]
pub struct Bot {
    pub name: BotName,
    pub tenant: Arc<Tenant>,
    pub channel_id: Option<String>,
    pub queue_id: Option<String>,
    /// Whether events go to an address of the bot's own; without one it pulls.
    pub is_called_back: bool,
    /// Whether what agents say is among the events it wants.
    pub hears_messages: bool,
    /// For files it names by their address.
    pub fetcher: Fetcher,
    pub format: CallbackFormat,
    pub duplicate: Duplicate,
    pub queue_timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    pub max_age: Duration,
    /// Channels of 8x8 whose conversations begin with this bot.
    pub inbound_channels: Vec<String>,
    /// Whether the bot may speak first in them.
    pub accept_conversation_active: bool,
    /// Given to the agent with the user.
    pub copilot: Option<CopilotLink>,
    pub agent_names: AgentNames,
}

/// What a second create for a session with a live handover does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicate {
    Reject,
    Return,
    Allow,
}

/// Cheap to clone; all clones show the same tenants and bots.
#[derive(Clone, Debug)]
pub struct Tenants(watch::Sender<Arc<Configured>>);

/// The tenants and bots of one moment.
#[derive(Debug, Default)]
pub(super) struct Configured {
    tenants: BTreeMap<TenantName, Arc<Tenant>>,
    bots: HashMap<BotName, Arc<Bot>>,
}

impl Bot {
    /// The user as the agent is shown them.
    pub(super) fn shown_user(&self, user: User, bot_session_id: Option<&str>) -> User {
        match &self.copilot {
            Some(link) => link.added_to(user, bot_session_id),
            None => user,
        }
    }
}

impl Tenants {
    pub fn new(tenants: impl IntoIterator<Item = Arc<Tenant>>, bots: impl IntoIterator<Item = Arc<Bot>>) -> Self {
        Self(watch::Sender::new(Arc::new(Configured::of(tenants, bots))))
    }

    /// Takes the place of all tenants and bots.
    pub(super) fn replace(
        &self,
        tenants: impl IntoIterator<Item = Arc<Tenant>>,
        bots: impl IntoIterator<Item = Arc<Bot>>,
    ) {
        drop(self.0.send_replace(Arc::new(Configured::of(tenants, bots))));
    }

    /// Tells of each replacement.
    pub(super) fn changes(&self) -> watch::Receiver<Arc<Configured>> {
        self.0.subscribe()
    }

    pub fn tenant(&self, name: &TenantName) -> Option<Arc<Tenant>> {
        self.current().tenants.get(name).cloned()
    }

    /// Tenants whose waiting handovers are to be told of the wait, and how often.
    pub(super) fn update_intervals(&self) -> impl Iterator<Item = (TenantName, Duration)> {
        let interval =
            |(name, tenant): (&TenantName, &Arc<Tenant>)| Some((name.clone(), tenant.availability.update_interval()?));
        let intervals: Vec<_> = self.current().tenants.iter().filter_map(interval).collect();
        intervals.into_iter()
    }

    pub fn bot(&self, name: &BotName) -> Option<Arc<Bot>> {
        self.current().bots.get(name).cloned()
    }

    /// The bots of an account that lead conversations from the beginning.
    pub(super) fn inbound(&self, account: &AccountId) -> impl Iterator<Item = Arc<Bot>> {
        let leads = |bot: &&Arc<Bot>| bot.tenant.account == *account && !bot.inbound_channels.is_empty();
        let bots: Vec<_> = self.current().bots.values().filter(leads).cloned().collect();
        bots.into_iter()
    }

    /// The bot that conversations of a channel begin with.
    pub(super) fn of_channel(&self, account: &AccountId, channel: &str) -> Option<Arc<Bot>> {
        self.inbound(account)
            .find(|bot| bot.inbound_channels.iter().any(|known| known == channel))
    }

    /// Whether a handover's bot gets 8x8's webhooks as they came.
    pub(super) fn passes_on(&self, facts: &Facts) -> bool {
        self.bot(&facts.bot)
            .is_some_and(|bot| bot.format == CallbackFormat::Passthrough)
    }

    /// Whether a handover's events are to be delivered. Those of a bot that is not configured any more are kept for it.
    pub(super) fn delivers(&self, facts: &Facts) -> bool {
        facts.callback_url.is_some() || self.bot(&facts.bot).is_none_or(|bot| bot.is_called_back)
    }

    pub(super) fn current(&self) -> Arc<Configured> {
        Arc::clone(&self.0.borrow())
    }
}

impl Configured {
    fn of(tenants: impl IntoIterator<Item = Arc<Tenant>>, bots: impl IntoIterator<Item = Arc<Bot>>) -> Self {
        let tenants = tenants.into_iter().map(|tenant| (tenant.name.clone(), tenant));
        Self {
            tenants: tenants.collect(),
            bots: bots.into_iter().map(|bot| (bot.name.clone(), bot)).collect(),
        }
    }

    pub(super) fn has(&self, tenant: &TenantName) -> bool {
        self.tenants.contains_key(tenant)
    }

    pub(super) fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_taken_when_it_or_its_group_is_named_or_nothing_is() {
        let rules = |types: &[&str]| AttachmentRules {
            limit: 1,
            types: types.iter().map(|kind| (*kind).to_owned()).collect(),
        };
        assert!(rules(&[]).takes("application/x-anything"));
        let some = rules(&["image/*", "application/pdf"]);
        for (content_type, taken) in [
            ("image/png", true),
            ("IMAGE/PNG", true),
            ("application/pdf; charset=binary", true),
            ("application/pdfx", false),
            ("imagery/png", false),
            ("", false),
        ] {
            assert_eq!(some.takes(content_type), taken, "{content_type}");
        }
    }
}
