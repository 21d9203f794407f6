//! `/v1/handovers/{id}/transcript`: what was said, for programs and for people.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse as _;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::MessageStatus;
use crate::domain::RawJson;
use crate::domain::Timestamp;
use crate::handovers::Entry;
use crate::handovers::EntryFile;
use crate::handovers::EntryOrigin;
use crate::handovers::Transcript;
use crate::http::ApiState;
use crate::http::accept::accepts;
use crate::http::api::handovers::respond;
use crate::http::api::history::CardBody;
use crate::http::api::messages::StatusName;
use crate::http::bot_auth::CallingBot;
use crate::http::docs::ReadProblems;
use crate::http::extract::HandoverPath;
use crate::http::problem::Refusal;

const PLAIN: &str = "text/plain";

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Transcript)]
pub(in crate::http) struct TranscriptView<'a> {
    /// Oldest first; of more than 2000, or more than 8 MiB, the newest.
    data: Vec<EntryView<'a>>,
    /// Whether 8x8 was asked for what the gateway missed, and answered in full, and nothing was left out.
    complete: bool,
    /// Everything in it was erased, after `store.content_retention` or when the bot asked for it.
    #[serde(skip_serializing_if = "is_false")]
    erased: bool,
    /// How many older messages there was no room for.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<usize>,
    /// Everyone who was ever in, as 8x8 lists them; missing where it could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    participants: Option<Vec<ParticipantBody<'a>>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TranscriptEntry)]
struct EntryView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    /// When it was recorded; of what 8x8 had, 8x8's own time; of history, when the handover was created.
    #[serde(serialize_with = "Timestamp::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    origin: OriginName,
    author: AuthorView<'a>,
    text: &'a str,
    attachments: Vec<FileView<'a>>,
    #[schema(value_type = Vec<CardBody>)]
    cards: &'a [RawJson],
    /// Of what was posted from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StatusName>)]
    status: Option<MessageStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_message_id: Option<&'a str>,
    /// Said when the handover was over already.
    #[serde(skip_serializing_if = "is_false")]
    late: bool,
}

/// A file that was shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TranscriptFile)]
struct FileView<'a> {
    /// Missing, as `url` is, where 8x8 does not have it, or not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
    /// Of what an agent sent: `image`, `video`, `audio` or `file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    /// Opens it for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TranscriptAuthor)]
struct AuthorView<'a> {
    /// `user`, `bot`, `agent`, `system`, `gateway` of a notice, or whatever 8x8 says.
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

/// `history`: given with the create. `posted`: by the bot. `notice`: the gateway told the agent. `received`: an event told
/// it. `backfilled`: read from 8x8 just now, since no event told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = TranscriptOrigin)]
enum OriginName {
    History,
    Posted,
    Notice,
    Received,
    Backfilled,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Participant)]
struct ParticipantBody<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    /// Whether they have left.
    removed: bool,
}

/// Read what was said in a handover
///
/// Both ways and in order, with the history of the create. What the gateway missed while it was away is read from 8x8 and
/// added; `complete` says whether that worked. With `Accept: text/plain` as text for people.
#[utoipa::path(
    get, path = "/v1/handovers/{id}/transcript", tag = "handovers", operation_id = "getTranscript",
    params(("id" = String, Path, description = "the handover's id")),
    responses((status = 200, content((TranscriptView<'_> = "application/json"), (String = "text/plain"))), ReadProblems),
)]
pub(in crate::http) async fn read(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    HandoverPath(id): HandoverPath,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let transcript = state.handovers.transcript(&bot.name, &id).await?;
    if accepts(&headers, PLAIN) && !accepts(&headers, "application/json") {
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        return Ok(([(header::CONTENT_TYPE, plain)], as_text(&transcript)).into_response());
    }
    let participants = transcript.participants.as_ref().map(|all| {
        let shown = all.iter().map(|one| ParticipantBody {
            id: &one.id,
            kind: &one.kind,
            removed: one.removed,
        });
        shown.collect()
    });
    respond(
        StatusCode::OK,
        &TranscriptView {
            data: transcript.entries.iter().map(EntryView::of).collect(),
            complete: transcript.complete,
            erased: transcript.handover.is_erased(),
            left_out: Some(transcript.left_out).filter(|count| *count > 0),
            participants,
        },
    )
}

impl<'a> EntryView<'a> {
    fn of(entry: &'a Entry) -> Self {
        Self {
            id: entry.id.as_deref(),
            timestamp: entry.at,
            origin: match entry.origin {
                EntryOrigin::History => OriginName::History,
                EntryOrigin::Posted => OriginName::Posted,
                EntryOrigin::Notice => OriginName::Notice,
                EntryOrigin::Received => OriginName::Received,
                EntryOrigin::Backfilled => OriginName::Backfilled,
            },
            author: AuthorView {
                kind: &entry.author.kind,
                id: entry.author.id.as_deref(),
                name: entry.author.name.as_deref(),
            },
            text: &entry.text,
            attachments: entry.attachments.iter().map(FileView::of).collect(),
            cards: &entry.cards,
            status: entry.status,
            client_message_id: entry.client_message_id.as_deref(),
            late: entry.late,
        }
    }
}

impl<'a> FileView<'a> {
    fn of(file: &'a EntryFile) -> Self {
        Self {
            id: file.id.as_deref(),
            filename: file.filename.as_deref(),
            content_type: file.content_type.as_deref(),
            url: file.url.as_deref(),
        }
    }
}

fn as_text(transcript: &Transcript) -> String {
    let mut lines = Vec::new();
    if transcript.left_out > 0 {
        lines.push(format!("({} older messages are left out)", transcript.left_out));
    }
    for entry in &transcript.entries {
        lines.push(format!("[{}] {}: {}", entry.at, who(entry), said(entry)));
    }
    if !transcript.complete && transcript.left_out == 0 {
        lines.push("(8x8 could not be asked in full: what the gateway missed may be missing here)".to_owned());
    }
    lines.push(String::new());
    lines.join("\n")
}

fn who(entry: &Entry) -> String {
    let author = &entry.author;
    let kind = if author.kind.is_empty() {
        "unknown"
    } else {
        &author.kind
    };
    match author.name.as_ref().or(author.id.as_ref()).filter(|name| *name != kind) {
        Some(name) => format!("{} ({kind})", in_one_line(name)),
        None => kind.to_owned(),
    }
}

/// In one paragraph: what follows a line break is indented, so that nobody's words look like another's line.
fn said(entry: &Entry) -> String {
    let mut parts = Vec::new();
    if !entry.text.is_empty() {
        parts.push(entry.text.trim_end().lines().collect::<Vec<_>>().join("\n    "));
    }
    parts.extend(entry.attachments.iter().map(attachment));
    parts.extend(entry.cards.iter().map(|_card| "[card]".to_owned()));
    match entry.status {
        Some(MessageStatus::Failed) => parts.push("(did not reach the agent)".to_owned()),
        Some(MessageStatus::Queued | MessageStatus::Unconfirmed) => {
            parts.push("(not known to have reached the agent)".to_owned());
        }
        Some(MessageStatus::Accepted) | None => {}
    }
    parts.join(" ")
}

fn attachment(file: &EntryFile) -> String {
    match file.filename.as_ref().or(file.id.as_ref()) {
        Some(name) => format!("[attachment {}]", in_one_line(name)),
        None => "[attachment]".to_owned(),
    }
}

fn in_one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join(" ")
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_false(value: &bool) -> bool {
    !*value
}
