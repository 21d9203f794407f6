//! Why a webhook was not believed.

use thiserror::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// Not from 8x8, or not for us, or not now. The code is coarse: it helps an operator and no one who guesses.
    #[error("not proven: {0}")]
    Unproven(&'static str),
    /// It may well be 8x8's; whoever sent it should try again.
    #[error("8x8's keys are not available")]
    KeysUnavailable,
}

impl VerifyError {
    pub(super) const MISSING_HEADER: Self = Self::Unproven("missing-header");
    pub(super) const MALFORMED_HEADER: Self = Self::Unproven("malformed-header");
    pub(super) const MALFORMED_SIGNATURE: Self = Self::Unproven("malformed-signature");
    pub(super) const STALE: Self = Self::Unproven("stale");
    pub(super) const OTHER_TENANT: Self = Self::Unproven("other-tenant");
    pub(super) const UNKNOWN_KEY: Self = Self::Unproven("unknown-key");
    pub(super) const BAD_SIGNATURE: Self = Self::Unproven("bad-signature");
    pub(super) const APP_TOKEN: Self = Self::Unproven("app-token");
    pub(super) const BEARER: Self = Self::Unproven("bearer");
    pub(super) const SIGNATURE_REQUIRED: Self = Self::Unproven("signature-required");
}
