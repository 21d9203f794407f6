//! What 8x8 posts to us: proven by its signature over the bytes as received, then read in either of its dialects. Knows
//! nothing of handovers.

mod clock_health;
mod decode;
mod error;
mod fingerprint;
mod jws;
mod password;
mod second_factor;
mod settings;
mod signed;
mod signed_content;
#[cfg(test)]
mod tests;
mod verifier;
mod wire;

pub use clock_health::ClockHealth;
pub use decode::Decoded;
pub use decode::decode;
pub use decode::decode_kept;
pub use decode::is_hello;
pub use error::VerifyError;
pub use jws::DetachedJws;
pub use password::PasswordHash;
pub use password::PasswordHashError;
pub use second_factor::Issued;
pub use second_factor::PathSecrets;
pub use second_factor::SecondFactor;
pub use settings::Requirement;
pub use settings::TokenHash;
pub use settings::WebhookSettingError;
pub use settings::WebhookSettings;
pub use signed::Signed;
pub use signed_content::claimed_account;
pub use signed_content::passed_headers;
pub use verifier::Verifier;
