//! The types of events a bot is told, and how much each must be insisted on.

use serde::Deserialize;
use serde::Serialize;

macro_rules! event_types {
    ($($variant:ident = $name:literal, $class:ident;)*) => {
        /// Published names; only ever added to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum EventType {
            $(#[serde(rename = $name)] $variant,)*
        }

        impl EventType {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub const fn class(self) -> EventClass {
                match self { $(Self::$variant => EventClass::$class,)* }
            }
        }
    };
}

event_types! {
    HandoverAccepted = "handover.accepted", Lifecycle;
    ConversationStarted = "conversation.started", Lifecycle;
    HandoverQueued = "handover.queued", Lifecycle;
    QueueUpdated = "handover.queue_updated", Ephemeral;
    AgentJoined = "agent.joined", Lifecycle;
    AgentLeft = "agent.left", Lifecycle;
    HandoverTransferred = "handover.transferred", Lifecycle;
    HandedBack = "handover.handed_back", Lifecycle;
    MessageCreated = "message.created", Conversational;
    AgentTyping = "agent.typing", Ephemeral;
    ActionSubmitted = "action.submitted", Conversational;
    ConversationUpdated = "conversation.updated", Conversational;
    MessageStatus = "message.status", Lifecycle;
    UpdateFailed = "handover.update_failed", Lifecycle;
    HandoverEnded = "handover.ended", Lifecycle;
    HandoverFailed = "handover.failed", Lifecycle;
    Unrecognized = "event.unrecognized", Conversational;
    WebhookReceived = "webhook.received", Conversational;
    WebhookTyping = "webhook.typing", Ephemeral;
}

impl EventType {
    /// Whether it stands for one of 8x8's webhooks as it came, rather than for what it means.
    pub const fn is_webhook(self) -> bool {
        matches!(self, Self::WebhookReceived | Self::WebhookTyping)
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

/// How delivery treats an event when the bot fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventClass {
    /// Retried aside for a day after it gave up its place in the lane.
    Lifecycle,
    /// Becomes a failed delivery when it held its lane too long.
    Conversational,
    /// Never logged; one attempt, dropped when anything waits.
    Ephemeral,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for kind in EventType::ALL {
            assert_eq!(EventType::parse(kind.as_str()), Some(*kind));
            assert_eq!(serde_json::to_string(kind).unwrap(), format!("\"{}\"", kind.as_str()));
        }
    }
}
