//! `/v1/events`: all of a bot's handovers in one log, for bots that pull instead of being called.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;

use crate::domain::BotName;
use crate::domain::Marks;
use crate::handovers::CommandError;
use crate::handovers::Handovers;
use crate::http::ApiState;
use crate::http::api::event_list::EventFeedView;
use crate::http::api::event_list::EventList;
use crate::http::api::events::LARGEST_PAGE;
use crate::http::api::events::PAGE;
use crate::http::api::follow;
use crate::http::api::follow::Listener;
use crate::http::api::follow::Log;
use crate::http::api::follow::Next;
use crate::http::api::follow::StreamPage;
use crate::http::bot_auth::CallingBot;
use crate::http::docs::CallProblems;
use crate::http::problem::Refusal;
use crate::http::problem::internal;
use crate::http::query::Query;
use crate::http::query::wrong;
use crate::store::BotEvent;

/// Stands for the position after the newest event.
const LATEST: &str = "latest";

/// Read the events of all the bot's handovers
///
/// In the order in which they were recorded. A page ends at `limit`, or at about 4 MiB: only an empty one says that there
/// is no more. `wait` holds the answer until there is an event. With `Accept: text/event-stream` they come as they happen, ephemeral ones too.
#[utoipa::path(
    get, path = "/v1/events", tag = "events", operation_id = "listEvents",
    params(
        ("after" = Option<String>, Query, description = "`nextCursor` of the call before; the oldest event kept when not given; `latest` for what comes from now on"),
        ("limit" = Option<u16>, Query, description = "1 to 1000, 200 when not given"),
        ("wait" = Option<String>, Query, description = "seconds to wait for an event, at most 30"),
        ("Last-Event-ID" = Option<String>, Header, description = "where a stream goes on; wins over `after`"),
    ),
    responses((status = 200, content((EventFeedView = "application/json"), (String = "text/event-stream"))), CallProblems),
)]
pub(in crate::http) async fn read(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Refusal> {
    let mut listener = Listener::new(&state, &bot.name, None)?;
    let mut log = BotLog {
        handovers: Arc::clone(&state.handovers),
        bot: bot.name.clone(),
        after: 0,
    };
    if follow::wants_stream(&headers) {
        log.after = log
            .position(follow::last_event_id(&headers).or_else(|| query.text("after")))
            .await?;
        return follow::stream(log, listener).await;
    }
    log.after = log.position(query.text("after")).await?;
    let (limit, wait) = (query.limit(PAGE, LARGEST_PAGE)?, query.wait()?);
    let until = wait.map(|wait| state.clock.now().plus(wait));
    let mut events = log.read(limit).await?;
    while let (true, Some(until)) = (events.is_empty(), until)
        && listener.logged_within(&state, until).await
    {
        events = log.read(limit).await?;
    }
    let mut list = EventList::default();
    for event in &events {
        list.push(&render(event)?);
    }
    let read_to = events.last().map_or(log.after, |event| event.position);
    Ok(list.respond(Some(&cursor(read_to))))
}

struct BotLog {
    handovers: Arc<Handovers>,
    bot: BotName,
    after: i64,
}

impl BotLog {
    async fn read(&self, limit: usize) -> Result<Vec<BotEvent>, Refusal> {
        let events = self.handovers.store().bot_events(&self.bot, self.after, limit).await;
        Ok(events.map_err(CommandError::from)?.events)
    }

    async fn position(&self, cursor: Option<&str>) -> Result<i64, Refusal> {
        match cursor {
            None => Ok(0),
            Some(LATEST) => Ok(self.handovers.store().bot_position(&self.bot).await?),
            Some(cursor) => position(cursor).ok_or_else(|| {
                wrong(
                    "after",
                    "must be a `nextCursor`, the `id` of a streamed event, or `latest`".to_owned(),
                )
            }),
        }
    }
}

#[async_trait]
impl Log for BotLog {
    async fn page(&mut self) -> Result<StreamPage, Refusal> {
        let page = self.read(PAGE).await?;
        // A page that is not full may have been cut at its size.
        let next = if page.is_empty() { Next::Wait } else { Next::Read };
        let mut events = VecDeque::new();
        for event in page {
            let body = render(&event)?;
            self.after = event.position;
            events.push_back(
                Event::default()
                    .event(event.event.kind.as_str())
                    .id(cursor(event.position))
                    .data(body),
            );
        }
        Ok(StreamPage { events, next })
    }
}

fn render(event: &BotEvent) -> Result<String, Refusal> {
    event
        .event
        .render(&event.context, Marks::default())
        .map_err(|_plain_values_serialise| internal())
}

/// Opaque to bots, so that it may come to mean something else.
fn cursor(position: i64) -> String {
    format!("e{position}")
}

fn position(cursor: &str) -> Option<i64> {
    cursor.strip_prefix('e')?.parse().ok().filter(|position| *position >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_does() {
        assert_eq!(position(&cursor(7)), Some(7));
        for text in ["", "7", "e", "e-1", "ex", "evt_1"] {
            assert_eq!(position(text), None, "{text}");
        }
    }
}
