//! Bounds how long a request's headers may take, from their first byte to their last. A connection that waits for its next
//! request is not bounded here, only one that has begun to speak, or never does.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Instant;
use tokio::time::Sleep;

/// How far the request on a connection is. Cheap to clone; all clones say the same.
#[derive(Clone, Debug)]
pub(super) struct Heads(Arc<Mutex<Phase>>);

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Headers are to be complete by then.
    Reading(Instant),
    /// The rest of the request and its answer: others bound those.
    Busy,
    /// Between two requests.
    Idle,
}

/// A connection whose reads fail when headers take too long.
pub(super) struct HeadLimit<S> {
    stream: S,
    heads: Heads,
    limit: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Heads {
    /// The first headers are expected from the beginning.
    fn new(limit: Duration) -> Self {
        Self(Arc::new(Mutex::new(Phase::Reading(Instant::now() + limit))))
    }

    pub(super) fn are_complete(&self) {
        self.set(Phase::Busy);
    }

    pub(super) fn are_answered(&self) {
        self.set(Phase::Idle);
    }

    fn set(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// By when headers that are being read must be complete.
    fn due(&self, something_came: bool, limit: Duration) -> Option<Instant> {
        let mut phase = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if something_came && matches!(*phase, Phase::Idle) {
            *phase = Phase::Reading(Instant::now() + limit);
        }
        match *phase {
            Phase::Reading(due) => Some(due),
            Phase::Busy | Phase::Idle => None,
        }
    }
}

impl<S> HeadLimit<S> {
    pub(super) fn new(stream: S, limit: Duration) -> (Self, Heads) {
        let heads = Heads::new(limit);
        let limited = Self {
            stream,
            heads: heads.clone(),
            limit,
            timer: Box::pin(tokio::time::sleep(limit)),
        };
        (limited, heads)
    }

    /// Fails when the time is up; otherwise wakes the reader when it is.
    fn check(&mut self, cx: &mut Context<'_>, due: Instant) -> io::Result<()> {
        if self.timer.deadline() != due {
            self.timer.as_mut().reset(due);
        }
        match self.timer.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::Error::new(io::ErrorKind::TimedOut, "the headers took too long")),
            Poll::Pending => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadLimit<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        let something_came = buf.filled().len() > before;
        if let Some(due) = this.heads.due(something_came, this.limit) {
            this.check(cx, due)?;
        }
        ready!(read)?;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadLimit<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
