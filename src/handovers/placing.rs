//! Finds the bot of a conversation that nobody knows: 8x8's events name no channel, so 8x8 is asked, outside of any
//! webhook's answer. What was told of the conversation so far is kept in the store, and applied in order.

use std::sync::Arc;
use std::time::Duration;

use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::ConversationView;
use crate::domain::Arrival;
use crate::domain::Facts;
use crate::domain::HandBack;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::domain::Origin;
use crate::domain::Timers;
use crate::domain::Timestamp;
use crate::domain::WebhookEvent;
use crate::domain::WebhookReceipt;
use crate::handovers::Bot;
use crate::handovers::Handovers;
use crate::handovers::apply::is_reopening;
use crate::handovers::inbound::Begin;
use crate::handovers::inbound::Place;
use crate::handovers::openers::Openers;
use crate::handovers::openers::writes_again;
use crate::handovers::service::ChangeError;
use crate::store::Opened;
use crate::store::StoreError;
use crate::webhook::Decoded;
use crate::webhook::decode_kept;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// 8x8 may tell of a conversation before it shows it, though not for long.
const NEVER_SHOWN: Duration = Duration::from_mins(10);
/// As long as events are kept that belong to nobody.
const GIVE_UP: Duration = Duration::from_hours(24);

/// What a look at a conversation came to.
enum Looked {
    /// It has its handover, or nothing in it calls for one so far.
    Done,
    /// No bot here leads it.
    Stranger,
    /// 8x8, the store or an unanswered create stands in the way.
    Later,
    /// 8x8 does not know it.
    Unknown,
}

impl Handovers {
    /// Looks into a conversation that has kept events, where a bot might lead it.
    pub(super) fn look_into(self: &Arc<Self>, place: Place) {
        if self.parts.tenants.inbound(&place.account).next().is_none() {
            return;
        }
        match self.inbound.begin(&place) {
            Begin::Now => {
                let this = Arc::clone(self);
                self.parts
                    .supervisor
                    .run(async move { this.find_its_bot(&place).await });
            }
            Begin::Not => {}
            Begin::TooMany => {
                tracing::error!(
                    "so many conversations wait for their bot that one more is not looked into before its next event"
                );
            }
        }
    }

    /// Whether an event that came for a handover that is over is to begin a new one: the user writes again in a
    /// conversation that began at 8x8, or has just done so. Late events of the old one do not.
    pub(super) fn begins_anew(&self, handover: &Handover, event: &WebhookEvent) -> bool {
        if !is_over_and_may_begin_anew(handover) || !self.has_its_bot(handover) {
            return false;
        }
        let place = Place {
            account: handover.facts.account.clone(),
            conversation: event.conversation.clone(),
        };
        self.inbound.is_open(&place) || writes_again(event, handover)
    }

    /// 8x8 is still to be told that the user left the last time: until then it would end the new handover.
    fn is_being_left(&self, before: &Handover) -> bool {
        let slot = self.session_map.get(before.id());
        slot.is_some_and(|slot| !slot.lane.is_idle())
    }

    fn has_its_bot(&self, handover: &Handover) -> bool {
        let facts = &handover.facts;
        self.parts
            .tenants
            .of_channel(&facts.account, &facts.channel_id)
            .is_some()
    }

