//! Has 8x8 go on with the bot when the agents are done. 8x8 takes one such assignment a conversation and refuses a
//! second, so that a call whose outcome is unknown is made again, and the refusal shows that it was taken.

use std::sync::Arc;

use crate::chat_gateway::ChatGatewayError;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::domain::ScheduleHandBack;
use crate::domain::State;
use crate::domain::transition;
use crate::domain::transition::Input;
use crate::domain::transition::Refused;
use crate::handovers::Bot;
use crate::handovers::CommandError;
use crate::handovers::Handovers;
use crate::handovers::Key;
use crate::handovers::Tenant;
use crate::handovers::carry_out::Pause;
use crate::handovers::carry_out::Stopped;
use crate::handovers::carry_out::Target;
use crate::handovers::problem;
use crate::handovers::send_lane::Item;
use crate::handovers::service::Along;
use crate::handovers::ticket::Fate;
use crate::handovers::ticket::Ticket;
use crate::store::Reference;

impl Handovers {
    pub async fn hand_back(
        self: &Arc<Self>,
        bot: &Arc<Bot>,
        id: &HandoverId,
        asked: ScheduleHandBack,
        key: Option<Key>,
    ) -> Result<Handover, CommandError> {
        let (this, bot, id) = (Arc::clone(self), Arc::clone(bot), id.clone());
        self.parts
            .supervisor
            .finish(async move { this.hand_back_now(&bot, &id, asked, key).await })
            .await?
    }

    async fn hand_back_now(
        self: &Arc<Self>,
        bot: &Bot,
        id: &HandoverId,
        mut asked: ScheduleHandBack,
        key: Option<Key>,
    ) -> Result<Handover, CommandError> {
        let slot = self.slot_of(&bot.name, id).await?;
        if slot.lane.is_full() {
            return Err(CommandError::LaneFull);
        }
        // Whether it is allowed matters more than whether there is a webhook.
        let before = slot.handover.lock().await.clone();
        transition::next(&before, Input::HandBack(asked.clone()), self.parts.clock.now())?;
        if asked.webhook_id.is_none() {
            asked.webhook_id = match self.webhook_of(&bot.tenant, &before.facts.channel_id).await {
                Ok(Some(webhook)) => Some(webhook),
                Ok(None) => return Err(CommandError::NoWebhook),
                Err(error) => {
                    let handover = Some(id.clone());
                    return Err(CommandError::ChatGateway { error, handover });
                }
            };
        }
        let ticket = Ticket::new();
        let now = self.parts.clock.now();
        let along = Along {
            claim: key.map(|key| key.claim(&bot.name, Reference::Handover(id.clone()), now)),
            ticket: Some(ticket.clone()),
            ..Along::default()
        };
        failpoint!("hand_back.before_intent");
        self.change(&slot, Input::HandBack(asked), along).await?;
        failpoint!("hand_back.after_intent");
        match ticket.wait(bot.tenant.send_wait).await {
            Fate::Done => Ok(slot.handover.lock().await.clone()),
            Fate::Failed(Some(error)) if error.says_it_exists() => Err(Refused::HandBackTaken.into()),
            Fate::Failed(Some(error)) => Err(CommandError::ChatGateway {
                error,
                handover: Some(id.clone()),
            }),
            // No file goes with it.
            Fate::Failed(None) | Fate::Unfetched { .. } => Err(Refused::NotActive.into()),
            Fate::Open(_) | Fate::Unconfirmed => Err(Refused::HandBackUnderWay.into()),
        }
    }

    /// The webhook that hears of a channel's conversations: ours, as long as the channel is set up for us.
    async fn webhook_of(&self, tenant: &Tenant, channel: &str) -> Result<Option<String>, ChatGatewayError> {
        match self.channels.get(tenant, channel, &self.parts.clock).await {
            Ok(view) => Ok(view.webhook_id),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Repeated while an agent may still be there or come.
    pub(super) async fn hand_back_there(
        &self,
        target: &Target<'_>,
        item: &Item,
        asked: &ScheduleHandBack,
        perhaps_there: bool,
    ) -> Result<Fate, Stopped> {
        let mut in_doubt = perhaps_there || item.may_be_sent;
        let mut pause = Pause::new();
        loop {
            let (state, channel) = {
                let handover = target.slot.handover.lock().await;
                (handover.state(), handover.facts.channel_id.clone())
            };
            if !matches!(state, State::Queued | State::Active | State::Transferring) && !in_doubt {
                return Ok(Fate::Failed(None));
            }
            failpoint!("hand_back.before_call");
            let scheduled = self.try_to_hand_back(target, asked, &channel).await;
            failpoint!("hand_back.after_call");
            let error = match scheduled {
                Ok(()) => return Ok(Fate::Done),
                Err(error) if in_doubt && error.says_it_exists() => return Ok(Fate::Done),
                Err(error) => error,
            };
            in_doubt |= matches!(error, ChatGatewayError::Unanswered(_));
            if matches!(error, ChatGatewayError::Refused(_)) {
                self.channels.forget(target.tenant, &channel);
                return Ok(Fate::Failed(Some(error)));
            }
            if self.is_past(&item.record) {
                return Ok(if in_doubt {
                    Fate::Unconfirmed
                } else {
                    Fate::Failed(Some(error))
                });
            }
            self.pause(&mut pause, error.retry_after()).await?;
        }
    }

    async fn try_to_hand_back(
        &self,
        target: &Target<'_>,
        asked: &ScheduleHandBack,
        channel: &str,
    ) -> Result<(), ChatGatewayError> {
        let own = match &asked.webhook_id {
            Some(_) => None,
            None => self.webhook_of(target.tenant, channel).await?,
        };
        let gateway = &target.gateway;
        match asked.webhook_id.as_deref().or(own.as_deref()) {
            Some(webhook) => gateway.hand_back(target.conversation, webhook, asked).await,
            None => Err(ChatGatewayError::unknown()),
        }
    }
}

/// What the handover is told of it.
pub(super) fn told(fate: &Fate, asked: &ScheduleHandBack) -> Input {
    match fate {
        Fate::Done => Input::HandBackScheduled,
        Fate::Failed(error) => Input::HandBackFailed {
            problem: problem::of_hand_back(error.as_ref(), asked),
            // Of an earlier handover on this conversation, or by other hands: it comes all the same.
            may_be_there: error.as_ref().is_some_and(ChatGatewayError::says_it_exists),
        },
        // No file goes with it.
        Fate::Unfetched { .. } => Input::HandBackFailed {
            problem: problem::of_hand_back(None, asked),
            may_be_there: false,
        },
        Fate::Open(_) | Fate::Unconfirmed => Input::HandBackFailed {
            problem: problem::hand_back_unknown(),
            may_be_there: true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat_gateway::Fault;
    use crate::chat_gateway::Refusal;

    fn failed(message: &str) -> Input {
        let refusal = Refusal {
            status: 400,
            code: None,
            message: Some(message.to_owned()),
            reference_id: None,
            fault: Fault::BotData,
        };
        let error = ChatGatewayError::Refused(refusal);
        told(&Fate::Failed(Some(error)), &ScheduleHandBack::default())
    }

    #[test]
    fn one_that_8x8_says_is_there_may_come() {
        let exists = failed("A post agent assignment already exists for conversation c and tenant t.");
        assert!(matches!(exists, Input::HandBackFailed { may_be_there: true, .. }));
        let other = failed("Webhook ID w is invalid.");
        assert!(matches!(
            other,
            Input::HandBackFailed {
                may_be_there: false,
                ..
            }
        ));
    }
}
