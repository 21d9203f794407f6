//! Bounds how long a request's headers may take, from their first byte to their last. Told from outside of the protocol, so
//! that no state of it can hold a connection open.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Instant;

/// How far the request on a connection is. Cheap to clone; all clones say the same.
#[derive(Clone, Debug)]
pub(super) struct Heads(Arc<Mutex<Phase>>);

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Headers, or what is left of a body that nobody waits for any more, have been coming since then.
    Reading(Instant),
    /// The rest of the request and its answer: others bound those.
    Busy,
    /// Answered, or being sent the rest of its answer, until something comes again.
    Answered,
}

/// A connection whose reads are seen.
pub(super) struct Watched<S> {
    stream: S,
    heads: Heads,
}

impl Heads {
    /// The first headers are expected from the beginning.
    pub(super) fn expected() -> Self {
        Self(Arc::new(Mutex::new(Phase::Reading(Instant::now()))))
    }

    pub(super) fn are_complete(&self) {
        self.set(Phase::Busy);
    }

    pub(super) fn are_answered(&self) {
        self.set(Phase::Answered);
    }

    /// Ends when headers took longer than `limit`.
    pub(super) async fn overdue(&self, limit: Duration) {
        loop {
            let now = Instant::now();
            let look_again = match self.phase() {
                Phase::Reading(since) if now >= since + limit => return,
                Phase::Reading(since) => since + limit,
                // Headers that begin from now on are due later than that.
                Phase::Answered | Phase::Busy => now + limit,
            };
            tokio::time::sleep_until(look_again).await;
        }
    }

    /// What comes after an answer is the beginning of headers.
    fn something_came(&self) {
        if matches!(self.phase(), Phase::Answered) {
            self.set(Phase::Reading(Instant::now()));
        }
    }

    fn phase(&self) -> Phase {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }
}

impl<S> Watched<S> {
    pub(super) const fn new(stream: S, heads: Heads) -> Self {
        Self { stream, heads }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.heads.something_came();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
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
