//! What a token looks like: a prefix that scanners of source code know, the name of its log-in, and 256 random bits.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use crate::http::extract::sha256;

/// 16 and 32 bytes in base64.
const FAMILY: usize = 22;
const RANDOM: usize = 43;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Access,
    Refresh,
}

/// A new token, shown once.
#[derive(Debug)]
pub(super) struct NewToken {
    pub(super) text: SecretString,
    pub(super) sha256: [u8; 32],
}

/// A token as somebody presents it.
#[derive(Debug)]
pub(super) struct Presented<'a> {
    pub(super) family: &'a str,
    pub(super) sha256: [u8; 32],
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Access => "hgat_",
            Self::Refresh => "hgrt_",
        }
    }

    /// `None` when the machine gives no random bytes.
    pub(super) fn generate(self, family: &str) -> Option<NewToken> {
        let text = format!("{}{family}{}", self.prefix(), random::<32>()?);
        let sha256 = sha256(text.as_bytes());
        let text = SecretString::from(text);
        Some(NewToken { text, sha256 })
    }

    /// `None` for what cannot be one of ours: nobody need look for it.
    pub(super) fn parse(self, text: &str) -> Option<Presented<'_>> {
        let rest = text.strip_prefix(self.prefix())?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if rest.len() != FAMILY + RANDOM || !rest.bytes().all(fits) {
            return None;
        }
        Some(Presented {
            family: rest.get(..FAMILY)?,
            sha256: sha256(text.as_bytes()),
        })
    }
}

pub(super) fn new_family() -> Option<String> {
    random::<16>()
}

fn random<const BYTES: usize>() -> Option<String> {
    let mut bytes = [0; BYTES];
    rand::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_token_leads_to_its_log_in_and_is_of_one_kind() {
        let family = new_family().unwrap();
        let token = Kind::Access.generate(&family).unwrap();
        let text = token.text.expose_secret();
        let presented = Kind::Access.parse(text).unwrap();
        assert_eq!((presented.family, presented.sha256), (family.as_str(), token.sha256));
        assert!(Kind::Refresh.parse(text).is_none());
        assert_ne!(Kind::Access.generate(&family).unwrap().sha256, token.sha256);
        for wrong in [
            "",
            "hgat_",
            &text[1..],
            &format!("{text}A"),
            &text.replace("hgat_", "hgat_é"),
        ] {
            assert!(Kind::Access.parse(wrong).is_none(), "{wrong}");
        }
    }
}
