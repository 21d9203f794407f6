//! `/v1/handovers/{id}/reopen`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::HandoverId;
use crate::handovers::ReopenHandover;
use crate::http::ApiState;
use crate::http::api::faults::Faults;
use crate::http::api::handovers::created;
use crate::http::api::view::HandoverView;
use crate::http::bot_auth::CallingBot;
use crate::http::docs::ReopenProblems;
use crate::http::extract::HandoverPath;
use crate::http::extract::JsonBody;
use crate::http::idempotency::Call;
use crate::http::idempotency::Makes;
use crate::http::idempotency::Once;
use crate::http::idempotency::once;
use crate::http::problem::Refusal;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ReopenHandover, example = json!({"text": "It has broken again"}))]
pub(in crate::http) struct ReopenBody {
    /// What the user says: 8x8 puts the conversation into its last queue again because of it.
    text: String,
}

/// Talk on in the conversation of a handover that is over
///
/// Makes a new handover on the same conversation, with `reopenedFrom`. 8x8 puts it into its last queue.
#[utoipa::path(
    post, path = "/v1/handovers/{id}/reopen", tag = "handovers", operation_id = "reopenHandover",
    params(
        ("id" = String, Path, description = "the id of the handover that is over"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; a repeat is told the first answer"),
    ),
    request_body = ReopenBody,
    responses(
        (status = 201, body = HandoverView<'_>, headers(("Location" = String, description = "path of the new handover"))),
        ReopenProblems,
    ),
)]
pub(in crate::http) async fn reopen(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    HandoverPath(id): HandoverPath,
    call: Call,
    body: JsonBody<ReopenBody>,
) -> Result<Response, Refusal> {
    let reopen = body.value.check(id, body.sha256)?;
    let keyed = Once {
        bot: bot.clone(),
        call,
        request_sha256: body.sha256,
        makes: Makes::Handover,
    };
    let handovers = state.handovers.clone();
    once(&state, keyed, async move |key| {
        Ok(created(&handovers.reopen(&bot, reopen, key).await?)?)
    })
    .await
}

impl ReopenBody {
    fn check(self, handover: HandoverId, request_sha256: [u8; 32]) -> Result<ReopenHandover, Refusal> {
        let mut faults = Faults::default();
        faults.text("/text", Some(&self.text));
        faults.or(ReopenHandover {
            handover,
            text: self.text,
            request_sha256,
        })
    }
}
