//! Why a webhook was not believed.

use thiserror::Error;

use crate::domain::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// Not from 8x8, or not for us, or not now. The code is coarse: it helps an operator and no one who guesses.
    #[error("not proven: {0}")]
    Unproven(&'static str),
    /// It is 8x8's, and seems to have been sent at another time: too long ago, or in the future.
    #[error("well signed, but of another time")]
    Untimely(Timestamp),
    /// It may well be 8x8's; whoever sent it should try again.
    #[error("8x8's keys are not available")]
    KeysUnavailable,
    /// Likewise: whether its bearer token was issued here cannot be looked up now.
    #[error("the issued tokens are not available")]
    TokensUnavailable,
}

impl VerifyError {
    /// All of them, and what whoever runs the gateway, or what stands in front of it, should look at.
    pub const CODES: &[(&str, &str)] = &[
        (
            "missing-header",
            "a header of 8x8's is missing: check that nothing on the way drops `x-8x8-*`",
        ),
        (
            "malformed-header",
            "a header of 8x8's is unreadable or there twice: check that nothing on the way changes `x-8x8-*`",
        ),
        (
            "malformed-signature",
            "the signature is not one of 8x8's form: check that nothing on the way changes `x-8x8-signature`",
        ),
        (
            "stale",
            "it was sent too long ago, or in the future: check the gateway's clock, and what holds requests back",
        ),
        (
            "other-tenant",
            "the tenant it is signed for is not the one of this address: check `tenant_id` and the webhook's address",
        ),
        (
            "unknown-key",
            "8x8 knows no such signature key: check `base_url`, and `webhook.jwk_fallback_url`",
        ),
        (
            "bad-signature",
            "the signature does not fit: check that nothing on the way changes the body",
        ),
        (
            "app-token",
            "`x-app-token` is missing or not known: check `webhook.app_tokens`, and who adds the header",
        ),
        (
            "bearer",
            "the bearer token is missing or not known: check `webhook.bearer_hashes`, and who adds the header",
        ),
        (
            "signature-required",
            "there is nothing that could prove it: check `webhook.require`",
        ),
    ];

    pub(super) const MISSING_HEADER: Self = Self::Unproven("missing-header");
    pub(super) const MALFORMED_HEADER: Self = Self::Unproven("malformed-header");
    pub(super) const MALFORMED_SIGNATURE: Self = Self::Unproven("malformed-signature");
    /// In the place of [`VerifyError::Untimely`], for whoever sent it.
    pub const STALE_CODE: &str = "stale";
    pub(super) const STALE: Self = Self::Unproven(Self::STALE_CODE);
    pub(super) const OTHER_TENANT: Self = Self::Unproven("other-tenant");
    pub(super) const UNKNOWN_KEY: Self = Self::Unproven("unknown-key");
    pub(super) const BAD_SIGNATURE: Self = Self::Unproven("bad-signature");
    pub(super) const APP_TOKEN: Self = Self::Unproven("app-token");
    pub(super) const BEARER: Self = Self::Unproven("bearer");
    pub(super) const SIGNATURE_REQUIRED: Self = Self::Unproven("signature-required");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_says_what_to_look_at() {
        for error in [
            VerifyError::MISSING_HEADER,
            VerifyError::MALFORMED_HEADER,
            VerifyError::MALFORMED_SIGNATURE,
            VerifyError::STALE,
            VerifyError::OTHER_TENANT,
            VerifyError::UNKNOWN_KEY,
            VerifyError::BAD_SIGNATURE,
            VerifyError::APP_TOKEN,
            VerifyError::BEARER,
            VerifyError::SIGNATURE_REQUIRED,
        ] {
            let VerifyError::Unproven(code) = error else {
                panic!("{error}")
            };
            assert!(VerifyError::CODES.iter().any(|(known, _)| *known == code), "{code}");
        }
    }
}
