//! A bot re-routes a waiting handover, or tells more of the user. 8x8's 202 proves nothing: events tell how it went.

use std::sync::Arc;

use crate::domain::AskedBy;
use crate::domain::CallRecord;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::domain::State;
use crate::domain::UpdateHandover;
use crate::domain::transition::Input;
use crate::handovers::Bot;
use crate::handovers::CommandError;
use crate::handovers::Handovers;
use crate::handovers::redact::redact_user;
use crate::handovers::service::Along;
use crate::handovers::ticket::Fate;
use crate::handovers::ticket::Ticket;

impl Handovers {
    pub async fn update(
        self: &Arc<Self>,
        bot: &Arc<Bot>,
        id: &HandoverId,
        update: UpdateHandover,
    ) -> Result<Handover, CommandError> {
        let (this, bot, id) = (Arc::clone(self), Arc::clone(bot), id.clone());
        self.parts
            .supervisor
            .finish(async move { this.update_now(&bot, &id, update).await })
            .await?
    }

    async fn update_now(
        self: &Arc<Self>,
        bot: &Bot,
        id: &HandoverId,
        mut update: UpdateHandover,
    ) -> Result<Handover, CommandError> {
        if let Some(user) = &mut update.user {
            redact_user(user, &bot.tenant.redactor);
        }
        let slot = self.slot_of(&bot.name, id).await?;
        if slot.lane.is_full() {
            return Err(CommandError::LaneFull);
        }
        let ticket = Ticket::new();
        let along = Along {
            ticket: Some(ticket.clone()),
            ..Along::default()
        };
        failpoint!("update.before_intent");
        self.change(&slot, Input::Update(update), along).await?;
        failpoint!("update.after_intent");
        match ticket.wait(bot.tenant.send_wait).await {
            Fate::Failed(Some(error)) => Err(CommandError::ChatGateway {
                error,
                handover: Some(id.clone()),
            }),
            Fate::Done | Fate::Open(_) | Fate::Unconfirmed | Fate::Failed(None) | Fate::Unfetched { .. } => {
                Ok(slot.handover.lock().await.clone())
            }
        }
    }
}

/// Whether a change of queue still makes sense: an agent may have come and gone since, and the bot lead again. One that came
/// true meanwhile may be asked for again.
pub(super) fn is_wanted(handover: &Handover, record: &CallRecord, asked_by: AskedBy) -> bool {
    let wanted = handover.progress.routing.wanted.as_ref();
    match asked_by {
        AskedBy::Bot => wanted.is_some() || handover.state() != State::Bot,
        AskedBy::Plan => wanted.is_some_and(|wanted| wanted.call == record.id),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::AccountId;
    use crate::domain::BotName;
    use crate::domain::Call;
    use crate::domain::CallId;
    use crate::domain::ConversationId;
    use crate::domain::Facts;
    use crate::domain::HandoverId;
    use crate::domain::Origin;
    use crate::domain::TenantName;
    use crate::domain::Timers;
    use crate::domain::Timestamp;
    use crate::domain::User;
    use crate::domain::Wanted;

    const NOW: Timestamp = Timestamp::from_millis(1_763_640_000_000);

    fn led_by_bot() -> Handover {
        let facts = Facts {
            id: HandoverId::generate(NOW),
            tenant: TenantName::new("acme"),
            account: AccountId::new("acme01"),
            bot: BotName::new("support"),
            origin: Origin::Channel,
            channel_id: "channel".to_owned(),
            queue_id: None,
            bot_session_id: None,
            one_per_session: false,
            metadata: None,
            callback_url: None,
            reopened_from: None,
            arrival: None,
            timers: Timers {
                queue: None,
                idle: None,
                max_age: Duration::from_hours(1),
                transfer_grace: Duration::from_secs(10),
            },
            created_at: NOW,
            recovered_at: None,
        };
        let conversation = ConversationId::parse("c-1").unwrap();
        Handover::led_by_bot(facts, User::default(), conversation)
    }

    fn call(handover: &Handover) -> CallRecord {
        CallRecord {
            id: CallId::generate(NOW),
            handover: handover.id().clone(),
            call: Call::UserLeaves { display_message: None },
            created_at: NOW,
            deadline: NOW,
        }
    }

    #[test]
    fn a_change_of_queue_that_agents_overtook_moves_nobody_away_from_the_bot() {
        let mut handover = led_by_bot();
        let (mine, anothers) = (call(&handover), call(&handover));
        assert!(!is_wanted(&handover, &mine, AskedBy::Plan) && !is_wanted(&handover, &mine, AskedBy::Bot));
        handover.progress.routing.wanted = Some(Box::new(Wanted {
            queue: "102".to_owned(),
            call: mine.id.clone(),
            asked_by: AskedBy::Plan,
            plan: Vec::new(),
            look_at: None,
            looked: 0,
        }));
        assert!(is_wanted(&handover, &mine, AskedBy::Plan) && !is_wanted(&handover, &anothers, AskedBy::Plan));
        assert!(is_wanted(&handover, &mine, AskedBy::Bot));
        handover.progress.routing.wanted = None;
        handover.progress.state = State::Queued;
        assert!(
            is_wanted(&handover, &mine, AskedBy::Bot),
            "it came true and may be asked for again"
        );
    }
}
