//! One client and what it asks for.

use std::time::Duration;

use secrecy::SecretString;

use crate::chat_gateway::ChatGateway;
use crate::chat_gateway::ChatGatewaySettings;
use crate::chat_gateway::CreateBody;
use crate::chat_gateway::CreateConversation;
use crate::chat_gateway::tests::server::client;
use crate::domain::ConversationId;
use crate::domain::HandoverId;
use crate::domain::User;

pub(super) fn chat_gateway(base: &str) -> ChatGateway {
    let settings = ChatGatewaySettings {
        base_url: base.parse().unwrap(),
        tenant_id: Some("acme01".to_owned()),
        api_keys: vec![SecretString::from("eght_secret"), SecretString::from("eght_next")],
        call_timeout: Duration::from_millis(500),
    };
    ChatGateway::new(client(), &settings).unwrap()
}

pub(super) fn conversation() -> ConversationId {
    ConversationId::parse("c/1").unwrap()
}

pub(super) fn handover() -> HandoverId {
    HandoverId::parse("ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00").unwrap()
}

pub(super) fn body() -> CreateBody {
    let create = CreateConversation {
        handover: handover(),
        channel_id: "channel".to_owned(),
        user: User::default(),
        queue_id: None,
        history: Vec::new(),
        properties: None,
    };
    CreateBody::try_from(&create).unwrap()
}
