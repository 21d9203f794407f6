//! `/v1/handovers/{id}/end`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::EndHandover;
use crate::domain::EndReason;
use crate::http::ApiState;
use crate::http::api::faults::Faults;
use crate::http::api::handovers::accepted;
use crate::http::api::view::HandoverView;
use crate::http::bot_auth::CallingBot;
use crate::http::docs::CommandProblems;
use crate::http::extract::HandoverPath;
use crate::http::extract::OptionalJsonBody;
use crate::http::idempotency::Call;
use crate::http::idempotency::Once;
use crate::http::idempotency::once;
use crate::http::problem::Refusal;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = EndHandover, example = json!({"reason": "user_left"}))]
pub(in crate::http) struct EndBody {
    /// `bot_ended` when not given.
    reason: Option<ReasonBody>,
    /// Shown to the agent.
    message: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BotEndReason)]
pub(in crate::http) enum ReasonBody {
    UserLeft,
    BotEnded,
}

/// End a handover
///
/// Over for the bot at once; 8x8 is told until it confirms, so that no agent's slot stays taken.
#[utoipa::path(
    post, path = "/v1/handovers/{id}/end", tag = "handovers", operation_id = "endHandover",
    params(
        ("id" = String, Path, description = "the handover's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; a repeat is told the first answer"),
    ),
    request_body = Option<EndBody>,
    responses((status = 202, body = HandoverView<'_>), CommandProblems),
)]
pub(in crate::http) async fn end(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    HandoverPath(id): HandoverPath,
    call: Call,
    OptionalJsonBody(body): OptionalJsonBody<EndBody>,
) -> Result<Response, Refusal> {
    let end = body.value.check()?;
    let keyed = Once::change_of(&id, &bot, call, body.sha256);
    let handovers = state.handovers.clone();
    once(&state, keyed, async move |key| {
        Ok(accepted(&handovers.end(&bot, &id, end, key).await?)?)
    })
    .await
}

impl EndBody {
    fn check(self) -> Result<EndHandover, Refusal> {
        let mut faults = Faults::default();
        faults.text("/message", self.message.as_deref());
        let reason = match self.reason {
            Some(ReasonBody::UserLeft) => EndReason::UserLeft,
            Some(ReasonBody::BotEnded) | None => EndReason::BotEnded,
        };
        faults.or(EndHandover {
            reason,
            message: self.message,
        })
    }
}
