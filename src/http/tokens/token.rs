//! What a token looks like: a prefix that scanners of source code know, the name of its log-in, 192 random bits, and a tag
//! that shows that we made it.

use aws_lc_rs::constant_time;
use aws_lc_rs::hmac;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use crate::http::extract::sha256;

/// 16 bytes in base64.
const FAMILY: usize = 22;
/// Bytes of randomness, and what they and a tag are in base64.
const NONCE: usize = 24;
const RANDOM: usize = 32 + TAG;
const TAG: usize = 22;
/// What tokens had behind the family before they had tags.
const UNTAGGED: usize = 43;

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
    pub(super) fn generate(self, family: &str, key: &[u8]) -> Option<NewToken> {
        let mut text = format!("{}{family}{}", self.prefix(), random::<NONCE>()?);
        text.push_str(&tag(&text, key));
        let sha256 = sha256(text.as_bytes());
        let text = SecretString::from(text);
        Some(NewToken { text, sha256 })
    }

    /// `None` for what cannot be one of ours: nobody need look for it.
    pub(super) fn parse(self, text: &str) -> Option<Presented<'_>> {
        let rest = text.strip_prefix(self.prefix())?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !matches!(rest.len().checked_sub(FAMILY), Some(RANDOM | UNTAGGED)) || !rest.bytes().all(fits) {
            return None;
        }
        Some(Presented {
            family: rest.get(..FAMILY)?,
            sha256: sha256(text.as_bytes()),
        })
    }
}

/// Whether we made this token, however long ago.
pub(super) fn is_of_ours(text: &str, key: &[u8]) -> bool {
    let Some((signed, given)) = text.split_at_checked(text.len().saturating_sub(TAG)) else {
        return false;
    };
    constant_time::verify_slices_are_equal(tag(signed, key).as_bytes(), given.as_bytes()).is_ok()
}

/// 128 bits of an HMAC. The key signs links too, whose texts begin otherwise.
fn tag(text: &str, key: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    URL_SAFE_NO_PAD.encode(tag.as_ref().get(..16).unwrap_or_default())
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
        let key = [7; 32];
        let token = Kind::Access.generate(&family, &key).unwrap();
        let text = token.text.expose_secret();
        let presented = Kind::Access.parse(text).unwrap();
        assert_eq!((presented.family, presented.sha256), (family.as_str(), token.sha256));
        assert!(Kind::Refresh.parse(text).is_none());
        assert_ne!(Kind::Access.generate(&family, &key).unwrap().sha256, token.sha256);
        assert!(is_of_ours(text, &key) && !is_of_ours(text, &[8; 32]));
        let made_up = format!("{}{}", &text[..text.len() - 22], "A".repeat(22));
        assert!(Kind::Access.parse(&made_up).is_some() && !is_of_ours(&made_up, &key));
        let other = new_family().unwrap();
        assert!(
            !is_of_ours(&text.replace(&family, &other), &key),
            "the tag is of its log-in alone"
        );
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
