//! A bot's client of the gateway's API: thin, so that a test shows what goes over the wire.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use serde_json::Value;
use serde_json::json;

use super::config::api_key;

/// One bot's client. Clones share the address, which changes when the gateway is started again.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Arc<Mutex<String>>,
    key: Option<String>,
    /// Answers of 500 and above.
    failures: Arc<Mutex<Vec<String>>>,
}

pub(crate) struct Request {
    client: Client,
    line: String,
    call: reqwest::RequestBuilder,
}

#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) line: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Client {
    pub(crate) fn new(base: &str, bot: &str) -> Self {
        Self {
            http: http_client(),
            base: Arc::new(Mutex::new(base.to_owned())),
            key: Some(api_key(bot)),
            failures: Arc::default(),
        }
    }

    /// The same gateway, called by someone else.
    pub(crate) fn with_key(&self, key: Option<&str>) -> Self {
        Self {
            key: key.map(str::to_owned),
            ..self.clone()
        }
    }

    pub(crate) fn of_bot(&self, bot: &str) -> Self {
        self.with_key(Some(&api_key(bot)))
    }

    /// The same caller at another address.
    pub(crate) fn at(&self, base: &str) -> Self {
        Self {
            base: Arc::new(Mutex::new(base.to_owned())),
            ..self.clone()
        }
    }

    pub(crate) fn move_to(&self, base: &str) {
        base.clone_into(&mut self.base.lock().unwrap());
    }

    pub(crate) fn base(&self) -> String {
        self.base.lock().unwrap().clone()
    }

    pub(crate) fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap().clone()
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Request {
        let line = format!("{method} {path}");
        let mut call = self.http.request(method, format!("{}{path}", self.base()));
        if let Some(key) = &self.key {
            call = call.bearer_auth(key);
        }
        Request {
            client: self.clone(),
            line,
            call,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.call(Method::POST, path).json(body).send().await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.call(Method::PATCH, path).json(body).send().await
    }

    /// A handover; fields are added to a user with a name.
    pub(crate) async fn create(&self, fields: Value) -> Value {
        self.post("/v1/handovers", &with_user(fields)).await.ok(201)
    }

    /// A handover's id and its conversation.
    pub(crate) async fn open(&self, fields: Value) -> (String, String) {
        let handover = self.create(fields).await;
        let text = |field: &str| handover[field].as_str().unwrap().to_owned();
        (text("id"), text("conversationId"))
    }

    pub(crate) async fn handover(&self, id: &str) -> Value {
        self.get(&format!("/v1/handovers/{id}")).await.ok(200)
    }

    pub(crate) async fn say(&self, id: &str, text: &str) -> Value {
        self.post(&format!("/v1/handovers/{id}/messages"), &json!({"text": text}))
            .await
            .ok(202)
    }

    pub(crate) async fn end(&self, id: &str) -> Value {
        self.post(&format!("/v1/handovers/{id}/end"), &json!({})).await.ok(202)
    }

    /// The log of a handover.
    pub(crate) async fn events(&self, id: &str) -> Vec<Value> {
        let list = self.get(&format!("/v1/handovers/{id}/events?limit=1000")).await.ok(200);
        list["data"].as_array().unwrap().clone()
    }
}

impl Request {
    pub(crate) fn json(self, body: &Value) -> Self {
        self.body(body.to_string())
    }

    /// Bytes, called JSON.
    pub(crate) fn body(self, body: impl Into<reqwest::Body>) -> Self {
        self.header("content-type", "application/json").raw(body)
    }

    pub(crate) fn raw(mut self, body: impl Into<reqwest::Body>) -> Self {
        self.call = self.call.body(body);
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.call = self.call.header(name, value);
        self
    }

    /// The idempotency key.
    pub(crate) fn once(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub(crate) async fn send(self) -> Reply {
        let line = self.line.clone();
        self.try_send()
            .await
            .unwrap_or_else(|error| panic!("{line}: {error:?}"))
    }

    pub(crate) async fn try_send(self) -> Result<Reply, reqwest::Error> {
        let response = self.call.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await?;
        let reply = Reply {
            line: self.line,
            status,
            headers,
            body,
        };
        if status >= 500 {
            self.client.failures.lock().unwrap().push(reply.to_string());
        }
        Ok(reply)
    }

    /// The answer as it comes.
    pub(crate) async fn stream(self) -> reqwest::Response {
        self.call.send().await.unwrap()
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{self}: {error}"))
    }

    /// The body of an answer with this status.
    pub(crate) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} -> {} {}", self.line, self.status, self.text())
    }
}

pub(crate) fn with_user(mut fields: Value) -> Value {
    fields
        .as_object_mut()
        .unwrap()
        .entry("user")
        .or_insert_with(|| json!({"name": "James Jones"}));
    fields
}

pub(crate) fn http_client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_mins(1))
        .build()
        .unwrap()
}
