//! Reads in the events of a conversation that nobody knows whether it is to be a handover, and what is known of its user.

use serde_json::Value;

use crate::domain::Arrival;
use crate::domain::ConversationState;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::domain::WebhookEvent;
use crate::domain::WebhookKind;
use crate::domain::WebhookReceipt;

/// An event that may open a handover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opener {
    /// 8x8's own time of it.
    pub(super) at: Option<i64>,
}

/// What among the kept events may open a handover.
#[derive(Default)]
pub(super) struct Openers {
    /// The user's first message.
    message: Option<Opener>,
    /// The first word of the conversation being active.
    active: Option<Opener>,
    /// When the last handover's end was told, where that comes late.
    pub(super) left_at: Option<i64>,
    /// Handovers named in it.
    pub(super) keys: Vec<HandoverId>,
    pub(super) arrival: Arrival,
}

impl Openers {
    pub(super) fn among(kept: &[(WebhookReceipt, WebhookEvent)], before: Option<&Handover>) -> Self {
        let mut openers = Self::default();
        for (_, event) in kept {
            let opener = Opener {
                at: event.source.timestamp,
            };
            match &event.kind {
                WebhookKind::Message(_) => {
                    let opens = before.map_or_else(|| is_users(event), |before| writes_again(event, before));
                    if opens {
                        openers.message.get_or_insert(opener);
                    }
                }
                WebhookKind::ConversationUpdate(update) => {
                    openers.keys.extend(update.handover.clone());
                    openers.learn(update.raw.as_str());
                    if update.state == Some(ConversationState::Idle) && before.is_some() {
                        openers.left_at = openers.left_at.max(opener.at);
                    }
                    // Over once, it is the user who has to begin.
                    if update.state == Some(ConversationState::Active) && before.is_none() {
                        openers.active.get_or_insert(opener);
                    }
                }
                WebhookKind::UserLeft if before.is_some() => openers.left_at = openers.left_at.max(opener.at),
                WebhookKind::Queued(_)
                | WebhookKind::AgentJoined(_)
                | WebhookKind::AgentLeft(_)
                | WebhookKind::UserJoined
                | WebhookKind::UserLeft
                | WebhookKind::Transfer
                | WebhookKind::Typing { .. }
                | WebhookKind::OwnTyping
                | WebhookKind::Action { .. }
                | WebhookKind::Unrecognized { .. } => {}
            }
        }
        openers
    }

    /// The bot may speak first, or waits for the user.
    pub(super) fn first(&self, speaks_first: bool) -> Option<Opener> {
        self.message.or(self.active.filter(|_| speaks_first))
    }

    fn learn(&mut self, data: &str) {
        let data: Value = serde_json::from_str(data).unwrap_or_default();
        let text = |name: &str| match data.get(name)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        self.arrival.channel_type = text("channel").or(self.arrival.channel_type.take());
        self.arrival.msisdn = text("msisdn").or(self.arrival.msisdn.take());
    }
}

pub(super) fn is_users(event: &WebhookEvent) -> bool {
    matches!(&event.kind, WebhookKind::Message(message) if message.sender_type == "user" && !message.is_echo)
}

/// The user's own words, not older by 8x8's clock than what ended the handover.
pub(super) fn writes_again(event: &WebhookEvent, before: &Handover) -> bool {
    let WebhookKind::Message(message) = &event.kind else {
        return false;
    };
    let ended = before.progress.state_mark;
    let is_new = event
        .source
        .timestamp
        .is_none_or(|at| ended.is_none_or(|ended| at >= ended));
    is_users(event) && is_new && !before.progress.own_words.holds(&message.text)
}
