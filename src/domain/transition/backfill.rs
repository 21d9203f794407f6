//! What 8x8's own record shows and no event told: it happens as if 8x8 had told it, and 8x8's event of it is no news then.

use crate::domain::WebhookEvent;
use crate::domain::WebhookKind;
use crate::domain::transition::change::Change;
use crate::domain::transition::webhook;

/// Something that was missed. `at` decides about the state as 8x8's time of an event does.
pub(super) fn fill(change: &mut Change<'_>, event: WebhookEvent, at: i64) {
    let said_at = event.source.timestamp.unwrap_or(at);
    let (kind, logged) = (event.kind.clone(), change.progress.last_sequence);
    webhook::happen(change, event, at);
    if change.progress.last_sequence > logged {
        change.progress.backfilled.add(&kind, said_at);
    }
}

/// Whether 8x8 tells only now what was back-filled.
pub(super) fn was_filled(change: &mut Change<'_>, kind: &WebhookKind, at: i64) -> bool {
    change.progress.backfilled.take(kind, at)
}
