//! `/v1/recover`: everything the bot did not take since a time, once more.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::Timestamp;
use crate::http::ApiState;
use crate::http::answer::Answer;
use crate::http::api::faults::Faults;
use crate::http::bot_auth::CallingBot;
use crate::http::docs::RecoverProblems;
use crate::http::extract::JsonBody;
use crate::http::idempotency::Call;
use crate::http::idempotency::Makes;
use crate::http::idempotency::Once;
use crate::http::idempotency::once;
use crate::http::problem::Refusal;
use crate::store::Recovered;
use crate::store::Reference;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Recover, example = json!({"since": "2026-11-20T12:00:00Z"}))]
pub(in crate::http) struct RecoverBody {
    /// An RFC 3339 time that is not in the future: what was given up then or later comes again.
    #[schema(format = DateTime)]
    since: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Recovered)]
pub(in crate::http) struct RecoveredView {
    /// Failed deliveries that are made again.
    deliveries: usize,
    /// Handovers whose callbacks the bot had stopped, and that go on.
    resumed: usize,
}

/// Post all failed deliveries again
///
/// Those that failed since a time: as with `resend`, of each handover one at a time and in order, at most fifty a second. Handovers that
/// the bot stopped with 410 go on from where they stopped.
#[utoipa::path(
    post, path = "/v1/recover", tag = "deliveries", operation_id = "recoverDeliveries",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; a repeat is told the first answer")),
    request_body = RecoverBody,
    responses((status = 202, body = RecoveredView), RecoverProblems),
)]
pub(in crate::http) async fn recover(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    call: Call,
    body: JsonBody<RecoverBody>,
) -> Result<Response, Refusal> {
    let since = body.value.check(state.clock.now())?;
    let request = call.request_id();
    let keyed = Once {
        bot: bot.clone(),
        call,
        request_sha256: body.sha256,
        makes: Makes::Nothing,
    };
    let handovers = state.handovers.clone();
    once(&state, keyed, async move |_key| {
        let recovered = handovers.recover(&bot.name, since, request).await?;
        Ok(answer(recovered)?)
    })
    .await
}

fn answer(recovered: Recovered) -> Result<Answer, Refusal> {
    let view = RecoveredView {
        deliveries: recovered.deliveries,
        resumed: recovered.resumed,
    };
    Answer::json(StatusCode::ACCEPTED, &view, Reference::Nothing)
}

impl RecoverBody {
    fn check(&self, now: Timestamp) -> Result<Timestamp, Refusal> {
        let mut faults = Faults::default();
        let since = Timestamp::parse_rfc3339(&self.since);
        match since {
            None => faults.add("/since", "must be an RFC 3339 time, such as 2026-11-20T12:00:00Z"),
            Some(since) if since > now => faults.add("/since", "must not be in the future"),
            Some(_) => {}
        }
        faults.or(since.unwrap_or(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_that_was() {
        let now = Timestamp::parse_rfc3339("2026-11-20T12:00:00Z").unwrap();
        let check = |since: &str| {
            let since = since.to_owned();
            RecoverBody { since }.check(now)
        };
        assert_eq!(check("2026-11-20T12:00:00Z").unwrap(), now);
        assert_eq!(check("2026-11-20T13:00:00+01:00").unwrap(), now);
        for wrong in ["", "yesterday", "1763640000", "2026-11-20", "2026-11-20T12:00:01Z"] {
            assert_eq!(check(wrong).unwrap_err().errors[0].pointer, "/since", "{wrong}");
        }
    }
}
