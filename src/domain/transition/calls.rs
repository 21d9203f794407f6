//! What a bot's calls make of a handover, and 8x8's answers to them.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::domain::AskedBy;
use crate::domain::Attached;
use crate::domain::AuthorType;
use crate::domain::Call;
use crate::domain::CallId;
use crate::domain::EndHandover;
use crate::domain::EndReason;
use crate::domain::EventType;
use crate::domain::MessageId;
use crate::domain::MessagePart;
use crate::domain::MessageRecord;
use crate::domain::MessageStatus;
use crate::domain::Notice;
use crate::domain::RawJson;
use crate::domain::SendMessage;
use crate::domain::State;
use crate::domain::UpdateHandover;
use crate::domain::User;
use crate::domain::transition::Refused;
use crate::domain::transition::bot_phase;
use crate::domain::transition::change::Change;
use crate::domain::transition::routing;

/// A re-route or a change of the user is worth carrying out for this long.
pub(super) const UPDATE_FOR: Duration = Duration::from_mins(2);

/// Shorter than messages are tried for: those that wait behind the files must still go out.
const HISTORY_FILES_FOR: Duration = Duration::from_mins(1);

/// Messages, typing and the end go where a conversation stands.
pub fn allowed(state: State) -> Result<(), Refused> {
    match state {
        State::Queued | State::Active | State::Transferring | State::Bot => Ok(()),
        State::Creating => Err(Refused::NotActive),
        State::Ended | State::Failed => Err(Refused::Ended),
    }
}

pub(super) fn send(change: &mut Change<'_>, message: SendMessage) -> Result<(), Refused> {
    allowed(change.state())?;
    let author = message.author.unwrap_or(match change.state() {
        State::Bot => AuthorType::Bot,
        State::Creating | State::Queued | State::Active | State::Transferring | State::Ended | State::Failed => {
            AuthorType::User
        }
    });
    let deadline = message.deadline;
    for part in parts(&message, author) {
        change.call(Call::PostMessage(part), deadline);
    }
    change.progress.last_message_at = change.now;
    bot_phase::remember(change, author, &message.parts);
    change.record(MessageRecord {
        id: message.id,
        handover: change.before().id().clone(),
        client_message_id: message.client_message_id,
        request_sha256: message.request_sha256,
        author,
        text: message.text,
        cards: message.cards,
        attachments: message.attachments.iter().map(Attached::as_shown).collect(),
        status: MessageStatus::Queued,
        created_at: change.now,
        notice: false,
    });
    Ok(())
}

/// Shows the agent the files of the history, each by itself: they could not come with the create.
pub(super) fn show_history_files(change: &mut Change<'_>) {
    for file in std::mem::take(&mut change.progress.history_files) {
        let part = MessagePart {
            message: MessageId::generate(change.now),
            client_message_id: None,
            last: true,
            author: file.author,
            text: None,
            cards: Vec::new(),
            instead: Some(format!("The file {} could not be shown here.", file.filename)),
            notice: false,
            attachments: vec![Attached::ToFetch {
                url: file.url,
                filename: file.filename,
                content_type: file.content_type,
                sent: None,
            }],
        };
        change.call(Call::PostMessage(part), HISTORY_FILES_FOR);
    }
}

pub(super) fn update(change: &mut Change<'_>, update: UpdateHandover) -> Result<(), Refused> {
    if !change.state().is_live() {
        return Err(Refused::Ended);
    }
    if update.queue_id.is_some() && !matches!(change.state(), State::Queued | State::Bot) {
        return Err(Refused::NotActive);
    }
    let call = change.call(
        Call::Update {
            queue_id: update.queue_id.clone(),
            user: update.user.map(Box::new),
            asked_by: AskedBy::Bot,
        },
        UPDATE_FOR,
    );
    if let Some(queue) = update.queue_id {
        let plan = change.progress.routing.plan_from(&queue, update.chain);
        routing::want(change, queue, call, plan, AskedBy::Bot);
    }
    Ok(())
}

/// 8x8 took what is new of the user, and the wish for another queue if there was one.
pub(super) fn updated(change: &mut Change<'_>, call: &CallId, user: Option<Box<User>>) {
    if let Some(user) = user {
        change.progress.user = Arc::new(change.progress.user.merged(*user));
    }
    routing::taken(change, call);
}

pub(super) fn end(change: &mut Change<'_>, end: EndHandover) -> Result<(), Refused> {
    if change.state() == State::Creating {
        change.progress.end_requested = Some(end);
        return Ok(());
    }
    allowed(change.state())?;
    let reason = if change.progress.agents.nobody_ever() && change.state() != State::Bot {
        EndReason::Cancelled
    } else {
        end.reason
    };
    change.end_and_leave(reason, end.message);
    Ok(())
}

pub(super) fn not_created(change: &mut Change<'_>, problem: &RawJson) {
    if change.state() == State::Creating {
        change.fail(problem);
    }
}

pub(super) fn fate(change: &mut Change<'_>, message: &MessageId, client_id: Option<&str>, status: MessageStatus) {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Extra<'a> {
        message_id: &'a MessageId,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_message_id: Option<&'a str>,
        status: MessageStatus,
    }
    change.log(
        EventType::MessageStatus,
        &Extra {
            message_id: message,
            client_message_id: client_id,
            status,
        },
    );
}

pub(super) fn notice_parts(notice: &Notice) -> impl Iterator<Item = MessagePart> {
    let count = notice.parts.len();
    notice.parts.iter().enumerate().map(move |(n, text)| MessagePart {
        message: notice.id.clone(),
        client_message_id: None,
        last: n + 1 == count,
        author: AuthorType::Bot,
        text: Some(text.clone()),
        cards: Vec::new(),
        attachments: Vec::new(),
        instead: None,
        notice: true,
    })
}

/// Files ride with the first part, so that nothing is posted of a message one of whose files cannot be had; cards with the
/// last, so that they stand below the text.
fn parts(message: &SendMessage, author: AuthorType) -> Vec<MessagePart> {
    let count = message.parts.len().max(1);
    (0..count)
        .map(|n| MessagePart {
            message: message.id.clone(),
            client_message_id: message.client_message_id.clone(),
            last: n + 1 == count,
            author,
            text: message.parts.get(n).cloned(),
            attachments: if n == 0 {
                message.attachments.clone()
            } else {
                Vec::new()
            },
            instead: None,
            notice: false,
            cards: if n + 1 == count {
                message.cards.clone()
            } else {
                Vec::new()
            },
        })
        .collect()
}
