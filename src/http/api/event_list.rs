//! A list of events in the form in which each is delivered, so that a bot reads both with the same code.

use axum::http::HeaderValue;
use axum::http::header;
use axum::response::IntoResponse as _;
use axum::response::Response;
use utoipa::ToSchema;

/// Events, oldest first.
#[derive(ToSchema)]
#[schema(as = EventList)]
#[expect(
    dead_code,
    reason = "describes the list in the OpenAPI document; the events are rendered already"
)]
pub(in crate::http) struct EventListView {
    data: Vec<EventView>,
}

/// Events, oldest first, and where to go on.
#[derive(ToSchema)]
#[schema(as = EventFeed, rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "describes the list in the OpenAPI document; the events are rendered already"
)]
pub(in crate::http) struct EventFeedView {
    data: Vec<EventView>,
    /// `after` of the next call.
    next_cursor: String,
}

/// What the bot is told; also the body of a callback.
#[derive(ToSchema)]
#[schema(as = Event, example = json!({
    "id": "evt_0192f7a0b1c27d3e8f4a5b6c7d8e9f00", "type": "message.created", "timestamp": "2026-11-20T12:00:00.123Z",
    "data": {
        "handoverId": "ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00", "conversationId": "c-1", "sequence": 7, "state": "active", "control": "agent",
        "message": {"id": "m-1", "text": "Hello", "sender": {"type": "agent", "id": "a-1", "name": "Ann"}, "attachments": [], "cards": []}
    }
}))]
#[expect(
    dead_code,
    reason = "describes an event in the OpenAPI document; the events are rendered already"
)]
pub(in crate::http) struct EventView {
    id: String,
    /// Types are only ever added; ignore those you do not know.
    #[schema(rename = "type")]
    kind: String,
    timestamp: String,
    /// `handoverId`, `sequence`, `state`, `control`, `metadata` and what the type adds.
    #[schema(value_type = Object)]
    data: (),
}

/// The list's JSON, put together from the events' own.
#[derive(Default)]
pub(super) struct EventList(String);

impl EventList {
    pub(super) fn push(&mut self, event: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(event);
    }

    /// A cursor needs no escaping.
    pub(super) fn respond(self, next_cursor: Option<&str>) -> Response {
        let mut body = format!("{{\"data\":[{}]", self.0);
        if let Some(cursor) = next_cursor {
            body.push_str(",\"nextCursor\":\"");
            body.push_str(cursor);
            body.push('"');
        }
        body.push('}');
        (
            [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))],
            body,
        )
            .into_response()
    }
}
