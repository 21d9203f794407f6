//! From a tenant's settings to what its availability is asked of.

use secrecy::SecretString;

use crate::app::BuildError;
use crate::availability::AgentsCount;
use crate::availability::Availability;
use crate::availability::AvailabilitySettings;
use crate::availability::ScheduleSettings;
use crate::availability::ScheduleSource;
use crate::availability::StatisticsSettings;
use crate::availability::StatisticsSource;
use crate::availability::Verdict;
use crate::clock::Clock;
use crate::domain::TenantName;
use crate::settings::AgentsCountKind;
use crate::settings::ScheduleSourceKind;
use crate::settings::StatisticsSourceKind;
use crate::settings::TenantSettings;
use crate::settings::WhenUnknown;

pub(crate) fn availability(
    name: &TenantName,
    tenant: &TenantSettings,
    client: &reqwest::Client,
    clock: &Clock,
) -> Result<Availability, BuildError> {
    let settings = AvailabilitySettings {
        schedule: schedule(tenant),
        statistics: statistics(tenant),
    };
    Availability::new(name, settings, client, clock).map_err(|error| BuildError::Availability {
        tenant: name.clone(),
        error,
    })
}

fn schedule(tenant: &TenantSettings) -> Option<ScheduleSettings> {
    let settings = &tenant.schedule;
    let base_url = settings.base_url.as_ref().unwrap_or(&tenant.base_url).clone();
    let account = || tenant.tenant_id.as_str().to_owned();
    let source = match settings.source {
        ScheduleSourceKind::None => return None,
        ScheduleSourceKind::CcV1 => ScheduleSource::CcV1 {
            base_url,
            api_key: settings.api_key.as_ref().unwrap_or(&tenant.api_key).clone(),
            tenant: account(),
        },
        ScheduleSourceKind::Cluster => ScheduleSource::Cluster {
            base_url,
            username: settings.username.clone().unwrap_or_else(account),
            token: checked(settings.token.as_ref()),
        },
    };
    let of_queues = tenant.queues.iter();
    Some(ScheduleSettings {
        source,
        schedule_id: settings.schedule_id.clone(),
        by_queue: of_queues
            .filter_map(|(id, queue)| Some((id.clone(), queue.schedule_id.clone()?)))
            .collect(),
        open_choices: settings.open_choices.clone(),
        when_unknown: verdict(settings.when_unknown),
        cache: settings.cache,
    })
}

fn statistics(tenant: &TenantSettings) -> Option<StatisticsSettings> {
    let settings = &tenant.statistics;
    let base_url = settings.base_url.as_ref().unwrap_or(&tenant.base_url).clone();
    let account = || tenant.tenant_id.as_str().to_owned();
    let source = match settings.source {
        StatisticsSourceKind::None => return None,
        StatisticsSourceKind::CcV1 => StatisticsSource::CcV1 {
            base_url,
            api_key: settings.api_key.as_ref().unwrap_or(&tenant.api_key).clone(),
            tenant: account(),
        },
        StatisticsSourceKind::Cluster => StatisticsSource::Cluster {
            base_url,
            username: settings.username.clone().unwrap_or_else(account),
            token: checked(settings.token.as_ref()),
        },
        StatisticsSourceKind::AnalyticsV5 => StatisticsSource::AnalyticsV5 {
            base_url,
            client_id: settings.client_id.clone().unwrap_or_default(),
            client_secret: checked(settings.client_secret.as_ref()),
            tenant: account(),
        },
    };
    // Who is told every few seconds is to be told something new.
    let cache = settings
        .update_interval
        .map_or(settings.cache, |interval| settings.cache.min(interval));
    Some(StatisticsSettings {
        source,
        agents_count: match settings.agents_count {
            AgentsCountKind::Available => AgentsCount::Available,
            AgentsCountKind::AvailableOrBusy => AgentsCount::AvailableOrBusy,
            AgentsCountKind::LoggedIn => AgentsCount::LoggedIn,
        },
        when_unknown: verdict(settings.when_unknown),
        cache,
        update_interval: settings.update_interval,
    })
}

/// The check of the settings says that it is missing before it comes to this.
fn checked(secret: Option<&SecretString>) -> SecretString {
    secret.cloned().unwrap_or_default()
}

const fn verdict(when_unknown: WhenUnknown) -> Verdict {
    match when_unknown {
        WhenUnknown::Yes => Verdict::Yes,
        WhenUnknown::No => Verdict::No,
        WhenUnknown::Unknown => Verdict::Unknown,
    }
}
