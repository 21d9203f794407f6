//! 8x8's webhook signature: a JWS with detached payload over the CRC-32 of the body and the transmission headers.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ids;

/// An RSA-2048 key and its id.
pub struct Signer {
    kid: String,
    key: KeyPair,
}

/// What a signature binds besides the body.
#[derive(Clone, Copy, Debug)]
pub struct SignedHeaders<'a> {
    pub event_id: &'a str,
    pub tenant_id: &'a str,
    pub customer_id: &'a str,
    pub retry: u32,
    pub transmission_time_ms: i64,
}

/// The key could not be made or could not sign.
#[derive(Debug, thiserror::Error)]
#[error("RSA operation failed")]
pub struct SignerError;

/// Parts of a signature that are made wrong on purpose. They are signed as they stand.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignOverrides {
    alg: Option<String>,
    kid: Option<String>,
    b64: Option<Value>,
    crit: Option<Value>,
    tid: Option<String>,
    cid: Option<String>,
    tt: Option<i64>,
    retry: Option<u32>,
}

impl Signer {
    pub fn generate() -> Result<Self, SignerError> {
        let key = KeyPair::generate(KeySize::Rsa2048).map_err(refused)?;
        Ok(Self { kid: ids::token(), key })
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key as `GET /chat-gateway/v1/jwk/{kid}/public` answers it.
    pub fn jwk(&self) -> Value {
        let (modulus, exponent) = modulus_and_exponent(self.key.public_key().as_ref()).unwrap_or_default();
        json!({
            "kty": "RSA",
            "e": URL_SAFE_NO_PAD.encode(exponent),
            "kid": self.kid,
            "n": URL_SAFE_NO_PAD.encode(modulus),
        })
    }

    /// The six `x-8x8-*` headers for one attempt at delivering `body`.
    pub fn sign(&self, body: &[u8], headers: SignedHeaders<'_>) -> Result<Vec<(&'static str, String)>, SignerError> {
        self.sign_as(body, headers, &SignOverrides::default())
    }

    pub(crate) fn sign_as(
        &self,
        body: &[u8],
        headers: SignedHeaders<'_>,
        overrides: &SignOverrides,
    ) -> Result<Vec<(&'static str, String)>, SignerError> {
        let headers = overrides.apply(headers);
        let protected = URL_SAFE_NO_PAD.encode(self.protected_header(overrides));
        let input = format!("{protected}.{}", payload(body, headers));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                input.as_bytes(),
                &mut signature,
            )
            .map_err(refused)?;
        Ok(vec![
            (
                "x-8x8-signature",
                format!("{protected}..{}", URL_SAFE_NO_PAD.encode(signature)),
            ),
            ("x-8x8-transmission-time", headers.transmission_time_ms.to_string()),
            ("x-8x8-retry", headers.retry.to_string()),
            ("x-8x8-event-id", headers.event_id.to_owned()),
            ("x-8x8-tenant-id", headers.tenant_id.to_owned()),
            ("x-8x8-customer-id", headers.customer_id.to_owned()),
        ])
    }

