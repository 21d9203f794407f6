//! `/v1/deliveries`: events the bot did not take, and posting one again.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::EventId;
use crate::domain::HandoverId;
use crate::domain::Timestamp;
use crate::http::ApiState;
use crate::http::answer::Answer;
use crate::http::api::handovers::respond;
use crate::http::bot_auth::CallingBot;
use crate::http::docs::CallProblems;
use crate::http::docs::ResendProblems;
use crate::http::extract::DeliveryPath;
use crate::http::extract::OptionalJsonBody;
use crate::http::idempotency::Call;
use crate::http::idempotency::Makes;
use crate::http::idempotency::Once;
use crate::http::idempotency::once;
use crate::http::problem::Refusal;
use crate::http::query::Query;
use crate::http::query::wrong;
use crate::store::FailedDelivery;
use crate::store::Reference;
use crate::store::Resent;

const PAGE: usize = 50;
const LARGEST_PAGE: usize = 200;
const FAILED: &str = "failed";

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeliveryList)]
pub(in crate::http) struct DeliveryListView<'a> {
    data: Vec<DeliveryView<'a>>,
    /// The `cursor` of the next page; missing on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<&'a str>,
}

/// Without what was said: that is in the handover's events.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Delivery)]
struct DeliveryView<'a> {
    /// The event's id, as in its `webhook-id`.
    #[schema(value_type = String, example = "evt_0192f7a0b1c27d3e8f4a5b6c7d8e9f00")]
    id: &'a EventId,
    #[schema(value_type = String)]
    handover_id: &'a HandoverId,
    sequence: u64,
    /// The event's type.
    #[serde(rename = "type")]
    #[schema(example = "message.created")]
    kind: &'a str,
    #[schema(example = "failed")]
    status: &'static str,
    /// Since it was recorded, or last asked for again.
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    first_attempt_at: Option<Timestamp>,
    #[serde(serialize_with = "Timestamp::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    failed_at: Timestamp,
    /// `not-accepted-in-time`; `gone`: the bot answered 410, and its handover's callbacks stand still until this is resent;
    /// `backlog-quota`: more waited for the bot than may wait; `erased`; `unsendable`; `unreadable`. Others may be added.
    #[schema(example = "not-accepted-in-time")]
    reason: &'a str,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Resend, example = json!({}))]
pub(in crate::http) struct ResendBody {}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Resent)]
pub(in crate::http) struct ResentView<'a> {
    #[schema(value_type = String, example = "evt_0192f7a0b1c27d3e8f4a5b6c7d8e9f00")]
    id: &'a EventId,
    #[schema(value_type = String)]
    handover_id: &'a HandoverId,
    sequence: u64,
    /// Whether the bot had stopped the handover's callbacks, which go on now.
    resumed: bool,
}

/// List the events the bot did not take
///
/// Those that were given up, and the one at which the bot stopped a handover; newest event first.
#[utoipa::path(
    get, path = "/v1/deliveries", tag = "deliveries", operation_id = "listDeliveries",
    params(
        ("status" = Option<String>, Query, description = "`failed`, the only ones that are listed"),
        ("limit" = Option<u16>, Query, description = "1 to 200, 50 when not given"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, body = DeliveryListView<'_>), CallProblems),
)]
pub(in crate::http) async fn list(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    query: Query,
) -> Result<Response, Refusal> {
    if query.text("status").is_some_and(|status| status != FAILED) {
        return Err(wrong("status", format!("must be `{FAILED}`: others are not listed")));
    }
    let (before, limit) = (cursor(query.text("cursor"))?, query.limit(PAGE, LARGEST_PAGE)?);
    let store = state.handovers.store();
    let page = store.failed_deliveries(&bot.name, before.as_ref(), limit).await?;
    let last = page.deliveries.last().filter(|_| page.more);
    respond(
        StatusCode::OK,
        &DeliveryListView {
            next_cursor: last.map(|delivery| delivery.event.as_str()),
            data: page.deliveries.iter().map(DeliveryView::of).collect(),
        },
    )
}

/// Post an event again
///
/// Also one that the bot took. It comes beside the handover's newer events, under the same `webhook-id` and with `Handover-Replay: 1`;
/// those asked for of one handover come one at a time, the oldest first. One that is on its way already is not posted twice. Where the
/// bot stopped a handover with 410, its callbacks go on from where they stopped.
#[utoipa::path(
    post, path = "/v1/deliveries/{deliveryId}/resend", tag = "deliveries", operation_id = "resendDelivery",
    params(
        ("deliveryId" = String, Path, description = "the event's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; a repeat is told the first answer"),
    ),
    request_body = Option<ResendBody>,
    responses((status = 202, body = ResentView<'_>), ResendProblems),
)]
pub(in crate::http) async fn resend(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    DeliveryPath(id): DeliveryPath,
    call: Call,
    OptionalJsonBody(body): OptionalJsonBody<ResendBody>,
) -> Result<Response, Refusal> {
    let ResendBody {} = body.value;
    let request = call.request_id();
    let keyed = Once {
        bot: bot.clone(),
        call,
        request_sha256: body.sha256,
        makes: Makes::Nothing,
    };
    let handovers = state.handovers.clone();
    once(&state, keyed, async move |_key| {
        let resent = handovers.resend(&bot.name, id.clone(), request).await?;
        Ok(answer(&id, &resent)?)
    })
    .await
}

fn answer(id: &EventId, resent: &Resent) -> Result<Answer, Refusal> {
    let view = ResentView {
        id,
        handover_id: &resent.handover,
        sequence: resent.sequence,
        resumed: resent.resumed,
    };
    let about = Reference::Handover(resent.handover.clone());
    Answer::json(StatusCode::ACCEPTED, &view, about)
}

impl<'a> DeliveryView<'a> {
    fn of(delivery: &'a FailedDelivery) -> Self {
        Self {
            id: &delivery.event,
            handover_id: &delivery.handover,
            sequence: delivery.sequence,
            kind: &delivery.kind,
            status: FAILED,
            attempts: delivery.attempts,
            first_attempt_at: delivery.first_attempt_at,
            failed_at: delivery.failed_at,
            reason: &delivery.reason,
        }
    }
}

fn cursor(text: Option<&str>) -> Result<Option<EventId>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let id = EventId::parse(text)
        .ok_or_else(|| wrong("cursor", "must be the `nextCursor` of an earlier page".to_owned()))?;
    Ok(Some(id))
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn rfc3339<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => at.rfc3339(serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_an_event_or_a_fault() {
        assert!(cursor(Some("evt_0192f7a0b1c27d3e8f4a5b6c7d8e9f00")).unwrap().is_some());
        assert_eq!(cursor(None).unwrap(), None);
        for text in ["x", "ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00"] {
            assert_eq!(cursor(Some(text)).unwrap_err().errors[0].pointer, "/query/cursor");
        }
    }
}
