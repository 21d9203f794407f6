//! MESSAGE events of 1 KB as 8x8 posts them, signed before they are needed: signing costs more than the gateway's whole
//! work, and is not what is measured.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use axum::Json;
use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use handover_gateway::clock::Clock;
use handover_gateway::sandbox::SignedHeaders;
use handover_gateway::sandbox::Signer;
use http::StatusCode;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::wire;

pub(crate) const ACCOUNT: &str = "benchtenant01";
pub(crate) const WEBHOOK_PATH: &str = "/webhooks/8x8/bench";
/// Who is in every conversation.
const AGENT: &str = "agent-1";
const SIZE: usize = 1000;
/// A batch is kept in memory, about 2 KB an event.
const LARGEST_BATCH: usize = 1_000_000;

/// A key as 8x8 has one, the place where its public half is found, and conversations that are always with an agent and of
/// which nothing is missed.
pub(crate) struct Vendor {
    signer: Arc<Signer>,
    pub(crate) url: String,
    _server: JoinSet<()>,
}

/// One signed event.
pub(crate) struct Event {
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// Signed events as whole requests, in the order in which they are to be sent.
pub(crate) struct Batch {
    pub(crate) requests: Vec<Vec<u8>>,
    pub(crate) signing: Duration,
}

impl Vendor {
    pub(crate) async fn start() -> Self {
        let signer = Arc::new(Signer::generate().expect("a key is generated"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let jwk = signer.jwk();
        let answer = move |Path(_kid): Path<String>| async move { Json(jwk) };
        let messages = get(|| async { list("messages", &[]) }).post(|| async { StatusCode::ACCEPTED });
        let participants = || async { list("participants", &[json!({"id": AGENT, "type": "agent"})]) };
        let app = Router::new()
            .route("/chat-gateway/v1/jwk/{kid}/public", get(answer))
            .route("/chat-gateway/v1/conversations/{id}", get(conversation))
            .route("/chat-gateway/v1/conversations/{id}/messages", messages)
            .route("/chat-gateway/v1/conversations/{id}/participants", get(participants));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.expect("serves keys") });
        Self {
            signer,
            url,
            _server: server,
        }
    }

    pub(crate) fn event(&self, conversation: &str, number: usize) -> Event {
        let now = Clock::system().now().as_millis();
        let body = message(conversation, number, now);
        let event_id = format!("bench-event-{number:010}");
        let headers = SignedHeaders {
            event_id: &event_id,
            tenant_id: ACCOUNT,
            customer_id: "benchcustomer01",
            retry: 0,
            transmission_time_ms: now,
        };
        let headers = self.signer.sign(&body, headers).expect("the key signs");
        Event { headers, body }
    }

    /// `count` events, one conversation after the other, numbered from `first`.
    pub(crate) fn batch(&self, conversations: &[String], first: usize, count: usize) -> Batch {
        assert!(
            count <= LARGEST_BATCH,
            "{count} events are too many to be kept in memory"
        );
        let begun = Instant::now();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut requests = vec![Vec::new(); count];
        std::thread::scope(|scope| {
            let mut from = 0;
            for share in requests.chunks_mut(count.div_ceil(threads).max(1)) {
                let start = from;
                from += share.len();
                scope.spawn(move || {
                    for (place, request) in (start..).zip(share) {
                        let conversation = conversations.iter().cycle().nth(place % conversations.len());
                        *request = self.event(conversation.expect("there is one"), first + place).request();
                    }
                });
            }
        });
        Batch {
            requests,
            signing: begun.elapsed(),
        }
    }
}

/// As 8x8 shows one: the gateway compares live handovers with it after a start.
async fn conversation(Path(id): Path<String>) -> Json<Value> {
    Json(json!({
        "id": id, "state": "active", "channelId": "bench-channel", "assignment": {"type": "agent", "id": AGENT},
    }))
}

fn list(name: &str, all: &[Value]) -> Json<Value> {
    Json(json!({"_embedded": {name: all}, "page": {"totalPages": 1}}))
}

impl Event {
    pub(crate) fn request(&self) -> Vec<u8> {
        let fields: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        wire::request("POST", WEBHOOK_PATH, &fields, &self.body)
    }
}

/// The number stands at the start of the text, where a bot finds it again.
pub(crate) fn number_in(body: &[u8]) -> Option<usize> {
    let at = body.windows(2).position(|two| two == b"~#")?;
    std::str::from_utf8(body.get(at + 2..at + 12)?).ok()?.parse().ok()
}

pub(crate) fn message(conversation: &str, number: usize, now: i64) -> Vec<u8> {
    let around = |text: &str| {
        format!(
            r#"{{"eventType":"MESSAGE","conversationId":"{conversation}","timestamp":{now},"data":{{"isEcho":false,"sender":{{"id":"agent-1","type":"agent"}},"text":"~#{number:010} {text}","attachments":[],"cards":[]}}}}"#
        )
    };
    let words = "Thank you for waiting, I am looking at your account now. ";
    let missing = SIZE.saturating_sub(around("").len());
    around(
        &words
            .repeat(missing.div_ceil(words.len()))
            .chars()
            .take(missing)
            .collect::<String>(),
    )
    .into_bytes()
}

/// A free address of this machine.
pub(crate) async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("its address")
}
