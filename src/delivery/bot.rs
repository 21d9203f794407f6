//! How one bot is called back, as the configuration says it.

use std::collections::HashSet;

use secrecy::SecretString;
use url::Url;

use crate::delivery::SigningKey;
use crate::domain::BotName;
use crate::domain::EventType;
use crate::domain::TenantName;
use crate::oauth::PasswordGrant;
use crate::outbound::AddressPolicy;

#[derive(Clone, Debug)]
pub struct BotDelivery {
    pub bot: BotName,
    pub tenant: TenantName,
    /// `None` for a bot that pulls, or that names an address with each handover.
    pub callback_url: Option<Url>,
    /// Every callback carries a signature with each.
    pub secrets: Vec<SigningKey>,
    /// The types the bot wants to hear of; all when `None`.
    pub events: Option<HashSet<EventType>>,
    pub format: CallbackFormat,
    pub auth: CallbackAuth,
    /// Sent as `x-app-token`.
    pub app_token: Option<SecretString>,
    pub policy: AddressPolicy,
}

/// How the gateway shows the bot who it is, beside the signature.
#[derive(Clone, Debug)]
pub enum CallbackAuth {
    None,
    /// `Authorization: Bearer …`
    Bearer(SecretString),
    /// The same with a token that is fetched for a password.
    OAuth(Box<PasswordGrant>),
}

/// What a callback's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackFormat {
    Native,
    /// The same event as a `CloudEvent` 1.0, structured.
    CloudEvents,
    /// 8x8's webhook as it came, and nothing else.
    Passthrough,
}

impl BotDelivery {
    /// A bot is told of 8x8's webhooks, or of what the gateway made of them.
    pub(crate) fn wants(&self, kind: EventType) -> bool {
        match self.format {
            CallbackFormat::Passthrough => kind.is_webhook(),
            CallbackFormat::Native | CallbackFormat::CloudEvents => {
                let is_chosen = self.events.as_ref().is_none_or(|events| events.contains(&kind));
                is_chosen && !kind.is_webhook()
            }
        }
    }
}
