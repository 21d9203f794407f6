//! The only map from the gateway's errors to what a caller is told: RFC 9457 and a status. A 5xx is logged here, once.

use std::error::Error;

use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::availability::AvailabilityAnswer;
use crate::chat_gateway::PropertiesError;
use crate::domain::RawJson;
use crate::domain::transition::Refused;
use crate::handovers::CommandError;
use crate::handovers::problem::hand_back_taken;
use crate::handovers::problem::no_webhook;
use crate::handovers::problem::of_chat_gateway;
use crate::http::api::AvailabilityView;
use crate::problem::FieldError;
use crate::problem::Problem;
use crate::problem::ProblemCode;
use crate::store::StoreError;

pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// Seconds after which a store that was not there may be back.
const STORE_AGAIN: u64 = 2;
/// A full disk is not emptied in a moment.
const FULL_AGAIN: u64 = 10;
/// Seconds after which 8x8 may have confirmed an end.
const END_AGAIN: u64 = 5;
/// Seconds after which a handover's lane may have room again.
const LANE_AGAIN: u64 = 1;

/// A problem on its way out of a handler.
pub(super) type Refusal = Box<Problem>;

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        let problem = of_command(&error);
        if matches!(error, CommandError::Store(StoreError::Full)) {
            // The store says once that its disk is full; a line a call would help to fill it.
            tracing::debug!("a bot's call found no room in the store");
        } else if problem.status >= 500 {
            tracing::error!(
                problem.code = problem.code.as_str(),
                error = chain(&error),
                "a bot's call failed"
            );
        }
        Self::new(problem)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        CommandError::Store(error).into()
    }
}

fn of_command(error: &CommandError) -> Problem {
    match error {
        CommandError::NotFound => *no_handover(),
        CommandError::NoDelivery => *no_delivery(),
        CommandError::Exists(id) => {
            let detail = "this botSessionId, or the conversation, has a live handover already; go on with it, or end it first";
            Problem::new(ProblemCode::HandoverExists, detail).about(id.clone())
        }
        CommandError::NothingToReopen(id) => nothing_to_reopen().about(id.clone()),
        CommandError::EndOpen(id) => end_open().about(id.clone()),
        CommandError::Refused(refused) => of_refused(*refused),
        CommandError::NoWebhook => no_webhook(),
        CommandError::NoChannel => Problem::new(
            ProblemCode::TenantNotProvisioned,
            "no 8x8 channel is known for this bot; an operator has to run `handover-gateway provision --apply`, or set \
             tenants.*.channel_id or bots.*.channel_id, or the call has to name a channelId",
        ),
        CommandError::AgentsUnavailable(answer) => nobody_there(answer),
        CommandError::Properties(PropertiesError::Conflict { pointer }) => {
            let message = "the gateway sets this itself; leave it out of properties".to_owned();
            *invalid(vec![FieldError {
                pointer: format!("/properties{pointer}"),
                message,
            }])
        }
        CommandError::Properties(PropertiesError::NotAnObject) => *invalid(vec![FieldError {
            pointer: "/properties".to_owned(),
            message: "must be a JSON object".to_owned(),
        }]),
        CommandError::KeyTaken(_) => *in_progress(),
        CommandError::OtherMessage => Problem::new(
            ProblemCode::IdempotencyMismatch,
            "this clientMessageId was used for a message with other content",
        ),
        CommandError::MessageFailed => Problem::new(
            ProblemCode::UpstreamRejected,
            "the message with this clientMessageId did not reach the agent; send it again under a new one if it still matters",
        ),
        CommandError::LaneFull => {
            let detail = "too many calls of this handover wait for 8x8; slow down and try again";
            Problem::new(ProblemCode::RateLimited, detail).retry_after(LANE_AGAIN)
        }
        CommandError::Unfetched { place, why, handover } => unfetched(*place, why).about(handover.clone()),
        CommandError::ChatGateway { error, handover } => {
            let problem = of_chat_gateway(error);
            handover.clone().map_or(problem.clone(), |id| problem.about(id))
        }
        CommandError::Unrecorded(handover) => Problem::new(
            ProblemCode::StoreUnavailable,
            "8x8 has answered and the gateway could not record it yet; it will. Look at the handover, or repeat with the same \
             Idempotency-Key, instead of creating another",
        )
        .about(handover.clone())
        .retry_after(STORE_AGAIN),
        CommandError::Store(error) => of_store(error),
        CommandError::CutOff(_) => *internal(),
    }
}

fn nothing_to_reopen() -> Problem {
    let detail = "8x8 never had a conversation of this handover, so there is nothing to reopen; create a new one";
    Problem::new(ProblemCode::HandoverEnded, detail)
}

fn end_open() -> Problem {
    let detail = "8x8 has not confirmed yet that this conversation is over; it is still being told, try again";
    Problem::new(ProblemCode::UpstreamUnavailable, detail).retry_after(END_AGAIN)
}

