//! Files that go out with a message: 8x8 has them already, or they are to be fetched and given to it first.

use serde::Deserialize;
use serde::Serialize;

use crate::domain::AuthorType;
use crate::domain::FileName;
use crate::domain::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attached {
    /// A file of the conversation.
    There { id: String, filename: Option<FileName> },
    /// To be fetched from the bot and given to 8x8.
    ToFetch {
        url: String,
        filename: FileName,
        content_type: Option<String>,
        /// Written before 8x8 could have the whole file, so that it is looked for and not given twice.
        sent: Option<SentFile>,
    },
}

/// By what a file is found again whose upload was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentFile {
    pub filename: FileName,
    pub size: u64,
    pub at: Timestamp,
}

/// A file from before the handover, shown to the agent right after 8x8 has the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryFile {
    pub author: AuthorType,
    pub url: String,
    pub filename: FileName,
    pub content_type: Option<String>,
}

impl Attached {
    /// What 8x8 calls it, once 8x8 has it.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::There { id, .. } => Some(id),
            Self::ToFetch { .. } => None,
        }
    }
}
