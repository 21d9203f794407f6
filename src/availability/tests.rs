//! What the parts make together, without a network.

use std::time::Duration;

use crate::availability::Availability;
use crate::availability::AvailabilitySettings;
use crate::availability::CheckVerdict;
use crate::availability::ScheduleSettings;
use crate::availability::ScheduleSource;
use crate::availability::SourceError;
use crate::availability::Verdict;
use crate::clock::Clock;
use crate::domain::TenantName;

#[expect(clippy::disallowed_methods, reason = "these tests call nobody")]
pub(super) fn client() -> reqwest::Client {
    reqwest::Client::new()
}

fn availability(settings: AvailabilitySettings) -> Availability {
    Availability::new(&TenantName::new("acme"), settings, &client(), &Clock::system()).unwrap()
}

/// Nobody listens there.
fn dead_schedule(when_unknown: Verdict) -> AvailabilitySettings {
    AvailabilitySettings {
        schedule: Some(ScheduleSettings {
            source: ScheduleSource::Cluster {
                base_url: "http://127.0.0.1:9".parse().unwrap(),
                username: "acme".to_owned(),
                token: "token".into(),
            },
            schedule_id: None,
            by_queue: [("101".to_owned(), "122".to_owned())].into(),
            open_choices: Vec::new(),
            when_unknown,
            cache: Duration::from_secs(10),
        }),
        statistics: None,
    }
}

#[tokio::test]
async fn without_sources_nothing_is_known_and_nobody_is_asked() {
    let none = availability(AvailabilitySettings::default());
    let answer = none.of(Some("101")).await;
    assert_eq!((answer.available, answer.sources.len()), (Verdict::Unknown, 0));
    assert_eq!((none.wait("101").await, none.update_interval()), (None, None));
    let checks = none.check(None).await;
    assert!(checks.iter().all(|check| check.verdict == CheckVerdict::Skipped));
}

#[tokio::test]
async fn a_source_that_is_down_counts_as_the_settings_say() {
    for when_unknown in [Verdict::Yes, Verdict::No, Verdict::Unknown] {
        let answer = availability(dead_schedule(when_unknown)).of(Some("101")).await;
        assert_eq!((answer.open, answer.available), (Verdict::Unknown, when_unknown));
        assert_eq!(answer.sources[0].problem, Some(SourceError::Unreachable));
        assert_eq!(answer.sources[0].as_of, None);
    }
}

#[tokio::test]
async fn a_queue_without_a_schedule_does_not_count_it() {
    let availability = availability(dead_schedule(Verdict::No));
    let answer = availability.of(Some("102")).await;
    assert_eq!((answer.available, answer.sources.len()), (Verdict::Unknown, 0));
    let [schedule, statistics, agents] = availability.check(Some("101")).await;
    assert_eq!(
        (schedule.verdict, schedule.reason.as_str()),
        (
            CheckVerdict::Failed(SourceError::Unreachable),
            "8x8 could not be reached"
        )
    );
    assert_eq!(
        (statistics.verdict, agents.verdict),
        (CheckVerdict::Skipped, CheckVerdict::Skipped)
    );
    let [schedule, _, _] = availability.check(Some("102")).await;
    assert_eq!(schedule.verdict, CheckVerdict::Skipped);
}
