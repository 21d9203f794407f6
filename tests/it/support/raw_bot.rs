//! A bot that answers with bytes of the test's choice, which need not be HTTP, and may have no end.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

pub(crate) struct RawBot {
    address: String,
    state: Arc<State>,
    _server: JoinSet<()>,
}

#[derive(Default)]
struct State {
    /// For the calls whose body has the text in it, one each.
    answers: Mutex<Vec<(String, Raw)>>,
    bodies: Mutex<Vec<String>>,
    written: AtomicUsize,
}

#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) once: Vec<u8>,
    /// Again and again after it, as long as the other end takes it.
    pub(crate) endless: Vec<u8>,
}

impl RawBot {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<State>::default();
        let mut server = JoinSet::new();
        server.spawn(accept(listener, Arc::clone(&state)));
        Self {
            address,
            state,
            _server: server,
        }
    }

    pub(crate) fn url(&self) -> String {
        self.address.clone()
    }

    /// Answers one call whose body has this text so; all others with 204.
    pub(crate) fn answer(&self, text: &str, raw: Raw) {
        self.state.answers.lock().unwrap().push((text.to_owned(), raw));
    }

    /// How many calls had this text in them.
    pub(crate) fn calls(&self, text: &str) -> usize {
        let bodies = self.state.bodies.lock().unwrap();
        bodies.iter().filter(|body| body.contains(text)).count()
    }

    /// Bytes the other end took.
    pub(crate) fn written(&self) -> usize {
        self.state.written.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(converse(stream, Arc::clone(&state)));
    }
}

async fn converse(mut stream: TcpStream, state: Arc<State>) {
    while let Some(body) = request(&mut stream).await {
        let raw = {
            let mut answers = state.answers.lock().unwrap();
            let found = answers.iter().position(|(text, _)| body.contains(text.as_str()));
            found.map(|place| answers.remove(place).1)
        };
        state.bodies.lock().unwrap().push(body);
        let Some(raw) = raw else {
            if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.is_err() {
                return;
            }
            continue;
        };
        if stream.write_all(&raw.once).await.is_err() || raw.endless.is_empty() {
            return;
        }
        while stream.write_all(&raw.endless).await.is_ok() {
            state.written.fetch_add(raw.endless.len(), Ordering::Relaxed);
        }
        return;
    }
}

/// Reads a request; its body.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(body.to_owned());
            }
        }
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => read.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}
