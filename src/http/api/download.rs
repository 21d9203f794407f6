//! Files on their way from 8x8 to a bot, or to whoever has a link: piece by piece, and never to be run by a browser.

use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::Path;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::IntoResponse as _;
use axum::response::Response;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;

use crate::attachment_links::LinkFault;
use crate::attachment_links::LinkProof;
use crate::chat_gateway::AttachmentContent;
use crate::clock::Clock;
use crate::domain::FileName;
use crate::domain::HandoverId;
use crate::domain::Timestamp;
use crate::domain::media_type;
use crate::handovers::CommandError;
use crate::handovers::Files;
use crate::handovers::LONGEST_TRANSFER;
use crate::http::ApiState;
use crate::http::bot_auth::CallingBot;
use crate::http::docs::DownloadProblems;
use crate::http::docs::LinkProblems;
use crate::http::problem::Refusal;
use crate::http::query::Query;
use crate::problem::Problem;
use crate::problem::ProblemCode;

/// No file is larger.
const LARGEST: u64 = 512 * 1024 * 1024;
const CSP: HeaderName = HeaderName::from_static("content-security-policy");
const NOSNIFF: HeaderName = HeaderName::from_static("x-content-type-options");
/// Types a browser shows without running anything in them; all others are bytes.
const HARMLESS: &[&str] = &[
    "audio/",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/plain",
    "video/",
];

/// A handover and a file of it. What cannot be either is not found.
#[derive(Debug)]
pub(in crate::http) struct FilePath {
    handover: HandoverId,
    attachment: String,
}

impl<S: Send + Sync> FromRequestParts<S> for FilePath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Ok(Path((handover, attachment))) = path else {
            return Err(no_file());
        };
        let is_id = !attachment.trim().is_empty() && !attachment.chars().any(|c| c.is_control() || "/\\".contains(c));
        let handover = HandoverId::parse(&handover).filter(|_| is_id && attachment.len() <= 255);
        Ok(Self {
            handover: handover.ok_or_else(no_file)?,
            attachment,
        })
    }
}

/// Fetch a file
///
/// Of the handover's conversation, whoever sent it; also when the handover is over.
#[utoipa::path(
    get, path = "/v1/handovers/{id}/attachments/{attachmentId}", tag = "attachments", operation_id = "downloadAttachment",
    params(
        ("id" = String, Path, description = "the handover's id"),
        ("attachmentId" = String, Path, description = "from an event's `message.attachments`, or from the upload"),
    ),
    responses(
        (status = 200, description = "The bytes, with their name in `Content-Disposition`", content_type = "application/octet-stream"),
        DownloadProblems,
    ),
)]
pub(in crate::http) async fn download(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    path: FilePath,
) -> Result<Response, Refusal> {
    let files = state.handovers.files_to_fetch(&bot, &path.handover).await;
    let files = files.map_err(not_there)?;
    send(&state, &files, &path.attachment).await
}

/// Open a link to a file
///
/// The `url` in an event's `message.attachments`: needs no key, and opens for seven days.
#[utoipa::path(
    get, path = "/attachments/{handoverId}/{attachmentId}", tag = "attachments", operation_id = "openAttachment",
    params(
        ("handoverId" = String, Path, description = "as the link has it"),
        ("attachmentId" = String, Path, description = "as the link has it"),
        ("expires" = String, Query, description = "as the link has it: when it ends, in seconds since 1970"),
        ("signature" = String, Query, description = "as the link has it"),
    ),
    responses(
        (status = 200, description = "The bytes, with their name in `Content-Disposition`", content_type = "application/octet-stream"),
        (status = 410, description = "The link has expired", body = Problem, content_type = "application/problem+json"),
        LinkProblems,
    ),
)]
pub(in crate::http) async fn open(
    State(state): State<ApiState>,
    path: FilePath,
    query: Query,
) -> Result<Response, Refusal> {
    let proof = LinkProof {
        expires: query.text("expires").unwrap_or_default(),
        signature: query.text("signature").unwrap_or_default(),
    };
    let opened = state
        .handovers
        .files_by_link(&path.handover, &path.attachment, proof)
        .await;
    match opened.map_err(not_there)? {
        Ok(files) => send(&state, &files, &path.attachment).await,
        Err(LinkFault::Forged) => Err(no_file()),
        Err(LinkFault::Expired) => {
            let detail = "the link has expired; the bot it was given to can fetch the file by its API";
            Err(Box::new(Problem::new(ProblemCode::NotFound, detail).with_status(410)))
        }
    }
}

async fn send(state: &ApiState, files: &Files, attachment: &str) -> Result<Response, Refusal> {
    let view = files.show(attachment).await.map_err(not_there)?;
    let content = files.fetch(attachment).await.map_err(not_there)?;
    let size = content.size();
    if size.or(view.size).is_some_and(|size| size > LARGEST) {
        let detail = "the file is larger than any the gateway passes on";
        return Err(Box::new(Problem::new(ProblemCode::UpstreamRejected, detail)));
    }
    let name = view.filename.as_deref().and_then(FileName::of);
    let name = name.unwrap_or_else(FileName::unnamed);
    let content_type = harmless(content.content_type().unwrap_or_default());
    let sending = Sending {
        content,
        left: LARGEST,
        until: state.clock.now().plus(LONGEST_TRANSFER),
        pause: state.pause,
        clock: state.clock.clone(),
    };
    let mut response = Body::from_stream(sending.into_stream()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, value(&content_type));
    headers.insert(header::CONTENT_DISPOSITION, value(&name.content_disposition()));
    headers.insert(NOSNIFF, HeaderValue::from_static("nosniff"));
    headers.insert(CSP, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if let Some(size) = size {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    }
    Ok(response)
}

struct Sending {
    content: AttachmentContent,
    left: u64,
    until: Timestamp,
    pause: Duration,
    clock: Clock,
}

impl Sending {
    /// An error cuts the connection, so that nobody takes a part for the whole.
    fn into_stream(self) -> impl Stream<Item = Result<Bytes, &'static str>> + Send {
        stream::unfold(Some(self), async |sending| {
            let mut sending = sending?;
            if sending.clock.now() >= sending.until {
                return Some((Err("the file takes too long"), None));
            }
            let piece = match sending.content.piece(sending.pause).await {
                Ok(piece) => piece?,
                Err(_) => return Some((Err("8x8 stopped sending the file"), None)),
            };
            match sending.left.checked_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX)) {
                Some(left) => sending.left = left,
                None => return Some((Err("the file is too large"), None)),
            }
            Some((Ok(piece), Some(sending)))
        })
    }
}

fn harmless(content_type: &str) -> String {
    let essence = media_type(content_type);
    let is_harmless = HARMLESS.iter().any(|start| essence.starts_with(start));
    if is_harmless { essence } else { media_type("") }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_unusable| HeaderValue::from_static("attachment"))
}

fn not_there(error: CommandError) -> Refusal {
    match error {
        CommandError::NotFound => no_file(),
        error => error.into(),
    }
}

fn no_file() -> Refusal {
    Box::new(Problem::new(
        ProblemCode::NotFound,
        "there is no such file in this handover",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_browser_would_run_keeps_its_type() {
        for dangerous in [
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "text/javascript",
            "application/pdf",
            "",
        ] {
            assert_eq!(harmless(dangerous), "application/octet-stream", "{dangerous}");
        }
        assert_eq!(harmless("Image/PNG"), "image/png");
        assert_eq!(harmless("text/plain; charset=utf-8"), "text/plain");
    }
}
