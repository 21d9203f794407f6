//! The stand-in 8x8 as its control API shows it.

use std::time::Duration;

use handover_gateway::clock::Clock;
use http::Method;
use serde_json::Value;
use serde_json::json;

use crate::ledger::Call;
use crate::ledger::Webhook;

#[derive(Clone)]
pub(crate) struct Control {
    http: reqwest::Client,
    url: String,
}

impl Control {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            http: http_client(Duration::from_mins(2)),
            url: format!("{url}/sandbox"),
        }
    }

    /// `None` where 8x8 refuses, as it does when a conversation is over.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Option<Value> {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn agent(&self, conversation: &str, act: Value) {
        self.post(&format!("/conversations/{conversation}/agent"), &act).await;
    }

    pub(crate) async fn fault(&self, rule: Value) {
        self.post("/faults", &rule).await.unwrap();
    }

    pub(crate) async fn clear_faults(&self) {
        self.ask(Method::DELETE, "/faults", None).await.unwrap();
    }

    pub(crate) async fn webhooks(&self) -> Vec<Webhook> {
        self.list("/events").await.iter().map(webhook).collect()
    }

    pub(crate) async fn calls(&self) -> Vec<Call> {
        self.list("/calls").await.iter().map(call).collect()
    }

    /// Conversations that are not over.
    pub(crate) async fn held(&self) -> Vec<String> {
        let all = self.list("/conversations").await;
        let held = all.iter().filter(|one| one["state"] != "idle");
        held.map(|one| text(&one["id"])).collect()
    }

    /// Signs an event that was delivered again, so much later, and sends it. What the receiver answers.
    pub(crate) async fn repeat(&self, event: &Value, later: Duration) -> Value {
        let then = Clock::system().now().plus(later);
        let conversation = text(&event["conversationId"]);
        let again = json!({
            "eventId": event["eventId"],
            "raw": event["body"].to_string(),
            "wait": true,
            "sign": {"tt": then.as_millis()},
        });
        let path = format!("/conversations/{conversation}/events");
        self.post(&path, &again).await.unwrap_or_default()
    }

    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let mut list = self.ask(Method::GET, path, None).await.unwrap();
        match list["data"].take() {
            Value::Array(entries) => entries,
            other => panic!("{path}: {other}"),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Option<Value> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let is_good = response.status().is_success();
        let text = response.text().await.unwrap();
        is_good.then(|| serde_json::from_str(&text).unwrap_or(json!({})))
    }
}

fn webhook(event: &Value) -> Webhook {
    let body = &event["body"];
    // The two dialects, and their places for words.
    let attempts = event["attempts"].as_array().cloned().unwrap_or_default();
    let refuses = |attempt: &Value| attempt["status"].as_u64().is_some_and(|status| status >= 300);
    let said = ["/data/text", "/message", "/text"];
    Webhook {
        id: text(&event["eventId"]),
        kind: text(&event["eventType"]),
        conversation: text(&event["conversationId"]),
        text: said
            .iter()
            .find_map(|path| body.pointer(path)?.as_str())
            .map(str::to_owned),
        acked: event["acked"] == true,
        attempts: attempts.len(),
        refused: attempts.iter().filter(|one| refuses(one)).count(),
    }
}

fn call(call: &Value) -> Call {
    let body = &call["body"];
    let operation = text(&call["operation"]);
    let said = match operation.as_str() {
        "create" => &body["user"]["name"],
        "message" => &body["text"],
        _ => &Value::Null,
    };
    Call {
        conversation: text(&call["conversationId"]),
        text: text(said),
        taken: call["taken"] == true,
        operation,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(crate) fn http_client(timeout: Duration) -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(timeout)
        .build()
        .unwrap()
}
