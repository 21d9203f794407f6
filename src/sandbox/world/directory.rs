//! The account: its webhooks, channels, queues and conversations.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::conversation::{Conversation, Queue};
use super::event::Dialect;
use crate::sandbox::clock;
use crate::sandbox::options::Options;
use crate::sandbox::validate::{ChannelWrite, WebhookWrite};

#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Empty until one is set.
    pub(crate) uri: String,
    pub(crate) version: String,
    pub(crate) created_at: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Only `ChatAPI` can be made by the API.
    pub(crate) kind: String,
    pub(crate) webhook_id: String,
    pub(crate) queue_id: String,
    pub(crate) created_at: i64,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) webhooks: BTreeMap<String, Webhook>,
    pub(crate) channels: BTreeMap<String, Channel>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) conversations: HashMap<String, Conversation>,
    last_order: u64,
}

const CHAT_API: &str = "ChatAPI";
const FIRST_WEBHOOK: &str = "sandbox-webhook";

impl World {
    pub(crate) fn new(options: &Options) -> Self {
        let queues: Vec<_> = options
            .queues
            .iter()
            .map(|(id, name)| Queue {
                id: id.clone(),
                name: name.clone(),
            })
            .collect();
        let webhook = Webhook {
            id: FIRST_WEBHOOK.to_owned(),
            name: "Sandbox webhook".to_owned(),
            uri: options
                .webhook_url
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            version: options.webhook_version.clone(),
            created_at: clock::now_ms(),
        };
        let channel = Channel {
            id: options.channel_id.clone(),
            name: "Sandbox channel".to_owned(),
            kind: CHAT_API.to_owned(),
            webhook_id: webhook.id.clone(),
            queue_id: queues.first().map(|queue| queue.id.clone()).unwrap_or_default(),
            created_at: clock::now_ms(),
        };
        Self {
            webhooks: BTreeMap::from([(webhook.id.clone(), webhook)]),
            channels: BTreeMap::from([(channel.id.clone(), channel)]),
            queues,
            conversations: HashMap::new(),
            last_order: 0,
        }
    }

    /// Counts what the account takes, in the order it takes it.
    pub(crate) fn next_order(&mut self) -> u64 {
        self.last_order += 1;
        self.last_order
    }

    pub(crate) fn point_first_webhook(&mut self, uri: String, version: Option<String>) {
        if let Some(webhook) = self.webhooks.get_mut(FIRST_WEBHOOK) {
            webhook.uri = uri;
            webhook.version = version.unwrap_or_else(|| webhook.version.clone());
        }
    }

    pub(crate) fn queue(&self, id: &str) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.id == id)
    }

    fn webhook_of_channel(&self, channel_id: &str) -> Option<&Webhook> {
        self.channels
            .get(channel_id)
            .and_then(|channel| self.webhooks.get(&channel.webhook_id))
    }

    /// That of the channel's webhook, or of another one.
    pub(crate) fn webhook(&self, channel_id: &str, webhook_id: Option<&str>) -> Option<&Webhook> {
        match webhook_id {
            Some(id) => self.webhooks.get(id),
            None => self.webhook_of_channel(channel_id),
        }
    }

    pub(crate) fn dialect(&self, channel_id: &str, webhook_id: Option<&str>) -> Dialect {
        match self.webhook(channel_id, webhook_id) {
            Some(webhook) if webhook.version == "v2.0" => Dialect::V2,
            _ => Dialect::Gateway,
        }
    }
}

impl Webhook {
    pub(crate) fn new(id: String, write: WebhookWrite) -> Self {
        let (name, uri, version) = webhook_parts(write);
        Self {
            id,
            name,
            uri,
            version,
            created_at: clock::now_ms(),
        }
    }

    pub(crate) fn replace(&mut self, write: WebhookWrite) {
        (self.name, self.uri, self.version) = webhook_parts(write);
    }

    pub(crate) fn resource(&self) -> Value {
        json!({"id": self.id, "name": self.name, "uri": self.uri, "version": self.version})
    }
}

impl Channel {
    pub(crate) fn new(id: String, write: ChannelWrite) -> Self {
        Self {
            id,
            name: write.name,
            kind: CHAT_API.to_owned(),
            webhook_id: write.web_hook_id,
            queue_id: write.routing_options.id,
            created_at: clock::now_ms(),
        }
    }

    pub(crate) fn replace(&mut self, write: ChannelWrite) {
        self.name = write.name;
        self.webhook_id = write.web_hook_id;
        self.queue_id = write.routing_options.id;
    }

    pub(crate) fn resource(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "type": self.kind,
            "webHookId": self.webhook_id,
            "routingOptions": {"type": "queue", "id": self.queue_id},
        })
    }
}

fn webhook_parts(write: WebhookWrite) -> (String, String, String) {
    (
        write.name,
        write.uri,
        write
            .version
            .or(write.notification_version)
            .unwrap_or_else(|| "Chat Gateway v1.0".to_owned()),
    )
}
