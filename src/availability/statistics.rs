//! Asks 8x8 for the figures of a queue, by whichever of its three APIs is configured.

use std::collections::HashMap;
use std::time::Duration;

use http::header;
use serde_json::Value;
use url::Url;

use crate::availability::SourceError;
use crate::availability::StatisticsSettings;
use crate::availability::StatisticsSource;
use crate::availability::UnusableAccess;
use crate::availability::access::Access;
use crate::availability::analytics;
use crate::availability::cache::Cache;
use crate::availability::cache::Fetched;
use crate::availability::cache::Got;
use crate::availability::cache::Known;
use crate::availability::cluster_stats;
use crate::availability::directory;
use crate::availability::directory::Directory;
use crate::availability::figures::Figures;
use crate::availability::token;
use crate::clock::Clock;
use crate::oauth::TokenSource;

/// For so long an old answer stands in when 8x8 cannot be asked.
pub(super) const USABLE: Duration = Duration::from_mins(2);

/// For one page of agents, or one token; who asks about a queue waits for neither so long.
const PAGE_LIMIT: Duration = Duration::from_secs(10);

const REALTIME: [&str; 4] = ["analytics", "cc", "v5", "realtime-metrics"];

#[derive(Debug)]
pub(super) struct Statistics {
    pub(super) settings: StatisticsSettings,
    api: Api,
    cache: Cache<Figures>,
    /// For the log.
    name: String,
    clock: Clock,
}

#[derive(Debug)]
enum Api {
    CcV1(Access),
    Cluster(Access),
    AnalyticsV5(Box<AnalyticsV5>),
}

#[derive(Debug)]
struct AnalyticsV5 {
    access: Access,
    tokens: TokenSource,
    agents: Directory,
    clock: Clock,
}

impl Statistics {
    pub(super) fn new(
        settings: StatisticsSettings,
        client: reqwest::Client,
        name: String,
        clock: Clock,
    ) -> Result<Self, UnusableAccess> {
        let api = match &settings.source {
            StatisticsSource::CcV1 {
                base_url,
                api_key,
                tenant,
            } => Api::CcV1(Access::by_key(client, base_url, api_key, tenant)?),
            StatisticsSource::Cluster {
                base_url,
                username,
                token,
            } => Api::Cluster(Access::basic(client, base_url, username, token)?),
            StatisticsSource::AnalyticsV5 {
                base_url,
                client_id,
                client_secret,
                tenant,
            } => {
                let grant = token::grant(base_url, client_id, client_secret);
                Api::AnalyticsV5(Box::new(AnalyticsV5 {
                    access: Access::by_token(client.clone(), base_url, tenant)?,
                    tokens: TokenSource::new(client, grant, PAGE_LIMIT),
                    agents: Directory::new(clock.clone()),
                    clock: clock.clone(),
                }))
            }
        };
        Ok(Self {
            api,
            cache: Cache::new(name.clone(), settings.cache, clock.clone()),
            name,
            clock,
            settings,
        })
    }

    /// `None` while it is not known, and for good where 8x8 is asked otherwise than by its analytics.
    pub(super) fn agent_name(&self, id: &str) -> Option<String> {
        match &self.api {
            Api::CcV1(_) | Api::Cluster(_) => None,
            Api::AnalyticsV5(api) => api.agents.name(id),
        }
    }

    /// Goes on for ever, where there is anything to do.
    pub(super) async fn keep_agent_names(&self) {
        let Api::AnalyticsV5(api) = &self.api else { return };
        loop {
            let asked_at = self.clock.now();
            match Box::pin(api.all_agents()).await {
                Ok(names) => api.agents.keep(names),
                Err(problem) => tracing::warn!(source = self.name, %problem, "8x8 does not say who the agents are"),
            }
            api.agents.until_due(asked_at).await;
        }
    }

    pub(super) async fn of_queue(&self, queue: &str) -> Known<Figures> {
        self.cache.get(queue, Box::pin(self.fetch(queue))).await
    }

    async fn fetch(&self, queue: &str) -> Fetched<Figures> {
        let figures = match &self.api {
            Api::CcV1(access) => {
                let url = access.url(&["cc", "v1", "stats", "rt", "queue", queue])?;
                cluster_stats::read(&access.get(url).await?, queue)
            }
            Api::Cluster(access) => {
                let file = format!("{queue}.json");
                let url = access.url(&["api", "rtstats", "stats", "queue", &file])?;
                cluster_stats::read(&access.get(url).await?, queue)
            }
            Api::AnalyticsV5(api) => {
                let metrics = [("metrics", analytics::METRICS)];
                let answer = api.get(&["queues", queue], &metrics).await?;
                analytics::read(&answer, queue)
            }
        };
        let value = figures.ok_or(SourceError::Unreadable)?;
        Ok(Got {
            value,
            fresh_for: self.settings.cache,
            usable_for: USABLE,
        })
    }
}

impl AnalyticsV5 {
    /// A token may be withdrawn before its time: then there is one more try with a new one.
    async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, SourceError> {
        let mut url = self.access.url(&[&REALTIME, path].concat())?;
        url.query_pairs_mut().extend_pairs(query);
        match self.bearing(url.clone()).await {
            Err(SourceError::Credentials) => self.bearing(url).await,
            other => other,
        }
    }

    async fn bearing(&self, url: Url) -> Result<Value, SourceError> {
        let token = self.tokens.authorization(self.clock.now()).await?;
        let request = self.access.client.get(url).header(header::AUTHORIZATION, token.clone());
        let answer = self.access.ask(request).await;
        if answer == Err(SourceError::Credentials) {
            self.tokens.reject(&token, self.clock.now());
        }
        answer
    }

    async fn all_agents(&self) -> Result<HashMap<String, String>, SourceError> {
        let mut names = HashMap::new();
        let size = directory::PAGE.to_string();
        for page in 0..directory::MOST_PAGES {
            let query = [("summary", "true"), ("size", &size), ("page", &page.to_string())];
            let answer = tokio::time::timeout(PAGE_LIMIT, self.get(&["agents"], &query)).await;
            let agents = directory::read(&answer.unwrap_or(Err(SourceError::TimedOut))?);
            let is_last = agents.len() < directory::PAGE;
            names.extend(agents);
            if is_last {
                break;
            }
        }
        Ok(names)
    }
}
