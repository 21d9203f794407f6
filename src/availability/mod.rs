//! Is the contact centre open, are agents there, how long is the wait: asked of 8x8's schedules and real-time statistics,
//! which are other APIs than the Chat Gateway, with credentials of their own. Answers are kept for some seconds.

mod service;

mod answer;
mod check;
mod schedule;
mod statistics;

mod agents_count;
mod analytics;
mod cluster_stats;
mod directory;
mod figures;
mod schedule_status;

mod access;
mod cache;
mod error;
mod number;
mod settings;
mod token;

pub use agents_count::AgentsCount;
pub use answer::AvailabilityAnswer;
pub use answer::SourceSeen;
pub use answer::Verdict;
pub use check::Check;
pub use check::CheckVerdict;
pub use error::SourceError;
pub use error::UnusableAccess;
pub use service::Availability;
pub use service::Wait;
pub use settings::AvailabilitySettings;
pub use settings::ScheduleSettings;
pub use settings::ScheduleSource;
pub use settings::StatisticsSettings;
pub use settings::StatisticsSource;

#[cfg(test)]
mod tests;
