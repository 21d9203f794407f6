//! Reads an upload: at most one `authorType`, then one `attachment`, and nothing else. Every pause and size is bounded.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_lc_rs::digest;
use axum::body::Body;
use axum::body::BodyDataStream;
use axum::extract::FromRequest as _;
use axum::extract::Multipart;
use axum::extract::Request;
use axum::extract::multipart::Field;
use axum::extract::multipart::MultipartError;
use axum::http::StatusCode;
use axum::http::header;
use bytes::Bytes;
use bytesize::ByteSize;
use futures_util::StreamExt as _;
use futures_util::stream;
use http_body_util::Limited;

use crate::chat_gateway::FileHead;
use crate::domain::AuthorType;
use crate::domain::FileName;
use crate::domain::media_type;
use crate::handovers::AttachmentRules;
use crate::handovers::LONGEST_TRANSFER;
use crate::handovers::Outgoing;
use crate::handovers::Tenant;
use crate::http::problem::Refusal;
use crate::http::problem::invalid;
use crate::http::problem::refused;
use crate::problem::FieldError;
use crate::problem::Problem;
use crate::problem::ProblemCode;

/// What may stand around the file: boundaries, headers, the author.
const AROUND: u64 = 64 * 1024;
/// Read at most while no file is passed on. The file's first pieces may be among it, so it is more than [`AROUND`].
const AHEAD: u64 = 4 * 1024 * 1024;
/// After a refusal so much is read and thrown away, for so long.
const DRAIN: u64 = 64 * 1024 * 1024;
const DRAIN_FOR: Duration = Duration::from_secs(5);
const AUTHOR: &str = "authorType";
const FILE: &str = "attachment";

pub(super) struct Incoming {
    multipart: Multipart,
    limits: Limits,
}

struct Limits {
    rules: AttachmentRules,
    /// The setting, as the bot's developer is told of it.
    setting: String,
    pause: Duration,
    reading: Arc<Reading>,
}

/// What the body and those who read it tell each other.
#[derive(Debug, Default)]
struct Reading {
    /// Nothing came for as long as the pause.
    is_stalled: AtomicBool,
    /// Too much came before the file, or behind it.
    is_crowded: AtomicBool,
    /// The file is being read.
    in_file: AtomicBool,
    /// All is over: what still comes is thrown away.
    is_refused: AtomicBool,
}

/// A file that came to its end, of which 8x8 does not have the end yet.
pub(super) struct Received {
    pub(super) filename: FileName,
    pub(super) size: u64,
    /// Of author, name and bytes.
    pub(super) sha256: [u8; 32],
    pub(super) outgoing: Option<Outgoing>,
}

pub(super) enum Broken {
    Told(Refusal),
    /// 8x8 did not wait for the end.
    NotTaken(Outgoing),
}

impl From<Refusal> for Broken {
    fn from(refusal: Refusal) -> Self {
        Self::Told(refusal)
    }
}

