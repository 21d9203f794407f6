//! Fetches a file a bot names by its address: under the rules for callbacks, without redirects, and bounded in size, pauses
//! and time.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header;
use reqwest::Client;
use reqwest::Response;
use thiserror::Error;
use tokio::time::Instant;
use tokio::time::timeout_at;
use url::Url;

use crate::outbound::AddressPolicy;
use crate::outbound::CallbackUrlError;
use crate::outbound::OutboundError;
use crate::outbound::OutboundSettings;
use crate::outbound::RefusedAddress;
use crate::outbound::for_callbacks;

/// From connecting to the last byte.
const IN_ALL: Duration = Duration::from_secs(30);
/// Between two pieces, and before the first.
const PAUSE: Duration = Duration::from_secs(10);

/// What one bot's files may be fetched with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client,
    policy: AddressPolicy,
}

/// A file that is coming in.
#[derive(Debug)]
pub struct Fetched {
    response: Response,
    left: u64,
    until: Instant,
}

/// The end of a sentence that begins with the name of the field. Says nothing of addresses behind names.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FetchFault {
    #[error("{0}")]
    Url(CallbackUrlError),
    #[error("must not point to a private, local or reserved address")]
    RefusedAddress,
    #[error("could not be reached")]
    Unreachable,
    #[error("answered with status {0}, where only 200 will do")]
    Status(u16),
    #[error("did not answer in time")]
    TooSlow,
    #[error("is larger than {0} bytes, the limit of this tenant")]
    TooLarge(u64),
    #[error("broke off")]
    BrokeOff,
}

impl Fetcher {
    pub fn new(settings: &OutboundSettings, policy: AddressPolicy) -> Result<Self, OutboundError> {
        Ok(Self {
            client: for_callbacks(settings, &policy)?,
            policy,
        })
    }

    /// Checks what the address itself shows.
    pub fn check(&self, url: &str) -> Result<Url, CallbackUrlError> {
        let url = Url::parse(url.trim()).map_err(CallbackUrlError::Unreadable)?;
        self.policy.check(&url).map_err(CallbackUrlError::Fault)?;
        Ok(url)
    }

    pub async fn open(&self, url: &str, limit: u64) -> Result<Fetched, FetchFault> {
        let url = self.check(url).map_err(FetchFault::Url)?;
        let until = Instant::now() + IN_ALL;
        let asked = timeout_at(until.min(Instant::now() + PAUSE), self.client.get(url).send()).await;
        let response = asked
            .map_err(|_elapsed| FetchFault::TooSlow)?
            .map_err(|error| fault_of(&error))?;
        if response.status() != http::StatusCode::OK {
            return Err(FetchFault::Status(response.status().as_u16()));
        }
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(FetchFault::TooLarge(limit));
        }
        Ok(Fetched {
            response,
            left: limit,
            until,
        })
    }
}

impl Fetched {
    pub fn content_type(&self) -> Option<&str> {
        self.response.headers().get(header::CONTENT_TYPE)?.to_str().ok()
    }

    /// The next piece; `None` at the end. `limit` is only for the telling.
    pub async fn piece(&mut self, limit: u64) -> Result<Option<Bytes>, FetchFault> {
        let until = self.until.min(Instant::now() + PAUSE);
        let piece = timeout_at(until, self.response.chunk()).await;
        let piece = piece
            .map_err(|_elapsed| FetchFault::TooSlow)?
            .map_err(|_broken| FetchFault::BrokeOff)?;
        if let Some(piece) = &piece {
            let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            self.left = self.left.checked_sub(length).ok_or(FetchFault::TooLarge(limit))?;
        }
        Ok(piece)
    }
}

fn fault_of(error: &reqwest::Error) -> FetchFault {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if cause.is::<RefusedAddress>() {
            return FetchFault::RefusedAddress;
        }
        source = cause.source();
    }
    if error.is_timeout() && !error.is_connect() {
        FetchFault::TooSlow
    } else {
        FetchFault::Unreachable
    }
}
