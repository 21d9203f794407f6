//! What is said in a conversation: post, read back.

use std::cmp::Reverse;

use http::Method;
use serde::Serialize;
use serde::Serializer;

use crate::chat_gateway::client::ChatGateway;
use crate::chat_gateway::conversations::json_of;
use crate::chat_gateway::conversations::listed;
use crate::chat_gateway::error::ChatGatewayError;
use crate::chat_gateway::wire::MessageView;
use crate::chat_gateway::wire::Page;
use crate::domain::AuthorType;
use crate::domain::ConversationId;
use crate::domain::RawJson;

/// What is said at once.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewMessage<'a> {
    pub author_type: AuthorType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<&'a str>,
    /// Ids of files 8x8 has.
    #[serde(skip_serializing_if = "<[&str]>::is_empty", serialize_with = "by_id")]
    pub attachments: &'a [&'a str],
    #[serde(skip_serializing_if = "<[RawJson]>::is_empty")]
    pub cards: &'a [RawJson],
}

fn by_id<S: Serializer>(ids: &&[&str], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct File<'a> {
        id: &'a str,
    }
    serializer.collect_seq(ids.iter().map(|id| File { id }))
}

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
        let message = NewMessage {
            author_type,
            text,
            attachments: &[],
            cards,
        };
        self.post_message(conversation, &message).await
    }

    /// As [`ChatGateway::post`], with files.
    pub async fn post_message(
        &self,
        conversation: &ConversationId,
        message: &NewMessage<'_>,
    ) -> Result<(), ChatGatewayError> {
        let body = json_of(message)?;
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
