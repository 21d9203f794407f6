//! `/v1/availability`: is anybody there?

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse as _;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::availability::AvailabilityAnswer;
use crate::availability::SourceSeen;
use crate::availability::Verdict;
use crate::domain::Timestamp;
use crate::http::ApiState;
use crate::http::bot_auth::CallingBot;
use crate::http::docs::CallProblems;
use crate::http::problem::Refusal;
use crate::http::problem::internal;
use crate::http::query::Query;
use crate::http::query::wrong;

/// Characters of a queue's id.
const LONGEST_ID: usize = 255;

/// `no` as soon as one source says so, `yes` when all that are configured do.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Availability, example = json!({
    "available": "yes", "open": "yes", "agents": "yes", "waiting": 3, "estimatedWaitSeconds": 75,
    "sources": [{"name": "schedule", "asOf": "2026-11-20T12:00:00.123Z"}, {"name": "statistics", "asOf": "2026-11-20T12:00:00.123Z"}],
}))]
pub(in crate::http) struct AvailabilityView {
    available: VerdictView,
    /// Whether the schedule is open.
    open: VerdictView,
    /// Whether agents of the queue are there.
    agents: VerdictView,
    /// How many wait in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<u64>,
    /// The average wait of the last half hour; left out where nobody waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_wait_seconds: Option<u64>,
    /// Empty where none is configured.
    sources: Vec<SourceView>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AvailabilityVerdict)]
pub(in crate::http) enum VerdictView {
    Yes,
    No,
    Unknown,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AvailabilitySource)]
pub(in crate::http) struct SourceView {
    #[schema(example = "statistics")]
    name: &'static str,
    /// When 8x8 said what the answer stands on; left out where it said nothing recently.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "Timestamp::rfc3339_option"
    )]
    #[schema(value_type = Option<String>, example = "2026-11-20T12:00:00.123Z")]
    as_of: Option<Timestamp>,
    /// Why 8x8's newest word is missing; what is shown is then older, or unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "8x8 did not answer in time")]
    problem: Option<String>,
}

/// Ask whether anybody is there
///
/// From 8x8's schedule and real-time statistics, as far as they are configured; some seconds old at most, unless a source
/// has a `problem`.
#[utoipa::path(
    get, path = "/v1/availability", tag = "handovers", operation_id = "getAvailability",
    params(("queueId" = Option<String>, Query, description = "else the bot's queue, else its tenant's")),
    responses((status = 200, body = AvailabilityView), CallProblems),
)]
pub(in crate::http) async fn read(
    State(_state): State<ApiState>,
    CallingBot(bot): CallingBot,
    query: Query,
) -> Result<Response, Refusal> {
    let queue = query.text("queueId");
    if queue.is_some_and(|id| id.chars().count() > LONGEST_ID) {
        return Err(wrong("queueId", format!("must have at most {LONGEST_ID} characters")));
    }
    let answer = bot.tenant.availability.of(queue.or(bot.default_queue())).await;
    let body = serde_json::to_string(&AvailabilityView::of(&answer)).map_err(|_plain_values_serialise| internal())?;
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

impl AvailabilityView {
    pub(in crate::http) fn of(answer: &AvailabilityAnswer) -> Self {
        Self {
            available: answer.available.into(),
            open: answer.open.into(),
            agents: answer.agents.into(),
            waiting: answer.waiting,
            estimated_wait_seconds: answer.estimated_wait_seconds,
            sources: answer.sources.iter().map(SourceView::of).collect(),
        }
    }
}

impl SourceView {
    fn of(seen: &SourceSeen) -> Self {
        Self {
            name: seen.name,
            as_of: seen.as_of,
            problem: seen.problem.map(|problem| problem.to_string()),
        }
    }
}

impl From<Verdict> for VerdictView {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Yes => Self::Yes,
            Verdict::No => Self::No,
            Verdict::Unknown => Self::Unknown,
        }
    }
}
