//! What one tenant's availability is made of.

use std::collections::HashMap;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::availability::AgentsCount;
use crate::availability::Verdict;

/// Without a source nothing is asked, and nothing is known.
#[derive(Clone, Debug, Default)]
pub struct AvailabilitySettings {
    pub schedule: Option<ScheduleSettings>,
    pub statistics: Option<StatisticsSettings>,
}

#[derive(Clone, Debug)]
pub struct ScheduleSettings {
    pub source: ScheduleSource,
    /// For queues that have none of their own.
    pub schedule_id: Option<String>,
    pub by_queue: HashMap<String, String>,
    /// Which of the administrator's choices 1 to 6 count as open.
    pub open_choices: Vec<u8>,
    /// What counts where nothing is known.
    pub when_unknown: Verdict,
    /// How long an answer is used before 8x8 is asked again.
    pub cache: Duration,
}

#[derive(Clone, Debug)]
pub enum ScheduleSource {
    /// `…/cc/v1/schedules`
    CcV1 {
        base_url: Url,
        api_key: SecretString,
        tenant: String,
    },
    /// `…/api/provisioning/schedules` of one cluster.
    Cluster {
        base_url: Url,
        username: String,
        token: SecretString,
    },
}

#[derive(Clone, Debug)]
pub struct StatisticsSettings {
    pub source: StatisticsSource,
    pub agents_count: AgentsCount,
    /// What counts where nothing is known.
    pub when_unknown: Verdict,
    /// How long an answer is used before 8x8 is asked again.
    pub cache: Duration,
    /// How often waiting handovers are told of the wait; `None`: never.
    pub update_interval: Option<Duration>,
}

#[derive(Clone, Debug)]
pub enum StatisticsSource {
    /// `…/cc/v1/stats/rt`
    CcV1 {
        base_url: Url,
        api_key: SecretString,
        tenant: String,
    },
    /// `…/api/rtstats/stats` of one cluster.
    Cluster {
        base_url: Url,
        username: String,
        token: SecretString,
    },
    /// `…/analytics/cc/v5/realtime-metrics`
    AnalyticsV5 {
        base_url: Url,
        client_id: String,
        client_secret: SecretString,
        tenant: String,
    },
}
