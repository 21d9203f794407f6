//! Secrets that stand beside the signature: in the address, or in headers someone in between adds. All are compared in
//! constant time, by their SHA-256.

use aws_lc_rs::constant_time;
use bytes::Bytes;
use http::HeaderMap;
use http::header;
use secrecy::ExposeSecret;
use secrecy::SecretString;

use crate::domain::AccountId;
use crate::domain::Timestamp;
use crate::webhook::error::VerifyError;
use crate::webhook::settings::Requirement;
use crate::webhook::settings::WebhookSettings;
use crate::webhook::signed::Signed;
use crate::webhook::signed::sha256;
use crate::webhook::signed_content::claimed_event_id;

const APP_TOKEN: &str = "x-app-token";

/// The secrets an address may end in.
#[derive(Clone, Debug)]
pub struct PathSecrets(Hashes);

impl PathSecrets {
    pub fn new(settings: &WebhookSettings) -> Self {
        Self(Hashes::of(&settings.path_secrets))
    }

    /// Without secrets only an address without one is right; with secrets only one that ends in one of them.
    pub fn admit(&self, given: Option<&str>) -> bool {
        match given {
            Some(given) => self.0.contain(given),
            None => self.0.0.is_empty(),
        }
    }
}

/// What is required besides the signature, or instead of it.
#[derive(Clone, Debug)]
pub struct SecondFactor {
    require: Vec<Requirement>,
    app_tokens: Hashes,
    bearers: Hashes,
}

impl SecondFactor {
    pub fn new(settings: &WebhookSettings) -> Self {
        Self {
            require: settings.require.clone(),
            app_tokens: Hashes::of(&settings.app_tokens),
            bearers: Hashes(settings.bearer_hashes.iter().map(|hash| hash.0).collect()),
        }
    }

    pub fn requires(&self, what: Requirement) -> bool {
        self.require.contains(&what)
    }

    /// Passes when it is not required.
    pub fn app_token(&self, headers: &HeaderMap) -> Result<(), VerifyError> {
        let given = || single(headers, APP_TOKEN).is_some_and(|token| self.app_tokens.contain(token));
        (!self.requires(Requirement::AppToken) || given())
            .then_some(())
            .ok_or(VerifyError::APP_TOKEN)
    }

    /// Passes when it is not required.
    pub fn bearer(&self, headers: &HeaderMap, issued: Issued) -> Result<(), VerifyError> {
        let configured = || bearer(headers).is_some_and(|token| self.bearers.contain(token));
        (!self.requires(Requirement::Bearer) || issued == Issued::Here || configured())
            .then_some(())
            .ok_or(VerifyError::BEARER)
    }

    /// The bearer token that is required and not one of the configured: whether it was issued here is for others to say.
    pub fn unknown_bearer<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let token = bearer(headers).filter(|_| self.requires(Requirement::Bearer))?;
        (!self.bearers.contain(token)).then_some(token)
    }

    /// Believes a webhook without looking at its signature, where a token was required instead and is there.
    pub fn vouch(
        &self,
        headers: &HeaderMap,
        body: Bytes,
        (account, issued): (AccountId, Issued),
        now: Timestamp,
    ) -> Result<Signed, VerifyError> {
        let by_token = self.requires(Requirement::AppToken) || self.requires(Requirement::Bearer);
        if self.requires(Requirement::Signature) || !by_token {
            return Err(VerifyError::SIGNATURE_REQUIRED);
        }
        self.app_token(headers)?;
        self.bearer(headers, issued)?;
        Ok(Signed::vouched(account, claimed_event_id(headers), body, now))
    }
}

/// Whether the token endpoint gave out the bearer token that came with a webhook, and it is still good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issued {
    Here,
    No,
}

/// The token of an `Authorization: Bearer` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = single(headers, header::AUTHORIZATION.as_str())?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[derive(Clone)]
struct Hashes(Vec<[u8; 32]>);

impl Hashes {
    fn of(secrets: &[SecretString]) -> Self {
        let hash = |secret: &SecretString| sha256(secret.expose_secret().as_bytes());
        Self(secrets.iter().map(hash).collect())
    }

