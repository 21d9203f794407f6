//! A conversation that was over and is to go on: which of 8x8's events are of the time before, and which of the new one.

use crate::domain::AuthorType;
use crate::domain::Call;
use crate::domain::ConversationState;
use crate::domain::ConversationUpdate;
use crate::domain::MessagePart;
use crate::domain::MessageRecord;
use crate::domain::MessageStatus;
use crate::domain::Origin;
use crate::domain::Reopening;
use crate::domain::State;
use crate::domain::WebhookKind;
use crate::domain::transition::change::Change;
use crate::domain::transition::deadlines::settling;
use crate::domain::transition::routing;
use crate::domain::transition::webhook;

/// What an event means for a handover that stands on a conversation with a past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// Nothing special.
    No,
    /// It shows that 8x8 took the words that reopen.
    Reopens,
    /// It can be said of the time before, and is until 8x8 shows otherwise.
    OfBefore,
}

pub(super) fn past(change: &Change<'_>, kind: &WebhookKind, at: i64) -> Past {
    if change.before().facts.reopened_from.is_none() {
        return Past::No;
    }
    let is_begin = matches!(kind, WebhookKind::Queued(_) | WebhookKind::AgentJoined(_));
    let is_old = webhook::is_old(change, at) || routing::is_old(change, at);
    // While the words are in doubt nothing but an event of their own time speaks for them: the first queuing of a
    // conversation that was over at once may be told only now. 8x8's messages are asked then, which cannot be mistaken.
    let is_before_the_words = at < change.before().facts.created_at.as_millis();
    let is_strangers_end =
        matches!(kind, WebhookKind::AgentLeft(agent) if change.progress.agents.get(&agent.id).is_none());
    let nobody_came = change.progress.agents.nobody_ever();
    match change.state() {
        State::Creating if is_begin && !is_old && !is_before_the_words => Past::Reopens,
        State::Failed if is_begin && !is_old => Past::Reopens,
        State::Creating if is_begin => Past::OfBefore,
        State::Queued if is_old && nobody_came && matches!(kind, WebhookKind::AgentJoined(_)) => Past::OfBefore,
        State::Creating | State::Queued if is_end(kind) && nobody_came => Past::OfBefore,
        State::Active | State::Transferring | State::Bot if is_old && is_strangers_end => Past::OfBefore,
        State::Creating
        | State::Queued
        | State::Active
        | State::Transferring
        | State::Bot
        | State::Ended
        | State::Failed => Past::No,
    }
}

fn is_end(kind: &WebhookKind) -> bool {
    let is_idle = |update: &ConversationUpdate| update.state == Some(ConversationState::Idle);
    matches!(kind, WebhookKind::UserLeft | WebhookKind::AgentLeft(_))
        || matches!(kind, WebhookKind::ConversationUpdate(update) if is_idle(update))
}

/// What may be of the time before: 8x8 is asked whether the conversation goes on.
pub(super) fn ask(change: &mut Change<'_>) {
    if change.state() == State::Queued {
        let ask_at = change.now.plus(settling(change));
        change.progress.ask_at.get_or_insert(ask_at);
    }
}

/// Whether an assignment to an agent can be that of the time before: it stands after they left.
pub(super) fn may_be_of_before(change: &Change<'_>) -> bool {
    change.before().facts.reopened_from.is_some() && change.progress.agents.nobody_ever()
}

/// Whether an event tells of the time before: by its own time, as long as nobody is known to have come since.
pub(super) fn is_of_before(change: &Change<'_>, at: i64) -> bool {
    may_be_of_before(change) && at < change.before().facts.created_at.as_millis()
}

/// 8x8 shows that a reopening it was thought not to have taken did put the user into a queue: nobody waits there.
pub(super) fn turned_up(change: &mut Change<'_>) {
    if change.state() == State::Failed && change.progress.reopening.take().is_some() {
        change.leave(None);
    }
}

/// 8x8 took the words: they become a message like any other, and what is left of a long one follows.
pub(super) fn taken(change: &mut Change<'_>, words: Reopening) {
    if change.before().facts.origin == Origin::Channel {
        // 8x8 may take the words and put the user into no queue: then nobody comes, and the user's next words are the bot's.
        ask(change);
    }
    let handover = change.before().id().clone();
    let rest: Vec<String> = words.parts.into_iter().skip(1).collect();
    let status = if rest.is_empty() {
        MessageStatus::Accepted
    } else {
        MessageStatus::Queued
    };
    let count = rest.len();
    for (n, text) in rest.into_iter().enumerate() {
        let part = MessagePart {
            message: words.message.clone(),
            client_message_id: None,
            last: n + 1 == count,
            author: AuthorType::User,
            text: Some(text),
            cards: Vec::new(),
            attachments: Vec::new(),
            instead: None,
            notice: false,
        };
        change.call(Call::PostMessage(part), words.deadline);
    }
    change.record(MessageRecord {
        id: words.message,
        handover,
        client_message_id: None,
        request_sha256: words.request_sha256,
        author: AuthorType::User,
        text: Some(words.text),
        cards: Vec::new(),
        attachments: Vec::new(),
        status,
        created_at: change.before().facts.created_at,
        notice: false,
    });
}
