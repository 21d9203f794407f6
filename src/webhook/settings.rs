//! How strictly one tenant's webhooks are looked at. Reading it from configuration is for `settings`.

use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use thiserror::Error;

#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// All of these, not one of them.
    pub require: Vec<Requirement>,
    /// How old a transmission may be.
    pub max_age: Duration,
    /// When there are any, the address must end in one of them.
    pub path_secrets: Vec<SecretString>,
    pub app_tokens: Vec<SecretString>,
    pub bearer_hashes: Vec<TokenHash>,
    /// Whether 8x8's own headers are kept with the body, for a bot that gets both as they came.
    pub keeps_headers: bool,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            require: vec![Requirement::Signature],
            max_age: Duration::from_mins(5),
            path_secrets: Vec::new(),
            app_tokens: Vec::new(),
            bearer_hashes: Vec::new(),
            keeps_headers: false,
        }
    }
}

/// What a webhook is proven by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// 8x8's own.
    Signature,
    /// `x-app-token`, added on the way.
    AppToken,
    /// `Authorization: Bearer`, added on the way.
    Bearer,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WebhookSettingError {
    #[error("`{0}` is not one of signature, app_token, bearer")]
    Requirement(String),
    #[error("not of the form sha256:<64 hex digits>")]
    TokenHash,
}

impl FromStr for Requirement {
    type Err = WebhookSettingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "signature" => Ok(Self::Signature),
            "app_token" => Ok(Self::AppToken),
            "bearer" => Ok(Self::Bearer),
            other => Err(WebhookSettingError::Requirement(other.to_owned())),
        }
    }
}

/// The SHA-256 of a token, written `sha256:<hex>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenHash(pub(super) [u8; 32]);

impl From<[u8; 32]> for TokenHash {
    fn from(hash: [u8; 32]) -> Self {
        Self(hash)
    }
}

impl FromStr for TokenHash {
    type Err = WebhookSettingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text
            .trim()
            .strip_prefix("sha256:")
            .ok_or(WebhookSettingError::TokenHash)?;
        let mut hash = [0; 32];
        if hex.len() != 2 * hash.len() || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(WebhookSettingError::TokenHash);
        }
        for (byte, at) in hash.iter_mut().zip((0..).step_by(2)) {
            let digits = hex.get(at..at + 2).ok_or(WebhookSettingError::TokenHash)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_not_hex| WebhookSettingError::TokenHash)?;
        }
        Ok(Self(hash))
    }
}
