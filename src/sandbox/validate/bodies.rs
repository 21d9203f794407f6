//! The shape of each request body, field by field as the documentation lists them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct WebhookWrite {
    pub(crate) name: String,
    pub(crate) uri: String,
    /// The documentation requires `notificationVersion` and defines `version`: either will do, unless an option asks for it.
    pub(crate) version: Option<String>,
    pub(crate) notification_version: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookVerify {
    pub(crate) version: String,
    pub(crate) uri: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ChannelWrite {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) web_hook_id: String,
    pub(crate) routing_options: Assignment,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assignment {
    #[serde(rename = "type", default = "queue_type")]
    pub(crate) kind: String,
    pub(crate) id: String,
}

/// Fields that the documentation does not list are taken here and of the user: customers extend them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConversationCreate {
    pub(crate) channel_id: String,
    pub(crate) user: User,
    pub(crate) assignment: Option<Assignment>,
    pub(crate) history: Option<History>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ConversationWrite {
    pub(crate) channel_id: Option<String>,
    pub(crate) user: Option<User>,
    pub(crate) assignment: Option<Assignment>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConversationPatch {
    pub(crate) user: Option<User>,
    pub(crate) assignment: Option<Assignment>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct History {
    pub(crate) messages: Vec<MessageWrite>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(rename = "userId", skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) company: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) case_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ipaddress: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timezone_offset: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) additional_properties: Option<Vec<Property>>,
    #[serde(flatten)]
    pub(super) more: Map<String, Value>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Property {
    pub(super) key: String,
    pub(super) value: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct MessageWrite {
    pub(crate) author_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attachments: Vec<AttachmentRef>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cards: Vec<Card>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) external_provider: Option<ExternalProvider>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttachmentRef {
    pub(crate) id: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ExternalProvider {
    pub(super) name: String,
    pub(super) external_message_id: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Card {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(default = "adaptive_card")]
    pub(super) content_type: String,
    pub(super) content: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostAgentAssignment {
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// A webhook's.
    pub(crate) id: String,
    pub(super) configuration: Option<PostAgentConfiguration>,
}

/// The first is documented as a string, the others as numbers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct PostAgentConfiguration {
    pub(super) notify_channel_webhook_if_exists: Option<String>,
    pub(super) max_total_minutes: Option<u64>,
    pub(super) user_timeout_in_minutes: Option<u64>,
}

impl PostAgentAssignment {
    pub(crate) fn tells_channel(&self) -> bool {
        let configuration = self.configuration.as_ref();
        let notify = configuration.and_then(|all| all.notify_channel_webhook_if_exists.as_deref());
        notify == Some("true")
    }

    /// How long the bot leads at most.
    pub(crate) fn minutes(&self) -> Option<u64> {
        self.configuration.as_ref()?.max_total_minutes
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Typing {
    pub(super) author_type: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Thinking {
    pub(super) author_type: Option<String>,
    pub(super) max_thinking_time_seconds: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ReadReceipt {
    pub(super) author_type: String,
    pub(super) read_at: i64,
}

/// `displayMessage` is not documented, but an existing integration sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct UserLeave {
    pub(crate) removed: bool,
    #[serde(rename = "displayMessage")]
    _display_message: Option<Value>,
}

impl User {
    /// The stored form; the language defaults to English.
    pub(crate) fn into_stored(mut self) -> Value {
        self.language.get_or_insert_with(|| "en".to_owned());
        self.into_patch()
    }

    pub(crate) fn into_patch(self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

fn queue_type() -> String {
    "queue".to_owned()
}

fn adaptive_card() -> String {
    "application/vnd.microsoft.card.adaptive".to_owned()
}