    /// Looks at all of them, whichever it is.
    fn contain(&self, given: &str) -> bool {
        let given = sha256(given.as_bytes());
        let equal = |hash: &[u8; 32]| constant_time::verify_slices_are_equal(hash, &given).is_ok();
        self.0.iter().fold(false, |found, hash| found | equal(hash))
    }
}

impl std::fmt::Debug for Hashes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} hashes", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(require: &[Requirement]) -> WebhookSettings {
        WebhookSettings {
            require: require.to_vec(),
            app_tokens: vec![SecretString::from("old"), SecretString::from("new")],
            // The hash of "token".
            bearer_hashes: vec![
                "sha256:3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0"
                    .parse()
                    .unwrap(),
            ],
            ..WebhookSettings::default()
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn an_address_has_a_secret_exactly_when_the_tenant_has_one() {
        let none = PathSecrets::new(&WebhookSettings::default());
        assert!(none.admit(None));
        assert!(!none.admit(Some("")));
        assert!(!none.admit(Some("x")));
        let two = PathSecrets::new(&WebhookSettings {
            path_secrets: vec![SecretString::from("a"), SecretString::from("b")],
            ..WebhookSettings::default()
        });
        assert!(two.admit(Some("a")) && two.admit(Some("b")));
        assert!(!two.admit(None) && !two.admit(Some("c")) && !two.admit(Some("")));
    }

    #[test]
    fn tokens_are_asked_for_where_they_are_required() {
        let factor = SecondFactor::new(&settings(&[Requirement::AppToken, Requirement::Bearer]));
        let right = headers(&[("x-app-token", "new"), ("authorization", "bearer token")]);
        assert_eq!(
            (factor.app_token(&right), factor.bearer(&right, Issued::No)),
            (Ok(()), Ok(()))
        );
        assert_eq!(factor.unknown_bearer(&right), None);
        for wrong in [
            headers(&[]),
            headers(&[("x-app-token", "newer"), ("authorization", "Basic token")]),
            headers(&[
                ("x-app-token", "new"),
                ("x-app-token", "new"),
                ("authorization", "Bearer tokens"),
            ]),
        ] {
            assert_eq!(factor.app_token(&wrong), Err(VerifyError::APP_TOKEN));
            assert_eq!(factor.bearer(&wrong, Issued::No), Err(VerifyError::BEARER));
            assert_eq!(factor.bearer(&wrong, Issued::Here), Ok(()));
        }
        let other = headers(&[("authorization", "Bearer other")]);
        assert_eq!(factor.unknown_bearer(&other), Some("other"));
        let lax = SecondFactor::new(&settings(&[Requirement::Signature]));
        assert_eq!(
            (lax.app_token(&headers(&[])), lax.bearer(&headers(&[]), Issued::No)),
            (Ok(()), Ok(()))
        );
    }

    #[test]
    fn a_token_stands_for_a_signature_only_where_no_signature_is_required() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let vouch = |require: &[Requirement], pairs: &[(&'static str, &'static str)]| {
            let body = Bytes::from_static(b"{}");
            SecondFactor::new(&settings(require)).vouch(
                &headers(pairs),
                body,
                (AccountId::new("acme01"), Issued::No),
                now,
            )
        };
        let token = [("x-app-token", "new"), ("x-8x8-event-id", "e1")];
        assert_eq!(vouch(&[Requirement::AppToken], &token).unwrap().event_id(), "e1");
        assert_eq!(
            vouch(&[Requirement::AppToken], &token[..1]).unwrap().event_id(),
            "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
        assert_eq!(vouch(&[Requirement::AppToken], &[]), Err(VerifyError::APP_TOKEN));
        for require in [&[][..], &[Requirement::Signature, Requirement::AppToken]] {
            assert_eq!(vouch(require, &token), Err(VerifyError::SIGNATURE_REQUIRED));
        }
    }

    #[test]
    fn a_hash_is_64_digits_behind_its_name() {
        for wrong in [
            "",
            "sha256:",
            "sha256:ab",
            "md5:3c46",
            &format!("sha256:{}", "g".repeat(64)),
            &format!("sha256:{}", "é".repeat(32)),
        ] {
            assert!(wrong.parse::<crate::webhook::TokenHash>().is_err(), "{wrong}");
        }
        assert!("signature".parse::<Requirement>().is_ok() && "password".parse::<Requirement>().is_err());
    }
}
