//! The client of 8x8's Chat Gateway, and the public keys its webhooks are signed with. Deciding when to call is for others.

mod client;
mod conversations;
mod create;
mod error;
mod jwk;
mod keys;
mod messages;
mod properties;
mod provisioning;
mod refusal;
mod resources;
mod settings;
#[cfg(test)]
pub(crate) mod tests;
mod wire;

pub use client::ChatGateway;
pub use conversations::Coverage;
pub use conversations::NewestConversations;
pub use create::CreateBody;
pub use create::CreateConversation;
pub use create::HANDOVER_PROPERTY;
pub use create::HistoryMessage;
pub use error::ChatGatewayError;
pub use error::Fault;
pub use error::Refusal;
pub use error::Silence;
pub use jwk::PublicKey;
pub use keys::KeyError;
pub use keys::KeyId;
pub use keys::KeySource;
pub use messages::NewestMessages;
pub use properties::PropertiesError;
pub use provisioning::Listed;
pub use resources::ChannelView;
pub use resources::ChannelWrite;
pub use resources::EVENT_VERSION;
pub use resources::WebhookView;
pub use resources::WebhookWrite;
pub use settings::ChatGatewaySettings;
pub use settings::KeySourceSettings;
pub use settings::UnusableSetting;
pub use wire::AssignmentView;
pub use wire::ConversationView;
pub use wire::CreatedConversation;
pub use wire::MessageView;
