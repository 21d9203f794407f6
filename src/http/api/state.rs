//! What the bot API's handlers work with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::bus::Bus;
use crate::clock::Clock;
use crate::domain::BotName;
use crate::handovers::Handovers;
use crate::http::ApiLimits;
use crate::http::BotKeys;
use crate::http::RunningKeys;
use crate::supervisor::Supervisor;

#[derive(Clone)]
pub struct ApiState {
    pub handovers: Arc<Handovers>,
    pub keys: BotKeys,
    pub limits: ApiLimits,
    pub bus: Bus,
    pub clock: Clock,
    /// Its stop ends streams and long polls.
    pub supervisor: Supervisor,
    pub running: RunningKeys,
    pub callback_urls: CheckCallbackUrl,
    /// The longest pause in the sending or fetching of a file.
    pub pause: Duration,
}

/// Whether a bot may be called back at an address: the address as it is to be called, or what is wrong with it, as the
/// end of a sentence that begins with the name of the field.
#[derive(Clone)]
pub struct CheckCallbackUrl(Arc<Check>);

type Check = dyn Fn(&BotName, &str) -> Result<String, String> + Send + Sync;

impl CheckCallbackUrl {
    pub fn new(check: impl Fn(&BotName, &str) -> Result<String, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(check))
    }

    pub(super) fn check(&self, bot: &BotName, url: &str) -> Result<String, String> {
        (self.0)(bot, url)
    }
}

impl fmt::Debug for CheckCallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckCallbackUrl")
    }
}
