//! `/v1/handovers`: create, list, look at one, change one.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Serialize;

use crate::domain;
use crate::domain::ConversationId;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::handovers::OpenedAs;
use crate::http::ApiState;
use crate::http::answer::Answer;
use crate::http::api::create_body::CreateBody;
use crate::http::api::update_body::UpdateBody;
use crate::http::api::user_body::Own;
use crate::http::api::user_body::check_merged_properties;
use crate::http::api::view::HandoverListView;
use crate::http::api::view::HandoverView;
use crate::http::bot_auth::CallingBot;
use crate::http::docs::CallProblems;
use crate::http::docs::CreateProblems;
use crate::http::docs::ReadProblems;
use crate::http::docs::UpdateProblems;
use crate::http::extract::HandoverPath;
use crate::http::extract::JsonBody;
use crate::http::idempotency::Call;
use crate::http::idempotency::Makes;
use crate::http::idempotency::Once;
use crate::http::idempotency::once;
use crate::http::problem::Refusal;
use crate::http::problem::internal;
use crate::http::query::Query;
use crate::http::query::wrong;
use crate::problem::ProblemCode;
use crate::store::HandoverFilter;
use crate::store::Reference;

const PAGE: usize = 50;
const LARGEST_PAGE: usize = 200;

/// Hand a user over to an agent
///
/// Creates the conversation at 8x8. From 8x8's answer on, what the user writes belongs into `messages`.
#[utoipa::path(
    post, path = "/v1/handovers", tag = "handovers", operation_id = "createHandover",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; a repeat is told the first answer")),
    request_body = CreateBody,
    responses(
        (status = 201, body = HandoverView<'_>, headers(("Location" = String, description = "path of the handover"))),
        (status = 200, description = "The session's live handover, where the bot is configured so", body = HandoverView<'_>),
        CreateProblems,
    ),
)]
pub(in crate::http) async fn create(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    call: Call,
    body: JsonBody<CreateBody>,
) -> Result<Response, Refusal> {
    let open = body.value.check(bot.clone(), &state.callback_urls)?;
    let keyed = Once {
        bot,
        call,
        request_sha256: body.sha256,
        makes: Makes::Handover,
    };
    let handovers = state.handovers.clone();
    once(&state, keyed, async move |key| {
        match handovers.open(open, key).await? {
            OpenedAs::New(handover) => Ok(created(&handover)?),
            OpenedAs::Existing(handover) => Ok(Answer {
                status: StatusCode::OK,
                ..created(&handover)?
            }),
        }
    })
    .await
}

/// List the bot's handovers, newest first
#[utoipa::path(
    get, path = "/v1/handovers", tag = "handovers", operation_id = "listHandovers",
    params(
        ("state" = Option<String>, Query, description = "the name of a state, or `live` for all that are not over"),
        ("conversationId" = Option<String>, Query, description = "8x8's conversation"),
        ("botSessionId" = Option<String>, Query, description = "the bot's own name for its session"),
        ("limit" = Option<u16>, Query, description = "1 to 200, 50 when not given"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, body = HandoverListView<'_>), CallProblems),
)]
pub(in crate::http) async fn list(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    query: Query,
) -> Result<Response, Refusal> {
    let filter = HandoverFilter {
        bot: bot.name.clone(),
        states: states(query.text("state"))?,
        conversation: query.text("conversationId").and_then(ConversationId::parse),
        bot_session_id: query.text("botSessionId").map(str::to_owned),
        before: cursor(query.text("cursor"))?,
        limit: query.limit(PAGE, LARGEST_PAGE)?,
    };
    let page = state.handovers.store().handovers(filter).await?;
    let last = page.handovers.last().filter(|_| page.more);
    let next_cursor = last.map(|handover| handover.id().to_string());
    respond(
        StatusCode::OK,
        &HandoverListView {
            data: page.handovers.iter().map(HandoverView::of).collect(),
            next_cursor,
        },
    )
}

/// Look at one handover
#[utoipa::path(
    get, path = "/v1/handovers/{id}", tag = "handovers", operation_id = "getHandover",
    params(("id" = String, Path, description = "the handover's id")),
    responses((status = 200, body = HandoverView<'_>), ReadProblems),
)]
pub(in crate::http) async fn get(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    HandoverPath(id): HandoverPath,
) -> Result<Response, Refusal> {
    let handover = state.handovers.get(&bot.name, &id).await?;
    respond(StatusCode::OK, &HandoverView::of(&handover))
}

