//! Identifiers. Ours are a prefix and a UUIDv7 in 32 hex digits, so that they sort by time; 8x8's are opaque.
//! A live handover's own stands in half a dozen places, which share one text.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use uuid::NoContext;
use uuid::Uuid;

use crate::domain::Timestamp;

/// One id type per thing, so that a message id can not be passed where a handover id is meant.
macro_rules! our_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// A new id that sorts by `now`.
            pub fn generate(now: Timestamp) -> Self {
                Self(format!(concat!($prefix, "{}"), v7(now).simple()).into())
            }

            /// Reads an id as it came over the wire; `None` when it cannot be one of ours.
            pub fn parse(text: &str) -> Option<Self> {
                let hex = text.strip_prefix($prefix)?;
                let valid = hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
                valid.then(|| Self(text.into()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

our_id!(
    /// One bot-to-agent episode.
    HandoverId,
    "ho_"
);
our_id!(
    /// One entry in a handover's log; also the `webhook-id` of its callback.
    EventId,
    "evt_"
);
our_id!(
    /// One message a bot posted.
    MessageId,
    "msg_"
);
our_id!(
    /// One call that must reach 8x8.
    CallId,
    "call_"
);

impl HandoverId {
    /// When it was made, as the id itself tells.
    pub fn made_at(&self) -> Option<Timestamp> {
        let millis = self.0.strip_prefix("ho_")?.get(..12)?;
        i64::from_str_radix(millis, 16).ok().map(Timestamp::from_millis)
    }
}

/// 8x8's name for its object behind a handover.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConversationId(Arc<str>);

impl ConversationId {
    /// `None` when blank. 8x8's ids are opaque: nothing else is asked of them.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn v7(now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    let sub_millis = u32::try_from((millis % 1000) * 1_000_000).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, millis / 1000, sub_millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_sorts_by_time() {
        let early = HandoverId::generate(Timestamp::from_millis(1_700_000_000_000));
        let late = HandoverId::generate(Timestamp::from_millis(1_700_000_000_001));
        assert_eq!(HandoverId::parse(early.as_str()), Some(early.clone()));
        assert!(early < late);
        assert_eq!(late.made_at(), Some(Timestamp::from_millis(1_700_000_000_001)));
    }

    #[test]
    fn an_id_of_another_kind_or_shape_is_refused() {
        for text in [
            "",
            "ho_",
            "evt_0192f7a0b1c27d3e8f4a5b6c7d8e9f00",
            "ho_0192F7A0B1C27D3E8F4A5B6C7D8E9F00",
            "ho_1",
        ] {
            assert_eq!(HandoverId::parse(text), None, "{text}");
        }
    }
}
