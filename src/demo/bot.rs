//! A small bot: asks for handovers, posts what the user says, and takes callbacks, as any bot would.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How the bot reaches the gateway, and how it knows the gateway's callbacks.
#[derive(Clone, Debug)]
pub struct Connection {
    pub gateway: String,
    pub api_key: String,
    /// `whsec_…`
    pub callback_secret: String,
}

/// A running bot. Dropping it stops it.
pub struct Bot {
    addr: SocketAddr,
    connection: Connection,
    http: reqwest::Client,
    _server: JoinSet<()>,
}

/// What was asked of the gateway, and what it said.
pub struct Answered {
    pub call: String,
    pub body: Value,
}

impl Bot {
    /// Listens on a free port. Callbacks come out of the returned channel, each once, signature checked.
    pub fn start(listener: TcpListener, connection: Connection) -> io::Result<(Self, mpsc::Receiver<Value>)> {
        let (events, received) = mpsc::channel(1000);
        let addr = listener.local_addr()?;
        let inbox = Arc::new(Inbox {
            key: key(&connection.callback_secret),
            seen: Mutex::default(),
            events,
        });
        let router = Router::new().route("/handover", post(callback)).with_state(inbox);
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .map_err(io::Error::other)?;
        let mut server = JoinSet::new();
        server.spawn(async move {
            // It serves until the bot is dropped.
            drop(axum::serve(listener, router).await);
        });
        Ok((
            Self {
                addr,
                connection,
                http,
                _server: server,
            },
            received,
        ))
    }

    pub fn callback_url(&self) -> String {
        format!("http://{}/handover", self.addr)
    }

    pub async fn ask_for_human(&self, request: &Value) -> Result<Answered, String> {
        self.post("/v1/handovers", request).await
    }

    pub async fn say(&self, handover: &str, text: &str) -> Result<Answered, String> {
        let path = format!("/v1/handovers/{handover}/messages");
        self.post(&path, &serde_json::json!({"text": text})).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Answered, String> {
        let url = format!("{}{path}", self.connection.gateway);
        let request = self.http.post(url).bearer_auth(&self.connection.api_key).json(body);
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(|error| error.to_string())?;
        if !status.is_success() {
            let detail = body.get("detail").and_then(Value::as_str).unwrap_or_default();
            return Err(format!("POST {path} was answered {status}: {detail}"));
        }
        Ok(Answered {
            call: format!("POST {path} → {}", status.as_u16()),
            body,
        })
    }
}

struct Inbox {
    key: hmac::Key,
    seen: Mutex<HashSet<String>>,
    events: mpsc::Sender<Value>,
}

/// Takes one callback: checks that the gateway signed it, drops repeats by `webhook-id`, and says 204.
async fn callback(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let id = header("webhook-id");
    let mut signed = format!("{id}.{}.", header("webhook-timestamp")).into_bytes();
    signed.extend_from_slice(&body);
    let is_signed = header("webhook-signature")
        .split(' ')
        .filter_map(|signature| signature.strip_prefix("v1,"))
        .any(|signature| {
            STANDARD
                .decode(signature)
                .is_ok_and(|tag| hmac::verify(&inbox.key, &signed, &tag).is_ok())
        });
    if !is_signed {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(event) = serde_json::from_slice(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    let is_new = inbox
        .seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(id.to_owned());
    if is_new && inbox.events.send(event).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    StatusCode::NO_CONTENT
}

fn key(secret: &str) -> hmac::Key {
    let bytes = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap_or_default();
    hmac::Key::new(hmac::HMAC_SHA256, &bytes)
}
