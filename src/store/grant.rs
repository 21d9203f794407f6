//! What is kept of a log-in at the token endpoint: hashes, never tokens.

use crate::domain::TenantName;
use crate::domain::Timestamp;

/// One log-in, and what it gives access by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Part of all its tokens, so that they lead here.
    pub family: String,
    pub tenant: TenantName,
    /// Whom it was given to, as the settings were then: another password or client makes another holder.
    pub holder: [u8; 32],
    /// SHA-256 of the one refresh token that is good.
    pub refresh: [u8; 32],
    pub access: Access,
    /// The access token before the last exchange.
    pub previous: Option<Access>,
    /// After this nothing of it is good any more.
    pub expires_at: Timestamp,
}

/// An access token's SHA-256, and how long it is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub sha256: [u8; 32],
    pub until: Timestamp,
}

/// A refresh token for new tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub family: String,
    /// SHA-256 of the refresh token that was given.
    pub given: [u8; 32],
    pub refresh: [u8; 32],
    pub access: Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchanged {
    Done,
    /// The refresh token was exchanged before, so that somebody has it who should not: the grant is deleted.
    Revoked,
    Unknown,
}
