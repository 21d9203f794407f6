//! Why a source has no answer, in words that may be shown to a bot: no address, no secret, nothing 8x8 wrote.

use std::time::Duration;

use thiserror::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    #[error("8x8 could not be reached")]
    Unreachable,
    #[error("8x8 did not answer in time")]
    TimedOut,
    #[error("8x8 refused the credentials")]
    Credentials,
    #[error("8x8 refused access: the credentials are not for this tenant, or lack the API product")]
    Forbidden,
    #[error("8x8 does not know the schedule or queue")]
    NotFound,
    #[error("8x8 limits the rate of calls")]
    Throttled { after: Option<Duration> },
    #[error("8x8 answered {0}")]
    Status(u16),
    #[error("8x8's answer could not be read")]
    Unreadable,
    #[error("no queue is named, neither here nor in the configuration")]
    NoQueue,
}

/// A setting that reads well and still cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnusableAccess {
    #[error("base_url is not an http or https address")]
    BaseUrl,
    #[error("the credentials cannot be sent in a header")]
    Credentials,
}
