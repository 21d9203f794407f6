//! One tenant's answer to "is anybody there?", from what its sources say.

use std::time::Duration;

use crate::availability::AvailabilityAnswer;
use crate::availability::AvailabilitySettings;
use crate::availability::SourceError;
use crate::availability::SourceSeen;
use crate::availability::UnusableAccess;
use crate::availability::Verdict;
use crate::availability::figures::Figures;
use crate::availability::schedule::Schedule;
use crate::availability::statistics::Statistics;
use crate::clock::Clock;
use crate::domain::TenantName;

pub(super) const SCHEDULE: &str = "schedule";
pub(super) const STATISTICS: &str = "statistics";

/// Without sources it knows nothing and asks nobody.
#[derive(Debug, Default)]
pub struct Availability {
    schedule: Option<Schedule>,
    statistics: Option<Statistics>,
}

/// What waiting is like in a queue now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    pub waiting: Option<u64>,
    pub estimated_seconds: Option<u64>,
}

/// What one source contributes.
pub(super) struct Part {
    pub(super) verdict: Verdict,
    /// With what the settings say of not knowing.
    counts_as: Verdict,
    pub(super) seen: SourceSeen,
}

impl Availability {
    /// `client` follows no redirects and reaches 8x8.
    pub fn new(
        tenant: &TenantName,
        settings: AvailabilitySettings,
        client: &reqwest::Client,
        clock: &Clock,
    ) -> Result<Self, UnusableAccess> {
        let name = |source: &str| format!("{tenant} {source}");
        let schedule = settings
            .schedule
            .map(|schedule| Schedule::new(schedule, client.clone(), name(SCHEDULE), clock.clone()));
        let statistics = settings
            .statistics
            .map(|statistics| Statistics::new(statistics, client.clone(), name(STATISTICS), clock.clone()));
        Ok(Self {
            schedule: schedule.transpose()?,
            statistics: statistics.transpose()?,
        })
    }

    /// Both sources are asked at once; neither is waited for longer than some seconds.
    pub async fn of(&self, queue: Option<&str>) -> AvailabilityAnswer {
        let (schedule, (statistics, figures)) = tokio::join!(self.schedule(queue), self.statistics(queue));
        let verdict = |part: &Option<Part>| part.as_ref().map_or(Verdict::Unknown, |part| part.verdict);
        let (open, agents) = (verdict(&schedule), verdict(&statistics));
        let parts: Vec<Part> = schedule.into_iter().chain(statistics).collect();
        let count_as: Vec<Verdict> = parts.iter().map(|part| part.counts_as).collect();
        AvailabilityAnswer {
            available: Verdict::of_all(&count_as),
            open,
            agents,
            waiting: figures.waiting,
            estimated_wait_seconds: figures.wait_seconds,
            sources: parts.into_iter().map(|part| part.seen).collect(),
        }
    }

    /// How often those who wait are to be told, where they are to be told at all.
    pub fn update_interval(&self) -> Option<Duration> {
        self.statistics.as_ref()?.settings.update_interval
    }

    /// `None` while 8x8 does not say.
    pub async fn wait(&self, queue: &str) -> Option<Wait> {
        let figures = self.statistics.as_ref()?.of_queue(queue).await.value?;
        let told = figures.waiting.is_some() || figures.wait_seconds.is_some();
        told.then_some(Wait {
            waiting: figures.waiting,
            estimated_seconds: figures.wait_seconds,
        })
    }

    /// What an agent is called, where 8x8's analytics have said so by now.
    pub fn agent_name(&self, id: &str) -> Option<String> {
        self.statistics.as_ref()?.agent_name(id)
    }

    /// Keeps the names at hand, until it is dropped; ends at once where there are none to be had.
    pub async fn keep_agent_names(&self) {
        if let Some(statistics) = &self.statistics {
            statistics.keep_agent_names().await;
        }
    }

    pub(super) const fn has_schedule(&self) -> bool {
        self.schedule.is_some()
    }

    pub(super) async fn schedule(&self, queue: Option<&str>) -> Option<Part> {
        let schedule = self.schedule.as_ref()?;
        let known = schedule.status(schedule.id_for(queue)?).await;
        let settings = &schedule.settings;
        let verdict = known
            .value
            .map_or(Verdict::Unknown, |status| status.judge(&settings.open_choices));
        let seen = SourceSeen {
            name: SCHEDULE,
            as_of: known.as_of,
            problem: known.problem,
        };
        Some(Part::new(verdict, settings.when_unknown, seen))
    }

    pub(super) async fn statistics(&self, queue: Option<&str>) -> (Option<Part>, Figures) {
        let Some(statistics) = &self.statistics else {
            return (None, Figures::default());
        };
        let mut seen = SourceSeen {
            name: STATISTICS,
            as_of: None,
            problem: Some(SourceError::NoQueue),
        };
        let mut figures = None;
        if let Some(queue) = queue {
            let known = statistics.of_queue(queue).await;
            (figures, seen.as_of, seen.problem) = (known.value, known.as_of, known.problem);
        }
        let settings = &statistics.settings;
        let verdict = figures.map_or(Verdict::Unknown, |figures| settings.agents_count.judge(figures.agents));
        (
            Some(Part::new(verdict, settings.when_unknown, seen)),
            figures.unwrap_or_default(),
        )
    }
}

impl Part {
    fn new(verdict: Verdict, when_unknown: Verdict, seen: SourceSeen) -> Self {
        Self {
            verdict,
            counts_as: verdict.or(when_unknown),
            seen,
        }
    }
}
