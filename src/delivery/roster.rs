//! The bots that can be called now, each with what a call needs ready made. Replaced as a whole when settings change.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use reqwest::Client;
use thiserror::Error;

use crate::delivery::BotDelivery;
use crate::delivery::callback_auth::Credentials;
use crate::domain::BotName;
use crate::outbound;
use crate::outbound::AddressPolicy;
use crate::outbound::OutboundError;
use crate::outbound::OutboundSettings;

/// Cheap to clone; all clones show the same bots.
#[derive(Clone, Debug)]
pub struct Roster(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    outbound: OutboundSettings,
    current: RwLock<Arc<Bots>>,
}

#[derive(Debug, Error)]
pub enum RosterError {
    #[error(transparent)]
    Outbound(OutboundError),
    #[error("a token of bot {0} has characters that no header can carry")]
    Secret(BotName),
}

/// What the roster is at one moment.
#[derive(Debug, Default)]
pub(crate) struct Bots {
    bots: HashMap<BotName, Arc<Bot>>,
    /// One for each policy in use, since a client is bound to what it may dial.
    clients: HashMap<AddressPolicy, Client>,
}

/// A bot, ready to be called.
#[derive(Debug)]
pub(crate) struct Bot {
    pub(crate) delivery: BotDelivery,
    pub(crate) client: Client,
    pub(crate) credentials: Credentials,
    /// What its `CloudEvents` name as theirs.
    pub(crate) source: String,
}

impl Roster {
    pub fn new(bots: Vec<BotDelivery>, outbound: OutboundSettings) -> Result<Self, RosterError> {
        let first = Bots::ready(bots, &outbound, &Bots::default(), &BTreeSet::new())?;
        let current = RwLock::new(Arc::new(first));
        Ok(Self(Arc::new(Inner { outbound, current })))
    }

    /// Takes the place of all bots. Open connections go on being used where the addresses allowed are the same.
    pub fn replace(&self, bots: Vec<BotDelivery>) -> Result<(), RosterError> {
        self.replace_changed(bots, &BTreeSet::new())
    }

    /// As [`Roster::replace`], where some bots are known to be as they were: tokens fetched for them stay good.
    pub fn replace_changed(&self, bots: Vec<BotDelivery>, same: &BTreeSet<BotName>) -> Result<(), RosterError> {
        let next = Arc::new(Bots::ready(bots, &self.0.outbound, &self.current(), same)?);
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    pub(crate) fn current(&self) -> Arc<Bots> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Bots {
    pub(crate) fn get(&self, bot: &BotName) -> Option<&Arc<Bot>> {
        self.bots.get(bot)
    }

    fn ready(
        bots: Vec<BotDelivery>,
        outbound: &OutboundSettings,
        old: &Self,
        same: &BTreeSet<BotName>,
    ) -> Result<Self, RosterError> {
        let mut next = Self::default();
        for delivery in bots {
            let client = next.client(&delivery.policy, outbound, old)?;
            let name = delivery.bot.clone();
            if let Some(known) = old.get(&name).filter(|_| same.contains(&name)) {
                next.bots.insert(name, Arc::clone(known));
                continue;
            }
            let credentials = Credentials::of(&delivery, &client).ok_or_else(|| RosterError::Secret(name.clone()))?;
            let bot = Bot {
                source: format!("urn:handover-gateway:tenant:{}", delivery.tenant),
                delivery,
                client,
                credentials,
            };
            next.bots.insert(name, Arc::new(bot));
        }
        Ok(next)
    }

    fn client(
        &mut self,
        policy: &AddressPolicy,
        outbound: &OutboundSettings,
        old: &Self,
    ) -> Result<Client, RosterError> {
        if let Some(client) = self.clients.get(policy) {
            return Ok(client.clone());
        }
        let client = match old.clients.get(policy) {
            Some(client) => client.clone(),
            None => outbound::for_callbacks(outbound, policy).map_err(RosterError::Outbound)?,
        };
        self.clients.insert(policy.clone(), client.clone());
        Ok(client)
    }
}
