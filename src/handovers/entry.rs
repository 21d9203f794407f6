//! One entry of a transcript, from each of the places it may stand in.

use serde::Deserialize;

use crate::chat_gateway::SaidView;
use crate::domain::Handover;
use crate::domain::HandoverEvent;
use crate::domain::MessageFile;
use crate::domain::MessageRecord;
use crate::domain::MessageStatus;
use crate::domain::PastMessage;
use crate::domain::RawJson;
use crate::domain::Source;
use crate::domain::Timestamp;

/// Who told the agent what neither user nor bot said.
const GATEWAY: &str = "gateway";

#[derive(Clone, Debug)]
pub struct Entry {
    pub at: Timestamp,
    pub origin: EntryOrigin,
    pub id: Option<String>,
    pub client_message_id: Option<String>,
    pub author: EntryAuthor,
    pub text: String,
    pub attachments: Vec<EntryFile>,
    pub cards: Vec<RawJson>,
    pub status: Option<MessageStatus>,
    pub late: bool,
}

/// A file that was shown.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryFile {
    /// `None` where 8x8 does not have it, or not yet.
    pub id: Option<String>,
    pub filename: Option<String>,
    pub content_type: Option<String>,
    /// A link of our own, made when a transcript is read.
    #[serde(skip)]
    pub url: Option<String>,
}

#[derive(Clone, Debug)]
pub struct EntryAuthor {
    pub kind: String,
    pub id: Option<String>,
    pub name: Option<String>,
}

/// How the gateway knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryOrigin {
    /// It came with the create.
    History,
    /// The bot posted it.
    Posted,
    /// The gateway told the agent.
    Notice,
    /// 8x8's event told it.
    Received,
    /// 8x8 has it, and no event of 8x8's told it.
    Backfilled,
}

impl Entry {
    /// Its files have lines in its text.
    pub(super) fn of_history(past: PastMessage, handover: &Handover) -> Self {
        Self {
            at: handover.facts.created_at,
            origin: EntryOrigin::History,
            id: None,
            client_message_id: None,
            author: EntryAuthor::own(past.author.as_str(), handover),
            text: past.text.unwrap_or_default(),
            attachments: Vec::new(),
            cards: past.cards,
            status: None,
            late: false,
        }
    }

    pub(super) fn of_posted(message: MessageRecord, handover: &Handover) -> Self {
        Self {
            at: message.created_at,
            origin: if message.notice {
                EntryOrigin::Notice
            } else {
                EntryOrigin::Posted
            },
            id: Some(message.id.to_string()),
            client_message_id: message.client_message_id,
            author: if message.notice {
                EntryAuthor::own(GATEWAY, handover)
            } else {
                EntryAuthor::own(message.author.as_str(), handover)
            },
            text: message.text.unwrap_or_default(),
            attachments: message.attachments.into_iter().map(EntryFile::posted).collect(),
            cards: message.cards,
            status: Some(message.status),
            late: false,
        }
    }

    /// With 8x8's own time of it.
    pub(super) fn of_event(event: &HandoverEvent) -> Option<(Self, Timestamp)> {
        #[derive(Deserialize)]
        struct Extra {
            message: Said,
            source: Option<Told>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Told {
            event_type: String,
            timestamp: Option<i64>,
        }
        #[derive(Deserialize)]
        struct Said {
            id: String,
            #[serde(default)]
            text: String,
            sender: Sender,
            #[serde(default)]
            attachments: Vec<EntryFile>,
            #[serde(default)]
            cards: Vec<RawJson>,
        }
        #[derive(Deserialize)]
        struct Sender {
            #[serde(rename = "type")]
            kind: String,
            id: Option<String>,
            name: Option<String>,
        }
        let Extra { message, source } = serde_json::from_str(event.extra.as_str()).ok()?;
        let is_read = source
            .as_ref()
            .is_some_and(|source| source.event_type == Source::RECONCILED);
        let theirs_at = source.and_then(|source| source.timestamp);
        let theirs_at = theirs_at.map_or(event.at, Timestamp::from_millis);
        let (at, origin) = if is_read {
            (theirs_at, EntryOrigin::Backfilled)
        } else {
            (event.at, EntryOrigin::Received)
        };
        let entry = Self {
            at,
            origin,
            id: Some(message.id),
            client_message_id: None,
            author: EntryAuthor {
                kind: message.sender.kind,
                id: message.sender.id.filter(|id| !id.is_empty()),
                name: message.sender.name,
            },
            text: message.text,
            attachments: message.attachments,
            cards: message.cards,
            status: None,
            late: event.late,
        };
        Some((entry, theirs_at))
    }

    pub(super) fn of_8x8s(at: Timestamp, said: SaidView, handover: &Handover) -> Self {
        let agent = said
            .author_id
            .as_deref()
            .and_then(|id| handover.progress.agents.get(id));
        let attachment = |id| EntryFile {
            id: Some(id),
            filename: None,
            content_type: None,
            url: None,
        };
        Self {
            at,
            origin: EntryOrigin::Backfilled,
            id: said.id,
            client_message_id: None,
            author: EntryAuthor {
                name: agent.and_then(|agent| agent.name.clone()),
                kind: said.author_type,
                id: said.author_id,
            },
            text: said.text,
            attachments: said.attachments.into_iter().map(attachment).collect(),
            cards: said.cards,
            status: None,
            late: handover.progress.ended_at.is_some_and(|ended| at > ended),
        }
    }
}

impl EntryAuthor {
    /// The user or the bot.
    fn own(kind: &str, handover: &Handover) -> Self {
        let name = (kind == "user").then(|| handover.progress.user.name.clone());
        Self {
            kind: kind.to_owned(),
            id: None,
            name: name.flatten(),
        }
    }
}

impl EntryFile {
    fn posted(file: MessageFile) -> Self {
        Self {
            id: file.id,
            filename: file.filename.map(|name| name.to_string()),
            content_type: None,
            url: None,
        }
    }
}
