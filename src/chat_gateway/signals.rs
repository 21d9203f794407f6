//! What the agent is shown in passing: typing, thinking, that something was read.

use http::Method;
use serde::Serialize;

use crate::chat_gateway::client::ChatGateway;
use crate::chat_gateway::conversations::json_of;
use crate::chat_gateway::error::ChatGatewayError;
use crate::domain::AuthorType;
use crate::domain::ConversationId;
use crate::domain::Signal;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    author_type: AuthorType,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_thinking_time_seconds: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_at: Option<i64>,
}

impl ChatGateway {
    pub async fn signal(&self, conversation: &ConversationId, signal: Signal) -> Result<(), ChatGatewayError> {
        let of = |author_type| Body {
            author_type,
            max_thinking_time_seconds: None,
            read_at: None,
        };
        let (operation, body) = match signal {
            Signal::Typing(author) => ("typing", of(author)),
            Signal::Thinking { max_seconds } => (
                "thinking",
                Body {
                    max_thinking_time_seconds: max_seconds,
                    ..of(AuthorType::Bot)
                },
            ),
            Signal::ReadReceipt { author, read_at } => (
                "read-receipt",
                Body {
                    read_at: Some(read_at.as_millis()),
                    ..of(author)
                },
            ),
        };
        let url = self.conversation(&[conversation.as_str(), operation])?;
        self.tell(Method::POST, url, &json_of(&body)?).await
    }
}
