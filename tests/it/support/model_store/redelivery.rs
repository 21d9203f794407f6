//! The model's failed deliveries and what is asked for again, and its lanes that are held up.

use async_trait::async_trait;
use handover_gateway::domain::BotName;
use handover_gateway::domain::EventId;
use handover_gateway::domain::EventType;
use handover_gateway::domain::HandoverId;
use handover_gateway::domain::State;
use handover_gateway::domain::Timestamp;
use handover_gateway::store::FailedDelivery;
use handover_gateway::store::FailedPage;
use handover_gateway::store::HeldUp;
use handover_gateway::store::RECOVERED_AT_ONCE;
use handover_gateway::store::Recover;
use handover_gateway::store::Recovered;
use handover_gateway::store::Redelivery;
use handover_gateway::store::Resent;
use handover_gateway::store::StoreError;

use crate::support::model_store::ModelStore;
use crate::support::model_store::model::Delivery;
use crate::support::model_store::model::Logged;
use crate::support::model_store::model::Model;
use crate::support::model_store::model::Status;
use crate::support::model_store::model::Tries;

impl Model {
    pub(super) fn failed_deliveries(&self, bot: &BotName, before: Option<&EventId>, limit: usize) -> FailedPage {
        let listed = self.deliveries.iter().filter(|delivery| {
            let is_before = before.is_none_or(|before| delivery.event < *before);
            delivery.bot == *bot && delivery.status == Status::Failed && is_before
        });
        let mut deliveries: Vec<_> = listed.filter_map(|delivery| self.failed(delivery)).collect();
        deliveries.sort_by(|one, other| other.event.cmp(&one.event));
        let more = deliveries.len() > limit;
        deliveries.truncate(limit);
        FailedPage { deliveries, more }
    }

    fn failed(&self, delivery: &Delivery) -> Option<FailedDelivery> {
        let logged = self.logged(&delivery.event)?;
        Some(FailedDelivery {
            event: delivery.event.clone(),
            handover: delivery.handover.clone(),
            sequence: delivery.sequence,
            kind: logged.event.kind.as_str().to_owned(),
            attempts: delivery.tries.attempts,
            first_attempt_at: delivery.tries.first_attempt_at,
            failed_at: delivery.due_at,
            reason: delivery.reason.unwrap_or_default().to_owned(),
        })
    }

    fn logged(&self, event: &EventId) -> Option<&Logged> {
        self.events.iter().find(|logged| logged.event.id == *event)
    }

    pub(super) fn resend(&mut self, bot: &BotName, event: &EventId, now: Timestamp) -> Option<Resent> {
        let logged = self.logged(event).filter(|logged| logged.deliver)?.clone();
        let id = &logged.handover;
        let lane = self.lanes.get(id).filter(|lane| lane.bot == *bot)?;
        let (head, resumed) = (lane.head, lane.stopped);
        if resumed {
            self.lift(id, now);
        }
        let known = self.deliveries.iter_mut().find(|delivery| delivery.event == *event);
        if logged.event.sequence > head {
            let lane = self.lanes.get_mut(id)?;
            lane.due_at = lane.due_at.min(now);
        } else if let Some(delivery) = known.filter(|known| matches!(known.status, Status::Aside | Status::Waiting)) {
            if delivery.status == Status::Aside {
                delivery.due_at = delivery.due_at.min(now);
            }
            self.go_on(id, now);
        } else {
            self.wait(&logged, bot, now);
            self.go_on(id, now);
        }
        Some(Resent {
            handover: id.clone(),
            sequence: logged.event.sequence,
            resumed,
        })
    }

    pub(super) fn recover(&mut self, recover: &Recover) -> Recovered {
        let mut recovered = Recovered::default();
        let is_meant = |delivery: &&Delivery| {
            let in_time = recover.since <= delivery.due_at && delivery.due_at <= recover.until;
            delivery.bot == recover.bot && delivery.status == Status::Failed && in_time
        };
        while recovered.deliveries < recover.limit {
            let meant = self.deliveries.iter().filter(is_meant);
            let Some(first) = meant.min_by_key(|delivery| (delivery.due_at, delivery.event.clone())) else {
                break;
            };
            let id = first.handover.clone();
            let due = |place: usize| recover.start.plus(recover.apart * u32::try_from(place).unwrap());
            if self.lanes.get(&id).is_some_and(|lane| lane.stopped) {
                let before = self.deliveries.len();
                self.lift(&id, due(recovered.deliveries));
                recovered.resumed += 1;
                recovered.deliveries += before - self.deliveries.len();
            }
            let of_handover = self.deliveries.iter().filter(is_meant);
            let mut events: Vec<_> = of_handover
                .filter(|delivery| delivery.handover == id)
                .map(|delivery| (delivery.sequence, delivery.event.clone()))
                .collect();
            events.sort();
            events.truncate(RECOVERED_AT_ONCE);
            for (_sequence, event) in events {
                let logged = self.logged(&event).unwrap().clone();
                self.wait(&logged, &recover.bot, due(recovered.deliveries));
                recovered.deliveries += 1;
            }
            self.go_on(&id, recover.now);
        }
        recovered
    }

