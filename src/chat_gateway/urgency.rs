//! What matters how much when not every call can go at once: told from the call itself, so that none can be forgotten.

use http::Method;

/// The first is the most urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Somebody waits for an agent, or an agent is to be freed.
    Turn,
    Message,
    /// What was read: worth something later too.
    Receipt,
    /// Typing and thinking: worth nothing later.
    Passing,
    /// Reading what 8x8 has.
    Look,
}

impl Urgency {
    /// Of a call, by its method and the end of its path.
    pub(super) fn of(method: &Method, path: &str) -> Self {
        if method == Method::GET {
            return Self::Look;
        }
        match path.rsplit('/').next().unwrap_or_default() {
            "typing" | "thinking" => Self::Passing,
            "read-receipt" => Self::Receipt,
            "messages" | "attachments" => Self::Message,
            // Creates, ends, changes of queue, hand-backs; and what `provision` does, for which somebody waits.
            _ => Self::Turn,
        }
    }

    pub(super) const fn waits(self) -> bool {
        match self {
            Self::Turn | Self::Message | Self::Receipt | Self::Look => true,
            Self::Passing => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creating_and_ending_come_first_and_reading_last() {
        let of = |method: Method, path: &str| Urgency::of(&method, &format!("/chat-gateway/v1/conversations{path}"));
        assert_eq!(of(Method::POST, ""), Urgency::Turn);
        assert_eq!(of(Method::PATCH, "/c1/participants/user"), Urgency::Turn);
        assert_eq!(of(Method::PATCH, "/c1"), Urgency::Turn);
        assert_eq!(of(Method::POST, "/c1/post-agent-assignment"), Urgency::Turn);
        assert_eq!(of(Method::POST, "/c1/messages"), Urgency::Message);
        assert_eq!(of(Method::POST, "/c1/attachments"), Urgency::Message);
        assert_eq!(of(Method::POST, "/c1/read-receipt"), Urgency::Receipt);
        assert_eq!(of(Method::POST, "/c1/typing"), Urgency::Passing);
        assert_eq!(of(Method::POST, "/c1/thinking"), Urgency::Passing);
        assert_eq!(of(Method::GET, "/c1/messages"), Urgency::Look);
        assert!(Urgency::Turn < Urgency::Message && Urgency::Message < Urgency::Receipt);
        assert!(Urgency::Receipt < Urgency::Look);
    }
}
