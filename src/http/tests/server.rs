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
use crate::http::serve;

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
            ServerLimits { connections, grace },
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
