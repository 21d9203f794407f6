//! Ids as 8x8 makes them: opaque, 22 characters of base64url for most things, so they may start with `-` or `_`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(crate) fn token() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())
}

pub(crate) fn interaction(tenant_id: &str) -> String {
    let part = rand::random::<u64>() >> 20;
    format!("int-{part:011x}-{}-chat-00-{tenant_id}", token())
}
