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

const SCHEDULE: &str = "schedule";
const STATISTICS: &str = "statistics";

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

/// How one source answers, for whoever checks a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    pub verdict: CheckVerdict,
    /// One line: what 8x8 said, or why it did not.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckVerdict {
    Passed,
    Failed,
    NotConfigured,
}

/// What one source contributes.
struct Part {
    verdict: Verdict,
    /// With what the settings say of not knowing.
    counts_as: Verdict,
    seen: SourceSeen,
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

    /// Asks each source once and says how it went, in two entries: schedule and statistics.
    pub async fn check(&self, queue: Option<&str>) -> [Check; 2] {
        let (schedule, (statistics, _)) = tokio::join!(self.schedule(queue), self.statistics(queue));
        let no_schedule = match self.schedule {
            Some(_) => "no schedule_id is configured for the queue",
            None => "source is none",
        };
        [
            check(SCHEDULE, schedule, no_schedule),
            check(STATISTICS, statistics, "source is none"),
        ]
    }

    async fn schedule(&self, queue: Option<&str>) -> Option<Part> {
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

    async fn statistics(&self, queue: Option<&str>) -> (Option<Part>, Figures) {
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

fn check(name: &'static str, part: Option<Part>, absent: &str) -> Check {
    let (verdict, reason) = match part {
        None => (CheckVerdict::NotConfigured, absent.to_owned()),
        Some(part) => match part.seen.problem {
            Some(problem) => (CheckVerdict::Failed, problem.to_string()),
            None => (CheckVerdict::Passed, said(name, part.verdict).to_owned()),
        },
    };
    Check { name, verdict, reason }
}

fn said(name: &str, verdict: Verdict) -> &'static str {
    match (name, verdict) {
        (SCHEDULE, Verdict::Yes) => "8x8 says open",
        (SCHEDULE, _) => "8x8 says closed",
        (_, Verdict::Yes) => "8x8 says that agents are there",
        (_, Verdict::No) => "8x8 says that no agents are there",
        (_, Verdict::Unknown) => "8x8 answers, and does not say whether agents are there",
    }
}
