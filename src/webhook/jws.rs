//! A detached JWS with an unencoded payload (RFC 7515, RFC 7797), as far as 8x8 uses them: RS256 and nothing else. Pure.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::chat_gateway::KeyId;
use crate::chat_gateway::PublicKey;

/// What an RSA key of 4,096 bits makes.
const LONGEST_SIGNATURE: usize = 512;
const LONGEST_HEADER: usize = 1024;

#[derive(Debug, PartialEq, Eq)]
pub struct DetachedJws<'a> {
    key_id: KeyId,
    /// As received: it is part of what is signed.
    protected: &'a str,
    signature: Vec<u8>,
}

/// Other members are ignored, as they must be unless `crit` names them; a repeated one is an error.
#[derive(Deserialize)]
struct Protected {
    alg: String,
    kid: String,
    b64: bool,
    crit: Vec<String>,
}

impl<'a> DetachedJws<'a> {
    /// `None` for anything but `<header>..<signature>` with algorithm RS256, `b64` false, and exactly that critical.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split('.');
        let (protected, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || !payload.is_empty() || protected.len() > LONGEST_HEADER {
            return None;
        }
        let header: Protected = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(protected).ok()?).ok()?;
        if header.alg != "RS256" || header.b64 || header.crit != ["b64"] {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        (1..=LONGEST_SIGNATURE).contains(&signature.len()).then_some(Self {
            key_id: KeyId::parse(&header.kid)?,
            protected,
            signature,
        })
    }

    pub const fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// Whether the owner of `key` signed this header and `payload`.
    pub fn covers(&self, payload: &[u8], key: &PublicKey) -> bool {
        let mut signed = Vec::with_capacity(self.protected.len() + 1 + payload.len());
        signed.extend_from_slice(self.protected.as_bytes());
        signed.push(b'.');
        signed.extend_from_slice(payload);
        key.signed(&signed, &self.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(header: &str) -> Option<String> {
        let text = format!(
            "{}..{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode([7; 256])
        );
        DetachedJws::parse(&text).map(|jws| jws.key_id().to_string())
    }

    #[test]
    fn the_header_of_8x8s_own_sample_is_taken() {
        assert_eq!(
            parsed(r#"{"b64":false,"crit":["b64"],"kid":"key1","alg":"RS256"}"#).as_deref(),
            Some("key1")
        );
    }

    #[test]
    fn members_nobody_calls_critical_are_ignored() {
        assert!(parsed(r#"{"b64":false,"crit":["b64"],"kid":"key1","alg":"RS256","typ":"JWT","jku":"x"}"#).is_some());
    }

    #[test]
    fn every_other_header_is_refused() {
        for header in [
            r#"{"b64":false,"crit":["b64"],"kid":"key1","alg":"none"}"#,
            r#"{"b64":false,"crit":["b64"],"kid":"key1","alg":"HS256"}"#,
            r#"{"b64":false,"crit":["b64"],"kid":"key1","alg":"rs256"}"#,
            r#"{"b64":false,"crit":["b64"],"kid":"key1"}"#,
            r#"{"b64":false,"crit":["b64"],"alg":"RS256"}"#,
            r#"{"b64":true,"crit":["b64"],"kid":"key1","alg":"RS256"}"#,
            r#"{"b64":"false","crit":["b64"],"kid":"key1","alg":"RS256"}"#,
            r#"{"crit":["b64"],"kid":"key1","alg":"RS256"}"#,
            r#"{"b64":false,"kid":"key1","alg":"RS256"}"#,
            r#"{"b64":false,"crit":[],"kid":"key1","alg":"RS256"}"#,
            r#"{"b64":false,"crit":["b64","exp"],"kid":"key1","alg":"RS256"}"#,
            r#"{"b64":false,"crit":["b64","b64"],"kid":"key1","alg":"RS256"}"#,
            r#"{"b64":false,"crit":"b64","kid":"key1","alg":"RS256"}"#,
            r#"{"b64":false,"crit":["b64"],"kid":"../x","alg":"RS256"}"#,
            r#"{"b64":false,"crit":["b64"],"kid":"","alg":"RS256"}"#,
            r#"{"b64":false,"crit":["b64"],"kid":"key1","alg":"none","alg":"RS256"}"#,
            r#"["RS256"]"#,
            "",
        ] {
            assert_eq!(parsed(header), None, "{header}");
        }
    }

    #[test]
    fn there_are_three_parts_and_the_middle_one_is_empty() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"b64":false,"crit":["b64"],"kid":"key1","alg":"RS256"}"#);
        assert!(DetachedJws::parse(&format!("{header}..AAAA")).is_some());
        for text in [
            format!("{header}.AAAA"),
            format!("{header}..AAAA.AAAA"),
            format!("{header}....AAAA"),
            format!("{header}.AAAA.AAAA"),
            format!("{header}.."),
            format!("{header}..AAAA="),
            format!("{header}..AB"),
            format!(" {header}..AAAA"),
            format!("{header}..{}", "A".repeat(684)),
            String::new(),
        ] {
            assert_eq!(DetachedJws::parse(&text), None, "{text}");
        }
    }
}
