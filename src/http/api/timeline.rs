//! `/v1/handovers/{id}/timeline`: what happened, for whoever has to find out why.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain;
use crate::domain::EventType;
use crate::domain::Handover;
use crate::domain::MessageStatus;
use crate::domain::Origin;
use crate::domain::Timestamp;
use crate::handovers::Happened;
use crate::http::ApiState;
use crate::http::api::handovers::respond;
use crate::http::api::history::Author;
use crate::http::api::messages::StatusName;
use crate::http::api::view::StateName;
use crate::http::bot_auth::CallingBot;
use crate::http::docs::ReadProblems;
use crate::http::extract::HandoverPath;
use crate::http::problem::Refusal;
use crate::store::CallMade;
use crate::store::Timeline;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Timeline)]
pub(in crate::http) struct TimelineView<'a> {
    /// Oldest first; of each kind the newest 2000.
    data: Vec<LineView<'a>>,
    /// Whether older ones were left out.
    truncated: bool,
    /// 8x8's own names of what its agents had before them, for its support; missing where 8x8 could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    interactions: Option<Vec<InteractionBody<'a>>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TimelineEntry)]
struct LineView<'a> {
    #[serde(serialize_with = "Timestamp::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase", rename_all_fields = "camelCase")]
#[schema(as = TimelineKind)]
enum What<'a> {
    /// The handover came to stand somewhere else.
    State {
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<StateName>)]
        from: Option<domain::State>,
        #[schema(value_type = StateName)]
        to: domain::State,
    },
    /// The log got an entry.
    #[schema(rename_all = "camelCase")]
    Event {
        event_id: &'a str,
        sequence: u64,
        #[serde(rename = "type")]
        event: &'a str,
        late: bool,
    },
    /// One try at delivering an event.
    #[schema(rename_all = "camelCase")]
    Attempt {
        sequence: u64,
        number: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
        latency_ms: u32,
    },
    /// An event that the log went on without, or that was asked for again: `aside` is tried, `waiting` has its turn to come, until it is
    /// `done` or `failed`.
    #[schema(rename_all = "camelCase")]
    Delivery {
        event_id: &'a str,
        sequence: u64,
        status: &'a str,
        attempts: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
    },
    /// A call to 8x8: `open`, `done`, `failed` or `unconfirmed`.
    #[schema(rename_all = "camelCase")]
    Call {
        call: &'a str,
        outcome: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        message_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        latency_ms: Option<u64>,
    },
    /// The bot posted a message, and how it stands now.
    #[schema(rename_all = "camelCase")]
    Message {
        message_id: &'a str,
        #[schema(value_type = Author)]
        author_type: domain::AuthorType,
        #[schema(value_type = StatusName)]
        status: MessageStatus,
    },
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Interaction)]
struct InteractionBody<'a> {
    #[schema(example = "int-170392a3b7d-chat-00-tenant01")]
    id: &'a str,
    #[serde(
        serialize_with = "Timestamp::rfc3339_option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    #[serde(
        serialize_with = "Timestamp::rfc3339_option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
}

/// Read what happened to a handover
///
/// Events, changes of state, attempts at delivering, calls to 8x8 and what became of them: no words of anyone.
#[utoipa::path(
    get, path = "/v1/handovers/{id}/timeline", tag = "handovers", operation_id = "getTimeline",
    params(("id" = String, Path, description = "the handover's id")),
    responses((status = 200, body = TimelineView<'_>), ReadProblems),
)]
pub(in crate::http) async fn read(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    HandoverPath(id): HandoverPath,
) -> Result<Response, Refusal> {
    let happened = state.handovers.timeline(&bot.name, &id).await?;
    respond(StatusCode::OK, &TimelineView::of(&happened))
}

impl<'a> TimelineView<'a> {
    fn of(happened: &'a Happened) -> Self {
        let timeline = &happened.timeline;
        let mut data = opening(&happened.handover, timeline);
        data.extend(events(timeline));
        data.extend(timeline.messages.iter().map(|message| LineView {
            at: message.created_at,
            what: What::Message {
                message_id: message.id.as_str(),
                author_type: message.author,
                status: message.status,
            },
        }));
        data.extend(timeline.calls.iter().map(call));
        data.extend(deliveries(timeline));
        // What happened at one moment stays in this order.
        data.sort_by_key(|line| line.at);
        let interactions = happened.interactions.as_ref().map(|all| {
            let shown = all.iter().map(|one| InteractionBody {
                id: &one.id,
                started_at: one.started_at,
                ended_at: one.ended_at,
            });
            shown.collect()
        });
        Self {
            data,
            truncated: timeline.cut,
            interactions,
        }
    }
}

/// The create is recorded by its handover alone.
fn opening<'a>(handover: &Handover, timeline: &Timeline) -> Vec<LineView<'a>> {
    let at = handover.facts.created_at;
    if handover.facts.origin != Origin::Bot || timeline.cut {
        return Vec::new();
    }
    let settled = timeline
        .events
        .iter()
        .find(|event| matches!(event.kind, EventType::HandoverAccepted | EventType::HandoverFailed));
    let outcome = match settled.map(|event| event.kind) {
        Some(EventType::HandoverFailed) => "failed",
        Some(_) => "done",
        None => "open",
    };
    let state = What::State {
        from: None,
        to: domain::State::Creating,
    };
    let call = What::Call {
        call: "create",
        outcome,
        message_id: None,
        latency_ms: settled.map(|event| millis(at, event.at)),
    };
    [state, call].map(|what| LineView { at, what }).into()
}

/// Each event, and where the handover came to stand by it.
fn events(timeline: &Timeline) -> Vec<LineView<'_>> {
    let mut lines = Vec::new();
    let mut stood = (!timeline.cut).then_some(domain::State::Creating);
    for event in &timeline.events {
        lines.push(LineView {
            at: event.at,
            what: What::Event {
                event_id: event.id.as_str(),
                sequence: event.sequence,
                event: event.kind.as_str(),
                late: event.late,
            },
        });
        if stood != Some(event.state) {
            let what = What::State {
                from: stood,
                to: event.state,
            };
            lines.push(LineView { at: event.at, what });
            stood = Some(event.state);
        }
    }
    lines
}

fn call(call: &CallMade) -> LineView<'_> {
    LineView {
        at: call.created_at,
        what: What::Call {
            call: call.name,
            outcome: call.outcome.map_or("open", domain::CallOutcome::as_str),
            message_id: call.message.as_ref().map(domain::MessageId::as_str),
            latency_ms: call.settled_at.map(|at| millis(call.created_at, at)),
        },
    }
}

fn deliveries(timeline: &Timeline) -> Vec<LineView<'_>> {
    let attempts = timeline.attempts.iter().map(|attempt| LineView {
        at: attempt.started_at,
        what: What::Attempt {
            sequence: attempt.sequence,
            number: attempt.number,
            status: attempt.status,
            error: attempt.error.as_deref(),
            latency_ms: attempt.took_millis,
        },
    });
    let left = timeline.deliveries.iter().map(|delivery| LineView {
        at: delivery.at,
        what: What::Delivery {
            event_id: delivery.event.as_str(),
            sequence: delivery.sequence,
            status: &delivery.status,
            attempts: delivery.attempts,
            reason: delivery.reason.as_deref(),
        },
    });
    attempts.chain(left).collect()
}

fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
}
