//! Asks 8x8 for the figures of a queue, by whichever of its three APIs is configured.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use secrecy::SecretString;
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
use crate::availability::figures::Figures;
use crate::availability::token::Tokens;
use crate::clock::Clock;

/// For so long an old answer stands in when 8x8 cannot be asked.
pub(super) const USABLE: Duration = Duration::from_mins(2);

#[derive(Debug)]
pub(super) struct Statistics {
    pub(super) settings: StatisticsSettings,
    api: Api,
    cache: Cache<Figures>,
}

#[derive(Debug)]
enum Api {
    CcV1(Access),
    Cluster(Access),
    AnalyticsV5 { access: Access, tokens: Box<Tokens> },
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
                let cache = (format!("{name} token"), settings.cache, clock.clone());
                let tokens = Tokens::new(client.clone(), base_url, (client_id, client_secret), cache)?;
                Api::AnalyticsV5 {
                    access: Access::by_token(client, base_url, tenant)?,
                    tokens: Box::new(tokens),
                }
            }
        };
        Ok(Self {
            api,
            cache: Cache::new(name, settings.cache, clock),
            settings,
        })
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
            Api::AnalyticsV5 { access, tokens } => {
                let path = ["analytics", "cc", "v5", "realtime-metrics", "queues", queue];
                let mut url = access.url(&path)?;
                url.query_pairs_mut().append_pair("metrics", analytics::METRICS);
                analytics::read(&with_token(access, tokens, url).await?, queue)
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

/// A token may be withdrawn before its time: then there is one more try with a new one.
async fn with_token(access: &Access, tokens: &Tokens, url: Url) -> Result<Value, SourceError> {
    let token = tokens.token().await?;
    match bearing(access, url.clone(), &token).await {
        Err(SourceError::Credentials) => {
            tokens.refused(&token);
            let token = tokens.token().await?;
            let second = bearing(access, url, &token).await;
            if second == Err(SourceError::Credentials) {
                tokens.refused(&token);
            }
            second
        }
        other => other,
    }
}

async fn bearing(access: &Access, url: Url, token: &SecretString) -> Result<Value, SourceError> {
    access
        .ask(access.client.get(url).bearer_auth(token.expose_secret()))
        .await
}
