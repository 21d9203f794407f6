//! A bot on loopback that writes down what it is sent and answers as the test says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

#[derive(Clone)]
pub(super) struct FakeBot {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    _server: Arc<JoinSet<()>>,
}

struct Shared {
    received: Mutex<Vec<Received>>,
    answer: watch::Sender<How>,
}

#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) headers: HeaderMap,
    pub(super) raw: Bytes,
    pub(super) json: serde_json::Value,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    Status(u16),
    RetryAfter(u16, &'static str),
    RedirectTo(&'static str),
    Hang,
    /// 200 and a body without end.
    Endless,
    /// Waits until the test says something else.
    Hold,
}

impl FakeBot {
    pub(super) async fn start() -> Self {
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            answer: watch::Sender::new(How::Status(204)),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(receive).with_state(Arc::clone(&shared));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            address,
            shared,
            _server: Arc::new(server),
        }
    }

    pub(super) fn answers(&self, how: How) {
        self.shared.answer.send_replace(how);
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// The sequences of what came, in its order, with a `~` before ephemeral ones.
    pub(super) fn sequences(&self) -> Vec<String> {
        let sequence = |received: &Received| {
            let data = &received.json["data"];
            let mark = if data["ephemeral"] == true { "~" } else { "" };
            format!("{mark}{}", data["sequence"])
        };
        self.received().iter().map(sequence).collect()
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, raw: Bytes) -> Response {
    let json = serde_json::from_slice(&raw).unwrap();
    shared.received.lock().unwrap().push(Received { headers, raw, json });
    let mut answer = shared.answer.subscribe();
    let how = *answer.wait_for(|how| !matches!(how, How::Hold)).await.unwrap();
    let response = |status: u16| Response::builder().status(status);
    match how {
        How::Status(status) => response(status).body(Body::empty()).unwrap(),
        How::RetryAfter(status, value) => response(status)
            .header("retry-after", value)
            .body(Body::empty())
            .unwrap(),
        How::RedirectTo(url) => response(302).header("location", url).body(Body::empty()).unwrap(),
        How::Hang | How::Hold => std::future::pending().await,
        How::Endless => {
            let chunk =
                futures_util::stream::repeat(Ok::<_, std::convert::Infallible>(Bytes::from_static(&[b'x'; 8192])));
            response(200).body(Body::from_stream(chunk)).unwrap()
        }
    }
}
