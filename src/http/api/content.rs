//! `/v1/handovers/{id}/content`: what people said and who they are.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;

use crate::http::ApiState;
use crate::http::api::handovers::about;
use crate::http::bot_auth::CallingBot;
use crate::http::docs::EraseProblems;
use crate::http::extract::HandoverPath;
use crate::http::observe::request_id;
use crate::http::problem::Refusal;

/// Erase what people said and who they are
///
/// Of a handover that is over. The record stays: ids, states, times and numbers. Erased are texts, cards, names of files, the
/// history, `user`, `metadata`, names of agents, and what events told of all that; they carry `"erased": true`. Events not
/// delivered yet are delivered so. What 8x8 keeps is 8x8's. Repeating it does nothing more.
#[utoipa::path(
    delete, path = "/v1/handovers/{id}/content", tag = "handovers", operation_id = "eraseContent",
    params(("id" = String, Path, description = "the handover's id")),
    responses((status = 204, description = "Erased, now or before"), EraseProblems),
)]
pub(in crate::http) async fn erase(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    HandoverPath(id): HandoverPath,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let erased = state.handovers.erase(&bot, &id, request_id(&headers)).await;
    erased.map_err(|error| about(error.into(), &id))?;
    Ok(StatusCode::NO_CONTENT)
}
