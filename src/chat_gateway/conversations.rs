//! Conversations: create, look at, re-route, leave.

use std::collections::HashSet;

use http::Method;
use serde::Serialize;
use url::Url;

use crate::chat_gateway::client::ChatGateway;
use crate::chat_gateway::create::Assignment;
use crate::chat_gateway::create::CreateBody;
use crate::chat_gateway::create::marked;
use crate::chat_gateway::error::ChatGatewayError;
use crate::chat_gateway::wire::ConversationView;
use crate::chat_gateway::wire::CreatedConversation;
use crate::chat_gateway::wire::Page;
use crate::domain::ConversationId;
use crate::domain::HandoverId;
use crate::domain::RawJson;
use crate::domain::User;

/// A list without order is read as a whole when it has so many pages, or else so many from its end.
const PAGES: u64 = 3;
const PAGE_SIZE: u32 = 100;

/// What a list that was asked for the newest really holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Every conversation there is: one that is missing does not exist.
    All,
    /// The newest, by 8x8's own sorting.
    Newest,
    /// Some of them: nothing follows from one that is missing.
    Part,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestConversations {
    pub conversations: Vec<ConversationView>,
    pub coverage: Coverage,
    /// Read one after the other: what was at the seam of two may have moved meanwhile.
    pub pages: u32,
}

impl ChatGateway {
    /// Not repeatable: an unknown outcome is resolved by our property of the user.
    pub async fn create(&self, body: &CreateBody) -> Result<CreatedConversation, ChatGatewayError> {
        let answer = self.change(Method::POST, self.conversations(), body.json()).await?;
        CreatedConversation::read(&answer).ok_or_else(ChatGatewayError::unreadable)
    }

    pub async fn get(&self, id: &ConversationId) -> Result<ConversationView, ChatGatewayError> {
        let answer = self.read(self.conversation(&[id.as_str()])?).await?;
        ConversationView::read(&answer).ok_or_else(ChatGatewayError::unreadable)
    }

