//! What the gateway tells the agent itself: that the user is not receiving messages, and that they are again.

use crate::domain::AuthorType;
use crate::domain::Call;
use crate::domain::MessageRecord;
use crate::domain::MessageStatus;
use crate::domain::Notice;
use crate::domain::Origin;
use crate::domain::State;
use crate::domain::transition::calls;
use crate::domain::transition::change::Change;

/// The bot has not been given what the agent said. Told once, until it is over.
pub(super) fn held_up(change: &mut Change<'_>, notice: Notice) {
    if !change.progress.agent_knows && may_tell(change) {
        change.progress.agent_knows = true;
        tell(change, notice);
    }
}

/// Told to whoever is there by now; where nobody is, it is over all the same.
pub(super) fn caught_up(change: &mut Change<'_>, notice: Option<Notice>) {
    if !change.progress.agent_knows {
        return;
    }
    change.progress.agent_knows = false;
    if let (true, Some(notice)) = (may_tell(change), notice) {
        tell(change, notice);
    }
}

/// A user in one of 8x8's own channels does not depend on the bot, and would read it too.
fn may_tell(change: &Change<'_>) -> bool {
    let is_there = matches!(change.state(), State::Active | State::Transferring);
    is_there && change.before().facts.origin == Origin::Bot
}

/// No sign of life of the user's or the bot's: the idle time goes on.
fn tell(change: &mut Change<'_>, notice: Notice) {
    for part in calls::notice_parts(&notice) {
        change.call(Call::PostMessage(part), notice.deadline);
    }
    change.record(MessageRecord {
        id: notice.id,
        handover: change.before().id().clone(),
        client_message_id: None,
        request_sha256: [0; 32],
        // 8x8 takes words of the user and the bot, and these are not the user's.
        author: AuthorType::Bot,
        text: Some(notice.text),
        cards: Vec::new(),
        attachments: Vec::new(),
        status: MessageStatus::Queued,
        created_at: change.now,
        notice: true,
    });
}
