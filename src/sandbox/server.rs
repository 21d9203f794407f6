//! The HTTP server: binds, accepts, and cuts connections where a fault asks for it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

use super::options::Options;
use super::problem::Problem;
use super::signer::Signer;
use super::state::{Shared, State};
use super::{api, control};

/// A running stand-in for 8x8. Dropping it stops it; `stop` also waits until it has stopped.
pub struct Sandbox {
    addr: SocketAddr,
    shared: Shared,
}

/// Marks a response that must not be sent: the connection is closed without a byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut;

impl Sandbox {
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let addr = listener.local_addr()?;
        let signer = tokio::task::spawn_blocking(Signer::generate)
            .await?
            .map_err(io::Error::other)?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs(5))
            .build()
            .map_err(io::Error::other)?;
        let shared = Arc::new(State::new(options, signer, http));
        let router = router(&shared);
        drop(shared.start(accept(Arc::clone(&shared), listener, router)));
        Ok(Self { addr, shared })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub async fn stop(self) {
        self.shared.cancel();
        self.shared.stopped().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.cancel();
    }
}

/// A response that closes the connection instead of answering.
pub(crate) fn cut() -> Response {
    let mut response = Response::default();
    response.extensions_mut().insert(Cut);
    response
}

fn router(shared: &Shared) -> Router {
    api::router(Arc::clone(shared))
        .merge(control::router(Arc::clone(shared)))
        .fallback(|| async { Problem::no_such_route() })
}

async fn accept(shared: Shared, listener: TcpListener, router: Router) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(shared.start(serve(stream, router.clone()))),
            // Out of descriptors or a connection that died in the backlog: neither ends the server.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn serve(stream: TcpStream, router: Router) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(move |request| answer(router.clone(), request));
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to the sandbox ended early");
    }
}

/// An error makes hyper close the connection without writing a response.
async fn answer(router: Router, request: http::Request<Incoming>) -> io::Result<Response> {
    let response = router
        .oneshot(request.map(Body::new))
        .await
        .unwrap_or_else(|never: Infallible| match never {});
    match response.extensions().get::<Cut>() {
        Some(Cut) => Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "fault: connection cut",
        )),
        None => Ok(response),
    }
}
