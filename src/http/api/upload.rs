//! `POST /v1/handovers/{id}/attachments`: a file for the agent, passed on to 8x8 while it comes in.

use std::sync::Arc;

use axum::extract::Request;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::chat_gateway::AttachmentView;
use crate::domain::AuthorType;
use crate::domain::FileName;
use crate::domain::HandoverId;
use crate::domain::SentFile;
use crate::handovers::Bot;
use crate::handovers::CommandError;
use crate::handovers::Files;
use crate::handovers::Found;
use crate::handovers::Sought;
use crate::http::ApiState;
use crate::http::answer::Answer;
use crate::http::answer::Told;
use crate::http::answer::replay;
use crate::http::api::multipart::Broken;
use crate::http::api::multipart::Incoming;
use crate::http::api::multipart::Received;
use crate::http::api::upload_key::Earlier;
use crate::http::api::upload_key::UploadKey;
use crate::http::bot_auth::CallingBot;
use crate::http::docs::CommandProblems;
use crate::http::extract::HandoverPath;
use crate::http::idempotency::Call;
use crate::http::idempotency::mismatch;
use crate::http::problem::Refusal;
use crate::http::problem::refused;
use crate::problem::ProblemCode;
use crate::store::Reference;

/// A file, and who sends it.
#[derive(ToSchema)]
#[schema(as = Upload, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the parts in the OpenAPI document")]
pub(in crate::http) struct UploadBody {
    /// `user` or `bot`, before the file. The user when not given; the bot where the bot leads.
    author_type: Option<String>,
    /// With a file name.
    #[schema(value_type = String, format = Binary)]
    attachment: Vec<u8>,
}

/// A file 8x8 has.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UploadedAttachment)]
pub(in crate::http) struct UploadedView<'a> {
    /// To be named in a message's `attachments`.
    id: &'a str,
    filename: &'a str,
    size_in_bytes: u64,
}

/// Give 8x8 a file
///
/// Passed on to 8x8 while it comes in. Name its `id` in a message's `attachments` to show it to the agent.
#[utoipa::path(
    post, path = "/v1/handovers/{id}/attachments", tag = "attachments", operation_id = "uploadAttachment",
    params(
        ("id" = String, Path, description = "the handover's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; a repeat with the same file is told the first answer"),
    ),
    request_body(content = UploadBody, content_type = "multipart/form-data"),
    responses((status = 201, body = UploadedView<'_>), CommandProblems),
)]
pub(in crate::http) async fn upload(
    State(state): State<ApiState>,
    CallingBot(bot): CallingBot,
    HandoverPath(id): HandoverPath,
    call: Call,
    request: Request,
) -> Result<Response, Refusal> {
    let supervisor = state.supervisor.clone();
    let upload = Upload { state, bot, id };
    // Runs to its end when the caller hangs up: from the file's last bytes on 8x8 may have it.
    let finished = supervisor.finish(async move {
        let path = call.path().to_owned();
        let answered = upload.answer(call, request).await;
        answered.map_err(|refusal| upload.completed(refusal, path))
    });
    finished.await.map_err(CommandError::from)?
}

struct Upload {
    state: ApiState,
    bot: Arc<Bot>,
    id: HandoverId,
}

impl Upload {
    async fn answer(&self, call: Call, request: Request) -> Result<Response, Refusal> {
        let mut incoming = Incoming::of(request, &self.bot.tenant, self.state.pause).await?;
        let answered = self.answer_to(call, &mut incoming).await;
        if answered.is_err() {
            // Or the caller might never see why, being busy with sending.
            incoming.drain().await;
        }
        answered
    }

