//! A sandbox with a receiver that records what the webhook sends, and a client for both APIs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

use crate::sandbox::{Options, Sandbox};

pub(super) struct Rig {
    pub(super) sandbox: Sandbox,
    pub(super) receiver: Arc<Receiver>,
    http: reqwest::Client,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
pub(super) struct Receiver {
    pub(super) seen: Mutex<Vec<(HeaderMap, Value)>>,
    /// Answered first, one each; then 204.
    pub(super) answers: Mutex<Vec<u16>>,
}

impl Rig {
    pub(super) async fn start(change: impl FnOnce(&mut Options)) -> Self {
        let receiver = Arc::new(Receiver::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/hook", post(receive))
            .with_state(Arc::clone(&receiver));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        let mut options = Options {
            webhook_url: Some(Url::parse(&url).unwrap()),
            retry_schedule: vec![Duration::from_millis(5); 20],
            ..Options::default()
        };
        change(&mut options);
        let sandbox = Sandbox::start(options).await.unwrap();
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        Self {
            sandbox,
            receiver,
            http,
            _tasks: tasks,
        }
    }

    pub(super) async fn call(&self, method: Method, path: &str, body: Value) -> Result<(u16, Value), reqwest::Error> {
        let request = self
            .http
            .request(method, format!("{}{path}", self.sandbox.url()))
            .header("x-api-key", "eght_sandbox");
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    pub(super) async fn api(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.call(method, &format!("/chat-gateway/v1{path}"), body)
            .await
            .unwrap()
    }

    pub(super) async fn control(&self, path: &str, body: Value) -> (u16, Value) {
        let method = if body.is_null() { Method::GET } else { Method::POST };
        self.call(method, &format!("/sandbox{path}"), body).await.unwrap()
    }

    pub(super) async fn created(&self) -> String {
        let body = json!({"channelId": "sandbox-channel", "user": {"name": "James Jones"}});
        let (status, body) = self.api(Method::POST, "/conversations", body).await;
        assert_eq!(status, 202, "{body}");
        body["conversationId"].as_str().unwrap().to_owned()
    }

    pub(super) async fn agent(&self, id: &str, act: Value) {
        let (status, body) = self.control(&format!("/conversations/{id}/agent"), act).await;
        assert_eq!(status, 204, "{body}");
    }

    /// Waits until the webhook was told so many things, and shows them as `TYPE detail`.
    pub(super) async fn told(&self, count: usize) -> Vec<String> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            let told: Vec<_> = self
                .receiver
                .seen
                .lock()
                .unwrap()
                .iter()
                .map(|(_, body)| summary(body))
                .collect();
            if told.len() >= count || tokio::time::Instant::now() > deadline {
                assert_eq!(told.len(), count, "{told:?}");
                return told;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let answer = receiver.answers.lock().unwrap().pop().unwrap_or(204);
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
    receiver.seen.lock().unwrap().push((headers, body));
    StatusCode::from_u16(answer).unwrap()
}

fn summary(body: &Value) -> String {
    let event_type = body["eventType"].as_str().unwrap_or("?");
    let data = &body["data"];
    let details = ["state", "memberType", "change", "queueId", "text", "name"].map(|field| data[field].as_str());
    details
        .into_iter()
        .flatten()
        .fold(event_type.to_owned(), |summary, detail| format!("{summary} {detail}"))
}
