//! How one bot is called back, as the configuration says it.

use std::collections::HashSet;

use secrecy::SecretString;
use url::Url;

use crate::delivery::SigningKey;
use crate::domain::BotName;
use crate::domain::EventType;
use crate::outbound::AddressPolicy;

#[derive(Clone, Debug)]
pub struct BotDelivery {
    pub bot: BotName,
    /// `None` for a bot that pulls, or that names an address with each handover.
    pub callback_url: Option<Url>,
    /// Every callback carries a signature with each.
    pub secrets: Vec<SigningKey>,
    /// The types the bot wants to hear of; all when `None`.
    pub events: Option<HashSet<EventType>>,
    pub auth: CallbackAuth,
    pub policy: AddressPolicy,
}

/// How the gateway shows the bot who it is, beside the signature.
#[derive(Clone, Debug)]
pub enum CallbackAuth {
    None,
    /// `Authorization: Bearer …`
    Bearer(SecretString),
}

impl BotDelivery {
    pub(crate) fn wants(&self, kind: EventType) -> bool {
        self.events.as_ref().is_none_or(|events| events.contains(&kind))
    }
}
