//! What happens once the agents are done: the post-agent assignment.

use http::Method;
use serde::Serialize;

use crate::chat_gateway::client::ChatGateway;
use crate::chat_gateway::conversations::json_of;
use crate::chat_gateway::error::ChatGatewayError;
use crate::domain::ConversationId;
use crate::domain::ScheduleHandBack;

#[derive(Serialize)]
struct Assignment<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    configuration: Configuration,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    /// A string at 8x8, whatever it looks like.
    notify_channel_webhook_if_exists: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_total_minutes: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_timeout_in_minutes: Option<u16>,
}

impl ChatGateway {
    /// Has the conversation go on with a webhook when the agents are done. 8x8 takes one a conversation and refuses a
    /// second, which makes it repeatable: see [`ChatGatewayError::says_it_exists`].
    pub async fn hand_back(
        &self,
        conversation: &ConversationId,
        webhook_id: &str,
        asked: &ScheduleHandBack,
    ) -> Result<(), ChatGatewayError> {
        let body = json_of(&Assignment {
            kind: "webhook",
            id: webhook_id,
            configuration: Configuration {
                notify_channel_webhook_if_exists: "false",
                max_total_minutes: asked.max_total_minutes,
                user_timeout_in_minutes: asked.user_timeout_minutes,
            },
        })?;
        let url = self.conversation(&[conversation.as_str(), "post-agent-assignment"])?;
        self.tell(Method::POST, url, &body).await
    }
}
