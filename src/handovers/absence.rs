//! Whether a handover that 8x8's newest conversations do not show is not at 8x8.

use std::time::Duration;

use crate::chat_gateway::Coverage;
use crate::chat_gateway::NewestConversations;
use crate::domain::HandoverId;
use crate::domain::Timestamp;

/// A create reaches 8x8 within this long of its handover's making, throttled or not: handovers of one moment stand in any
/// order there.
const SLACK: Duration = Duration::from_secs(30);

/// Our own ids tell their time, so they show whether the list is what it should be: it must hold one older than this
/// handover, and nothing of ours out of order. A list of everything must show our property on something, or be empty: 8x8
/// might leave properties out.
pub(super) fn shows_all_since(found: &NewestConversations, handover: &HandoverId) -> bool {
    let ours: Vec<&HandoverId> = found
        .conversations
        .iter()
        .filter_map(|view| view.handover.as_ref())
        .collect();
    match found.coverage {
        Coverage::All => found.conversations.is_empty() || !ours.is_empty(),
        Coverage::Newest => is_ordered_back_to(&ours, handover) || is_nearly_ordered_back_to(&ours, handover),
        Coverage::Part => false,
    }
}

fn is_ordered_back_to(ours: &[&HandoverId], handover: &HandoverId) -> bool {
    ours.is_sorted_by(|newer, older| newer >= older) && ours.iter().any(|known| *known < handover)
}

/// Where several are created at a time, or 8x8 throttled one: none may be out of place by more than a create takes, and
/// the older one must be older by more than that.
fn is_nearly_ordered_back_to(ours: &[&HandoverId], handover: &HandoverId) -> bool {
    let times: Option<Vec<Timestamp>> = ours.iter().map(|id| id.made_at()).collect();
    let (Some(times), Some(made)) = (times, handover.made_at()) else {
        return false;
    };
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return false;
    };
    let mut oldest = *first;
    let in_place = times.iter().all(|at| {
        let fits = *at <= oldest.plus(SLACK);
        oldest = oldest.min(*at);
        fits
    });
    in_place && *first > last.plus(SLACK) && oldest < made.minus(SLACK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat_gateway::ConversationView;
    use crate::domain::ConversationId;
    use crate::domain::User;

    /// Ids made so many seconds after a moment, in the order of the list.
    fn list(seconds: &[i64]) -> NewestConversations {
        let view = |at: &i64| ConversationView {
            id: ConversationId::parse(&at.to_string()).unwrap(),
            state: None,
            channel_id: None,
            assignment: None,
            handover: Some(id(*at)),
            user: User::default(),
        };
        NewestConversations {
            conversations: seconds.iter().map(view).collect(),
            coverage: Coverage::Newest,
        }
    }

    fn id(seconds: i64) -> HandoverId {
        HandoverId::generate(Timestamp::from_millis(1_700_000_000_000 + seconds * 1000))
    }

    #[test]
    fn a_list_in_order_that_reaches_back_shows_an_absence() {
        assert!(shows_all_since(&list(&[500, 400, 300]), &id(350)));
        assert!(!shows_all_since(&list(&[500, 400, 300]), &id(200)));
    }

    #[test]
    fn creates_that_overtook_each_other_spoil_no_proof() {
        assert!(shows_all_since(&list(&[500, 470, 495, 400, 300]), &id(450)));
        assert!(shows_all_since(&list(&[495, 500, 400, 300]), &id(505)));
    }

    #[test]
    fn a_list_in_another_order_proves_nothing() {
        for other in [
            &[300, 400, 500][..],
            &[500, 300, 400],
            &[10, 20, 30, 40],
            &[400, 100, 500],
        ] {
            assert!(!shows_all_since(&list(other), &id(450)), "{other:?}");
        }
    }

    #[test]
    fn nearly_in_order_it_must_reach_back_further() {
        assert!(!shows_all_since(&list(&[470, 490, 430]), &id(450)));
        assert!(!shows_all_since(&list(&[]), &id(450)));
    }
}