    async fn answer_to(&self, call: Call, incoming: &mut Incoming) -> Result<Response, Refusal> {
        let Some(key) = UploadKey::take(&self.state, &self.bot, &self.id, &call)? else {
            return self.upload(incoming, None).await;
        };
        match key.earlier().await? {
            None => self.upload(incoming, Some((&key, None))).await,
            Some(Earlier::Answered(sha256, answer)) => {
                self.is_same(incoming, sha256).await?;
                Ok(replay(answer))
            }
            Some(Earlier::Nothing(sha256)) => self.upload(incoming, Some((&key, Some(sha256)))).await,
            Some(Earlier::Unanswered(sha256, sought)) => {
                let handovers = &self.state.handovers;
                let files = handovers.files_to_fetch(&self.bot, &self.id).await?;
                match files.find(&sought, self.state.clock.now()).await {
                    Found::There(view) => {
                        self.is_same(incoming, sha256).await?;
                        let answer = self.uploaded(&view, &sought.file.filename, sought.file.size)?;
                        key.keep(sha256, answer.keep()).await;
                        let told = Told::Again;
                        Ok(Answer { told, ..answer }.into_response())
                    }
                    Found::Absent => self.upload(incoming, Some((&key, Some(sha256)))).await,
                    Found::CouldNotTell => Err(unresolved()),
                }
            }
        }
    }

    /// Passes the file on; with a key, of which the hash of an earlier request may be known.
    async fn upload(
        &self,
        incoming: &mut Incoming,
        key: Option<(&UploadKey, Option<[u8; 32]>)>,
    ) -> Result<Response, Refusal> {
        let handovers = &self.state.handovers;
        let files = handovers.files_to_send(&self.bot, &self.id).await?;
        let received = incoming
            .receive(files.author, |head| Some(handovers.start_upload(&files, head)))
            .await;
        let received = match received {
            Ok(received) => received,
            Err(Broken::Told(refusal)) => return Err(refusal),
            Err(Broken::NotTaken(outgoing)) => return Err(files.failed(outgoing.refused().await).into()),
        };
        if let Some((_, Some(before))) = key
            && before != received.sha256
        {
            return Err(mismatch());
        }
        self.conclude(&files, received, key.map(|(key, _)| key)).await
    }

    /// What is sent is written down before its last bytes go out, since 8x8 may have it from then on.
    async fn conclude(&self, files: &Files, received: Received, key: Option<&UploadKey>) -> Result<Response, Refusal> {
        let Received {
            filename,
            size,
            sha256,
            outgoing: Some(outgoing),
        } = received
        else {
            return Err(unresolved());
        };
        let file = SentFile {
            filename: filename.clone(),
            size,
            at: self.state.clock.now(),
        };
        let mut sought = Sought::before_the_end(file, files.tenant.chat_gateway.call_timeout());
        if let Some(key) = key {
            key.intend(sha256, &sought).await?;
        }
        let error = match outgoing.end().await {
            Ok(view) => {
                let answer = self.uploaded(&view, &filename, size)?;
                if let Some(key) = key {
                    key.keep(sha256, answer.keep()).await;
                }
                return Ok(answer.into_response());
            }
            Err(error) => error,
        };
        let refusal = Refusal::from(files.failed(error));
        if let Some(key) = key {
            sought.over_at = self.state.clock.now();
            key.settle(sha256, &sought, &refusal).await;
        }
        Err(refusal)
    }

    /// Reads the file only to see that it is the one that came first.
    async fn is_same(&self, incoming: &mut Incoming, sha256: [u8; 32]) -> Result<(), Refusal> {
        match incoming.receive(AuthorType::User, |_head| None).await {
            Ok(received) if received.sha256 == sha256 => Ok(()),
            Ok(_) | Err(Broken::NotTaken(_)) => Err(mismatch()),
            Err(Broken::Told(refusal)) => Err(refusal),
        }
    }

    fn uploaded(&self, view: &AttachmentView, filename: &FileName, size: u64) -> Result<Answer, Refusal> {
        let view = UploadedView {
            id: &view.id,
            filename: view.filename.as_deref().unwrap_or(filename.as_str()),
            size_in_bytes: view.size.unwrap_or(size),
        };
        Answer::json(StatusCode::CREATED, &view, Reference::Handover(self.id.clone()))
    }

    fn completed(&self, mut refusal: Refusal, path: String) -> Refusal {
        refusal.instance = Some(path);
        if refusal.code != ProblemCode::NotFound {
            refusal.handover_id = Some(self.id.clone());
        }
        refusal
    }
}

fn unresolved() -> Refusal {
    refused(
        ProblemCode::UpstreamTimeout,
        "8x8 has not said yet whether it took the file; it is being looked for. Repeat with the same Idempotency-Key to \
         learn the outcome",
    )
}