    fn lift(&mut self, id: &HandoverId, at: Timestamp) {
        let Some(lane) = self.lanes.get_mut(id) else { return };
        (lane.stopped, lane.tries, lane.due_at, lane.quiet_since) = (false, Tries::default(), at, at);
        let head = lane.head;
        self.deliveries.retain(|delivery| {
            let is_head = delivery.handover == *id && delivery.sequence > head;
            !(is_head && delivery.status == Status::Failed && delivery.reason == Some("gone"))
        });
    }

    fn wait(&mut self, logged: &Logged, bot: &BotName, due_at: Timestamp) {
        self.deliveries.retain(|delivery| delivery.event != logged.event.id);
        self.deliveries.push(Delivery {
            event: logged.event.id.clone(),
            handover: logged.handover.clone(),
            bot: bot.clone(),
            sequence: logged.event.sequence,
            status: Status::Waiting,
            tries: Tries::default(),
            due_at,
            reason: None,
            replay: true,
        });
    }

    pub(super) fn go_on(&mut self, id: &HandoverId, now: Timestamp) {
        let mine = |delivery: &&mut Delivery| delivery.handover == *id;
        let mut all = self.deliveries.iter_mut().filter(mine);
        if all.any(|delivery| delivery.status == Status::Aside && delivery.replay) {
            return;
        }
        let waiting = self.deliveries.iter_mut().filter(mine);
        let waiting = waiting.filter(|delivery| delivery.status == Status::Waiting);
        if let Some(next) = waiting.min_by_key(|delivery| delivery.sequence) {
            next.status = Status::Aside;
            next.due_at = next.due_at.max(now);
        }
    }

    pub(super) fn held_up(&self, before: Timestamp, after: Option<&HeldUp>, limit: usize) -> Vec<HeldUp> {
        let held = self.lanes.iter().filter(|(id, lane)| {
            let with_agent = self
                .find(id)
                .is_some_and(|handover| matches!(handover.state(), State::Active | State::Transferring));
            let is_held = lane.head < lane.tail && !lane.told && lane.quiet_since <= before;
            is_held && with_agent && self.said_waits(id, lane.head, before)
        });
        let mut held: Vec<_> = held
            .map(|(id, lane)| HeldUp {
                handover: id.clone(),
                since: lane.quiet_since,
            })
            .collect();
        held.sort_by_key(|held| (held.since, held.handover.clone()));
        held.retain(|held| after.is_none_or(|after| (held.since, &held.handover) > (after.since, &after.handover)));
        held.truncate(limit);
        held
    }

    pub(super) fn caught_up(&self, before: Timestamp, after: Option<&HandoverId>, limit: usize) -> Vec<HandoverId> {
        let over = self.lanes.iter().filter(|(id, lane)| {
            let is_over = self.find(id).is_some_and(|handover| !handover.state().is_live());
            let tried = self.tried.iter().filter(|(of, _)| of == *id).map(|(_, made)| made);
            let last = tried.max_by_key(|made| (made.sequence, made.started_at, made.number));
            let was_good = last.is_some_and(|made| {
                made.error.is_none() && made.status.is_some_and(|status| (200..300).contains(&status))
            });
            let is_free = !lane.stopped && was_good && !self.said_waits(id, lane.head, before);
            lane.told && (is_over || is_free)
        });
        let mut over: Vec<_> = over.map(|(id, _)| id.clone()).collect();
        over.retain(|id| after.is_none_or(|after| id > after));
        over.sort();
        over.truncate(limit);
        over
    }

    fn said_waits(&self, id: &HandoverId, head: u64, before: Timestamp) -> bool {
        self.events.iter().any(|logged| {
            let waits = logged.handover == *id && logged.deliver && logged.event.sequence > head;
            waits && logged.event.kind == EventType::MessageCreated && logged.event.at <= before
        })
    }
}

#[async_trait]
impl Redelivery for ModelStore {
    async fn failed_deliveries(
        &self,
        bot: &BotName,
        before: Option<&EventId>,
        limit: usize,
    ) -> Result<FailedPage, StoreError> {
        Ok(self.lock().failed_deliveries(bot, before, limit))
    }

    async fn resend(&self, bot: &BotName, event: &EventId, now: Timestamp) -> Result<Option<Resent>, StoreError> {
        Ok(self.lock().resend(bot, event, now))
    }

    async fn recover(&self, recover: Recover) -> Result<Recovered, StoreError> {
        Ok(self.lock().recover(&recover))
    }

    async fn held_up(&self, before: Timestamp, after: Option<HeldUp>, limit: usize) -> Result<Vec<HeldUp>, StoreError> {
        Ok(self.lock().held_up(before, after.as_ref(), limit))
    }

    async fn caught_up(
        &self,
        before: Timestamp,
        after: Option<HandoverId>,
        limit: usize,
    ) -> Result<Vec<HandoverId>, StoreError> {
        Ok(self.lock().caught_up(before, after.as_ref(), limit))
    }
}