    /// Re-routes, or replaces what is known of the user; our property of the user stays. Repeatable. Being accepted
    /// proves nothing: the change is seen in an event or by [`ChatGateway::get`].
    pub async fn update(
        &self,
        id: &ConversationId,
        handover: &HandoverId,
        queue_id: Option<&str>,
        user: Option<&User>,
    ) -> Result<(), ChatGatewayError> {
        #[derive(Serialize)]
        struct Update<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            assignment: Option<Assignment<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            user: Option<User>,
        }
        let body = json_of(&Update {
            assignment: queue_id.map(Assignment::queue),
            user: user.map(|user| marked(user, handover)),
        })?;
        let url = self.conversation(&[id.as_str()])?;
        match self.tell(Method::PATCH, url.clone(), &body).await {
            // 8x8's guide for other channels knows the other method only.
            Err(error) if error.is_no_method() => self.tell(Method::PUT, url, &body).await,
            answer => answer,
        }
    }

    /// The newest conversations of the tenant. Which fields 8x8 sorts by is documented nowhere; where it refuses ours, the
    /// end of the unsorted list has to do.
    pub async fn newest(&self, limit: u32) -> Result<NewestConversations, ChatGatewayError> {
        self.newest_until(limit, 1, |_| true).await
    }

    /// The same, in as many pages as it takes until it is enough, but no more than `pages`.
    pub async fn newest_until(
        &self,
        size: u32,
        pages: u32,
        is_enough: impl Fn(&NewestConversations) -> bool + Send + Sync,
    ) -> Result<NewestConversations, ChatGatewayError> {
        let mut found = NewestConversations {
            conversations: Vec::new(),
            coverage: Coverage::Newest,
            pages: 0,
        };
        let (mut seen, mut is_whole) = (HashSet::new(), true);
        for number in 0..pages {
            let page = match self
                .page(&[("size", size), ("page", number)], Some("createdAt:desc"))
                .await
            {
                Err(error) if number == 0 && error.is_bad_request() => return self.newest_unsorted().await,
                page => page?,
            };
            let is_last = match page.total_pages {
                Some(total) => u64::from(number) + 1 >= total,
                None => page.items.is_empty(),
            };
            // New ones push what was read on a page before onto this one.
            let fresh = page.items.into_iter().filter(|view| seen.insert(view.id.clone()));
            found.conversations.extend(fresh);
            found.pages += 1;
            is_whole &= page.is_whole;
            found.coverage = match (is_whole, is_last) {
                (true, true) => Coverage::All,
                (true, false) => Coverage::Newest,
                (false, _) => Coverage::Part,
            };
            if is_last || is_enough(&found) {
                break;
            }
        }
        Ok(found)
    }

    /// The newest conversations of the tenant, page by page; whether these are all.
    pub async fn every(&self, pages: u32) -> Result<(Vec<ConversationView>, bool), ChatGatewayError> {
        let (mut all, mut sort) = (Vec::new(), Some("createdAt:desc"));
        for number in 0..pages {
            let numbers = [("size", PAGE_SIZE), ("page", number)];
            let page = match self.page(&numbers, sort).await {
                Err(error) if number == 0 && error.is_bad_request() => {
                    sort = None;
                    self.page(&numbers, sort).await?
                }
                page => page?,
            };
            let is_last = match page.total_pages {
                Some(total) => u64::from(number) + 1 >= total,
                None => page.items.is_empty(),
            };
            all.extend(page.items);
            if is_last {
                return Ok((all, true));
            }
        }
        Ok((all, false))
    }

    async fn newest_unsorted(&self) -> Result<NewestConversations, ChatGatewayError> {
        let first = self.page(&[("size", PAGE_SIZE), ("page", 0)], None).await?;
        let pages = first.total_pages.unwrap_or(0);
        let (mut conversations, mut read) = (first.items, 1);
        let mut coverage = match first.total_pages {
            Some(pages) if pages <= PAGES && first.is_whole => Coverage::All,
            Some(_) | None => Coverage::Part,
        };
        for page in (1..pages).rev().take(usize::try_from(PAGES - 1).unwrap_or(0)) {
            let Ok(number) = u32::try_from(page) else {
                coverage = Coverage::Part;
                break;
            };
            let page = self.page(&[("size", PAGE_SIZE), ("page", number)], None).await?;
            conversations.extend(page.items);
            read += 1;
            if !page.is_whole {
                coverage = Coverage::Part;
            }
        }
        Ok(NewestConversations {
            conversations,
            coverage,
            pages: read,
        })
    }

    async fn page(
        &self,
        numbers: &[(&str, u32)],
        sort: Option<&str>,
    ) -> Result<Page<ConversationView>, ChatGatewayError> {
        let url = listed(self.conversations(), numbers, sort);
        let answer = self.read(url).await?;
        Ok(Page::read(&answer, "conversations", ConversationView::read))
    }

    /// Ends the interaction for the user, and so frees the agent. Repeatable.
    pub async fn user_leaves(
        &self,
        id: &ConversationId,
        display_message: Option<&str>,
    ) -> Result<(), ChatGatewayError> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Leaves<'a> {
            removed: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            display_message: Option<&'a str>,
        }
        let url = self.conversation(&[id.as_str(), "participants", "user"])?;
        let leave = async |display_message| {
            let body = json_of(&Leaves {
                removed: true,
                display_message,
            })?;
            self.tell(Method::PATCH, url.clone(), &body).await
        };
        match leave(display_message).await {
            // The message is used in the field but documented nowhere; leaving matters more.
            Err(error) if display_message.is_some() && error.is_bad_request() => leave(None).await,
            outcome => outcome,
        }
    }
}

/// A list's address with its numbers and its sorting.
pub(super) fn listed(mut url: Url, numbers: &[(&str, u32)], sort: Option<&str>) -> Url {
    {
        let mut query = url.query_pairs_mut();
        for (name, number) in numbers {
            query.append_pair(name, &number.to_string());
        }
        if let Some(sort) = sort {
            query.append_pair("sort", sort);
        }
    }
    url
}

/// A body of ours as JSON.
pub(super) fn json_of(body: &impl Serialize) -> Result<RawJson, ChatGatewayError> {
    RawJson::of(body).map_err(|_cannot_happen_with_plain_fields| ChatGatewayError::unreadable())
}
