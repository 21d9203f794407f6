//! What a caller can do about a call 8x8 did not carry out. No text of 8x8's and no key appears in what these print.

use std::time::Duration;

use thiserror::Error;

#[derive(Debug, Error)]
pub enum ChatGatewayError {
    /// Provably unsent (name, connection, TLS): the call may be repeated.
    #[error("8x8 could not be reached")]
    NotSent(#[source] reqwest::Error),
    /// Nobody knows whether 8x8 took it: resolve by reading, do not repeat what is not repeatable.
    #[error("8x8 gave no usable answer")]
    Unanswered(#[source] Silence),
    /// Not taken, by 8x8 or by our own pace towards it; ask again after this time, or after one's own back-off.
    #[error("8x8 asks to slow down, or rate_limit left no turn")]
    Throttled { after: Option<Duration> },
    /// Not taken, and repeating it unchanged will not help.
    #[error("8x8 refused with status {}", .0.status)]
    Refused(Refusal),
}

/// How an answer failed to come.
#[derive(Debug, Error)]
pub enum Silence {
    #[error("the call took too long")]
    TimedOut,
    #[error("the connection broke")]
    Broken(#[source] reqwest::Error),
    #[error("status {0}")]
    Status(u16),
    #[error("the answer could not be read")]
    Unreadable,
}

/// 8x8's words are for the bot and the operator; they are not repeated in `Display`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: Option<String>,
    pub message: Option<String>,
    /// What 8x8's support asks for.
    pub reference_id: Option<String>,
    pub fault: Fault,
}

/// Whose business a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What the bot gave: an unknown queue, a malformed text.
    BotData,
    /// The key or the tenant as configured here.
    Credentials,
    /// The conversation, or what was asked for in it, does not exist.
    NotFound,
    Other,
}

impl Refusal {
    /// Whether 8x8's words have this in them; lower case.
    pub(super) fn is_about(&self, word: &str) -> bool {
        let texts = [&self.code, &self.message];
        texts
            .into_iter()
            .flatten()
            .any(|text| text.to_lowercase().contains(word))
    }
}

impl Fault {
    pub(super) const fn of(status: u16) -> Self {
        match status {
            400 | 413 | 422 => Self::BotData,
            401 | 403 => Self::Credentials,
            404 => Self::NotFound,
            _ => Self::Other,
        }
    }
}

impl ChatGatewayError {
    pub(super) fn transport(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_connect() || error.is_builder() {
            Self::NotSent(error)
        } else if error.is_timeout() {
            Self::Unanswered(Silence::TimedOut)
        } else {
            Self::Unanswered(Silence::Broken(error))
        }
    }

    /// 8x8's answer does not say that it did what was asked.
    pub const fn unreadable() -> Self {
        Self::Unanswered(Silence::Unreadable)
    }

    /// What was asked for is nothing that 8x8 could know.
    pub fn unknown() -> Self {
        Self::Refused(Refusal {
            status: 404,
            code: None,
            message: None,
            reference_id: None,
            fault: Fault::NotFound,
        })
    }

    /// What broke off before the end of a file was sent, cannot have been taken.
    #[must_use]
    pub fn before_the_end(self) -> Self {
        match self {
            Self::Unanswered(Silence::Broken(error)) => Self::NotSent(error),
            error => error,
        }
    }

    /// 8x8 does not have it, and the same call may be made again.
    pub fn is_provably_unsent(&self) -> bool {
        matches!(self, Self::NotSent(_) | Self::Throttled { .. })
    }

    /// How long 8x8 asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { after } => *after,
            Self::NotSent(_) | Self::Unanswered(_) | Self::Refused(_) => None,
        }
    }

    /// 8x8 does not know the conversation.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.fault == Fault::NotFound)
    }

    /// 8x8 has what it was asked to make. Its code for that says less than its words.
    pub fn says_it_exists(&self) -> bool {
        let says = |refusal: &Refusal| {
            let text = refusal.message.as_deref().unwrap_or_default().to_lowercase();
            matches!(refusal.status, 400 | 409) && text.contains("already")
        };
        matches!(self, Self::Refused(refusal) if says(refusal))
    }

    /// Whether 8x8 does not know the method, which says that it did nothing.
    pub(super) fn is_no_method(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 405)
    }

    /// Whether this is the refusal of a request 8x8 did not understand.
    pub(super) fn is_bad_request(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 400)
    }
}
