//! What is shown to the agent in passing and recorded nowhere.

use crate::domain::AuthorType;
use crate::domain::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Typing(AuthorType),
    /// The bot works on an answer; 8x8 shows it for a minute unless told how long.
    Thinking {
        max_seconds: Option<u16>,
    },
    /// What the agent wrote was read. 8x8 takes it of a user on Chat API channels only.
    ReadReceipt {
        author: AuthorType,
        read_at: Timestamp,
    },
}
