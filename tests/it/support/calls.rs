//! Every call of the bot API as a bot may make it, for tests that hold of all of them; the OpenAPI document says which there are.

use std::collections::BTreeSet;

use http::Method;
use serde_json::Value;
use serde_json::json;

use super::client::Client;
use super::client::Request;
use super::client::with_user;
use super::upload::file;
use super::upload::multipart;

/// One call, with a body that is right.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// As the document has it.
    pub(crate) path: &'static str,
    pub(crate) body: Body,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Nothing,
    Json(Value),
    /// An upload of these bytes.
    File(&'static str),
}

impl Call {
    pub(crate) const fn get(path: &'static str) -> Self {
        Self {
            method: Method::GET,
            path,
            body: Body::Nothing,
        }
    }

    pub(crate) const fn post(path: &'static str, body: Value) -> Self {
        Self {
            method: Method::POST,
            path,
            body: Body::Json(body),
        }
    }

    pub(crate) const fn patch(body: Value) -> Self {
        Self {
            method: Method::PATCH,
            path: "/v1/handovers/{id}",
            body: Body::Json(body),
        }
    }

    pub(crate) const fn delete(path: &'static str) -> Self {
        Self {
            method: Method::DELETE,
            path,
            body: Body::Nothing,
        }
    }

    pub(crate) const fn upload(bytes: &'static str) -> Self {
        Self {
            method: Method::POST,
            path: "/v1/handovers/{id}/attachments",
            body: Body::File(bytes),
        }
    }

    /// As `documented` names it.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// On this handover, and on this file or this event of it.
    pub(crate) fn of(&self, client: &Client, id: &str, other: &str) -> Request {
        let path = self.path.replace("{id}", id);
        let path = path.replace("{attachmentId}", other).replace("{deliveryId}", other);
        match &self.body {
            Body::Nothing => client.call(self.method.clone(), &path),
            Body::Json(body) => client.call(self.method.clone(), &path).json(body),
            Body::File(bytes) => {
                let disposition = "name=\"attachment\"; filename=\"a.txt\"";
                client.upload(id, multipart(&[file(disposition, bytes.as_bytes())]))
            }
        }
    }
}

/// In an order in which each can be made on one handover.
pub(crate) fn every() -> Vec<Call> {
    vec![
        Call::post("/v1/handovers", with_user(json!({}))),
        Call::get("/v1/handovers"),
        Call::get("/v1/events"),
        Call::get("/v1/availability"),
        Call::get("/v1/deliveries"),
        Call::post("/v1/deliveries/{deliveryId}/resend", json!({})),
        Call::post("/v1/recover", json!({"since": "2026-01-01T00:00:00Z"})),
        Call::get("/v1/handovers/{id}"),
        Call::get("/v1/handovers/{id}/events"),
        Call::get("/v1/handovers/{id}/transcript"),
        Call::get("/v1/handovers/{id}/timeline"),
        Call::get("/v1/handovers/{id}/attachments/{attachmentId}"),
        Call::patch(json!({"queueId": "102"})),
        Call::post("/v1/handovers/{id}/messages", json!({"text": "hello"})),
        Call::post("/v1/handovers/{id}/typing", json!({})),
        Call::post("/v1/handovers/{id}/thinking", json!({})),
        Call::post("/v1/handovers/{id}/read-receipt", json!({})),
        Call::upload("a file"),
        Call::post("/v1/handovers/{id}/hand-back", json!({})),
        Call::post("/v1/handovers/{id}/end", json!({})),
        Call::delete("/v1/handovers/{id}/content"),
        Call::post("/v1/handovers/{id}/reopen", json!({"text": "hello again"})),
    ]
}

/// What the gateway's own document says it has under this path: `POST /v1/handovers`, …
pub(crate) async fn documented(client: &Client, under: &str) -> BTreeSet<String> {
    let document = client.get("/openapi.json").await.ok(200);
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .filter(|(path, _)| path.starts_with(under))
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect()
}

/// A call that is in the document and not among these, or the other way round, has no row yet.
pub(crate) fn assert_all(documented: &BTreeSet<String>, calls: &[Call]) {
    let here: BTreeSet<_> = calls.iter().map(Call::name).collect();
    let differing: Vec<_> = documented.symmetric_difference(&here).collect();
    assert!(
        differing.is_empty(),
        "not in both the document and the table: {differing:?}"
    );
}
