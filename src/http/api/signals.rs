//! `/v1/handovers/{id}/typing`, `/thinking` and `/read-receipt`: what the agent is shown in passing.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::KnownFormat;
use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::Schema;
use utoipa::openapi::SchemaFormat;
use utoipa::openapi::Type;
use utoipa::openapi::schema::SchemaType;

use crate::domain::AuthorType;
use crate::domain::HandoverId;
use crate::domain::Signal;
use crate::domain::Timestamp;
use crate::http::ApiState;
use crate::http::answer::Answer;
use crate::http::api::faults::Faults;
use crate::http::api::history::Author;
use crate::http::bot_auth::CallingBot;
use crate::http::docs::CommandProblems;
use crate::http::extract::HandoverPath;
use crate::http::extract::OptionalJsonBody;
use crate::http::idempotency::Call;
use crate::http::idempotency::Once;
use crate::http::idempotency::once;
use crate::http::problem::Refusal;

/// 8x8 shows nobody as thinking for longer.
const LONGEST_THINKING: i64 = 600;
/// The year 2000: a smaller number counts something else than milliseconds.
const EARLIEST_READ: i64 = 946_684_800_000;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Typing)]
pub(in crate::http) struct TypingBody {
    /// The user when not given.
    #[schema(value_type = Option<Author>)]
    author_type: Option<AuthorType>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Thinking, example = json!({"maxThinkingTimeSeconds": 30}))]
pub(in crate::http) struct ThinkingBody {
    /// Only the bot thinks.
    #[schema(value_type = Option<Author>)]
    author_type: Option<AuthorType>,
    /// How long 8x8 shows it unless a message comes; a minute when not given.
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 600)]
    max_thinking_time_seconds: Option<i64>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ReadReceipt, example = json!({"readAt": "2026-11-20T12:00:00.123Z"}))]
pub(in crate::http) struct ReadReceiptBody {
    /// The user when not given.
    #[schema(value_type = Option<Author>)]
    author_type: Option<AuthorType>,
    /// An RFC 3339 time, or epoch milliseconds; now when not given.
    #[schema(schema_with = time)]
    read_at: Option<Value>,
}

/// Tell the agent that the user is typing
///
/// At most once, and only while no message waits for 8x8.
#[utoipa::path(
    post, path = "/v1/handovers/{id}/typing", tag = "messages", operation_id = "typing",
    params(
        ("id" = String, Path, description = "the handover's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; a repeat is told the first answer"),
    ),
    request_body = Option<TypingBody>,
    responses((status = 204, description = "Told, or not worth telling"), CommandProblems),
)]
pub(in crate::http) async fn typing(
    State(state): State<ApiState>,
    calling: CallingBot,
    HandoverPath(id): HandoverPath,
    call: Call,
    OptionalJsonBody(body): OptionalJsonBody<TypingBody>,
) -> Result<Response, Refusal> {
    let author = body.value.author_type.unwrap_or(AuthorType::User);
    let keyed = Once::change_of(&id, &calling.0, call, body.sha256);
    tell(&state, keyed, id, Signal::Typing(author)).await
}

/// Tell the agent that the bot works on an answer
///
/// At most once, and only while no message waits for 8x8.
#[utoipa::path(
    post, path = "/v1/handovers/{id}/thinking", tag = "messages", operation_id = "thinking",
    params(
        ("id" = String, Path, description = "the handover's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; a repeat is told the first answer"),
    ),
    request_body = Option<ThinkingBody>,
    responses((status = 204, description = "Told, or not worth telling"), CommandProblems),
)]
pub(in crate::http) async fn thinking(
    State(state): State<ApiState>,
    calling: CallingBot,
    HandoverPath(id): HandoverPath,
    call: Call,
    OptionalJsonBody(body): OptionalJsonBody<ThinkingBody>,
) -> Result<Response, Refusal> {
    let signal = body.value.check()?;
    let keyed = Once::change_of(&id, &calling.0, call, body.sha256);
    tell(&state, keyed, id, signal).await
}

/// Tell the agent that what they wrote was read
///
/// Told at once. 8x8 takes receipts of a user on Chat API channels only, and refuses others.
#[utoipa::path(
    post, path = "/v1/handovers/{id}/read-receipt", tag = "messages", operation_id = "readReceipt",
    params(
        ("id" = String, Path, description = "the handover's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; a repeat is told the first answer"),
    ),
    request_body = Option<ReadReceiptBody>,
    responses((status = 204, description = "8x8 took it"), CommandProblems),
)]
pub(in crate::http) async fn read_receipt(
    State(state): State<ApiState>,
    calling: CallingBot,
    HandoverPath(id): HandoverPath,
    call: Call,
    OptionalJsonBody(body): OptionalJsonBody<ReadReceiptBody>,
) -> Result<Response, Refusal> {
    let signal = body.value.check(state.clock.now())?;
    let keyed = Once::change_of(&id, &calling.0, call, body.sha256);
    tell(&state, keyed, id, signal).await
}

