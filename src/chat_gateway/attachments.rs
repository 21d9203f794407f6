//! Files of a conversation: give 8x8 one, look for one, fetch one. The caller bounds how long a file may take.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header;
use reqwest::Body;
use reqwest::multipart::Form;
use reqwest::multipart::Part;

use crate::chat_gateway::client::ChatGateway;
use crate::chat_gateway::conversations::listed;
use crate::chat_gateway::error::ChatGatewayError;
use crate::chat_gateway::error::Silence;
use crate::chat_gateway::file_pipe::FileBody;
use crate::chat_gateway::wire::AttachmentView;
use crate::chat_gateway::wire::Page;
use crate::domain::AuthorType;
use crate::domain::ConversationId;
use crate::domain::FileName;

const PAGE_SIZE: u32 = 100;
/// Pages looked through.
const PAGES: u32 = 10;

/// What 8x8 is told of a file beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHead {
    pub filename: FileName,
    pub content_type: String,
    pub author: AuthorType,
}

/// A conversation's files, in no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentList {
    pub attachments: Vec<AttachmentView>,
    /// Whether there are no others.
    pub is_all: bool,
}

/// The bytes of a file as they come from 8x8.
#[derive(Debug)]
pub struct AttachmentContent(reqwest::Response);

impl ChatGateway {
    /// Not repeatable: an unknown outcome is resolved by name, size and time. 8x8 cannot have the file before `body` ends.
    pub async fn upload(
        &self,
        conversation: &ConversationId,
        head: FileHead,
        body: FileBody,
    ) -> Result<AttachmentView, ChatGatewayError> {
        let url = self.conversation(&[conversation.as_str(), "attachments"])?;
        let part = Part::stream(Body::wrap_stream(body.into_stream())).file_name(head.filename.as_str().to_owned());
        let part = part.mime_str(&head.content_type).map_err(ChatGatewayError::transport)?;
        let form = Form::new()
            .percent_encode_noop()
            .text("authorType", head.author.as_str())
            .part("attachment", part);
        let response = self.send_for_as_long(self.http().post(url).multipart(form)).await?;
        let answer = super::client::json(response).await?;
        AttachmentView::read(&answer).ok_or_else(ChatGatewayError::unreadable)
    }

    pub async fn attachment(
        &self,
        conversation: &ConversationId,
        id: &str,
    ) -> Result<AttachmentView, ChatGatewayError> {
        let url = self.conversation(&[conversation.as_str(), "attachments", id])?;
        let answer = self.read(url).await?;
        AttachmentView::read(&answer).ok_or_else(ChatGatewayError::unreadable)
    }

    pub async fn attachments(&self, conversation: &ConversationId) -> Result<AttachmentList, ChatGatewayError> {
        let url = self.conversation(&[conversation.as_str(), "attachments"])?;
        let mut attachments = Vec::new();
        for number in 0..PAGES {
            let numbers = [("size", PAGE_SIZE), ("page", number)];
            let answer = self.read(listed(url.clone(), &numbers, None)).await?;
            let page = Page::read(&answer, "attachments", AttachmentView::read);
            let is_last = page
                .total_pages
                .map_or(page.items.is_empty(), |pages| u64::from(number) + 1 >= pages);
            attachments.extend(page.items);
            if is_last {
                return Ok(AttachmentList {
                    attachments,
                    is_all: true,
                });
            }
        }
        Ok(AttachmentList {
            attachments,
            is_all: false,
        })
    }

    /// Starts fetching a file's bytes.
    pub async fn attachment_content(
        &self,
        conversation: &ConversationId,
        id: &str,
    ) -> Result<AttachmentContent, ChatGatewayError> {
        let url = self.conversation(&[conversation.as_str(), "attachments", id, "content"])?;
        let accept = HeaderValue::from_static("application/octet-stream, */*;q=0.8");
        let asked = self.send_for_as_long(self.http().get(url).header(header::ACCEPT, accept));
        match tokio::time::timeout(self.call_timeout(), asked).await {
            Ok(response) => response.map(AttachmentContent),
            Err(_elapsed) => Err(ChatGatewayError::Unanswered(Silence::TimedOut)),
        }
    }
}

impl AttachmentContent {
    /// As far as 8x8 says.
    pub fn size(&self) -> Option<u64> {
        self.0.content_length()
    }

    pub fn content_type(&self) -> Option<&str> {
        self.0.headers().get(header::CONTENT_TYPE)?.to_str().ok()
    }

    /// The next piece; `None` at the end. A pause longer than `pause` is a failure.
    pub async fn piece(&mut self, pause: Duration) -> Result<Option<Bytes>, ChatGatewayError> {
        match tokio::time::timeout(pause, self.0.chunk()).await {
            Ok(piece) => piece.map_err(ChatGatewayError::transport),
            Err(_elapsed) => Err(ChatGatewayError::Unanswered(Silence::TimedOut)),
        }
    }
}
