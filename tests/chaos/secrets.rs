//! Secrets and words that must not be seen where the gateway logs, counts or refuses.

use std::fmt::Write as _;

use aws_lc_rs::digest;

/// In everything anybody says, and in no other place.
pub(crate) const WORD: &str = "zebrafinch";
pub(crate) const CALLBACK_SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
pub(crate) const EIGHT_KEY: &str = "eght_canary_5d41402abc4b2a76";

pub(crate) fn api_key(bot: &str) -> String {
    format!("hg_canary_{bot}_0123456789abcdef0123456789abcdef")
}

pub(crate) fn key_hash(bot: &str) -> String {
    let hash = digest::digest(&digest::SHA256, api_key(bot).as_bytes());
    hash.as_ref().iter().fold("sha256:".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// I8: what of them is in a text, with the place where it was.
pub(crate) fn leaks(place: &str, text: &str) -> Vec<String> {
    let words = [WORD.to_owned(), CALLBACK_SECRET.to_owned(), EIGHT_KEY.to_owned()];
    let keys = ["support", "sales"].map(api_key);
    let seen = words
        .iter()
        .chain(&keys)
        .filter(|canary| text.contains(canary.as_str()));
    seen.map(|canary| format!("I8 {place} shows {canary}")).collect()
}

#[test]
fn a_word_in_a_log_is_seen() {
    assert!(leaks("log", "all is well").is_empty());
    assert_eq!(leaks("log", "user said zebrafinch 7").len(), 1);
    assert_eq!(leaks("log", &api_key("sales")).len(), 1);
}