async fn tell(state: &ApiState, keyed: Once, id: HandoverId, signal: Signal) -> Result<Response, Refusal> {
    let (handovers, bot) = (state.handovers.clone(), keyed.bot.clone());
    once(state, keyed, async move |_key| {
        handovers.signal(&bot, &id, signal).await?;
        Ok(Answer::empty(id))
    })
    .await
}

impl ThinkingBody {
    fn check(&self) -> Result<Signal, Refusal> {
        let mut faults = Faults::default();
        if self.author_type == Some(AuthorType::User) {
            faults.add("/authorType", "must be `bot`: 8x8 shows nobody else as thinking");
        }
        let max_seconds = self.max_thinking_time_seconds;
        if max_seconds.is_some_and(|seconds| !(1..=LONGEST_THINKING).contains(&seconds)) {
            faults.add(
                "/maxThinkingTimeSeconds",
                format!("must be 1 to {LONGEST_THINKING} seconds"),
            );
        }
        let max_seconds = max_seconds.and_then(|seconds| u16::try_from(seconds).ok());
        faults.or(Signal::Thinking { max_seconds })
    }
}

/// What may stand for a time.
fn time() -> Schema {
    let types = [Type::String, Type::Integer, Type::Null];
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter(types))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some("An RFC 3339 time, or epoch milliseconds; now when not given."))
        .into()
}

impl ReadReceiptBody {
    fn check(&self, now: Timestamp) -> Result<Signal, Refusal> {
        let mut faults = Faults::default();
        let read_at = match &self.read_at {
            None => Some(now),
            Some(Value::String(text)) => Timestamp::parse_rfc3339(text.trim()),
            Some(Value::Number(number)) => number.as_i64().map(Timestamp::from_millis),
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => None,
        };
        let read_at = read_at.filter(|at| at.as_millis() >= EARLIEST_READ);
        if read_at.is_none() {
            faults.add(
                "/readAt",
                "must be an RFC 3339 time such as 2026-11-20T12:00:00Z, or epoch milliseconds, of the year 2000 or later",
            );
        }
        faults.or(Signal::ReadReceipt {
            author: self.author_type.unwrap_or(AuthorType::User),
            read_at: read_at.unwrap_or(now),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_763_640_000_000);

    fn receipt(json: &str) -> Result<Signal, String> {
        let body: ReadReceiptBody = serde_json::from_str(json).unwrap();
        body.check(NOW).map_err(|refusal| refusal.errors[0].pointer.clone())
    }

    fn thinking(json: &str) -> Result<Signal, String> {
        let body: ThinkingBody = serde_json::from_str(json).unwrap();
        body.check().map_err(|refusal| refusal.errors[0].pointer.clone())
    }

    #[test]
    fn a_receipt_is_of_the_user_and_of_now_unless_it_says_otherwise() {
        let read = |author, millis| {
            Ok(Signal::ReadReceipt {
                author,
                read_at: Timestamp::from_millis(millis),
            })
        };
        assert_eq!(receipt("{}"), read(AuthorType::User, NOW.as_millis()));
        let bot = r#"{"authorType":"bot","readAt":"2025-11-20T13:00:00.123+01:00"}"#;
        assert_eq!(receipt(bot), read(AuthorType::Bot, 1_763_640_000_123));
        assert_eq!(
            receipt(r#"{"readAt":1763640000123}"#),
            read(AuthorType::User, 1_763_640_000_123)
        );
    }

    #[test]
    fn what_is_no_time_is_named() {
        for at in ["\"yesterday\"", "1763640000", "-1", "1.5", "true", "[]", "\"\""] {
            assert_eq!(
                receipt(&format!(r#"{{"readAt":{at}}}"#)),
                Err("/readAt".to_owned()),
                "{at}"
            );
        }
    }

    #[test]
    fn only_the_bot_thinks_and_for_ten_minutes_at_most() {
        assert_eq!(thinking("{}"), Ok(Signal::Thinking { max_seconds: None }));
        let longest = r#"{"authorType":"bot","maxThinkingTimeSeconds":600}"#;
        assert_eq!(thinking(longest), Ok(Signal::Thinking { max_seconds: Some(600) }));
        assert_eq!(thinking(r#"{"authorType":"user"}"#), Err("/authorType".to_owned()));
        for seconds in [-1, 0, 601, 100_000] {
            let json = format!(r#"{{"maxThinkingTimeSeconds":{seconds}}}"#);
            assert_eq!(thinking(&json), Err("/maxThinkingTimeSeconds".to_owned()));
        }
    }
}