impl Incoming {
    pub(super) async fn of(request: Request, tenant: &Tenant, pause: Duration) -> Result<Self, Refusal> {
        let limits = Limits {
            rules: tenant.attachments.clone(),
            setting: format!("tenants.{}.attachment_limit", tenant.name),
            pause,
            reading: Arc::default(),
        };
        let (parts, body) = request.into_parts();
        let length = parts.headers.get(header::CONTENT_LENGTH);
        let length: Option<u64> = length.and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length| length > limits.rules.limit.saturating_add(AROUND)) {
            drain(body).await;
            return Err(limits.too_large());
        }
        // Beyond the limit a little more is read and thrown away, so that the caller gets to see the refusal.
        let most = limits.rules.limit.saturating_mul(2).saturating_add(AROUND);
        let body = paced(body, pause, Arc::clone(&limits.reading));
        let body = Body::new(Limited::new(body, usize::try_from(most).unwrap_or(usize::MAX)));
        match Multipart::from_request(Request::from_parts(parts, body), &()).await {
            Ok(multipart) => Ok(Self { multipart, limits }),
            Err(_no_boundary) => Err(refused(
                ProblemCode::UnsupportedMediaType,
                "send the file as Content-Type: multipart/form-data, in a part named `attachment`",
            )),
        }
    }

    /// Reads to the end. `start` is told of the file before its bytes are passed on, where they are to be.
    pub(super) async fn receive(
        &mut self,
        author: AuthorType,
        start: impl FnOnce(FileHead) -> Option<Outgoing>,
    ) -> Result<Received, Broken> {
        let receiving = self.receive_all(author, start);
        let received = tokio::time::timeout(LONGEST_TRANSFER, receiving).await;
        received.unwrap_or_else(|_elapsed| Err(too_slow(LONGEST_TRANSFER).into()))
    }

    async fn receive_all(
        &mut self,
        default: AuthorType,
        start: impl FnOnce(FileHead) -> Option<Outgoing>,
    ) -> Result<Received, Broken> {
        let Self { multipart, limits } = self;
        let (mut author, mut start, mut received) = (None, Some(start), None);
        while let Some(field) = multipart
            .next_field()
            .await
            .map_err(|error| limits.unreadable(&error))?
        {
            let name = field.name().unwrap_or_default().to_owned();
            match (name.as_str(), start.take()) {
                (AUTHOR, Some(unused)) if author.is_none() => {
                    author = Some(limits.author(field).await?);
                    start = Some(unused);
                }
                (FILE, Some(start)) => {
                    let head = limits.head(&field, author.unwrap_or(default))?;
                    received = Some(limits.pass_on(field, head, author, start).await?);
                }
                (AUTHOR, None) => return Err(fault(AUTHOR, "must come before the file").into()),
                (AUTHOR, Some(_)) => return Err(fault(AUTHOR, "must come once at most").into()),
                (FILE, None) => return Err(fault(FILE, "must be one file; upload others each by itself").into()),
                (other, _) => return Err(fault(other, "is not a part of an upload").into()),
            }
        }
        received.ok_or_else(|| fault(FILE, "is missing: send the file in a part of this name").into())
    }

    /// Lets the caller finish sending, for a while.
    pub(super) async fn drain(&mut self) {
        self.limits.reading.is_refused.store(true, Ordering::Relaxed);
        let rest = async { while let Ok(Some(_thrown_away)) = self.multipart.next_field().await {} };
        drop(tokio::time::timeout(DRAIN_FOR, rest).await);
    }
}

impl Limits {
    async fn author(&self, mut field: Field<'_>) -> Result<AuthorType, Refusal> {
        let mut text = Vec::new();
        while let Some(bytes) = field.chunk().await.map_err(|error| self.unreadable(&error))? {
            text.extend_from_slice(&bytes);
            if text.len() > AUTHOR.len() {
                break;
            }
        }
        match text.trim_ascii() {
            b"user" => Ok(AuthorType::User),
            b"bot" => Ok(AuthorType::Bot),
            _ => Err(fault(AUTHOR, "must be `user` or `bot`")),
        }
    }

    fn head(&self, field: &Field<'_>, author: AuthorType) -> Result<FileHead, Refusal> {
        let filename = field.file_name().and_then(FileName::of);
        let filename = filename.ok_or_else(|| fault(FILE, "must have a file name"))?;
        let content_type = media_type(field.content_type().unwrap_or_default());
        if !self.rules.takes(&content_type) {
            let message = format!("is {content_type}; taken are {}", self.rules.types.join(", "));
            return Err(Self::told(ProblemCode::UnsupportedMediaType, &message));
        }
        Ok(FileHead {
            filename,
            content_type,
            author,
        })
    }

    async fn pass_on(
        &self,
        mut field: Field<'_>,
        head: FileHead,
        author: Option<AuthorType>,
        start: impl FnOnce(FileHead) -> Option<Outgoing>,
    ) -> Result<Received, Broken> {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(author.map(AuthorType::as_str).unwrap_or_default().as_bytes());
        hash.update(&[0]);
        hash.update(head.filename.as_str().as_bytes());
        hash.update(&[0]);
        let filename = head.filename.clone();
        let mut outgoing = start(head);
        let mut size = 0;
        self.reading.in_file.store(true, Ordering::Relaxed);
        while let Some(bytes) = field.chunk().await.map_err(|error| self.unreadable(&error))? {
            size += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if size > self.rules.limit {
                return Err(self.too_large().into());
            }
            hash.update(&bytes);
            let stopped = match &outgoing {
                Some(outgoing) => outgoing.pass(bytes, self.pause).await.is_err(),
                None => false,
            };
            if stopped && let Some(outgoing) = outgoing.take() {
                return Err(Broken::NotTaken(outgoing));
            }
        }
        self.reading.in_file.store(false, Ordering::Relaxed);
        if size == 0 {
            return Err(fault(FILE, "must not be empty").into());
        }
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(hash.finish().as_ref());
        Ok(Received {
            filename,
            size,
            sha256,
            outgoing,
        })
    }

