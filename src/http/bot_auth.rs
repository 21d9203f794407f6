//! Which bot calls: its key, compared by hash with every configured one, so that the time taken tells nothing.

use std::sync::Arc;

use aws_lc_rs::constant_time;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use crate::handovers::Bot;
use crate::http::ApiState;
use crate::http::extract::sha256;
use crate::http::problem::Refusal;

/// SHA-256 hashes of the bots' keys; the keys themselves are not kept anywhere.
#[derive(Clone, Debug, Default)]
pub struct BotKeys(Arc<[KeysOfBot]>);

type KeysOfBot = (Arc<Bot>, Vec<[u8; 32]>);

/// The bot whose key came with the request.
#[derive(Debug)]
pub(super) struct CallingBot(pub(super) Arc<Bot>);

impl BotKeys {
    pub fn new(keys: Vec<(Arc<Bot>, Vec<[u8; 32]>)>) -> Self {
        Self(keys.into())
    }

    /// Looks at every hash, whether or not one fits already.
    fn bot_of(&self, key: &[u8]) -> Option<&Arc<Bot>> {
        let hash = sha256(key);
        let mut found = None;
        for (bot, hashes) in self.0.iter() {
            for known in hashes {
                if constant_time::verify_slices_are_equal(known, &hash).is_ok() {
                    found = Some(bot);
                }
            }
        }
        found
    }
}

impl FromRequestParts<ApiState> for CallingBot {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Refusal> {
        let Some(value) = parts.headers.get(header::AUTHORIZATION) else {
            let detail = "send the bot's API key as `Authorization: Bearer <key>`";
            return Err(state.limits.stranger(parts, detail));
        };
        let Some(bot) = bearer(value.as_bytes()).and_then(|key| state.keys.bot_of(key)) else {
            let detail = "this API key belongs to no bot of this gateway";
            return Err(state.limits.stranger(parts, detail));
        };
        state.limits.admit(&bot.name, parts)?;
        Ok(Self(Arc::clone(bot)))
    }
}

/// The key after the scheme, whose case does not matter.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(7)?;
    let key = rest.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_what_follows_bearer() {
        assert_eq!(bearer(b"Bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer(b"bearer  abc "), Some(&b"abc"[..]));
        for value in [&b"Basic abc"[..], b"Bearer", b"Bearer  ", b"", b"abc"] {
            assert_eq!(bearer(value), None);
        }
    }

    #[test]
    fn nobody_is_known_without_keys() {
        assert!(BotKeys::default().bot_of(b"abc").is_none());
    }
}
