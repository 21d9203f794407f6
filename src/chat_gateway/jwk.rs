//! One public key of 8x8's: read from a JWK, kept parsed, asked whether it signed something.

use std::fmt;

use aws_lc_rs::signature::ParsedPublicKey;
use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
use aws_lc_rs::signature::RsaPublicKeyComponents;
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::GeneralPurposeConfig;
use serde::Deserialize;

/// A larger key would make every check slow for nothing; a smaller one proves too little.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
const LONGEST_EXPONENT: usize = 4;

/// Padded or not: some encoders do.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An RSA key for RS256.
pub struct PublicKey(ParsedPublicKey);

impl PublicKey {
    /// Whether this key's owner signed exactly `message`: RSASSA-PKCS1-v1_5 with SHA-256.
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }

    /// `None` for anything but an RSA signing key of a sensible size, named `key_id` if it is named at all.
    pub(super) fn from_jwk(json: &[u8], key_id: &str) -> Option<Self> {
        let jwk = Jwk::read(json)?;
        let odd = |other: Option<String>, expected: &str| other.is_some_and(|other| other != expected);
        if jwk.kty != "RSA" || odd(jwk.kid, key_id) || odd(jwk.alg, "RS256") || odd(jwk.key_use, "sig") {
            return None;
        }
        let modulus = BASE64.decode(jwk.n).ok()?;
        let exponent = BASE64.decode(jwk.e).ok()?;
        let (modulus, exponent) = (without_leading_zeros(&modulus), without_leading_zeros(&exponent));
        let odd_and_not_one = exponent.last().is_some_and(|last| last % 2 == 1) && exponent != [1];
        if !MODULUS_BITS.contains(&bits(modulus)) || exponent.len() > LONGEST_EXPONENT || !odd_and_not_one {
            return None;
        }
        RsaPublicKeyComponents {
            n: modulus,
            e: exponent,
        }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .ok()
        .map(Self)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey")
    }
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    n: String,
    e: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    key_use: Option<String>,
}

impl Jwk {
    /// 8x8's schema calls the answer a string and its example shows an object: either will do.
    fn read(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().or_else(|| {
            let text: String = serde_json::from_slice(json).ok()?;
            serde_json::from_str(&text).ok()
        })
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| {
        let unused = first.leading_zeros();
        number.len() * 8 - usize::try_from(unused).unwrap_or(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A modulus of so many bits; that it is no product of two primes is not looked at.
    fn jwk(bits: usize, change: impl Fn(&mut serde_json::Value)) -> Option<PublicKey> {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        if !bits.is_multiple_of(8) {
            modulus[0] = 0xff >> (8 - bits % 8);
        }
        let mut jwk = serde_json::json!({"kty": "RSA", "kid": "k1", "e": "AQAB", "n": BASE64.encode(modulus)});
        change(&mut jwk);
        PublicKey::from_jwk(jwk.to_string().as_bytes(), "k1")
    }

    #[test]
    fn only_sizes_between_2048_and_4096_bits_are_taken() {
        for (bits, taken) in [(1024, false), (2040, false), (2048, true), (4096, true), (4097, false)] {
            assert_eq!(jwk(bits, |_| {}).is_some(), taken, "{bits}");
        }
    }

    #[test]
    fn anything_but_an_rsa_signing_key_is_refused() {
        for (field, value) in [
            ("kty", "EC"),
            ("kid", "k2"),
            ("alg", "HS256"),
            ("use", "enc"),
            ("e", "AQ"),
            ("e", "AA"),
            ("e", ""),
            ("e", "AAAAAQAAAAAB"),
            ("n", "!"),
        ] {
            assert!(jwk(2048, |jwk| jwk[field] = value.into()).is_none(), "{field} {value}");
        }
    }

    #[test]
    fn padding_a_leading_zero_and_an_absent_kid_do_no_harm() {
        let mut modulus = vec![0];
        modulus.extend([0xff; 256]);
        let padded = base64::engine::general_purpose::URL_SAFE.encode(&modulus);
        assert!(
            jwk(2048, |jwk| {
                jwk["n"] = padded.clone().into();
                jwk["kid"] = serde_json::Value::Null;
            })
            .is_some()
        );
    }
}
