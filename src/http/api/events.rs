//! `/v1/handovers/{id}/events`: one handover's log, as a list, a long poll or a stream.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;

use crate::domain::HandoverId;
use crate::domain::Marks;
use crate::handovers::CommandError;
use crate::handovers::Handovers;
use crate::http::ApiState;
use crate::http::api::event_list::EventList;
use crate::http::api::event_list::EventListView;
use crate::http::api::follow;
use crate::http::api::follow::Listener;
use crate::http::api::follow::Log;
use crate::http::api::follow::Next;
use crate::http::api::follow::StreamPage;
use crate::http::bot_auth::CallingBot;
use crate::http::docs::ReadProblems;
use crate::http::extract::HandoverPath;
use crate::http::problem::Refusal;
use crate::http::problem::internal;
use crate::http::problem::invalid;
use crate::http::problem::no_handover;
use crate::http::query::Query;
use crate::problem::FieldError;
use crate::store::EventPage;

pub(super) const PAGE: usize = 200;
pub(super) const LARGEST_PAGE: usize = 1000;

/// Read a handover's events
///
/// Each entry is the body of its callback. A page ends at `limit`, or at about 4 MiB: only an empty one says that there is
/// no more. `wait` holds the answer until there is an event. With `Accept: text/event-stream`
/// they come as they happen, ephemeral ones too, and the stream closes after `handover.ended` or `handover.failed`.
#[utoipa::path(
    get, path = "/v1/handovers/{id}/events", tag = "events", operation_id = "listHandoverEvents",
    params(
        ("id" = String, Path, description = "the handover's id"),
        ("after" = Option<u64>, Query, description = "only events with a higher `sequence`"),
        ("limit" = Option<u16>, Query, description = "1 to 1000, 200 when not given"),
        ("wait" = Option<String>, Query, description = "seconds to wait for an event, at most 30"),
        ("Last-Event-ID" = Option<u64>, Header, description = "where a stream goes on; wins over `after`"),
    ),
    responses((status = 200, content((EventListView = "application/json"), (String = "text/event-stream"))), ReadProblems),
)]
pub(in crate::http) async fn read(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    HandoverPath(id): HandoverPath,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Refusal> {
    state.handovers.get(&bot.name, &id).await?;
    let mut listener = Listener::new(&state, &bot.name, Some(id.clone()))?;
    let handovers = Arc::clone(&state.handovers);
    if follow::wants_stream(&headers) {
        let after = follow::last_event_id(&headers).map_or_else(|| query.after(), sequence)?;
        return follow::stream(HandoverLog { handovers, id, after }, listener).await;
    }
    let (after, limit) = (query.after()?, query.limit(PAGE, LARGEST_PAGE)?);
    let wait = query.wait()?;
    let until = wait.map(|wait| state.clock.now().plus(wait));
    let mut page = read_page(&handovers, &id, after, limit).await?;
    while let (true, Some(until)) = (page.events.is_empty(), until)
        && listener.logged_within(&state, until).await
    {
        page = read_page(&handovers, &id, after, limit).await?;
    }
    let mut list = EventList::default();
    for event in &page.events {
        list.push(
            &event
                .render(&page.context, Marks::default())
                .map_err(|_plain_values_serialise| internal())?,
        );
    }
    Ok(list.respond(None))
}

struct HandoverLog {
    handovers: Arc<Handovers>,
    id: HandoverId,
    after: u64,
}

#[async_trait]
impl Log for HandoverLog {
    async fn page(&mut self) -> Result<StreamPage, Refusal> {
        let page = read_page(&self.handovers, &self.id, self.after, PAGE).await?;
        // A page that is not full may have been cut at its size.
        let next = match (page.events.is_empty(), page.state.is_live()) {
            (false, _) => Next::Read,
            (true, true) => Next::Wait,
            (true, false) => Next::End,
        };
        let mut events = VecDeque::new();
        for event in page.events {
            let body = event
                .render(&page.context, Marks::default())
                .map_err(|_plain_values_serialise| internal())?;
            self.after = event.sequence;
            events.push_back(
                Event::default()
                    .event(event.kind.as_str())
                    .id(event.sequence.to_string())
                    .data(body),
            );
        }
        Ok(StreamPage { events, next })
    }
}

async fn read_page(handovers: &Handovers, id: &HandoverId, after: u64, limit: usize) -> Result<EventPage, Refusal> {
    let page = handovers
        .store()
        .events(id, after, limit)
        .await
        .map_err(CommandError::from)?;
    page.ok_or_else(no_handover)
}

fn sequence(id: &str) -> Result<u64, Refusal> {
    id.parse().map_err(|_not_a_number| {
        let message = "must be the `id` of an event of this stream".to_owned();
        invalid(vec![FieldError {
            pointer: "/headers/Last-Event-ID".to_owned(),
            message,
        }])
    })
}
