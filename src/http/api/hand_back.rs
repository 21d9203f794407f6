//! `/v1/handovers/{id}/hand-back`.

use std::ops::RangeInclusive;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::ScheduleHandBack;
use crate::http::ApiState;
use crate::http::api::faults::Faults;
use crate::http::api::handovers::scheduled;
use crate::http::api::view::HandoverView;
use crate::http::bot_auth::CallingBot;
use crate::http::docs::HandBackProblems;
use crate::http::extract::HandoverPath;
use crate::http::extract::OptionalJsonBody;
use crate::http::idempotency::Call;
use crate::http::idempotency::Makes;
use crate::http::idempotency::Once;
use crate::http::idempotency::once;
use crate::http::problem::Refusal;

/// 8x8's own limits.
const TOTAL: RangeInclusive<i64> = 20..=600;
const USER_TIMEOUT: RangeInclusive<i64> = 10..=300;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = HandBack, example = json!({"maxTotalMinutes": 60, "userTimeoutMinutes": 15}))]
pub(in crate::http) struct HandBackBody {
    /// The webhook in 8x8 that hears of the conversation from then on. The channel's own when not given, so that events
    /// go on coming here.
    #[schema(example = "NSCIiFrvSHeI7q5apOriDQ")]
    webhook_id: Option<String>,
    /// After the agents: 8x8 ends the conversation when so much time has passed.
    #[schema(minimum = 20, maximum = 600)]
    max_total_minutes: Option<i64>,
    /// After the agents: 8x8 ends the conversation when the user was silent for so long.
    #[schema(minimum = 10, maximum = 300)]
    user_timeout_minutes: Option<i64>,
}

/// Let the bot lead again after the agents
///
/// Once a conversation, before its agents are done. The bot is told by `handover.handed_back` when it leads.
#[utoipa::path(
    post, path = "/v1/handovers/{id}/hand-back", tag = "handovers", operation_id = "handBack",
    params(
        ("id" = String, Path, description = "the handover's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; a repeat is told the first answer"),
    ),
    request_body = Option<HandBackBody>,
    responses((status = 201, description = "8x8 has scheduled it", body = HandoverView<'_>), HandBackProblems),
)]
pub(in crate::http) async fn hand_back(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    HandoverPath(id): HandoverPath,
    call: Call,
    OptionalJsonBody(body): OptionalJsonBody<HandBackBody>,
) -> Result<Response, Refusal> {
    let asked = body.value.check()?;
    let keyed = Once {
        bot: bot.clone(),
        call,
        request_sha256: body.sha256,
        makes: Makes::HandBack(id.clone()),
    };
    let handovers = state.handovers.clone();
    once(&state, keyed, async move |key| {
        Ok(scheduled(&handovers.hand_back(&bot, &id, asked, key).await?)?)
    })
    .await
}

impl HandBackBody {
    fn check(self) -> Result<ScheduleHandBack, Refusal> {
        let mut faults = Faults::default();
        let asked = ScheduleHandBack {
            webhook_id: faults.id("/webhookId", self.webhook_id),
            max_total_minutes: minutes("/maxTotalMinutes", self.max_total_minutes, &TOTAL, &mut faults),
            user_timeout_minutes: minutes(
                "/userTimeoutMinutes",
                self.user_timeout_minutes,
                &USER_TIMEOUT,
                &mut faults,
            ),
        };
        faults.or(asked)
    }
}

fn minutes(pointer: &str, given: Option<i64>, limits: &RangeInclusive<i64>, faults: &mut Faults) -> Option<u16> {
    let given = given?;
    if !limits.contains(&given) {
        faults.add(
            pointer,
            format!("must be {} to {} minutes", limits.start(), limits.end()),
        );
    }
    u16::try_from(given).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(total: i64, timeout: i64) -> HandBackBody {
        HandBackBody {
            webhook_id: None,
            max_total_minutes: Some(total),
            user_timeout_minutes: Some(timeout),
        }
    }

    #[test]
    fn minutes_have_8x8s_limits() {
        for (total, timeout) in [(20, 10), (600, 300)] {
            let asked = body(total, timeout).check().unwrap();
            assert_eq!(asked.max_total_minutes.map(i64::from), Some(total));
            assert_eq!(asked.user_timeout_minutes.map(i64::from), Some(timeout));
        }
        for (total, timeout) in [(19, 9), (601, 301), (-1, 70_000)] {
            let refusal = body(total, timeout).check().unwrap_err();
            let pointers: Vec<_> = refusal.errors.iter().map(|fault| fault.pointer.as_str()).collect();
            assert_eq!(pointers, ["/maxTotalMinutes", "/userTimeoutMinutes"]);
            assert_eq!(refusal.errors[0].message, "must be 20 to 600 minutes");
        }
        assert_eq!(HandBackBody::default().check().unwrap(), ScheduleHandBack::default());
    }
}
