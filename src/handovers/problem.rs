//! What a bot is told of 8x8's refusals, in an answer or in an event.

use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::Fault;
use crate::chat_gateway::Refusal;
use crate::domain::HandoverId;
use crate::domain::RawJson;
use crate::domain::ScheduleHandBack;
use crate::problem::Problem;
use crate::problem::ProblemCode;
use crate::problem::Upstream;

/// Seconds after which a call that 8x8 did not get may be tried again.
const TRY_AGAIN: u64 = 5;

/// The problem a call to 8x8 ended with.
pub fn of_chat_gateway(error: &ChatGatewayError) -> Problem {
    match error {
        ChatGatewayError::NotSent(_) => Problem::new(
            ProblemCode::UpstreamUnavailable,
            "8x8 could not be reached; nothing was sent, try again",
        )
        .retry_after(TRY_AGAIN),
        ChatGatewayError::Throttled { after } => {
            let seconds = after.map_or(TRY_AGAIN, |after| after.as_secs().max(1));
            let detail = "8x8 limits the rate of calls, or `rate_limit` does, and did not take this one; try again after the time in Retry-After";
            Problem::new(ProblemCode::UpstreamUnavailable, detail).retry_after(seconds)
        }
        ChatGatewayError::Unanswered(_) => Problem::new(
            ProblemCode::UpstreamTimeout,
            "8x8 did not answer and may have taken the call; it is being looked for. Repeat with the same Idempotency-Key to learn the outcome",
        ),
        ChatGatewayError::Refused(refusal) => of_refusal(refusal),
    }
}

fn of_refusal(refusal: &Refusal) -> Problem {
    let said = refusal
        .message
        .as_deref()
        .or(refusal.code.as_deref())
        .unwrap_or("no reason given");
    let mut problem = match refusal.fault {
        Fault::Credentials => Problem::new(
            ProblemCode::UpstreamUnauthorized,
            "8x8 refused the gateway's API key or tenant id; an operator has to check tenants.*.api_key and tenants.*.tenant_id",
        ),
        Fault::BotData => Problem::new(
            ProblemCode::UpstreamRejected,
            format!("8x8 refused what was sent: {said}"),
        )
        .with_status(422),
        Fault::NotFound | Fault::Other => Problem::new(
            ProblemCode::UpstreamRejected,
            format!("8x8 answered {}: {said}", refusal.status),
        ),
    };
    problem.upstream = Some(Upstream {
        status: refusal.status,
        reference_id: refusal.reference_id.clone(),
        message: refusal.message.clone(),
    });
    problem
}

pub(super) fn of_create(error: &ChatGatewayError, handover: &HandoverId) -> RawJson {
    raw(&of_chat_gateway(error).about(handover.clone()))
}

/// 8x8 shows that it does not have the conversation.
pub(super) fn never_taken(handover: &HandoverId) -> RawJson {
    let detail = "8x8 did not answer the create, and has no conversation of it; create a new handover";
    raw(&Problem::new(ProblemCode::UpstreamTimeout, detail).about(handover.clone()))
}

/// 8x8 never said, and never showed, whether it has the conversation.
pub(super) fn never_known(handover: &HandoverId) -> RawJson {
    let detail = "8x8 did not answer the create and could not be asked; should the conversation turn up, it is ended there. Create a new handover";
    raw(&Problem::new(ProblemCode::UpstreamTimeout, detail).about(handover.clone()))
}

/// 8x8 shows that it does not have the words that were to reopen a conversation.
pub(super) fn never_reopened(handover: &HandoverId) -> RawJson {
    let detail =
        "8x8 did not answer the message that was to reopen the conversation, and does not have it; reopen it again";
    raw(&Problem::new(ProblemCode::UpstreamTimeout, detail).about(handover.clone()))
}

/// 8x8 never said, and never showed, whether it has them.
pub(super) fn never_known_reopened(handover: &HandoverId) -> RawJson {
    let detail = "8x8 did not answer the message that was to reopen the conversation and could not be asked; should an agent \
                  come for it, it is ended there. Reopen it again";
    raw(&Problem::new(ProblemCode::UpstreamTimeout, detail).about(handover.clone()))
}

pub(super) fn of_update(error: Option<&ChatGatewayError>) -> RawJson {
    raw(&error.map_or_else(
        || Problem::new(ProblemCode::UpstreamRejected, "8x8 did not carry out the change"),
        of_chat_gateway,
    ))
}

/// A hand-back that was not scheduled.
pub(super) fn of_hand_back(error: Option<&ChatGatewayError>, asked: &ScheduleHandBack) -> RawJson {
    match error {
        None => raw(&Problem::new(
            ProblemCode::HandoverNotActive,
            "the agents were done before the hand-back could be scheduled",
        )),
        Some(error) if error.says_it_exists() => raw(&hand_back_taken()),
        Some(error) if error.is_not_found() && asked.webhook_id.is_none() => raw(&no_webhook()),
        Some(error) => raw(&of_chat_gateway(error)),
    }
}

/// 8x8 never said whether it took it.
pub(super) fn hand_back_unknown() -> RawJson {
    let detail = "8x8 never said whether it scheduled the hand-back; asking for it again resolves it";
    raw(&Problem::new(ProblemCode::UpstreamTimeout, detail))
}

pub fn hand_back_taken() -> Problem {
    let detail =
        "a hand-back is scheduled for this conversation already; 8x8 takes one a conversation and none can be changed";
    Problem::new(ProblemCode::HandoverNotActive, detail)
}

pub fn no_webhook() -> Problem {
    let detail = "8x8 names no webhook of this handover's channel to hand back to; name a `webhookId`, or have an operator \
                  check the channel and its webhook in 8x8";
    Problem::new(ProblemCode::TenantNotProvisioned, detail)
}

fn raw(problem: &Problem) -> RawJson {
    #[expect(clippy::expect_used, reason = "strings and numbers only")]
    RawJson::of(problem).expect("a problem serialises")
}
