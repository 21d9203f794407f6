//! `/v1/handovers/{id}/messages`: what the user says.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::AuthorType;
use crate::domain::HandoverId;
use crate::domain::MessageId;
use crate::domain::MessageStatus;
use crate::domain::RawJson;
use crate::handovers::PostMessage;
use crate::http::ApiState;
use crate::http::answer::Answer;
use crate::http::answer::Told;
use crate::http::api::attachment_body::AttachmentBody;
use crate::http::api::attachment_body::attached;
use crate::http::api::faults::Faults;
use crate::http::api::history::Author;
use crate::http::api::history::CardBody;
use crate::http::api::history::check_cards;
use crate::http::bot_auth::CallingBot;
use crate::http::docs::CommandProblems;
use crate::http::extract::HandoverPath;
use crate::http::extract::JsonBody;
use crate::http::idempotency::Call;
use crate::http::idempotency::Once;
use crate::http::idempotency::once;
use crate::http::problem::Refusal;
use crate::outbound::Fetcher;
use crate::store::Reference;

/// At least one of `text`, `cards` and `attachments`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PostMessage, example = json!({"text": "Hello, my card does not work", "clientMessageId": "m-1"}))]
pub(in crate::http) struct MessageBody {
    /// At most 100,000 characters; split on word boundaries where 8x8 takes less at once.
    text: Option<String>,
    #[serde(default)]
    #[schema(value_type = Vec<CardBody>)]
    cards: Vec<RawJson>,
    /// At most 10 files.
    #[serde(default)]
    attachments: Vec<AttachmentBody>,
    /// The user; the bot where the bot leads.
    #[schema(value_type = Option<Author>)]
    author_type: Option<AuthorType>,
    /// The bot's own name for the message: posted once within the handover.
    client_message_id: Option<String>,
}

/// What became of a message so far; a later change comes as `message.status`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PostedMessage)]
pub(in crate::http) struct PostedView<'a> {
    #[schema(value_type = String, example = "msg_0192f7a0b1c27d3e8f4a5b6c7d8e9f00")]
    message_id: &'a MessageId,
    #[schema(value_type = StatusName)]
    status: MessageStatus,
}

/// `accepted`: 8x8 took it. `queued`: recorded, 8x8 not reached yet. `unconfirmed`: 8x8 may or may not have it; being
/// resolved. `failed`: 8x8 refused it, or was not reached in time.
#[derive(ToSchema)]
#[schema(as = MessageStatus, rename_all = "lowercase")]
#[expect(dead_code, reason = "describes `MessageStatus` in the OpenAPI document")]
pub(in crate::http) enum StatusName {
    Accepted,
    Queued,
    Unconfirmed,
    Failed,
}

/// Post a message to the agent
///
/// Recorded first, then posted to 8x8 in order of arrival; the answer waits a little for 8x8's.
#[utoipa::path(
    post, path = "/v1/handovers/{id}/messages", tag = "messages", operation_id = "postMessage",
    params(
        ("id" = String, Path, description = "the handover's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; a repeat is told the first answer"),
    ),
    request_body = MessageBody,
    responses((status = 202, body = PostedView<'_>), CommandProblems),
)]
pub(in crate::http) async fn post(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    HandoverPath(id): HandoverPath,
    call: Call,
    body: JsonBody<MessageBody>,
) -> Result<Response, Refusal> {
    let message = body.value.check(id.clone(), body.sha256, &bot.fetcher)?;
    let keyed = Once::change_of(&id, &bot, call, body.sha256);
    let handovers = state.handovers.clone();
    once(&state, keyed, async move |key| {
        let sent = handovers.send(&bot, message, key).await?;
        let told = if sent.replayed { Told::Again } else { Told::First };
        Ok(Answer {
            told,
            ..posted(&id, &sent.message, sent.status)?
        })
    })
    .await
}

/// The answer to a message that was recorded.
pub(in crate::http) fn posted(
    handover: &HandoverId,
    message: &MessageId,
    status: MessageStatus,
) -> Result<Answer, Refusal> {
    let about = Reference::Message(handover.clone(), message.clone());
    Answer::json(
        StatusCode::ACCEPTED,
        &PostedView {
            message_id: message,
            status,
        },
        about,
    )
}

impl MessageBody {
    pub(super) fn check(
        self,
        handover: HandoverId,
        request_sha256: [u8; 32],
        fetcher: &Fetcher,
    ) -> Result<PostMessage, Refusal> {
        let mut faults = Faults::default();
        faults.text("/text", self.text.as_deref());
        check_cards("", &self.cards, &mut faults);
        if self.text.is_none() && self.cards.is_empty() && self.attachments.is_empty() {
            faults.add("", "must have `text`, `cards` or `attachments`");
        }
        let message = PostMessage {
            handover,
            author: self.author_type,
            text: self.text,
            cards: self.cards,
            attachments: attached("", self.attachments, fetcher, &mut faults),
            client_message_id: faults.id("/clientMessageId", self.client_message_id),
            request_sha256,
        };
        faults.or(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::AddressPolicy;
    use crate::outbound::OutboundSettings;

    fn fetcher() -> Fetcher {
        Fetcher::new(&OutboundSettings::default(), AddressPolicy::default()).unwrap()
    }

    fn check(json: &str) -> Result<PostMessage, Vec<String>> {
        let id = HandoverId::parse("ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00").unwrap();
        let body: MessageBody = serde_json::from_str(json).unwrap();
        body.check(id, [0; 32], &fetcher())
            .map_err(|refusal| refusal.errors.iter().map(|fault| fault.pointer.clone()).collect())
    }

    #[test]
    fn a_message_keeps_its_text_and_its_cards_to_the_byte() {
        let message = check(r#"{"text":" hi ","cards":[{"content": {"a":1.0}}],"clientMessageId":" m-1 "}"#).unwrap();
        assert_eq!(message.text.as_deref(), Some(" hi "));
        assert_eq!(message.cards[0].as_str(), r#"{"content": {"a":1.0}}"#);
        assert_eq!(message.client_message_id.as_deref(), Some("m-1"));
    }

    #[test]
    fn an_empty_message_or_a_fault_is_refused_with_its_place() {
        assert_eq!(check("{}").unwrap_err(), [""]);
        assert_eq!(check(r#"{"text":"  "}"#).unwrap_err(), ["/text"]);
        assert_eq!(check(r#"{"cards":[1]}"#).unwrap_err(), ["/cards/0"]);
        assert_eq!(
            check(r#"{"text":"x","attachments":[{}],"clientMessageId":""}"#).unwrap_err(),
            ["/attachments/0", "/clientMessageId"]
        );
    }
}
