//! 8x8's webhooks and channels: what is read of them, and what is written.

use serde::Serialize;
use serde_json::Value;

use crate::chat_gateway::wire::text;

/// The version of events this gateway asks for.
pub const EVENT_VERSION: &str = "Chat Gateway v1.0";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookView {
    pub id: String,
    pub name: Option<String>,
    pub uri: Option<String>,
    pub version: Option<String>,
}

/// The list of channels may hold other kinds than ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelView {
    pub id: String,
    pub name: Option<String>,
    pub kind: Option<String>,
    pub webhook_id: Option<String>,
    pub queue_id: Option<String>,
}

impl WebhookView {
    pub(super) fn read(body: &Value) -> Option<Self> {
        Some(Self {
            id: text(body.get("id"))?,
            name: text(body.get("name")),
            uri: text(body.get("uri")),
            version: text(body.get("version")).or_else(|| text(body.get("notificationVersion"))),
        })
    }
}

impl ChannelView {
    pub(super) fn read(body: &Value) -> Option<Self> {
        let routing = body.get("routingOptions").or_else(|| body.get("routingOption"));
        Some(Self {
            id: text(body.get("id"))?,
            name: text(body.get("name")),
            kind: text(body.get("type")),
            webhook_id: text(body.get("webHookId")).or_else(|| text(body.get("webhookId"))),
            queue_id: routing.and_then(|routing| text(routing.get("id"))),
        })
    }

    /// 8x8 spells the kind in more than one way. One that is not told may be ours.
    pub fn is_chat_api(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| {
            let letters: String = kind.chars().filter(char::is_ascii_alphanumeric).collect();
            letters.eq_ignore_ascii_case("ChatAPI")
        })
    }
}

/// A webhook as it is to be, whole: 8x8 replaces all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookWrite {
    pub name: String,
    pub uri: String,
}

/// A channel as it is to be, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelWrite {
    pub name: String,
    pub webhook_id: String,
    pub queue_id: String,
}

/// 8x8's documentation defines `version` and requires `notificationVersion`: the second is added only when it is asked for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebhookBody<'a> {
    name: &'a str,
    uri: &'a str,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_version: Option<&'static str>,
}

impl<'a> WebhookBody<'a> {
    pub(super) fn new(write: &'a WebhookWrite, names_version_twice: bool) -> Self {
        Self {
            name: &write.name,
            uri: &write.uri,
            version: EVENT_VERSION,
            notification_version: names_version_twice.then_some(EVENT_VERSION),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChannelBody<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    /// With a capital H, here and nowhere else.
    web_hook_id: &'a str,
    routing_options: Routing<'a>,
}

#[derive(Serialize)]
struct Routing<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
}

impl<'a> ChannelBody<'a> {
    pub(super) fn new(write: &'a ChannelWrite) -> Self {
        Self {
            name: &write.name,
            kind: "ChatAPI",
            web_hook_id: &write.webhook_id,
            routing_options: Routing {
                kind: "queue",
                id: &write.queue_id,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bodies_are_as_8x8_documents_them() {
        let webhook = WebhookWrite {
            name: "ours".to_owned(),
            uri: "https://h.example.com/webhooks/8x8/acme".to_owned(),
        };
        let once = serde_json::to_value(WebhookBody::new(&webhook, false)).unwrap();
        let uri = &webhook.uri;
        assert_eq!(
            once,
            json!({"name": "ours", "uri": uri, "version": "Chat Gateway v1.0"})
        );
        let twice = serde_json::to_value(WebhookBody::new(&webhook, true)).unwrap();
        assert_eq!(twice["notificationVersion"], "Chat Gateway v1.0");
        let channel = ChannelWrite {
            name: "ours".to_owned(),
            webhook_id: "w1".to_owned(),
            queue_id: "101".to_owned(),
        };
        assert_eq!(
            serde_json::to_value(ChannelBody::new(&channel)).unwrap(),
            json!({"name": "ours", "type": "ChatAPI", "webHookId": "w1", "routingOptions": {"type": "queue", "id": "101"}})
        );
    }

    #[test]
    fn channels_are_read_in_every_spelling() {
        let channel = |body| ChannelView::read(&body).unwrap();
        let one = channel(json!({"id": 7, "webhookId": "w", "routingOption": {"id": 101}}));
        assert_eq!((one.id.as_str(), one.webhook_id.as_deref()), ("7", Some("w")));
        assert_eq!(one.queue_id.as_deref(), Some("101"));
        for (kind, is_ours) in [
            ("ChatAPI", true),
            ("CHAT_API", true),
            ("Chat Api", true),
            ("SMS", false),
        ] {
            assert_eq!(
                channel(json!({"id": "7", "type": kind})).is_chat_api(),
                is_ours,
                "{kind}"
            );
        }
        assert_eq!(ChannelView::read(&json!({"name": "no id"})), None);
    }
}