fn of_refused(refused: Refused) -> Problem {
    match refused {
        Refused::Ended => Problem::new(
            ProblemCode::HandoverEnded,
            "the handover is over; reopen it, or create a new one, to talk to an agent again",
        ),
        Refused::NotActive => Problem::new(
            ProblemCode::HandoverNotActive,
            "the handover's present state does not allow this call; see its `state`",
        ),
        Refused::NotOver => Problem::new(
            ProblemCode::HandoverNotActive,
            "what is said in a handover that goes on cannot be erased; end it first",
        ),
        Refused::HandBackTaken => hand_back_taken(),
        Refused::HandBackUnderWay => {
            let detail = "8x8 has not said yet whether it scheduled the hand-back; it is asked again. Repeat with the same \
                          Idempotency-Key to learn the outcome; should it fail, handover.update_failed tells it";
            Problem::new(ProblemCode::UpstreamTimeout, detail)
        }
    }
}

fn unfetched(place: usize, why: &str) -> Problem {
    *invalid(vec![FieldError {
        pointer: format!("/attachments/{place}/url"),
        message: why.to_owned(),
    }])
}

fn nobody_there(answer: &AvailabilityAnswer) -> Problem {
    let detail = "nobody is there to take the handover now, as `availability` shows; nothing was made. Try again later, or \
                  without `\"availability\": \"require\"`";
    Problem {
        availability: RawJson::of(&AvailabilityView::of(answer)).ok(),
        ..Problem::new(ProblemCode::AgentsUnavailable, detail)
    }
}

fn of_store(error: &StoreError) -> Problem {
    match error {
        StoreError::Full => Problem::new(
            ProblemCode::StoreUnavailable,
            "the gateway has no room to record anything now, its operator has been told; try again later",
        )
        .retry_after(FULL_AGAIN),
        StoreError::Unavailable(_) | StoreError::Broken(_) => Problem::new(
            ProblemCode::StoreUnavailable,
            "the gateway cannot record anything now; try again",
        )
        .retry_after(STORE_AGAIN),
        StoreError::Inconsistent { .. } => *internal(),
    }
}

pub(super) fn refused(code: ProblemCode, detail: &str) -> Refusal {
    Box::new(Problem::new(code, detail))
}

pub(super) fn internal() -> Refusal {
    refused(
        ProblemCode::Internal,
        "the gateway failed; its log says why, under the answer's X-Request-Id",
    )
}

/// 503: nothing was done, and it may be asked again at once.
pub(super) fn too_slow(detail: &str) -> Refusal {
    Box::new(Problem::new(ProblemCode::StoreUnavailable, detail).retry_after(STORE_AGAIN))
}

pub(super) fn no_handover() -> Refusal {
    refused(ProblemCode::NotFound, "this bot has no handover with this id")
}

pub(super) fn no_delivery() -> Refusal {
    refused(
        ProblemCode::NotFound,
        "this bot has no delivery with this id; a delivery is called by the id of its event",
    )
}

pub(super) fn in_progress() -> Refusal {
    let detail = "the first call with this Idempotency-Key is still running; repeat it later to learn its answer";
    refused(ProblemCode::IdempotencyInProgress, detail)
}

/// 422 with what is wrong where.
pub(super) fn invalid(errors: Vec<FieldError>) -> Refusal {
    let detail = match errors.as_slice() {
        [only] if only.pointer.is_empty() => format!("the body: {}", only.message),
        [only] => format!("{}: {}", only.pointer, only.message),
        several => format!("{} things are wrong with the request; see `errors`", several.len()),
    };
    Box::new(Problem {
        errors,
        ..Problem::new(ProblemCode::InvalidRequest, detail)
    })
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&*self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // Whoever knows the path completes it.
        response.extensions_mut().insert(*self);
        response
    }
}

/// An error with its sources, for the log.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::HandoverId;

    #[test]
    fn an_existing_handover_is_named() {
        let id = HandoverId::parse("ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00").unwrap();
        let problem = of_command(&CommandError::Exists(id.clone()));
        assert_eq!((problem.status, problem.handover_id), (409, Some(id)));
    }

    #[test]
    fn an_answer_is_a_problem_with_its_headers() {
        let response = Box::new(of_command(&CommandError::LaneFull)).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }

    #[test]
    fn a_fault_of_the_whole_body_says_so() {
        let fault = FieldError {
            pointer: String::new(),
            message: "must have `text` or `cards`".to_owned(),
        };
        assert_eq!(invalid(vec![fault]).detail, "the body: must have `text` or `cards`");
    }

    #[test]
    fn one_fault_is_told_in_the_detail_too() {
        let fault = FieldError {
            pointer: "/queueId".to_owned(),
            message: "must not be blank".to_owned(),
        };
        let problem = invalid(vec![fault]);
        assert_eq!(
            (problem.status, problem.detail.as_str()),
            (422, "/queueId: must not be blank")
        );
    }
}
