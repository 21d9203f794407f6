//! Rules of one tenant's `schedule` and `statistics`: each source has the credentials it needs.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::settings::ScheduleSourceKind;
use crate::settings::StatisticsSourceKind;
use crate::settings::TenantAuth;
use crate::settings::TenantSettings;
use crate::settings::check::Notes;

/// No schedule or queue changes faster, and 8x8 may limit the rate.
const LONGEST_CACHE: Duration = Duration::from_mins(5);
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn check(section: &str, tenant: &TenantSettings, notes: &mut Notes) {
    schedule(&format!("{section}.schedule"), tenant, notes);
    statistics(&format!("{section}.statistics"), tenant, notes);
    for (id, queue) in &tenant.queues {
        notes.optional_text(
            format!("{section}.queues.{id}.schedule_id"),
            queue.schedule_id.as_deref(),
        );
    }
}

fn schedule(section: &str, tenant: &TenantSettings, notes: &mut Notes) {
    let schedule = &tenant.schedule;
    let key = |field: &str| format!("{section}.{field}");
    notes.optional_text(key("schedule_id"), schedule.schedule_id.as_deref());
    base_url(&key("base_url"), schedule.base_url.as_ref(), notes);
    secret(key("api_key"), schedule.api_key.as_ref(), notes);
    secret(key("token"), schedule.token.as_ref(), notes);
    notes.optional_text(key("username"), schedule.username.as_deref());
    for (place, choice) in schedule.open_choices.iter().enumerate() {
        if !(1..=6).contains(choice) {
            notes.fault(key(&format!("open_choices[{place}]")), "must be 1 to 6");
        }
    }
    cache(&key("cache"), schedule.cache, notes);
    match schedule.source {
        ScheduleSourceKind::None => {
            return;
        }
        ScheduleSourceKind::CcV1 => own_key(key("api_key"), schedule.api_key.as_ref(), tenant, notes),
        ScheduleSourceKind::Cluster => {
            needed(key("base_url"), schedule.base_url.is_some(), "cluster", notes);
            needed(key("token"), schedule.token.is_some(), "cluster", notes);
        }
    }
    let of_queues = tenant.queues.values().any(|queue| queue.schedule_id.is_some());
    if schedule.schedule_id.is_none() && !of_queues {
        notes.warn(
            key("schedule_id"),
            "missing here and in every queue: no schedule is asked for",
        );
    }
}

fn statistics(section: &str, tenant: &TenantSettings, notes: &mut Notes) {
    let statistics = &tenant.statistics;
    let key = |field: &str| format!("{section}.{field}");
    base_url(&key("base_url"), statistics.base_url.as_ref(), notes);
    secret(key("api_key"), statistics.api_key.as_ref(), notes);
    secret(key("token"), statistics.token.as_ref(), notes);
    secret(key("client_secret"), statistics.client_secret.as_ref(), notes);
    notes.optional_text(key("username"), statistics.username.as_deref());
    notes.optional_text(key("client_id"), statistics.client_id.as_deref());
    cache(&key("cache"), statistics.cache, notes);
    if statistics
        .update_interval
        .is_some_and(|interval| interval < SHORTEST_INTERVAL)
    {
        notes.fault(key("update_interval"), "must be 1s or more");
    }
    match statistics.source {
        StatisticsSourceKind::None => {
            if statistics.update_interval.is_some() {
                notes.warn(key("update_interval"), "means nothing: `source` is none");
            }
        }
        StatisticsSourceKind::CcV1 => own_key(key("api_key"), statistics.api_key.as_ref(), tenant, notes),
        StatisticsSourceKind::Cluster => {
            needed(key("base_url"), statistics.base_url.is_some(), "cluster", notes);
            needed(key("token"), statistics.token.is_some(), "cluster", notes);
        }
        StatisticsSourceKind::AnalyticsV5 => {
            needed(key("client_id"), statistics.client_id.is_some(), "analytics_v5", notes);
            let secret = statistics.client_secret.is_some();
            needed(key("client_secret"), secret, "analytics_v5", notes);
        }
    }
}

fn needed(key: String, is_there: bool, source: &str, notes: &mut Notes) {
    if !is_there {
        notes.fault(key, format!("missing: `source` is {source}"));
    }
}

/// The tenant's key does as well, where it has one.
fn own_key(key: String, own: Option<&SecretString>, tenant: &TenantSettings, notes: &mut Notes) {
    match tenant.auth {
        TenantAuth::ApiKey => {}
        TenantAuth::OAuth2 if own.is_some() => {}
        TenantAuth::OAuth2 => notes.fault(
            key,
            "missing: `source` is cc_v1, and with `auth` oauth2 there is no key of the tenant's to use",
        ),
    }
}

fn base_url(key: &str, url: Option<&Url>, notes: &mut Notes) {
    let Some(url) = url else { return };
    notes.base(key, url);
    if url.scheme() == "http" && !super::tenant::is_here(url) {
        notes.warn(key, "sends the credentials unencrypted");
    }
}

fn secret(key: String, secret: Option<&SecretString>, notes: &mut Notes) {
    if let Some(secret) = secret {
        notes.header_secret(key, secret);
    }
}

fn cache(key: &str, cache: Duration, notes: &mut Notes) {
    if cache > LONGEST_CACHE {
        notes.fault(key, "must be at most 5m");
    }
}
