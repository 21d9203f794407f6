//! What 8x8 remembers of a conversation: everything said, everyone who was in, and its own names of the interactions.

use std::collections::HashSet;

use serde_json::Value;

use crate::chat_gateway::client::ChatGateway;
use crate::chat_gateway::conversations::listed;
use crate::chat_gateway::error::ChatGatewayError;
use crate::chat_gateway::wire::Page;
use crate::chat_gateway::wire::text;
use crate::chat_gateway::wire::time;
use crate::chat_gateway::wire::untrimmed;
use crate::domain::ConversationId;
use crate::domain::RawJson;
use crate::domain::Timestamp;

const PAGE_SIZE: u32 = 100;
/// Of a conversation that is longer the newest messages have to do.
const PAGES: u32 = 10;

/// One message as it is kept by 8x8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidView {
    pub id: Option<String>,
    /// `user`, `bot`, `agent`, `system`, or whatever 8x8 says; may be empty.
    pub author_type: String,
    pub author_id: Option<String>,
    pub text: String,
    pub created_at: Option<Timestamp>,
    /// Ids.
    pub attachments: Vec<String>,
    pub cards: Vec<RawJson>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastMessages {
    /// Newest first, as 8x8 gives them.
    pub messages: Vec<SaidView>,
    /// Whether they reach back as far as was asked.
    pub is_all: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantView {
    pub id: String,
    pub kind: String,
    pub removed: bool,
}

/// What 8x8's support asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InteractionView {
    pub id: String,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}

impl ChatGateway {
    /// Everything said since `from`, by anyone.
    pub async fn said_since(
        &self,
        conversation: &ConversationId,
        from: Timestamp,
    ) -> Result<PastMessages, ChatGatewayError> {
        let (mut messages, mut seen) = (Vec::new(), HashSet::new());
        for number in 0..PAGES {
            let page = self.said(conversation, number).await?;
            let is_last = match page.total_pages {
                Some(pages) => u64::from(number) + 1 >= pages,
                None => page.items.is_empty(),
            };
            let is_far_enough = page
                .items
                .iter()
                .filter_map(|message| message.created_at)
                .any(|at| at < from);
            // What is said meanwhile moves the rest of the list down.
            for message in page.items {
                if message.id.clone().is_none_or(|id| seen.insert(id)) {
                    messages.push(message);
                }
            }
            if is_last || is_far_enough {
                return Ok(PastMessages { messages, is_all: true });
            }
        }
        Ok(PastMessages {
            messages,
            is_all: false,
        })
    }

    /// One message with all that belongs to it.
    pub async fn said_in_full(&self, conversation: &ConversationId, id: &str) -> Result<SaidView, ChatGatewayError> {
        let message = self.conversation(&[conversation.as_str(), "messages", id])?;
        let answer = self.read(message).await?;
        let mut said = SaidView::read(&answer).ok_or_else(ChatGatewayError::unreadable)?;
        if said.is_bare() {
            let cards = self.conversation(&[conversation.as_str(), "messages", id, "cards"])?;
            let answer = self
                .read(listed(cards, &[("size", PAGE_SIZE), ("page", 0)], None))
                .await?;
            said.cards = Page::read(&answer, "cards", |card| RawJson::of(card).ok()).items;
        }
        Ok(said)
    }

    async fn said(&self, conversation: &ConversationId, number: u32) -> Result<Page<SaidView>, ChatGatewayError> {
        let url = self.conversation(&[conversation.as_str(), "messages"])?;
        let numbers = [("size", PAGE_SIZE), ("page", number)];
        let answer = match self.read(listed(url.clone(), &numbers, Some("createdAt:desc"))).await {
            // Newest first is 8x8's own default for messages.
            Err(error) if error.is_bad_request() => self.read(listed(url, &numbers, None)).await?,
            answer => answer?,
        };
        Ok(Page::read(&answer, "messages", SaidView::read))
    }

    /// Everyone who ever joined.
    pub async fn participants(&self, conversation: &ConversationId) -> Result<Vec<ParticipantView>, ChatGatewayError> {
        let answer = self.listing(conversation, "participants").await?;
        Ok(Page::read(&answer, "participants", ParticipantView::read).items)
    }

    /// There are none while 8x8 still builds the first.
    pub async fn interactions(&self, conversation: &ConversationId) -> Result<Vec<InteractionView>, ChatGatewayError> {
        let answer = self.listing(conversation, "interactions").await?;
        Ok(Page::read(&answer, "interactions", InteractionView::read).items)
    }

    async fn listing(&self, conversation: &ConversationId, name: &str) -> Result<Value, ChatGatewayError> {
        let url = self.conversation(&[conversation.as_str(), name])?;
        self.read(listed(url, &[("size", PAGE_SIZE), ("page", 0)], None)).await
    }
}

impl SaidView {
    /// Whether the list shows nothing of what was said.
    pub fn is_bare(&self) -> bool {
        self.text.trim().is_empty() && self.attachments.is_empty() && self.cards.is_empty()
    }

    fn read(body: &Value) -> Option<Self> {
        let list = |name: &str| body.get(name).and_then(Value::as_array).into_iter().flatten();
        let id_of = |attachment: &Value| text(attachment.get("id")).or_else(|| text(Some(attachment)));
        body.is_object().then(|| Self {
            id: text(body.get("id")),
            author_type: text(body.pointer("/author/type"))
                .or_else(|| text(body.get("authorType")))
                .unwrap_or_default(),
            author_id: text(body.pointer("/author/id")),
            text: untrimmed(body.get("text")).unwrap_or_default(),
            created_at: time(body.get("createdAt")),
            attachments: list("attachments").filter_map(id_of).collect(),
            cards: list("cards").filter_map(|card| RawJson::of(card).ok()).collect(),
        })
    }
}

impl ParticipantView {
    fn read(body: &Value) -> Option<Self> {
        Some(Self {
            id: text(body.get("id"))?,
            kind: text(body.get("type")).unwrap_or_default(),
            removed: body.get("removed").and_then(Value::as_bool).unwrap_or(false),
        })
    }
}

impl InteractionView {
    fn read(body: &Value) -> Option<Self> {
        Some(Self {
            id: text(body.get("id"))?,
            started_at: time(body.get("startTime")),
            ended_at: time(body.get("endTime")),
        })
    }
}
