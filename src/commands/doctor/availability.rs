//! Whether 8x8 says if anybody is there: its schedules, its statistics, and the agents of each queue that handovers go to
//! without a call that names another.

use std::collections::BTreeSet;

use crate::app;
use crate::availability;
use crate::availability::CheckVerdict;
use crate::availability::SourceError;
use crate::commands::doctor::Doctor;
use crate::commands::doctor::check::Check;
use crate::commands::serve::with_causes;
use crate::domain::TenantName;
use crate::settings::ScheduleSourceKind;
use crate::settings::StatisticsSourceKind;
use crate::settings::TenantSettings;

const SCHEDULE: &str = "schedule";
const AGENTS: &str = "agents";

pub(super) async fn checks(doctor: &Doctor<'_>, name: &TenantName, tenant: &TenantSettings) -> Vec<Check> {
    let availability = match app::availability(name, tenant, &doctor.client, &doctor.clock) {
        Ok(availability) => availability,
        Err(error) => {
            return vec![Check::fail(
                SCHEDULE,
                with_causes(&error),
                "mend the tenant's sections schedule and statistics",
            )];
        }
    };
    let mut checks = Vec::new();
    // One after the other: 8x8 may limit the rate.
    for queue in queues(doctor, name, tenant) {
        let found = availability.check(queue).await;
        checks.extend(found.into_iter().map(|found| told(found, queue)));
    }
    checks
}

/// The tenant's own and those of its bots; `None` where none is named, or nobody is asked.
fn queues<'a>(doctor: &'a Doctor<'_>, name: &TenantName, tenant: &'a TenantSettings) -> BTreeSet<Option<&'a str>> {
    let is_asked = !matches!(tenant.schedule.source, ScheduleSourceKind::None)
        || !matches!(tenant.statistics.source, StatisticsSourceKind::None);
    if !is_asked {
        return BTreeSet::from([None]);
    }
    let bots = doctor.settings.bots.values().filter(|bot| bot.tenant == *name);
    let of_bots = bots.map(|bot| bot.queue_id.as_deref().or(tenant.queue_id.as_deref()));
    let mut queues: BTreeSet<_> = of_bots.chain([tenant.queue_id.as_deref()]).collect();
    if queues.len() > 1 {
        queues.remove(&None);
    }
    queues
}

fn told(found: availability::Check, queue: Option<&str>) -> Check {
    let detail = match queue {
        Some(queue) => format!("queue {queue}: {}", found.reason),
        None => found.reason,
    };
    let name = found.name;
    match found.verdict {
        CheckVerdict::Passed => Check::ok(name, detail),
        CheckVerdict::Doubtful => Check::warn(name, detail, next_of_nobody(name)),
        CheckVerdict::Failed(error @ (SourceError::Throttled { .. } | SourceError::NoQueue)) => {
            Check::warn(name, detail, next(name, error))
        }
        CheckVerdict::Failed(error) => Check::fail(name, detail, next(name, error)),
        CheckVerdict::Skipped => Check::skipped(name, detail),
    }
}

fn next_of_nobody(name: &str) -> &'static str {
    match name {
        AGENTS => {
            "assign and enable agents for the queue in 8x8's Configuration Manager; analytics_v5 counts them while they are logged in"
        }
        _ => "see the queue in 8x8's Configuration Manager",
    }
}

fn next(name: &str, error: SourceError) -> &'static str {
    match (error, name) {
        (SourceError::Unreachable | SourceError::TimedOut, _) => {
            "see base_url of the tenant's section, [outbound] and the firewall"
        }
        (SourceError::Credentials, _) => {
            "correct the section's credentials; a New Token in 8x8 ends the old one at once, for every integration"
        }
        (SourceError::Forbidden, SCHEDULE) => {
            "give the key the API product Contact Center Schedule, and see that tenant_id is its customer"
        }
        (SourceError::Forbidden, _) => {
            "give the key the API product Analytics for Contact Center, and see that tenant_id is its customer"
        }
        (SourceError::NotFound, SCHEDULE) => "correct schedule_id",
        (SourceError::NotFound, _) => "correct queue_id: 8x8's statistics have no such queue",
        (SourceError::Throttled { .. }, _) => "run doctor again later; a longer `cache` asks 8x8 less often",
        (SourceError::Status(_), SCHEDULE) => "see base_url, tenant_id and schedule_id",
        (SourceError::Status(_), _) => "see base_url (its region too), tenant_id and queue_id",
        (SourceError::Unreadable, _) => "see base_url: something else than 8x8's API answers there",
        (SourceError::NoQueue, _) => "set queue_id of the tenant or the bot, or let each call name its queue",
    }
}
