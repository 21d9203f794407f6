//! What is said in a conversation: post, read back.

use std::cmp::Reverse;

use http::Method;
use serde::Serialize;

use crate::chat_gateway::client::ChatGateway;
use crate::chat_gateway::conversations::json_of;
use crate::chat_gateway::conversations::listed;
use crate::chat_gateway::error::ChatGatewayError;
use crate::chat_gateway::wire::MessageView;
use crate::chat_gateway::wire::Page;
use crate::domain::AuthorType;
use crate::domain::ConversationId;
use crate::domain::RawJson;

/// Messages of everyone, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestMessages {
    pub messages: Vec<MessageView>,
    /// Whether 8x8 says that there are no others.
    pub is_all: bool,
}

impl ChatGateway {
    /// Not repeatable, and 8x8 gives no id: an unknown outcome is resolved by author, text and time. Cards keep their bytes.
    pub async fn post(
        &self,
        conversation: &ConversationId,
        author_type: AuthorType,
        text: Option<&str>,
        cards: &[RawJson],
    ) -> Result<(), ChatGatewayError> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Message<'a> {
            author_type: AuthorType,
            #[serde(skip_serializing_if = "Option::is_none")]
            text: Option<&'a str>,
            #[serde(skip_serializing_if = "<[RawJson]>::is_empty")]
            cards: &'a [RawJson],
        }
        let body = json_of(&Message {
            author_type,
            text,
            cards,
        })?;
        let url = self.conversation(&[conversation.as_str(), "messages"])?;
        self.tell(Method::POST, url, &body).await
    }

    /// The newest messages of everyone, newest first.
    pub async fn list_newest(
        &self,
        conversation: &ConversationId,
        size: u32,
    ) -> Result<NewestMessages, ChatGatewayError> {
        let url = self.conversation(&[conversation.as_str(), "messages"])?;
        let numbers = [("size", size), ("page", 0)];
        let answer = match self.read(listed(url.clone(), &numbers, Some("createdAt:desc"))).await {
            // Newest first is 8x8's own default for messages.
            Err(error) if error.is_bad_request() => self.read(listed(url, &numbers, None)).await?,
            answer => answer?,
        };
        let page = Page::read(&answer, "messages", MessageView::read);
        let is_all = page.total_pages == Some(1) || page.items.is_empty();
        let mut messages = page.items;
        messages.sort_by_key(|message| Reverse(message.created_at));
        Ok(NewestMessages { messages, is_all })
    }
}
