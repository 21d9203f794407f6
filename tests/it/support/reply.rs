//! What a bot answers, rightly or wrongly.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use http::Response;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Frame;

pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// Sent until nobody reads on.
const HUGE_CHUNK: usize = 64 * 1024;
const HUGE_CHUNKS: usize = 4096;

#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    pub(crate) delay: Duration,
    body: Body,
}

#[derive(Clone, Copy, Debug)]
enum Body {
    Empty,
    /// A byte a second, for a minute.
    Drip,
    /// 256 MiB.
    Huge,
    /// No answer at all, for as long as the caller waits.
    Hang,
    /// The connection ends without an answer.
    Close,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            delay: Duration::ZERO,
            body: Body::Empty,
        }
    }

    pub(crate) fn drip() -> Self {
        Self {
            body: Body::Drip,
            ..Self::status(200)
        }
    }

    pub(crate) fn huge() -> Self {
        Self {
            body: Body::Huge,
            ..Self::status(200)
        }
    }

    pub(crate) fn hang() -> Self {
        Self {
            body: Body::Hang,
            ..Self::status(200)
        }
    }

    pub(crate) fn close() -> Self {
        Self {
            body: Body::Close,
            ..Self::status(200)
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// The status, where the caller gets to see an answer to its end.
    pub(crate) fn shown(&self) -> Option<u16> {
        match self.body {
            Body::Empty | Body::Huge => Some(self.status),
            Body::Drip | Body::Hang | Body::Close => None,
        }
    }

    pub(crate) async fn send(self) -> io::Result<Answer> {
        let body = match self.body {
            Body::Empty => Full::new(Bytes::new()).map_err(never).boxed_unsync(),
            Body::Drip => streamed(60, 1, Duration::from_secs(1)),
            Body::Huge => streamed(HUGE_CHUNKS, HUGE_CHUNK, Duration::ZERO),
            Body::Hang => std::future::pending().await,
            Body::Close => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "as the test says")),
        };
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(body).map_err(io::Error::other)
    }
}

fn streamed(chunks: usize, size: usize, pause: Duration) -> UnsyncBoxBody<Bytes, io::Error> {
    let chunks = stream::iter(0..chunks).then(move |_| async move {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        Ok(Frame::data(Bytes::from(vec![b'x'; size])))
    });
    StreamBody::new(chunks).boxed_unsync()
}

fn never(never: Infallible) -> io::Error {
    match never {}
}