    async fn find_its_bot(self: &Arc<Self>, place: &Place) {
        let stop = self.parts.supervisor.stop_token();
        let (mut since, mut pause) = (self.parts.clock.now(), FIRST_PAUSE);
        loop {
            match self.look_once(place).await {
                Looked::Stranger => return self.inbound.end_as_stranger(place),
                Looked::Unknown if self.parts.clock.now() >= since.plus(NEVER_SHOWN) => {
                    return self.inbound.end_as_stranger(place);
                }
                Looked::Later | Looked::Unknown if self.parts.clock.now() < since.plus(GIVE_UP) => {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = self.parts.clock.sleep(pause) => {}
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Looked::Done | Looked::Later | Looked::Unknown => {
                    if self.inbound.end(place) != Begin::Now {
                        return;
                    }
                    (since, pause) = (self.parts.clock.now(), FIRST_PAUSE);
                }
            }
        }
    }

    async fn look_once(self: &Arc<Self>, place: &Place) -> Looked {
        let Ok(_at_once) = self.inbound.at_once.acquire().await else {
            return Looked::Later;
        };
        match self.try_to_place(place).await {
            Ok(looked) => looked,
            Err(PlacingError::ChatGateway(error)) if error.is_not_found() => Looked::Unknown,
            Err(PlacingError::Stopping) => Looked::Later,
            Err(error) => {
                let conversation = &place.conversation;
                tracing::warn!(%conversation, error = %error, "a conversation that began at 8x8 has no bot yet, it is looked into again");
                Looked::Later
            }
        }
    }

    async fn try_to_place(self: &Arc<Self>, place: &Place) -> Result<Looked, PlacingError> {
        let kept = self.kept(place).await?;
        let Some((first, _)) = kept.first() else {
            return Ok(Looked::Done);
        };
        let store = &self.parts.store;
        let before = store
            .handover_of_conversation(&place.account, &place.conversation)
            .await?;
        if let Some(live) = before.as_ref().filter(|before| before.state().is_live()) {
            if is_reopening(live) {
                return Ok(Looked::Later);
            }
            self.hand_on(live.clone()).await?;
            return Ok(Looked::Done);
        }
        if let Some(before) = &before {
            if !is_over_and_may_begin_anew(before) {
                return Ok(Looked::Done);
            }
            if self.is_being_left(before) {
                return Ok(Looked::Later);
            }
        }
        let openers = Openers::among(&kept, before.as_ref());
        let speaks_first = self
            .parts
            .tenants
            .inbound(&place.account)
            .any(|bot| bot.accept_conversation_active);
        if openers.first(speaks_first).is_none() {
            return Ok(Looked::Done);
        }
        if !self.may_be_begun(place, first.received_at) {
            return Ok(Looked::Later);
        }
        self.open_for(place, openers, before.as_ref(), first.received_at).await
    }

    /// The conversation of a create is told of before 8x8 has answered. Those that began later, or in another channel, are
    /// not this one. Where every channel has such a create, 8x8 need not be asked which it is.
    fn may_be_begun(&self, place: &Place, told_at: Timestamp) -> bool {
        let account = &place.account;
        let mut bots = self.parts.tenants.inbound(account);
        bots.any(|bot| {
            let mut channels = bot.inbound_channels.iter();
            channels.any(|channel| !self.inbound.may_be_of_a_create(account, Some(channel), told_at))
        })
    }

    /// Asks 8x8 whose conversation it is, and opens its handover.
    async fn open_for(
        self: &Arc<Self>,
        place: &Place,
        openers: Openers,
        before: Option<&Handover>,
        told_at: Timestamp,
    ) -> Result<Looked, PlacingError> {
        let view = self.view(place).await?;
        let channel = view.channel_id.as_deref();
        if self.inbound.may_be_of_a_create(&place.account, channel, told_at) {
            return Ok(Looked::Later);
        }
        for id in openers.keys.iter().chain(&view.handover) {
            if !self.is_of_a_channel(id).await? {
                return Ok(Looked::Stranger);
            }
        }
        let channel = view.channel_id.as_deref().unwrap_or_default();
        let Some(bot) = self.parts.tenants.of_channel(&place.account, channel) else {
            tracing::debug!(conversation = %place.conversation, channel, "no bot leads conversations of this channel");
            return Ok(Looked::Stranger);
        };
        let Some(opener) = openers.first(bot.accept_conversation_active) else {
            return Ok(Looked::Done);
        };
        let mut arrival = openers.arrival;
        if arrival.channel_type.is_none() {
            let channel = self.channels.get(&bot.tenant, channel, &self.parts.clock).await;
            arrival.channel_type = channel.ok().and_then(|channel| channel.kind);
        }
        let facts = self.facts_of(&bot, channel, arrival, before);
        let mut handover = Handover::led_by_bot(facts, view.user, place.conversation.clone());
        if let Some(before) = before {
            handover.progress.hand_back = HandBack::left_over(before.progress.hand_back);
            // What 8x8 has yet to tell of the last handover does not end this one.
            handover.progress.state_mark = opener.at.max(openers.left_at.map(|at| at + 1));
        }
        failpoint!("placing.before_open");
        match self.parts.store.open(handover.clone(), None).await? {
            Opened::Done => {
                failpoint!("placing.after_open");
                self.hand_on(handover).await?;
                Ok(Looked::Done)
            }
            // Somebody was faster.
            Opened::SessionTaken(_) | Opened::KeyTaken(_) => Ok(Looked::Later),
        }
    }

    /// What was kept goes to the handover that stands on the conversation.
    async fn hand_on(self: &Arc<Self>, handover: Handover) -> Result<(), PlacingError> {
        let slot = self.take_in(handover);
        let mut handover = slot.handover.lock().await;
        Ok(self.apply_kept(&slot, &mut handover).await?)
    }

    async fn kept(&self, place: &Place) -> Result<Vec<(WebhookReceipt, WebhookEvent)>, StoreError> {
        let receipts = self.parts.store.unplaced(&place.account, &place.conversation).await?;
        let read = |receipt: WebhookReceipt| match decode_kept(&receipt) {
            Decoded::Event(event) => Some((receipt, *event)),
            Decoded::Verify | Decoded::Unreadable(_) => None,
        };
        Ok(receipts.into_iter().filter_map(read).collect())
    }

    /// Any tenant of the account may ask for its conversations; the first that can does.
    async fn view(&self, place: &Place) -> Result<ConversationView, PlacingError> {
        let stop = self.parts.supervisor.stop_token();
        let mut refused = None;
        for bot in self.parts.tenants.inbound(&place.account) {
            let got = tokio::select! {
                () = stop.cancelled() => return Err(PlacingError::Stopping),
                got = bot.tenant.chat_gateway.get(&place.conversation) => got,
            };
            match got {
                Ok(view) => return Ok(view),
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.map_or(PlacingError::NoTenant, PlacingError::ChatGateway))
    }

    /// A bot's change of the user puts the key of its handover into a conversation that began at 8x8, too.
    async fn is_of_a_channel(&self, id: &HandoverId) -> Result<bool, StoreError> {
        let known = self.parts.store.handover(id).await?;
        Ok(known.is_some_and(|known| known.facts.origin == Origin::Channel))
    }

    fn facts_of(&self, bot: &Bot, channel: &str, arrival: Arrival, before: Option<&Handover>) -> Facts {
        let now = self.parts.clock.now();
        Facts {
            id: HandoverId::generate(now),
            tenant: bot.tenant.name.clone(),
            account: bot.tenant.account.clone(),
            bot: bot.name.clone(),
            origin: Origin::Channel,
            channel_id: channel.to_owned(),
            queue_id: None,
            one_per_session: false,
            bot_session_id: None,
            metadata: None,
            callback_url: None,
            reopened_from: before.map(|before| before.id().clone()),
            arrival: Some(arrival),
            timers: Timers {
                queue: bot.queue_timeout,
                idle: bot.idle_timeout,
                max_age: bot.max_age,
                transfer_grace: bot.tenant.transfer_grace,
            },
            created_at: now,
            recovered_at: None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum PlacingError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    ChatGateway(ChatGatewayError),
    #[error("no tenant can ask for it")]
    NoTenant,
    #[error("the process is stopping")]
    Stopping,
    #[error(transparent)]
    Change(#[from] ChangeError),
}

fn is_over_and_may_begin_anew(handover: &Handover) -> bool {
    !handover.state().is_live() && handover.facts.origin == Origin::Channel
}

/// Whether the first thing to happen to it is still to be recorded.
pub(super) fn is_unstarted(handover: &Handover) -> bool {
    handover.facts.origin == Origin::Channel && handover.progress.last_sequence == 0
}