    /// In the order of 8x8's own sample, which a sorted JSON map would not keep.
    fn protected_header(&self, overrides: &SignOverrides) -> String {
        let b64 = overrides.b64.clone().unwrap_or(Value::Bool(false));
        let crit = overrides.crit.clone().unwrap_or_else(|| json!(["b64"]));
        let kid = Value::from(overrides.kid.as_deref().unwrap_or(&self.kid));
        let alg = Value::from(overrides.alg.as_deref().unwrap_or("RS256"));
        format!(r#"{{"b64":{b64},"crit":{crit},"kid":{kid},"alg":{alg}}}"#)
    }
}

impl SignOverrides {
    fn apply<'a>(&'a self, headers: SignedHeaders<'a>) -> SignedHeaders<'a> {
        SignedHeaders {
            event_id: headers.event_id,
            tenant_id: self.tid.as_deref().unwrap_or(headers.tenant_id),
            customer_id: self.cid.as_deref().unwrap_or(headers.customer_id),
            retry: self.retry.unwrap_or(headers.retry),
            transmission_time_ms: self.tt.unwrap_or(headers.transmission_time_ms),
        }
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// The signing key in force, and every key there has been: an old signature must still find its key.
pub(crate) struct Keys {
    all: Mutex<Vec<Arc<Signer>>>,
}

impl Keys {
    pub(crate) fn new(first: Signer) -> Self {
        Self {
            all: Mutex::new(vec![Arc::new(first)]),
        }
    }

    pub(crate) fn rotate(&self, next: Signer) {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::new(next));
    }

    pub(crate) fn current(&self) -> Result<Arc<Signer>, SignerError> {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .last()
            .cloned()
            .ok_or(SignerError)
    }

    pub(crate) fn find(&self, kid: &str) -> Option<Arc<Signer>> {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .find(|key| key.kid == kid)
            .cloned()
    }
}

fn payload(body: &[u8], headers: SignedHeaders<'_>) -> String {
    format!(
        r#"{{"checksum":{},"cid":{},"eid":{},"retry":{},"tid":{},"tt":{}}}"#,
        crc32fast::hash(body),
        Value::from(headers.customer_id),
        Value::from(headers.event_id),
        headers.retry,
        Value::from(headers.tenant_id),
        headers.transmission_time_ms,
    )
}

fn refused(_: Unspecified) -> SignerError {
    SignerError
}

/// Reads an `RSAPublicKey` (RFC 8017 A.1.1): a sequence of two integers.
fn modulus_and_exponent(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (sequence, _) = element(der, 0x30)?;
    let (modulus, rest) = element(sequence, 0x02)?;
    let (exponent, _) = element(rest, 0x02)?;
    Some((unsigned(modulus), unsigned(exponent)))
}

fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, der) = der.split_first()?;
    let (&length, der) = der.split_first()?;
    if first != tag {
        return None;
    }
    let (length, der) = if length < 0x80 {
        (usize::from(length), der)
    } else {
        let (digits, der) = der.split_at_checked(usize::from(length & 0x7f))?;
        let add = |sum: usize, &digit: &u8| sum.checked_mul(256)?.checked_add(digit.into());
        (digits.iter().try_fold(0, add)?, der)
    };
    der.split_at_checked(length)
}

fn unsigned(integer: &[u8]) -> Vec<u8> {
    integer.iter().copied().skip_while(|&byte| byte == 0).collect()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::PublicKeyComponents;
    use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;

    use super::*;

    const HEADERS: SignedHeaders<'_> = SignedHeaders {
        event_id: "9jIczlQm7mbIVzgpIp-Oxw",
        tenant_id: "tenant01",
        customer_id: "customer01",
        retry: 2,
        transmission_time_ms: 1_713_100_000_294,
    };

    fn verifies(jwk: &Value, body: &[u8], headers: SignedHeaders<'_>, signature: &str) -> bool {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let key = PublicKeyComponents {
            n: decode(jwk["n"].as_str().unwrap()),
            e: decode(jwk["e"].as_str().unwrap()),
        };
        let (protected, signature) = signature.split_once("..").unwrap();
        let input = format!("{protected}.{}", payload(body, headers));
        key.verify(&RSA_PKCS1_2048_8192_SHA256, input.as_bytes(), &decode(signature))
            .is_ok()
    }

    #[test]
    fn the_published_key_verifies_the_signature() {
        let signer = Signer::generate().unwrap();
        let body = br#"{"eventType":"TRANSFER"}"#;
        let headers = signer.sign(body, HEADERS).unwrap();
        assert!(verifies(&signer.jwk(), body, HEADERS, &headers[0].1));
        assert!(!verifies(&signer.jwk(), b"{}", HEADERS, &headers[0].1));
        assert!(!verifies(
            &signer.jwk(),
            body,
            SignedHeaders { retry: 3, ..HEADERS },
            &headers[0].1
        ));
    }

    #[test]
    fn the_protected_header_reads_as_in_the_sample() {
        let signer = Signer::generate().unwrap();
        let headers = signer.sign(b"{}", HEADERS).unwrap();
        let (protected, _) = headers[0].1.split_once("..").unwrap();
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(protected).unwrap()).unwrap();
        assert_eq!(
            text,
            format!(
                r#"{{"b64":false,"crit":["b64"],"kid":"{}","alg":"RS256"}}"#,
                signer.kid()
            )
        );
    }

    #[test]
    fn the_signed_text_is_compact_and_ordered() {
        assert_eq!(
            payload(b"123456789", HEADERS),
            r#"{"checksum":3421780262,"cid":"customer01","eid":"9jIczlQm7mbIVzgpIp-Oxw","retry":2,"tid":"tenant01","tt":1713100000294}"#
        );
    }

    #[test]
    fn rotated_keys_stay_published() {
        let keys = Keys::new(Signer::generate().unwrap());
        let first = keys.current().unwrap().kid().to_owned();
        keys.rotate(Signer::generate().unwrap());
        assert_ne!(keys.current().unwrap().kid(), first);
        assert!(keys.find(&first).is_some());
    }
}