/// Re-route a handover, or tell more of its user
///
/// 8x8's answer proves nothing: success shows in events or in the handover, failure comes as `handover.update_failed`.
#[utoipa::path(
    patch, path = "/v1/handovers/{id}", tag = "handovers", operation_id = "updateHandover",
    params(("id" = String, Path, description = "the handover's id")),
    request_body = UpdateBody,
    responses((status = 202, body = HandoverView<'_>), UpdateProblems),
)]
pub(in crate::http) async fn update(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    HandoverPath(id): HandoverPath,
    body: JsonBody<UpdateBody>,
) -> Result<Response, Refusal> {
    let own = Own::of(&bot);
    let update = body.value.check(own, &bot.tenant)?;
    if let Some(changes) = &update.user {
        let known = state.handovers.get(&bot.name, &id).await?.progress.user;
        check_merged_properties(&known, changes, own)?;
    }
    let changed = state.handovers.update(&bot, &id, update).await;
    let handover = changed.map_err(|error| about(error.into(), &id))?;
    respond(StatusCode::ACCEPTED, &HandoverView::of(&handover))
}

/// A refusal by the handover's state names the handover.
pub(super) fn about(mut refusal: Refusal, id: &HandoverId) -> Refusal {
    if matches!(
        refusal.code,
        ProblemCode::HandoverNotActive | ProblemCode::HandoverEnded
    ) {
        refusal.handover_id = Some(id.clone());
    }
    refusal
}

/// The answer to a create that 8x8 took.
pub(in crate::http) fn created(handover: &Handover) -> Result<Answer, Refusal> {
    let location = format!("/v1/handovers/{}", handover.id());
    Ok(of_handover(StatusCode::CREATED, handover)?.at(location))
}

/// The answer to a change that was recorded.
pub(in crate::http) fn accepted(handover: &Handover) -> Result<Answer, Refusal> {
    of_handover(StatusCode::ACCEPTED, handover)
}

/// The answer to a hand-back that 8x8 took.
pub(in crate::http) fn scheduled(handover: &Handover) -> Result<Answer, Refusal> {
    of_handover(StatusCode::CREATED, handover)
}

fn of_handover(status: StatusCode, handover: &Handover) -> Result<Answer, Refusal> {
    Answer::json(
        status,
        &HandoverView::of(handover),
        Reference::Handover(handover.id().clone()),
    )
}

pub(super) fn respond(status: StatusCode, view: &impl Serialize) -> Result<Response, Refusal> {
    let body = serde_json::to_string(view).map_err(|_plain_values_serialise| internal())?;
    Ok((
        status,
        [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))],
        body,
    )
        .into_response())
}

fn states(text: Option<&str>) -> Result<Vec<domain::State>, Refusal> {
    match text {
        None => Ok(Vec::new()),
        Some("live") => Ok(domain::State::ALL.into_iter().filter(|state| state.is_live()).collect()),
        Some(name) => domain::State::parse(name).map(|state| vec![state]).ok_or_else(|| {
            let names = domain::State::ALL.map(domain::State::as_str).join(", ");
            wrong("state", format!("must be `live` or one of {names}"))
        }),
    }
}

fn cursor(text: Option<&str>) -> Result<Option<HandoverId>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let id = HandoverId::parse(text)
        .ok_or_else(|| wrong("cursor", "must be the `nextCursor` of an earlier page".to_owned()))?;
    Ok(Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_means_every_state_that_is_not_final() {
        assert_eq!(states(Some("live")).unwrap().len(), 5);
        assert_eq!(states(Some("ended")).unwrap(), [domain::State::Ended]);
        assert!(states(None).unwrap().is_empty());
        assert_eq!(states(Some("gone")).unwrap_err().errors[0].pointer, "/query/state");
    }

    #[test]
    fn a_cursor_is_one_of_ours_or_a_fault() {
        assert!(cursor(Some("ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00")).unwrap().is_some());
        assert_eq!(cursor(Some("x")).unwrap_err().errors[0].pointer, "/query/cursor");
    }
}
