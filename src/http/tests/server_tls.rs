//! The accept loop through TLS: what is bounded without it is bounded in it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use prometheus_client::registry::Registry;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::Certificate;
use crate::http::HttpMetrics;
use crate::http::Listener;
use crate::http::ServerLimits;
use crate::http::Tls;
use crate::http::TrustedProxies;
use crate::http::serve;

const HEADERS: Duration = Duration::from_millis(1500);
const SOON: Duration = Duration::from_secs(15);
const CONNECTIONS: usize = 4;

struct Server {
    address: SocketAddr,
    client: Arc<ClientConfig>,
    stop: CancellationToken,
    task: TaskTracker,
    /// A request to `/slow` came in.
    came: Arc<Notify>,
}

impl Server {
    async fn start() -> Self {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
        std::fs::write(&cert, pair.cert.pem()).unwrap();
        std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        let tls = Tls::new(Certificate::read(&cert, &key).unwrap()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(pair.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let came = Arc::new(Notify::new());
        let tell = Arc::clone(&came);
        let slow = move || async move {
            tell.notify_one();
            tokio::time::sleep(HEADERS * 2).await;
            "slow"
        };
        let router = Router::new().route("/", get(async || "fast")).route("/slow", get(slow));
        let limits = ServerLimits {
            connections: CONNECTIONS,
            grace: SOON,
            headers: HEADERS,
            trusted_proxies: TrustedProxies::default(),
        };
        let (stop, task) = (CancellationToken::new(), TaskTracker::new());
        let metrics = HttpMetrics::new(&mut Registry::default());
        let listener = Listener { tcp, tls: Some(tls) };
        drop(task.spawn(serve(listener, router, limits, metrics, stop.clone())));
        task.close();
        Self {
            address,
            client: Arc::new(client),
            stop,
            task,
            came,
        }
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::clone(&self.client));
        connector.connect(name, stream).await.unwrap()
    }
}

/// All that comes until the other end closes, or `None` when it does not.
async fn rest(stream: &mut TlsStream<TcpStream>) -> Option<String> {
    let mut all = Vec::new();
    let mut buffer = [0; 1024];
    let reading = async {
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            all.extend_from_slice(&buffer[..count]);
        }
    };
    timeout(SOON, reading).await.ok()?;
    Some(String::from_utf8(all).unwrap())
}

#[tokio::test]
async fn headers_that_stop_half_way_are_cut_off_in_tls_too_and_a_slow_answer_is_not() {
    let server = Server::start().await;
    let (mut half, mut silent) = (server.connect().await, server.connect().await);
    half.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    assert_eq!(rest(&mut half).await.as_deref(), Some(""));
    assert_eq!(rest(&mut silent).await.as_deref(), Some(""));
    let mut slow = server.connect().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    assert!(rest(&mut slow).await.unwrap().ends_with("slow"));
}

#[tokio::test]
async fn at_the_stop_a_handshake_is_dropped_and_a_request_in_flight_is_answered() {
    let server = Server::start().await;
    let mut shaking = TcpStream::connect(server.address).await.unwrap();
    let mut slow = server.connect().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    server.came.notified().await;
    server.stop.cancel();
    let mut byte = [0; 1];
    let dropped = timeout(HEADERS / 2, shaking.read(&mut byte)).await;
    assert_eq!(dropped.unwrap().unwrap_or_default(), 0);
    assert!(rest(&mut slow).await.unwrap().ends_with("slow"));
    timeout(SOON, server.task.wait()).await.unwrap();
}
