//! Whether a handover that 8x8's newest conversations do not show is not at 8x8.

use std::time::Duration;

use crate::chat_gateway::ChatGatewaySettings;
use crate::chat_gateway::ConversationView;
use crate::chat_gateway::Coverage;
use crate::chat_gateway::NewestConversations;
use crate::domain::HandoverId;
use crate::domain::Timestamp;
use crate::handovers::Tenant;

/// How much later than its handover was made a create may reach 8x8, throttled or not: handovers of one moment stand in
/// any order there. The last try begins within the wait, and waits for its turn as long once more.
pub(super) fn slack(tenant: &Tenant) -> Duration {
    tenant.send_wait * 2 + ChatGatewaySettings::CALL_TIMEOUT + MARGIN
}

/// Whether agents are there may be asked before.
const MARGIN: Duration = Duration::from_secs(15);

/// Our own ids tell their time, so they show whether the list is what it should be: it must hold one older than this
/// handover, and nothing of ours out of order. A list of everything must show our property on something, as 8x8 might leave
/// properties out, or nothing that could be ours without it: what is in another channel cannot.
pub(super) fn shows_all_since(
    found: &NewestConversations,
    handover: &HandoverId,
    channel: &str,
    slack: Duration,
) -> bool {
    let in_its_channel = |view: &ConversationView| view.channel_id.as_deref().is_none_or(|shown| shown == channel);
    let ours: Vec<&HandoverId> = found
        .conversations
        .iter()
        .filter_map(|view| view.handover.as_ref())
        .collect();
    match found.coverage {
        Coverage::All => !ours.is_empty() || !found.conversations.iter().any(in_its_channel),
        Coverage::Newest => is_ordered_back_to(&ours, handover) || is_nearly_ordered_back_to(&ours, handover, slack),
        Coverage::Part => false,
    }
}

fn is_ordered_back_to(ours: &[&HandoverId], handover: &HandoverId) -> bool {
    ours.is_sorted_by(|newer, older| newer >= older) && ours.iter().any(|known| *known < handover)
}

/// Where several are created at a time, or 8x8 throttled one: none may be out of place by more than a create takes, and
/// the older one must be older by more than that.
fn is_nearly_ordered_back_to(ours: &[&HandoverId], handover: &HandoverId, slack: Duration) -> bool {
    let times: Option<Vec<Timestamp>> = ours.iter().map(|id| id.made_at()).collect();
    let (Some(times), Some(made)) = (times, handover.made_at()) else {
        return false;
    };
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return false;
    };
    let mut oldest = *first;
    let in_place = times.iter().all(|at| {
        let fits = *at <= oldest.plus(slack);
        oldest = oldest.min(*at);
        fits
    });
    in_place && *first > last.plus(slack) && oldest < made.minus(slack)
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
            pages: 1,
        }
    }

    fn id(seconds: i64) -> HandoverId {
        HandoverId::generate(Timestamp::from_millis(1_700_000_000_000 + seconds * 1000))
    }

    fn shows(seconds: &[i64], handover: i64) -> bool {
        shows_all_since(&list(seconds), &id(handover), "api", Duration::from_secs(30))
    }

    /// A complete list without our property, of conversations in these channels.
    fn shows_in(channels: &[Option<&str>], coverage: Coverage) -> bool {
        let mut all = list(&vec![1; channels.len()]);
        for (view, channel) in all.conversations.iter_mut().zip(channels) {
            view.handover = None;
            view.channel_id = channel.map(str::to_owned);
        }
        all.coverage = coverage;
        shows_all_since(&all, &id(500), "api", Duration::from_secs(30))
    }

    #[test]
    fn where_our_property_was_never_shown_only_other_channels_show_an_absence() {
        assert!(shows_in(&[], Coverage::All));
        assert!(shows_in(&[Some("whatsapp"), Some("sms")], Coverage::All));
        assert!(!shows_in(&[Some("whatsapp"), Some("api")], Coverage::All));
        assert!(!shows_in(&[Some("whatsapp"), None], Coverage::All));
        assert!(!shows_in(&[Some("whatsapp")], Coverage::Newest));
        assert!(!shows_in(&[Some("whatsapp")], Coverage::Part));
    }

    #[test]
    fn a_list_in_order_that_reaches_back_shows_an_absence() {
        assert!(shows(&[500, 400, 300], 350));
        assert!(!shows(&[500, 400, 300], 200));
    }

    #[test]
    fn creates_that_overtook_each_other_spoil_no_proof() {
        assert!(shows(&[500, 470, 495, 400, 300], 450));
        assert!(shows(&[495, 500, 400, 300], 505));
    }

    #[test]
    fn a_list_in_another_order_proves_nothing() {
        for other in [
            &[300, 400, 500][..],
            &[500, 300, 400],
            &[10, 20, 30, 40],
            &[400, 100, 500],
        ] {
            assert!(!shows(other, 450), "{other:?}");
        }
    }

    #[test]
    fn nearly_in_order_it_must_reach_back_further() {
        assert!(!shows(&[470, 490, 430], 450));
        assert!(!shows(&[], 450));
    }
}
