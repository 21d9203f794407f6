//! Stands between the gateway and 8x8 and counts what goes to 8x8, so that a test sees how far a call has come.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

pub(crate) struct Forwarder {
    address: String,
    target: Arc<OnceLock<String>>,
    passed: Arc<AtomicUsize>,
    _server: JoinSet<()>,
}

impl Forwarder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (target, passed) = (Arc::<OnceLock<String>>::default(), Arc::<AtomicUsize>::default());
        let mut server = JoinSet::new();
        server.spawn(accept(listener, Arc::clone(&target), Arc::clone(&passed)));
        Self {
            address,
            target,
            passed,
            _server: server,
        }
    }

    pub(crate) fn url(&self) -> String {
        self.address.clone()
    }

    /// Where everything goes; once.
    pub(crate) fn lead_to(&self, url: &str) {
        let authority = url.trim_start_matches("http://").to_owned();
        self.target.set(authority).unwrap();
    }

    /// Bytes that went to 8x8 so far.
    pub(crate) fn passed(&self) -> usize {
        self.passed.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, target: Arc<OnceLock<String>>, passed: Arc<AtomicUsize>) {
    let mut connections = JoinSet::new();
    while let Ok((from, _)) = listener.accept().await {
        let to = TcpStream::connect(target.get().unwrap()).await.unwrap();
        let (mut read_from, mut write_from) = from.into_split();
        let (mut read_to, mut write_to) = to.into_split();
        let passed = Arc::clone(&passed);
        connections.spawn(async move {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(count) = read_from.read(&mut buffer).await {
                if count == 0 || write_to.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
                passed.fetch_add(count, Ordering::Relaxed);
            }
        });
        // Either end may hang up.
        connections.spawn(async move { drop(tokio::io::copy(&mut read_to, &mut write_from).await) });
    }
}
