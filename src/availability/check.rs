//! How each source answers, for whoever checks a configuration.

use crate::availability::Availability;
use crate::availability::SourceError;
use crate::availability::Verdict;
use crate::availability::service::Part;
use crate::availability::service::SCHEDULE;
use crate::availability::service::STATISTICS;

const AGENTS: &str = "agents";
const NOT_CONFIGURED: &str = "not configured: source is none";

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
    /// 8x8 answers, and nobody who waits would be served.
    Doubtful,
    Failed(SourceError),
    Skipped,
}

impl Availability {
    /// Asks each source once and says how it went, in three entries: access to the schedule, access to the statistics,
    /// and whether the queue has agents enabled.
    pub async fn check(&self, queue: Option<&str>) -> [Check; 3] {
        let (schedule, (statistics, figures)) = tokio::join!(self.schedule(queue), self.statistics(queue));
        let no_schedule = if self.has_schedule() {
            "no schedule_id is configured for the queue"
        } else {
            NOT_CONFIGURED
        };
        let statistics = check(STATISTICS, statistics, NOT_CONFIGURED);
        let agents = match statistics.verdict {
            CheckVerdict::Passed | CheckVerdict::Doubtful => agents(figures.agents.enabled),
            CheckVerdict::Failed(_) => (CheckVerdict::Skipped, "the statistics have to be read first".to_owned()),
            CheckVerdict::Skipped => (CheckVerdict::Skipped, NOT_CONFIGURED.to_owned()),
        };
        let (verdict, reason) = agents;
        let agents = Check {
            name: AGENTS,
            verdict,
            reason,
        };
        [check(SCHEDULE, schedule, no_schedule), statistics, agents]
    }
}

fn agents(enabled: Option<u64>) -> (CheckVerdict, String) {
    match enabled {
        None => (
            CheckVerdict::Skipped,
            "8x8 does not say how many agents are enabled".to_owned(),
        ),
        Some(0) => (CheckVerdict::Doubtful, "8x8 counts no enabled agent".to_owned()),
        Some(1) => (CheckVerdict::Passed, "8x8 counts 1 enabled agent".to_owned()),
        Some(count) => (CheckVerdict::Passed, format!("8x8 counts {count} enabled agents")),
    }
}

fn check(name: &'static str, part: Option<Part>, absent: &str) -> Check {
    let (verdict, reason) = match part {
        None => (CheckVerdict::Skipped, absent.to_owned()),
        Some(part) => match part.seen.problem {
            Some(problem) => (CheckVerdict::Failed(problem), problem.to_string()),
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
