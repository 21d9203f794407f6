//! Asks 8x8 whether a schedule is open now.

use crate::availability::ScheduleSettings;
use crate::availability::ScheduleSource;
use crate::availability::SourceError;
use crate::availability::UnusableAccess;
use crate::availability::access::Access;
use crate::availability::cache::Cache;
use crate::availability::cache::Fetched;
use crate::availability::cache::Got;
use crate::availability::cache::Known;
use crate::availability::schedule_status::ScheduleStatus;
use crate::availability::statistics::USABLE;
use crate::clock::Clock;

#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) settings: ScheduleSettings,
    access: Access,
    cache: Cache<ScheduleStatus>,
}

impl Schedule {
    pub(super) fn new(
        settings: ScheduleSettings,
        client: reqwest::Client,
        name: String,
        clock: Clock,
    ) -> Result<Self, UnusableAccess> {
        let access = match &settings.source {
            ScheduleSource::CcV1 {
                base_url,
                api_key,
                tenant,
            } => Access::by_key(client, base_url, api_key, tenant),
            ScheduleSource::Cluster {
                base_url,
                username,
                token,
            } => Access::basic(client, base_url, username, token),
        }?;
        Ok(Self {
            access,
            cache: Cache::new(name, settings.cache, clock),
            settings,
        })
    }

    /// `None` for a queue that no schedule is configured for.
    pub(super) fn id_for(&self, queue: Option<&str>) -> Option<&str> {
        let own = queue.and_then(|queue| self.settings.by_queue.get(queue));
        own.or(self.settings.schedule_id.as_ref()).map(String::as_str)
    }

    pub(super) async fn status(&self, id: &str) -> Known<ScheduleStatus> {
        self.cache.get(id, Box::pin(self.fetch(id))).await
    }

    async fn fetch(&self, id: &str) -> Fetched<ScheduleStatus> {
        let url = match self.settings.source {
            ScheduleSource::CcV1 { .. } => self.access.url(&["cc", "v1", "schedules", id, "status"]),
            // A schedule's name does in place of its id.
            ScheduleSource::Cluster { .. } => self
                .access
                .url(&["api", "provisioning", "schedules", id, "status.json"]),
        }?;
        let answer = self.access.get(url).await?;
        let value = ScheduleStatus::read(&answer).ok_or(SourceError::Unreadable)?;
        Ok(Got {
            value,
            fresh_for: self.settings.cache,
            usable_for: USABLE,
        })
    }
}
