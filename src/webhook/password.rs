//! Passwords of those who fetch tokens: kept as argon2id hashes in the PHC form, and slow to check on purpose.

use std::fmt;
use std::str::FromStr;

use argon2::Argon2;
use argon2::PasswordHasher as _;
use argon2::PasswordVerifier as _;
use argon2::password_hash::phc;
use secrecy::ExposeSecret;
use secrecy::SecretString;
use thiserror::Error;

/// What one check may cost, so that a hash from elsewhere cannot stop the gateway: in KiB, and in KiB times passes.
const MOST_MEMORY: u32 = 256 * 1024;
const MOST_WORK: u32 = 1024 * 1024;
/// Less is too cheap to guess.
const LEAST_WORK: u32 = 8 * 1024;

/// An argon2id hash, such as `$argon2id$v=19$m=19456,t=2,p=1$…$…`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(phc::PasswordHash);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PasswordHashError {
    #[error("must be an argon2id hash, `$argon2id$v=19$…` (make one with `handover-gateway keys new password`)")]
    Form,
    #[error("must take at most 256 MiB and 1 GiB of passes to check")]
    TooDear,
    #[error("is too cheap to guess: make one with at least m=8192 and t=1")]
    TooCheap,
}

impl PasswordHash {
    /// With the parameters OWASP advises: 19 MiB, two passes.
    pub fn of(password: &SecretString, salt: &[u8; 16]) -> Option<Self> {
        let hash = Argon2::default().hash_password_with_salt(password.expose_secret().as_bytes(), salt);
        hash.ok().map(Self)
    }

    /// Takes tens of milliseconds and as many megabytes as the hash says; not for a thread that others wait for.
    pub fn admits(&self, password: &SecretString) -> bool {
        let password = password.expose_secret().as_bytes();
        Argon2::default().verify_password(password, &self.0).is_ok()
    }
}

impl FromStr for PasswordHash {
    type Err = PasswordHashError;

    fn from_str(text: &str) -> Result<Self, PasswordHashError> {
        let hash = phc::PasswordHash::new(text.trim()).map_err(|_why| PasswordHashError::Form)?;
        let params = argon2::Params::try_from(&hash).map_err(|_why| PasswordHashError::Form)?;
        let is_whole = hash.salt.is_some() && hash.hash.is_some();
        if hash.algorithm.as_str() != "argon2id" || !is_whole {
            return Err(PasswordHashError::Form);
        }
        let work = params.m_cost().saturating_mul(params.t_cost());
        if params.m_cost() > MOST_MEMORY || work > MOST_WORK {
            return Err(PasswordHashError::TooDear);
        }
        if work < LEAST_WORK {
            return Err(PasswordHashError::TooCheap);
        }
        Ok(Self(hash))
    }
}

/// The setting it goes into.
impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All but the hash itself.
    const CHEAP: &str = "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHQxMjM0$";

    fn fault(text: &str) -> Option<PasswordHashError> {
        text.parse::<PasswordHash>().err()
    }

    #[test]
    fn a_password_is_admitted_by_its_own_hash_only_also_after_it_was_written_down() {
        let (right, wrong) = (SecretString::from("correct horse"), SecretString::from("correct horsf"));
        let hash = PasswordHash::of(&right, &[7; 16]).unwrap();
        let read: PasswordHash = format!(" {hash}\n").parse().unwrap();
        assert!(
            hash.to_string().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(read == hash && read.admits(&right) && !read.admits(&wrong));
        assert_ne!(PasswordHash::of(&right, &[8; 16]).unwrap(), hash, "the salt counts");
        assert_eq!(format!("{hash:?}"), "PasswordHash");
    }

    #[test]
    fn other_forms_and_prices_beyond_the_bounds_are_refused() {
        let output = "c2l4dGVlbiBieXRlcyBvciBtb3JlIGFyZSBhIGhhc2g";
        assert_eq!(fault(&format!("{CHEAP}{output}")), None);
        for text in ["", "secret", CHEAP, "sha256:00", &CHEAP.replace("argon2id", "argon2i")] {
            assert_eq!(fault(text), Some(PasswordHashError::Form), "{text}");
        }
        let argon2i = format!("{CHEAP}{output}").replace("argon2id", "argon2i");
        assert_eq!(fault(&argon2i), Some(PasswordHashError::Form));
        let priced = |params: &str| fault(&format!("{CHEAP}{output}").replace("m=8192,t=1", params));
        assert_eq!(priced("m=524288,t=1"), Some(PasswordHashError::TooDear));
        assert_eq!(priced("m=65536,t=1000"), Some(PasswordHashError::TooDear));
        assert_eq!(priced("m=64,t=1"), Some(PasswordHashError::TooCheap));
    }
}
