//! The calls on webhooks and channels. What is to be made, and of what is ours, is decided elsewhere.

use std::collections::HashSet;

use http::Method;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::chat_gateway::client::ChatGateway;
use crate::chat_gateway::client::Joined as _;
use crate::chat_gateway::conversations::json_of;
use crate::chat_gateway::conversations::listed;
use crate::chat_gateway::error::ChatGatewayError;
use crate::chat_gateway::resources::ChannelBody;
use crate::chat_gateway::resources::ChannelView;
use crate::chat_gateway::resources::ChannelWrite;
use crate::chat_gateway::resources::EVENT_VERSION;
use crate::chat_gateway::resources::WebhookBody;
use crate::chat_gateway::resources::WebhookView;
use crate::chat_gateway::resources::WebhookWrite;
use crate::chat_gateway::wire::Page;

const PAGE_SIZE: u32 = 100;
/// An account with more than 5,000 webhooks or channels is not read to its end.
const PAGES: u32 = 50;

/// A whole list, or as much of it as was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    pub items: Vec<T>,
    /// Whether one that is missing here does not exist.
    pub is_all: bool,
}

impl ChatGateway {
    pub async fn webhooks(&self) -> Result<Listed<WebhookView>, ChatGatewayError> {
        self.all("webhooks", WebhookView::read, |webhook| webhook.id.clone())
            .await
    }

    pub async fn webhook(&self, id: &str) -> Result<WebhookView, ChatGatewayError> {
        let answer = self.read(self.resource("webhooks", id)?).await?;
        WebhookView::read(&answer).ok_or_else(ChatGatewayError::unreadable)
    }

    /// Not repeatable: one with an unknown outcome is looked for by its name.
    pub async fn create_webhook(&self, write: &WebhookWrite) -> Result<WebhookView, ChatGatewayError> {
        let answer = self
            .write_webhook(Method::POST, self.resources("webhooks"), write)
            .await?;
        WebhookView::read(&answer).ok_or_else(ChatGatewayError::unreadable)
    }

    /// Replaces all of it. Repeatable.
    pub async fn replace_webhook(&self, id: &str, write: &WebhookWrite) -> Result<(), ChatGatewayError> {
        let url = self.resource("webhooks", id)?;
        self.write_webhook(Method::PUT, url, write).await.map(drop)
    }

    pub async fn delete_webhook(&self, id: &str) -> Result<(), ChatGatewayError> {
        self.delete(self.resource("webhooks", id)?).await
    }

    /// Makes 8x8 send its hello to an address. 8x8 refuses when the address does not answer with 2xx.
    pub async fn verify_webhook(&self, uri: &str) -> Result<(), ChatGatewayError> {
        #[derive(Serialize)]
        struct Verify<'a> {
            version: &'static str,
            uri: &'a str,
        }
        let body = json_of(&Verify {
            version: EVENT_VERSION,
            uri,
        })?;
        let url = self.resources("webhooks").joined(&["verify"]);
        self.tell(Method::POST, url, &body).await
    }

    pub async fn channels(&self) -> Result<Listed<ChannelView>, ChatGatewayError> {
        self.all("channels", ChannelView::read, |channel| channel.id.clone())
            .await
    }

    pub async fn channel(&self, id: &str) -> Result<ChannelView, ChatGatewayError> {
        let answer = self.read(self.channel_url(id)?).await?;
        ChannelView::read(&answer).ok_or_else(ChatGatewayError::unreadable)
    }

    /// Not repeatable, as [`ChatGateway::create_webhook`].
    pub async fn create_channel(&self, write: &ChannelWrite) -> Result<ChannelView, ChatGatewayError> {
        let body = json_of(&ChannelBody::new(write))?;
        let answer = self.change(Method::POST, self.resources("channels"), &body).await?;
        ChannelView::read(&answer).ok_or_else(ChatGatewayError::unreadable)
    }

    /// Replaces all of it. Repeatable.
    pub async fn replace_channel(&self, id: &str, write: &ChannelWrite) -> Result<(), ChatGatewayError> {
        let body = json_of(&ChannelBody::new(write))?;
        self.tell(Method::PUT, self.resource("channels", id)?, &body).await
    }

    pub async fn delete_channel(&self, id: &str) -> Result<(), ChatGatewayError> {
        self.delete(self.resource("channels", id)?).await
    }

    /// Sends `version`; when 8x8 refuses that and speaks of a version, once more with `notificationVersion` beside it.
    async fn write_webhook(&self, method: Method, url: Url, write: &WebhookWrite) -> Result<Value, ChatGatewayError> {
        let body = json_of(&WebhookBody::new(write, false))?;
        match self.change(method.clone(), url.clone(), &body).await {
            Err(ChatGatewayError::Refused(refusal)) if refusal.status == 400 && refusal.is_about("version") => {
                let body = json_of(&WebhookBody::new(write, true))?;
                self.change(method, url, &body).await
            }
            answer => answer,
        }
    }

    /// Page after page. A list that does not say how long it is goes on until a page brings nothing new.
    async fn all<T>(
        &self,
        name: &str,
        item: impl Fn(&Value) -> Option<T> + Copy,
        id: impl Fn(&T) -> String,
    ) -> Result<Listed<T>, ChatGatewayError> {
        let (mut items, mut seen) = (Vec::new(), HashSet::new());
        for number in 0..PAGES {
            let url = listed(self.resources(name), &[("size", PAGE_SIZE), ("page", number)], None);
            let page = match self.read(url).await {
                // Documented for this list alone: an account without channels.
                Err(error) if name == "channels" && number == 0 && error.is_not_found() => {
                    return Ok(Listed { items, is_all: true });
                }
                answer => Page::read(&answer?, name, item),
            };
            let known = seen.len();
            items.extend(page.items.into_iter().filter(|item| seen.insert(id(item))));
            let was_last = page.total_pages.is_some_and(|pages| u64::from(number) + 1 >= pages);
            if was_last || seen.len() == known {
                return Ok(Listed { items, is_all: true });
            }
        }
        Ok(Listed { items, is_all: false })
    }

    fn resources(&self, name: &str) -> Url {
        self.root().joined(&[name])
    }

    /// `NotFound` for an id that cannot be part of an address.
    fn resource(&self, name: &str, id: &str) -> Result<Url, ChatGatewayError> {
        self.below(&[name], &[id])
    }
}
