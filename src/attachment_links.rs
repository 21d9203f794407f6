//! Links to files of a conversation that a browser can open: they carry their own proof and end by themselves. 8x8's own
//! links are never handed on.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;
use url::Url;

use crate::domain::HandoverId;
use crate::domain::Timestamp;
use crate::domain::percent_encoded;

/// Long enough for a bot that reads its events late, short enough for a link that leaked.
pub const LINK_LASTS: Duration = Duration::from_hours(7 * 24);

/// Makes and checks links. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AttachmentLinks {
    key: Arc<hmac::Key>,
    base: Arc<str>,
}

/// Why a link opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LinkFault {
    #[error("the link was not made here, or was changed")]
    Forged,
    #[error("the link has expired")]
    Expired,
}

impl AttachmentLinks {
    /// Without `public_url` links are paths, to be put behind the address the gateway is reached at.
    pub fn new(key: &[u8; 32], public_url: Option<&Url>) -> Self {
        Self {
            key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key)),
            base: public_url.map_or("", |url| url.as_str().trim_end_matches('/')).into(),
        }
    }

    /// A link to a file that opens until [`LINK_LASTS`] from `now`.
    pub fn url(&self, handover: &HandoverId, attachment: &str, now: Timestamp) -> String {
        let expires = now.plus(LINK_LASTS).as_seconds().to_string();
        let tag = hmac::sign(&self.key, &signed(handover, attachment, &expires));
        let signature = URL_SAFE_NO_PAD.encode(tag);
        format!(
            "{}/attachments/{handover}/{}?expires={expires}&signature={signature}",
            self.base,
            percent_encoded(attachment)
        )
    }

    /// Takes the same time whatever is wrong with the signature.
    pub fn check(
        &self,
        handover: &HandoverId,
        attachment: &str,
        proof: LinkProof<'_>,
        now: Timestamp,
    ) -> Result<(), LinkFault> {
        let tag = URL_SAFE_NO_PAD.decode(proof.signature).unwrap_or_default();
        hmac::verify(&self.key, &signed(handover, attachment, proof.expires), &tag)
            .map_err(|_unspecified| LinkFault::Forged)?;
        let expires: i64 = proof.expires.parse().map_err(|_not_ours| LinkFault::Forged)?;
        if now.as_seconds() >= expires {
            return Err(LinkFault::Expired);
        }
        Ok(())
    }
}

/// What a link says of itself, as it came.
#[derive(Clone, Copy, Debug)]
pub struct LinkProof<'a> {
    pub expires: &'a str,
    pub signature: &'a str,
}

/// The id stands last: nothing in it can pass for another field.
fn signed(handover: &HandoverId, attachment: &str, expires: &str) -> Vec<u8> {
    format!("attachment.{expires}.{handover}.{attachment}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handover(last: char) -> HandoverId {
        HandoverId::parse(&format!("ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f0{last}")).unwrap()
    }

    fn links(key: u8, base: Option<&str>) -> AttachmentLinks {
        AttachmentLinks::new(&[key; 32], base.map(|base| base.parse().unwrap()).as_ref())
    }

    fn check(links: &AttachmentLinks, handover: &HandoverId, id: &str, url: &str, now: i64) -> Result<(), LinkFault> {
        let (expires, signature) = url
            .split_once("?expires=")
            .unwrap()
            .1
            .split_once("&signature=")
            .unwrap();
        let proof = LinkProof { expires, signature };
        links.check(handover, id, proof, Timestamp::from_millis(now))
    }

    #[test]
    fn a_link_opens_its_own_file_for_seven_days_and_no_other() {
        let links = links(1, Some("https://gw.example.com/base/"));
        let url = links.url(&handover('0'), "a/b", Timestamp::from_millis(0));
        let start = "https://gw.example.com/base/attachments/ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00/a%2Fb?expires=604800&";
        assert!(url.starts_with(start), "{url}");
        let last = 604_799_999;
        assert_eq!(check(&links, &handover('0'), "a/b", &url, last), Ok(()));
        assert_eq!(
            check(&links, &handover('0'), "a/b", &url, last + 1),
            Err(LinkFault::Expired)
        );
        assert_eq!(check(&links, &handover('1'), "a/b", &url, 0), Err(LinkFault::Forged));
        assert_eq!(check(&links, &handover('0'), "a/c", &url, 0), Err(LinkFault::Forged));
        let later = url.replace("604800", "999999999");
        assert_eq!(check(&links, &handover('0'), "a/b", &later, 0), Err(LinkFault::Forged));
        let other = self::links(2, None);
        assert_eq!(check(&other, &handover('0'), "a/b", &url, 0), Err(LinkFault::Forged));
    }

    #[test]
    fn without_a_public_address_a_link_is_a_path() {
        let url = links(1, None).url(&handover('0'), "x", Timestamp::from_millis(0));
        assert!(url.starts_with("/attachments/ho_"), "{url}");
    }
}
