//! Signatures of callbacks after the Standard Webhooks specification: HMAC-SHA256 over `id.timestamp.body`.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::general_purpose::GeneralPurposeConfig;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use secrecy::SecretString;
use thiserror::Error;

const PREFIX: &str = "whsec_";

/// What the specification asks of a secret.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Written with or without its padding.
const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One secret shared with a bot. While it is being changed, a bot has two.
#[derive(Clone)]
pub struct SigningKey(hmac::Key);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SigningKeyError {
    #[error("must start with {PREFIX}")]
    Prefix,
    #[error("must be base64 after {PREFIX}")]
    Base64,
    #[error("must hold {} to {} bytes", KEY_BYTES.start(), KEY_BYTES.end())]
    Length,
}

impl SigningKey {
    /// Reads `whsec_<base64>`.
    pub fn parse(secret: &SecretString) -> Result<Self, SigningKeyError> {
        let text = secret.expose_secret().trim();
        let base64 = text.strip_prefix(PREFIX).ok_or(SigningKeyError::Prefix)?;
        let bytes = ANY_PADDING.decode(base64).map_err(|_text| SigningKeyError::Base64)?;
        if !KEY_BYTES.contains(&bytes.len()) {
            return Err(SigningKeyError::Length);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }
}

impl SigningKey {
    /// One that nobody shares.
    pub(crate) fn random() -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &rand::random::<[u8; 32]>()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// The value of `webhook-signature`: one signature for each key, in their order; `None` without keys.
pub(crate) fn signatures(keys: &[SigningKey], id: &str, seconds: &str, body: &[u8]) -> Option<String> {
    let mut value = String::with_capacity(keys.len() * 48);
    for key in keys {
        let mut context = hmac::Context::with_key(&key.0);
        for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
            context.update(part);
        }
        value.push_str(if value.is_empty() { "v1," } else { " v1," });
        STANDARD.encode_string(context.sign(), &mut value);
    }
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    fn key(secret: &str) -> Result<SigningKey, SigningKeyError> {
        SigningKey::parse(&SecretString::from(secret))
    }

    #[test]
    fn the_specifications_own_library_accepts_a_signature_with_either_secret() {
        // That library reads the time of the machine.
        let seconds = crate::clock::Clock::system().wall().as_seconds().to_string();
        let body = br#"{"text":"Gr\u00fc\u00dfe"}"#;
        let keys = [key(OLD).unwrap(), key(NEW).unwrap()];
        let mut headers = http::HeaderMap::new();
        headers.insert("webhook-id", "evt_1".parse().unwrap());
        headers.insert("webhook-timestamp", seconds.parse().unwrap());
        let value = signatures(&keys, "evt_1", &seconds, body).unwrap();
        headers.insert("webhook-signature", value.parse().unwrap());
        for secret in [OLD, NEW] {
            let bot = standardwebhooks::Webhook::new(secret).unwrap();
            bot.verify(body, &headers).unwrap();
            assert!(bot.verify(b"{}", &headers).is_err());
        }
        let stranger = standardwebhooks::Webhook::new("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        assert!(stranger.verify(body, &headers).is_err());
    }

    #[test]
    fn the_specifications_example_comes_out_to_the_byte() {
        let body = br#"{"test": 2432232314}"#;
        let value = signatures(&[key(OLD).unwrap()], "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(
            value.as_deref(),
            Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        );
        assert_eq!(signatures(&[], "a", "1", b""), None);
    }

    #[test]
    fn a_secret_must_have_its_prefix_and_a_fair_length() {
        assert!(key(&format!(" {OLD}\n")).is_ok());
        assert!(
            key("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").is_ok(),
            "without padding"
        );
        assert_eq!(key("secret").unwrap_err(), SigningKeyError::Prefix);
        assert_eq!(key("whsec_%%%").unwrap_err(), SigningKeyError::Base64);
        assert_eq!(key("whsec_").unwrap_err(), SigningKeyError::Length);
        assert_eq!(key("whsec_c2hvcnQ=").unwrap_err(), SigningKeyError::Length);
    }
}
