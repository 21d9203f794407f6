//! The accept loop: so many connections and no more, no slow headers, and an orderly end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::http::HttpMetrics;
use crate::http::shares::Share;
use crate::http::shares::Shares;
use crate::http::shares::TrustedProxies;
use crate::http::slow_heads::Heads;
use crate::http::slow_heads::Watched;
use crate::http::tls::Tls;
use crate::http::tokens::Peer;

/// How long a connection may be idle between two requests: longer than the 60 s for which load balancers keep theirs,
/// since closing first would cut off the request one has just sent. Headers that have begun have less, see [`Watched`].
const IDLE: Duration = Duration::from_secs(75);
/// Bytes of a request's headers; more are answered 431. It is memory that every connection may take.
const LARGEST_HEADERS: usize = 64 * 1024;
/// Whoever takes nothing of an answer for so long is not waited for: files and streams have no other limit here.
const STALLED: Duration = Duration::from_mins(1);
/// After an accept that failed for want of file descriptors or memory.
const BREATH: Duration = Duration::from_millis(100);

#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// When so many are open, no more are accepted: they wait in the listener's backlog.
    pub connections: usize,
    /// How long requests in flight may take after the stop.
    pub grace: Duration,
    /// From the first byte of a request's headers to the last.
    pub headers: Duration,
    /// Addresses that may have more than their share of the connections.
    pub trusted_proxies: TrustedProxies,
}

impl ServerLimits {
    pub const HEADERS: Duration = Duration::from_secs(10);
}

/// Where connections come in.
pub struct Listener {
    pub tcp: TcpListener,
    /// `None`: plain HTTP.
    pub tls: Option<Tls>,
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, tls: None }
    }
}

/// Serves until `stop`, then lets requests in flight end within the grace and cuts off what is left.
pub async fn serve(
    listener: impl Into<Listener>,
    router: Router,
    limits: ServerLimits,
    metrics: HttpMetrics,
    stop: CancellationToken,
) {
    let Listener { tcp: listener, tls } = listener.into();
    let server = Server {
        router,
        tls,
        stop: stop.clone(),
        metrics,
        graceful: GracefulShutdown::new(),
        connections: TaskTracker::new(),
        cut_off: CancellationToken::new(),
        headers: limits.headers,
    };
    let room = Arc::new(Semaphore::new(limits.connections));
    let shares = Shares::new(limits.connections, limits.trusted_proxies);
    while let Some((stream, from, permit)) = accept(&listener, &room, &stop).await {
        match shares.take(from.ip()) {
            Some(share) => server.connect(stream, Peer(from.ip()), (permit, share)),
            None => server.metrics.refused_connection(),
        }
    }
    drop(listener);
    server.end(limits.grace).await;
}

struct Server {
    router: Router,
    tls: Option<Tls>,
    stop: CancellationToken,
    metrics: HttpMetrics,
    graceful: GracefulShutdown,
    connections: TaskTracker,
    cut_off: CancellationToken,
    headers: Duration,
}

impl Server {
    fn connect(&self, stream: TcpStream, peer: Peer, room: (OwnedSemaphorePermit, Share)) {
        prepare(&stream, STALLED);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .max_buf_size(LARGEST_HEADERS)
            .keep_alive(true);
        let heads = Heads::expected();
        let (watch, seen, limit) = (heads.clone(), heads.clone(), self.headers);
        let router = self.router.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            heads.are_complete();
            request.extensions_mut().insert(peer);
            let (heads, answer) = (heads.clone(), router.clone().oneshot(request));
            async move {
                let answer = answer.await;
                heads.are_answered();
                answer
            }
        });
        let (tls, stop, watcher) = (self.tls.clone(), self.stop.clone(), self.graceful.watcher());
        let connection = async move {
            let Some(stream) = secured(stream, tls, &stop).await else {
                return;
            };
            let connection = http.serve_connection(TokioIo::new(Watched::new(stream, seen)), service);
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(error = %error, "a connection broke");
            }
        };
        let (cut_off, open) = (self.cut_off.clone(), self.metrics.open_connection());
        drop(self.connections.spawn(async move {
            tokio::select! {
                () = cut_off.cancelled() => {}
                () = watch.overdue(limit) => tracing::debug!("headers took too long"),
                () = connection => {}
            }
            drop((open, room));
        }));
    }

    async fn end(self, grace: Duration) {
        self.connections.close();
        if tokio::time::timeout(grace, self.graceful.shutdown()).await.is_err() {
            tracing::warn!(
                connections = self.connections.len(),
                "connections were still busy at the end of the grace, cutting them off"
            );
        }
        self.cut_off.cancel();
        self.connections.wait().await;
    }
}

/// Does the handshake where there is to be one. At the stop nobody has sent a request in it yet, so it is not waited for.
async fn secured(
    stream: TcpStream,
    tls: Option<Tls>,
    stop: &CancellationToken,
) -> Option<Either<TcpStream, Box<TlsStream<TcpStream>>>> {
    let Some(tls) = tls else {
        return Some(Either::Left(stream));
    };
    let accepted = tokio::select! {
        () = stop.cancelled() => return None,
        accepted = tls.accept(stream) => accepted,
    };
    match accepted {
        Ok(stream) => Some(Either::Right(stream)),
        Err(error) => {
            tracing::debug!(error = %error, "a connection was not secured");
            None
        }
    }
}

/// A connection is usable without either: small answers come late, and one that stalls stays longer.
fn prepare(stream: &TcpStream, stalled: Duration) {
    drop(stream.set_nodelay(true));
    // Other systems have no such option.
    #[cfg(target_os = "linux")]
    drop(socket2::SockRef::from(stream).set_tcp_user_timeout(Some(stalled)));
    #[cfg(not(target_os = "linux"))]
    let _ = stalled;
}

/// The next connection, once there is room for it; `None` at the stop.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let next = async {
        let permit = Arc::clone(room).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, from)) => return Some((stream, from, permit)),
                Err(error) => {
                    tracing::warn!(error = %error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        accepted = next => accepted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn who_takes_nothing_of_an_answer_is_let_go() {
        use tokio::io::AsyncWriteExt as _;

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        prepare(&stream, Duration::from_millis(500));
        let endless = async { while stream.write_all(&[0; 8192]).await.is_ok() {} };
        let ended = tokio::time::timeout(Duration::from_secs(30), endless).await;
        assert!(ended.is_ok(), "it is waited for for ever");
        drop(client);
    }

    #[test]
    fn an_idle_connection_outlives_that_of_a_load_balancer() {
        assert!(IDLE > Duration::from_mins(1));
    }
}
