//! Which path and method is which operation.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, patch, post};
use http::Method;

use super::{attachments, channels, conversations, guard, keys, messages, participants, signals, webhooks};
use crate::sandbox::problem::Problem;
use crate::sandbox::state::Shared;

const PREFIX: &str = "/chat-gateway/v1";

pub(crate) fn router(shared: Shared) -> Router {
    let routes = Router::new()
        .route("/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/webhooks/verify", post(webhooks::verify))
        .route(
            "/webhooks/{webhookId}",
            get(webhooks::get).put(webhooks::replace).delete(webhooks::remove),
        )
        .route("/jwk/{jwkId}/public", get(keys::public))
        .route("/channels", get(channels::list).post(channels::create))
        .route(
            "/channels/{channelId}",
            get(channels::get).put(channels::replace).delete(channels::remove),
        )
        .route("/conversations", get(conversations::list).post(conversations::create))
        .route(
            "/conversations/{conversationId}",
            get(conversations::get)
                .put(conversations::replace)
                .patch(conversations::patch),
        )
        .route(
            "/conversations/{conversationId}/interactions",
            get(conversations::interactions),
        )
        .route("/conversations/{conversationId}/typing", post(signals::typing))
        .route("/conversations/{conversationId}/thinking", post(signals::thinking))
        .route(
            "/conversations/{conversationId}/read-receipt",
            post(signals::read_receipt),
        )
        .route("/conversations/{conversationId}/participants", get(participants::list))
        .route(
            "/conversations/{conversationId}/participants/user",
            patch(participants::user_leaves),
        )
        .route(
            "/conversations/{conversationId}/messages",
            get(messages::list).post(messages::create),
        )
        .route(
            "/conversations/{conversationId}/messages/{messageId}",
            get(messages::get),
        )
        .merge(files())
        .layer(DefaultBodyLimit::disable())
        .method_not_allowed_fallback(|| async { Problem::no_such_route() })
        .route_layer(from_fn_with_state(Arc::clone(&shared), guard::guard))
        .with_state(shared);
    Router::new().nest(PREFIX, routes)
}

/// Attachments and cards.
fn files() -> Router<Shared> {
    Router::new()
        .route(
            "/conversations/{conversationId}/messages/{messageId}/cards",
            get(attachments::cards),
        )
        .route(
            "/conversations/{conversationId}/attachments",
            get(attachments::list).post(attachments::create),
        )
        .route(
            "/conversations/{conversationId}/attachments/{attachmentId}",
            get(attachments::get),
        )
        .route(
            "/conversations/{conversationId}/attachments/{attachmentId}/content",
            get(attachments::content),
        )
}

/// The operation's name in the ledger and in fault rules.
pub(super) fn operation(method: &Method, path: &str) -> &'static str {
    let path = path.strip_prefix(PREFIX).unwrap_or(path);
    match (method.as_str(), path) {
        ("GET", "/webhooks") => "webhook-list",
        ("POST", "/webhooks") => "webhook-create",
        ("POST", "/webhooks/verify") => "webhook-verify",
        ("GET", "/webhooks/{webhookId}") => "webhook-get",
        ("PUT", "/webhooks/{webhookId}") => "webhook-replace",
        ("DELETE", "/webhooks/{webhookId}") => "webhook-delete",
        ("GET", "/jwk/{jwkId}/public") => "jwk",
        ("GET", "/channels") => "channel-list",
        ("POST", "/channels") => "channel-create",
        ("GET", "/channels/{channelId}") => "channel-get",
        ("PUT", "/channels/{channelId}") => "channel-replace",
        ("DELETE", "/channels/{channelId}") => "channel-delete",
        ("GET", "/conversations") => "list",
        ("POST", "/conversations") => "create",
        ("GET", "/conversations/{conversationId}") => "get",
        ("PUT", "/conversations/{conversationId}") => "put",
        ("PATCH", "/conversations/{conversationId}") => "patch",
        ("GET", "/conversations/{conversationId}/interactions") => "interactions",
        ("POST", "/conversations/{conversationId}/typing") => "typing",
        ("POST", "/conversations/{conversationId}/thinking") => "thinking",
        ("POST", "/conversations/{conversationId}/read-receipt") => "read-receipt",
        ("GET", "/conversations/{conversationId}/participants") => "participants",
        ("PATCH", "/conversations/{conversationId}/participants/user") => "leave",
        ("GET", "/conversations/{conversationId}/messages") => "messages",
        ("POST", "/conversations/{conversationId}/messages") => "message",
        ("GET", "/conversations/{conversationId}/messages/{messageId}") => "message-get",
        ("GET", "/conversations/{conversationId}/messages/{messageId}/cards") => "message-cards",
        ("GET", "/conversations/{conversationId}/attachments") => "attachments",
        ("POST", "/conversations/{conversationId}/attachments") => "attachment",
        ("GET", "/conversations/{conversationId}/attachments/{attachmentId}") => "attachment-get",
        ("GET", "/conversations/{conversationId}/attachments/{attachmentId}/content") => "attachment-content",
        _ => "other",
    }
}
