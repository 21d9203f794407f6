//! The accept loop over real sockets: its cap, and its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use prometheus_client::registry::Registry;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::HttpMetrics;
use crate::http::ServerLimits;
use crate::http::TrustedProxies;
use crate::http::serve;

/// Short, so that a test does not take long; `SOON` is longer.
const HEADERS: Duration = Duration::from_millis(700);
const SOON: Duration = Duration::from_secs(10);

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: TaskTracker,
    /// A request to `/slow` came in.
    came: Arc<Notify>,
    /// It may be answered.
    go: Arc<Notify>,
}

impl Server {
    async fn start(connections: usize, grace: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (stop, task) = (CancellationToken::new(), TaskTracker::new());
        let (came, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let address = listener.local_addr().unwrap();
        let (tell, wait) = (Arc::clone(&came), Arc::clone(&go));
        let slow = move || async move {
            tell.notify_one();
            wait.notified().await;
            "slow"
        };
        let router = Router::new().route("/", get(async || "fast")).route("/slow", get(slow));
        let metrics = HttpMetrics::new(&mut Registry::default());
        drop(task.spawn(serve(
            listener,
            router,
            ServerLimits {
                connections,
                grace,
                headers: HEADERS,
                trusted_proxies: TrustedProxies::default(),
            },
            metrics,
            stop.clone(),
        )));
        task.close();
        Self {
            address,
            stop,
            task,
            came,
            go,
        }
    }

    async fn ask(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
            .await
            .unwrap();
        stream
    }
}

async fn read(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 4096];
    let count = timeout(SOON, stream.read(&mut buffer)).await.unwrap().unwrap_or(0);
    String::from_utf8(buffer[..count].to_vec()).unwrap()
}

#[tokio::test]
async fn what_is_in_flight_at_the_stop_is_answered_and_idle_connections_close() {
    let server = Server::start(8, SOON).await;
    let (mut idle, mut slow) = (server.ask("/").await, server.ask("/slow").await);
    assert!(read(&mut idle).await.ends_with("fast"));
    server.came.notified().await;
    server.stop.cancel();
    assert_eq!(read(&mut idle).await, "");
    assert!(TcpStream::connect(server.address).await.is_err());
    server.go.notify_one();
    assert!(read(&mut slow).await.ends_with("slow"));
    timeout(SOON, server.task.wait()).await.unwrap();
}

#[tokio::test]
async fn what_outlasts_the_grace_is_cut_off() {
    let server = Server::start(8, Duration::from_millis(50)).await;
    let mut slow = server.ask("/slow").await;
    server.came.notified().await;
    server.stop.cancel();
    timeout(SOON, server.task.wait()).await.unwrap();
    assert_eq!(read(&mut slow).await, "");
}

#[tokio::test]
async fn a_connection_beyond_the_cap_waits_for_room() {
    let server = Server::start(1, SOON).await;
    let mut first = server.ask("/slow").await;
    server.came.notified().await;
    let mut second = server.ask("/").await;
    let mut buffer = [0; 1];
    assert!(
        timeout(Duration::from_millis(100), second.read(&mut buffer))
            .await
            .is_err()
    );
    server.go.notify_one();
    assert!(read(&mut first).await.ends_with("slow"));
    drop(first);
    assert!(read(&mut second).await.ends_with("fast"));
}

/// Until the other side closes; `false` when it does not.
async fn closes(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 64];
    let closed = async { while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {} };
    timeout(SOON, closed).await.is_ok()
}

#[tokio::test]
async fn headers_that_drip_or_never_come_are_cut_off() {
    let server = Server::start(8, SOON).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert!(closes(&mut silent).await, "who says nothing is waited for");
    for answered_before in [false, true] {
        let mut dripping = TcpStream::connect(server.address).await.unwrap();
        if answered_before {
            dripping.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            assert!(read(&mut dripping).await.ends_with("fast"));
        }
        let (mut reading, mut writing) = dripping.into_split();
        let drip = async {
            for byte in b"GET / HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
                if writing.write_all(&[*byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let mut buffer = [0; 64];
        let closed = async { while reading.read(&mut buffer).await.is_ok_and(|count| count > 0) {} };
        let ended = async {
            tokio::select! { () = drip => {} () = closed => {} }
        };
        assert!(timeout(SOON, ended).await.is_ok(), "answered before: {answered_before}");
    }
}

#[tokio::test]
async fn an_idle_connection_may_wait_longer_than_headers_may_take() {
    let server = Server::start(8, SOON).await;
    let mut idle = server.ask("/").await;
    assert!(read(&mut idle).await.ends_with("fast"));
    let mut buffer = [0; 1];
    let waited = timeout(HEADERS * 2, idle.read(&mut buffer)).await;
    assert!(waited.is_err(), "it was closed");
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(read(&mut idle).await.ends_with("fast"));
}

#[tokio::test]
async fn requests_sent_behind_each_other_are_all_answered_and_half_a_one_behind_them_is_cut_off() {
    let server = Server::start(8, SOON).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let whole = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let sent = format!("{}GET / HTTP/1.1\r\n", whole.repeat(3));
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut answers = Vec::new();
    let mut buffer = [0; 4096];
    while answers.windows(4).filter(|window| window == b"fast").count() < 3 {
        let count = timeout(SOON, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(count > 0, "closed after {}", String::from_utf8_lossy(&answers));
        answers.extend_from_slice(&buffer[..count]);
    }
    // The rest of the headers comes, but slower than headers may.
    stream.write_all(b"Host: ").await.unwrap();
    assert!(closes(&mut stream).await);
}

#[tokio::test]
async fn a_request_that_is_being_answered_may_take_longer_than_its_headers_might() {
    let server = Server::start(8, SOON).await;
    let mut slow = server.ask("/slow").await;
    server.came.notified().await;
    let mut buffer = [0; 1];
    assert!(timeout(HEADERS * 2, slow.read(&mut buffer)).await.is_err());
    server.go.notify_one();
    assert!(read(&mut slow).await.contains("slow"));
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    let server = Server::start(8, SOON).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut stream = server.ask("/").await;
        assert!(read(&mut stream).await.ends_with("fast"));
        held.push(stream);
    }
    let mut refused = TcpStream::connect(server.address).await.unwrap();
    assert!(closes(&mut refused).await);
    held.pop();
    let again = async {
        loop {
            let mut stream = server.ask("/").await;
            let mut buffer = [0; 256];
            if stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {
                break;
            }
        }
    };
    assert!(
        timeout(SOON, again).await.is_ok(),
        "a place that was given back is not given out"
    );
}

#[tokio::test]
async fn headers_that_are_too_many_are_answered_431_and_too_large_ones_are_not_read_to_their_end() {
    let server = Server::start(8, SOON).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let many = "X: x\r\n".repeat(200);
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(read(&mut stream).await.starts_with("HTTP/1.1 431 "));
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(1_000_000));
    // The connection may end before all of it is written, and its answer with it.
    drop(stream.write_all(request.as_bytes()).await);
    let answer = read(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
}
