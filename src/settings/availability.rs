//! Sections `[tenants.NAME.schedule]` and `[tenants.NAME.statistics]`: where 8x8 is asked whether anybody is there. Each
//! API has credentials of its own kind.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::settings::choice::choices;

/// Section `[tenants.NAME.schedule]`: is the contact centre open?
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct TenantScheduleSettings {
    pub source: ScheduleSourceKind,
    /// For queues that have none of their own.
    pub schedule_id: Option<String>,
    #[serde(deserialize_with = "crate::settings::value::optional_url")]
    pub base_url: Option<Url>,
    pub api_key: Option<SecretString>,
    pub username: Option<String>,
    pub token: Option<SecretString>,
    #[serde(deserialize_with = "crate::settings::value::each")]
    pub open_choices: Vec<u8>,
    pub when_unknown: WhenUnknown,
    #[serde(deserialize_with = "crate::setting::duration")]
    pub cache: Duration,
}

/// Section `[tenants.NAME.statistics]`: are agents there, and how long is the wait?
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct TenantStatisticsSettings {
    pub source: StatisticsSourceKind,
    #[serde(deserialize_with = "crate::settings::value::optional_url")]
    pub base_url: Option<Url>,
    pub api_key: Option<SecretString>,
    pub username: Option<String>,
    pub token: Option<SecretString>,
    pub client_id: Option<String>,
    pub client_secret: Option<SecretString>,
    pub agents_count: AgentsCountKind,
    pub when_unknown: WhenUnknown,
    #[serde(deserialize_with = "crate::setting::duration")]
    pub cache: Duration,
    /// How often those who wait are told of the wait; none: never.
    #[serde(deserialize_with = "crate::setting::optional_duration")]
    pub update_interval: Option<Duration>,
}

impl Default for TenantScheduleSettings {
    fn default() -> Self {
        Self {
            source: ScheduleSourceKind::None,
            schedule_id: None,
            base_url: None,
            api_key: None,
            username: None,
            token: None,
            open_choices: Vec::new(),
            when_unknown: WhenUnknown::Unknown,
            cache: CACHE,
        }
    }
}

impl Default for TenantStatisticsSettings {
    fn default() -> Self {
        Self {
            source: StatisticsSourceKind::None,
            base_url: None,
            api_key: None,
            username: None,
            token: None,
            client_id: None,
            client_secret: None,
            agents_count: AgentsCountKind::AvailableOrBusy,
            when_unknown: WhenUnknown::Unknown,
            cache: CACHE,
            update_interval: None,
        }
    }
}

choices! {
    ScheduleSourceKind {
        None = "none",
        CcV1 = "cc_v1",
        Cluster = "cluster",
    }
}

choices! {
    StatisticsSourceKind {
        None = "none",
        CcV1 = "cc_v1",
        Cluster = "cluster",
        AnalyticsV5 = "analytics_v5",
    }
}

choices! {
    /// Which agents count as being there.
    AgentsCountKind {
        Available = "available",
        AvailableOrBusy = "available_or_busy",
        LoggedIn = "logged_in",
    }
}

choices! {
    /// What counts where 8x8 does not say.
    WhenUnknown {
        Yes = "yes",
        No = "no",
        Unknown = "unknown",
    }
}

/// As often as 8x8 itself refreshes the figures.
const CACHE: Duration = Duration::from_secs(10);
