//! 8x8's side: the sandbox, its agents, its faults, and what it remembers of calls and events.

use http::Method;
use serde_json::Value;
use serde_json::json;

use handover_gateway::sandbox::Options;
use handover_gateway::sandbox::Sandbox;

use super::client::http_client;
use super::wait::eventually;

pub(crate) struct EightX8 {
    sandbox: Sandbox,
    http: reqwest::Client,
}

impl EightX8 {
    pub(crate) async fn start(options: Options) -> Self {
        Self {
            sandbox: Sandbox::start(options).await.unwrap(),
            http: http_client(),
        }
    }

    pub(crate) fn url(&self) -> String {
        self.sandbox.url()
    }

    /// Where its webhooks go.
    pub(crate) async fn point_at(&self, url: &str) {
        self.control("/webhook", &json!({"url": url})).await;
    }

    pub(crate) async fn agent(&self, conversation: &str, act: Value) {
        self.control(&format!("/conversations/{conversation}/agent"), &act)
            .await;
    }

    pub(crate) async fn join(&self, conversation: &str) {
        self.agent(conversation, json!({"do": "join"})).await;
    }

    /// A customer opens a conversation in a channel of 8x8's; its id.
    pub(crate) async fn customer(&self, open: Value) -> String {
        let opened = self.control("/conversations", &open).await;
        opened["conversationId"].as_str().unwrap().to_owned()
    }

    /// What the customer of a conversation does.
    pub(crate) async fn customer_does(&self, conversation: &str, act: Value) {
        self.control(&format!("/conversations/{conversation}/customer"), &act)
            .await;
    }

    pub(crate) async fn customer_says(&self, conversation: &str, text: &str) {
        self.customer_does(conversation, json!({"do": "say", "text": text}))
            .await;
    }

    /// Adds a channel of any type, with the first webhook or another one.
    pub(crate) async fn add_channel(&self, channel: Value) {
        self.control("/channels", &channel).await;
    }

    pub(crate) async fn say(&self, conversation: &str, text: &str) {
        self.agent(conversation, json!({"do": "say", "text": text})).await;
    }

    /// A post of the gateway's that comes when it comes.
    pub(crate) async fn posts_late(&self, conversation: &str, text: &str) {
        let path = format!("/chat-gateway/v1/conversations/{conversation}/messages");
        let post = self.http.post(format!("{}{path}", self.url()));
        let post = post
            .header("x-api-key", "eght_sandbox")
            .header("x-8x8-tenant-id", "sandbox-tenant");
        let posted = post
            .json(&json!({"authorType": "user", "text": text}))
            .send()
            .await
            .unwrap();
        assert_eq!(posted.status(), 202);
    }

    /// Every agent leaves and the conversation is over.
    pub(crate) async fn end(&self, conversation: &str) {
        self.agent(conversation, json!({"do": "end"})).await;
    }

    /// Sends any event; with `wait` the receiver's answer comes back.
    pub(crate) async fn event(&self, conversation: &str, event: Value) -> Value {
        self.control(&format!("/conversations/{conversation}/events"), &event)
            .await
    }

    pub(crate) async fn fault(&self, rule: Value) {
        self.control("/faults", &rule).await;
    }

    /// Opens and closes schedules, puts agents into queues.
    pub(crate) async fn centre(&self, change: Value) {
        self.control("/centre", &change).await;
    }

    pub(crate) async fn clear_faults(&self) {
        self.ask(Method::DELETE, "/faults", None).await;
    }

    pub(crate) async fn faults_left(&self) -> Vec<Value> {
        self.list("/faults").await
    }

    pub(crate) async fn rotate_keys(&self) -> Value {
        self.control("/keys/rotate", &json!({})).await
    }

    pub(crate) async fn conversation(&self, id: &str) -> Value {
        self.ask(Method::GET, &format!("/conversations/{id}"), None).await
    }

    pub(crate) async fn conversations(&self) -> Vec<Value> {
        self.list("/conversations").await
    }

    /// Calls of one operation it received.
    pub(crate) async fn calls(&self, operation: &str) -> Vec<Value> {
        self.list(&format!("/calls?operation={operation}")).await
    }

    /// Waits until it received so many.
    pub(crate) async fn calls_made(&self, operation: &str, count: usize) -> Vec<Value> {
        eventually(&format!("{count} {operation} calls at 8x8"), async || {
            Some(self.calls(operation).await).filter(|calls| calls.len() >= count)
        })
        .await
    }

    /// Texts of the messages it took from the gateway.
    pub(crate) async fn texts(&self, conversation: &str) -> Vec<String> {
        let shown = self.conversation(conversation).await;
        let messages = shown["messages"].as_array().unwrap();
        let ours = messages.iter().filter(|message| message["author"] != "agent");
        ours.map(|message| message["text"].as_str().unwrap().to_owned())
            .collect()
    }

    /// All webhook events, with the attempts at each.
    pub(crate) async fn all_webhooks(&self) -> Vec<Value> {
        self.list("/events").await
    }

    /// Waits until every webhook event was acknowledged.
    pub(crate) async fn all_acknowledged(&self) {
        eventually("every webhook event is acknowledged", async || {
            let events = self.all_webhooks().await;
            events.iter().all(|event| event["acked"] == true).then_some(())
        })
        .await;
    }

    /// Statuses of all attempts at webhooks.
    pub(crate) async fn webhook_statuses(&self) -> Vec<u16> {
        let events = self.all_webhooks().await;
        let attempts = events
            .iter()
            .flat_map(|event| event["attempts"].as_array().unwrap().clone());
        attempts
            .filter_map(|attempt| attempt["status"].as_u64())
            .map(|status| u16::try_from(status).unwrap())
            .collect()
    }

    pub(crate) async fn load(&self, load: Value) -> Value {
        self.control("/load", &load).await
    }

    async fn control(&self, path: &str, body: &Value) -> Value {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        let mut list = self.ask(Method::GET, path, None).await;
        match list["data"].take() {
            Value::Array(entries) => entries,
            other => panic!("{path}: {other}"),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let mut request = self.http.request(method, format!("{}/sandbox{path}", self.url()));
        request = request.timeout(std::time::Duration::from_mins(10));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "sandbox{path}: {status} {text}");
        if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        }
    }
}