    fn unreadable(&self, error: &MultipartError) -> Refusal {
        if self.reading.is_stalled.load(Ordering::Relaxed) {
            return too_slow(self.pause);
        }
        if self.reading.is_crowded.load(Ordering::Relaxed) {
            return refused(
                ProblemCode::PayloadTooLarge,
                "what stands around the file is far too large",
            );
        }
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return refused(
                ProblemCode::PayloadTooLarge,
                "the body is far larger than a file may be",
            );
        }
        let detail = "the body is not multipart/form-data, or broke off";
        Box::new(Problem::new(ProblemCode::InvalidRequest, detail).with_status(400))
    }

    fn too_large(&self) -> Refusal {
        let (setting, limit) = (&self.setting, ByteSize::b(self.rules.limit));
        let message = format!("is larger than {limit}, the limit in {setting}");
        Self::told(ProblemCode::PayloadTooLarge, &message)
    }

    fn told(code: ProblemCode, message: &str) -> Refusal {
        Box::new(Problem {
            errors: vec![FieldError {
                pointer: format!("/{FILE}"),
                message: message.to_owned(),
            }],
            ..Problem::new(code, format!("the file {message}"))
        })
    }
}

/// The body, which breaks off when nothing comes for `pause` or too much around the file, and then says so.
fn paced(body: Body, pause: Duration, reading: Arc<Reading>) -> Body {
    let paced = Paced {
        pieces: body.into_data_stream(),
        pause,
        reading,
        ahead: 0,
    };
    Body::from_stream(stream::unfold(paced, async |mut paced| {
        let piece = paced.piece().await?;
        Some((piece, paced))
    }))
}

struct Paced {
    pieces: BodyDataStream,
    pause: Duration,
    reading: Arc<Reading>,
    /// Bytes that came while no file was passed on.
    ahead: u64,
}

impl Paced {
    async fn piece(&mut self) -> Option<Result<Bytes, axum::Error>> {
        // Whoever splits the body into its parts takes all there is before looking at it: piece by piece is enough.
        tokio::task::yield_now().await;
        loop {
            let piece = match tokio::time::timeout(self.pause, self.pieces.next()).await {
                Ok(piece) => piece?,
                Err(elapsed) => {
                    self.reading.is_stalled.store(true, Ordering::Relaxed);
                    return Some(Err(axum::Error::new(elapsed)));
                }
            };
            if self.reading.is_refused.load(Ordering::Relaxed) && piece.is_ok() {
                continue;
            }
            if !self.reading.in_file.load(Ordering::Relaxed) {
                self.ahead = self.ahead.saturating_add(piece.as_ref().map_or(0, length));
            }
            if self.ahead > AHEAD {
                self.reading.is_crowded.store(true, Ordering::Relaxed);
                return Some(Err(axum::Error::new("too much around the file")));
            }
            return Some(piece);
        }
    }
}

fn too_slow(pause: Duration) -> Refusal {
    let detail = format!("the file came too slowly: it was waited for for {pause:?}");
    Box::new(Problem::new(ProblemCode::InvalidRequest, detail).with_status(408))
}

fn fault(part: &str, message: &str) -> Refusal {
    invalid(vec![FieldError {
        pointer: format!("/{part}"),
        message: message.to_owned(),
    }])
}

async fn drain(body: Body) {
    let mut left = DRAIN;
    let mut pieces = body.into_data_stream();
    let rest = async {
        while let Some(Ok(piece)) = pieces.next().await {
            left = left.saturating_sub(length(&piece));
            if left == 0 {
                return;
            }
        }
    };
    drop(tokio::time::timeout(DRAIN_FOR, rest).await);
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
