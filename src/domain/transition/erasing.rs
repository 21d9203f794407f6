//! The content of a handover that is over is erased. What comes after that is recorded without content.

use crate::domain::Handover;
use crate::domain::HandoverEvent;
use crate::domain::transition::Refused;
use crate::domain::transition::change::Change;

pub(super) fn erase(change: &mut Change<'_>) -> Result<(), Refused> {
    if change.state().is_live() {
        return Err(Refused::NotOver);
    }
    change.progress.erased_at.get_or_insert(change.now);
    Ok(())
}

/// Whatever the input brought along.
pub(super) fn keep_erased(next: &mut Handover, events: &mut [HandoverEvent]) {
    next.erase();
    for event in events {
        *event = event.erased();
    }
}
