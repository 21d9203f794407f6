//! Section `[delivery]`.

use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use crate::outbound::AddressPolicy;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverySettings {
    /// For one attempt, from the first byte sent to the last one read.
    #[serde(deserialize_with = "crate::setting::duration")]
    pub timeout: Duration,
    /// How long an event may hold up its handover's later ones, from its first attempt.
    #[serde(deserialize_with = "crate::setting::duration")]
    pub head_deadline: Duration,
    /// How long a lifecycle event is retried, from its first attempt.
    #[serde(deserialize_with = "crate::setting::duration")]
    pub lifecycle_deadline: Duration,
    /// How long the user may be without what the agent wrote before the agent is told; never when zero.
    #[serde(deserialize_with = "crate::setting::duration")]
    pub notify_agent_after: Duration,
    /// What the agent is told then.
    pub notify_agent_text: String,
    /// What the agent is told when it is over; nothing when empty.
    pub notify_agent_over_text: String,
    /// Attempts under way at a time.
    pub max_in_flight: usize,
    pub max_in_flight_per_bot: usize,
    /// Undelivered events a bot may have; beyond them the oldest become failed deliveries.
    pub backlog_per_bot: usize,
    /// Whether any bot may be called without TLS.
    pub allow_http: bool,
    /// Networks that any bot may be in although they are not public.
    #[serde(deserialize_with = "crate::setting::list")]
    pub allow_networks: Vec<IpNet>,
}

impl DeliverySettings {
    /// What is allowed for all bots; a bot's own policy is joined to it with [`AddressPolicy::or`].
    pub fn policy(&self) -> AddressPolicy {
        AddressPolicy {
            allow_http: self.allow_http,
            allow_networks: self.allow_networks.clone(),
            ..AddressPolicy::default()
        }
    }
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            head_deadline: Duration::from_mins(5),
            lifecycle_deadline: Duration::from_hours(24),
            notify_agent_after: Duration::from_mins(1),
            notify_agent_text:
                "The user is not receiving your messages at the moment. They are kept and will be delivered as soon \
                                as possible."
                    .to_owned(),
            notify_agent_over_text: "The user is receiving your messages again.".to_owned(),
            max_in_flight: 256,
            max_in_flight_per_bot: 64,
            backlog_per_bot: 100_000,
            allow_http: false,
            allow_networks: Vec::new(),
        }
    }
}
