//! The model's lanes: claims and settlements.

use handover_gateway::domain::EventContext;
use handover_gateway::domain::EventId;
use handover_gateway::domain::HandoverId;
use handover_gateway::domain::Timestamp;
use handover_gateway::store::ATTEMPTS_KEPT;
use handover_gateway::store::Attempt;
use handover_gateway::store::AttemptMade;
use handover_gateway::store::Claimed;
use handover_gateway::store::Settlement;
use handover_gateway::store::Target;
use handover_gateway::store::Verdict;

use crate::support::model_store::model::Delivery;
use crate::support::model_store::model::Lane;
use crate::support::model_store::model::Logged;
use crate::support::model_store::model::Model;
use crate::support::model_store::model::Status;
use crate::support::model_store::model::Tries;

/// Of all times.
const LAST: Timestamp = Timestamp::from_millis(i64::MAX);

impl Model {
    pub(super) fn claim(&mut self, target: Target, now: Timestamp) -> Option<Claimed> {
        if self.claims.contains_key(&target) {
            return None;
        }
        let (logged, tries, replay) = match &target {
            Target::Lane(id) => {
                let lane = self.lanes.get(id).filter(|lane| lane.is_due(now))?;
                (self.first_after(id, lane.head)?, lane.tries, false)
            }
            Target::Aside(event) => {
                let due = |delivery: &&Delivery| delivery.event == *event && self.is_due(delivery, now);
                let delivery = self.deliveries.iter().find(due)?;
                let logged = self.events.iter().find(|logged| logged.event.id == *event)?;
                (logged, delivery.tries, delivery.replay)
            }
        };
        let handover = self.find(&logged.handover)?;
        let claimed = Claimed {
            target: target.clone(),
            epoch: self.last_epoch + 1,
            event: logged.event.clone(),
            context: EventContext::of(handover),
            callback_url: handover.facts.callback_url.clone(),
            attempts: tries.attempts,
            first_attempt_at: tries.first_attempt_at,
            replay,
        };
        self.last_epoch += 1;
        self.claims.insert(target, claimed.epoch);
        Some(claimed)
    }

    pub(super) fn bring_forward(&mut self, beyond: Timestamp, now: Timestamp, limit: usize) -> usize {
        let lanes = self
            .lanes
            .values_mut()
            .filter(|lane| lane.is_due(LAST) && lane.due_at > beyond);
        let lanes = lanes.map(|lane| (&mut lane.due_at, &mut lane.tries)).take(limit);
        let asides = self.deliveries.iter_mut();
        let asides = asides.filter(|delivery| delivery.status == Status::Aside && delivery.due_at > beyond);
        let asides = asides
            .map(|delivery| (&mut delivery.due_at, &mut delivery.tries))
            .take(limit);
        let mut brought = 0;
        for (due_at, tries) in lanes.chain(asides) {
            *due_at = now;
            tries.first_attempt_at = tries.first_attempt_at.map(|at| at.min(now));
            brought += 1;
        }
        brought
    }

    pub(super) fn first_after(&self, id: &HandoverId, head: u64) -> Option<&Logged> {
        let later = |logged: &&Logged| logged.handover == *id && logged.deliver && logged.event.sequence > head;
        self.events
            .iter()
            .filter(later)
            .min_by_key(|logged| logged.event.sequence)
    }

    pub(super) fn is_due(&self, delivery: &Delivery, now: Timestamp) -> bool {
        let stopped = self.lanes.get(&delivery.handover).is_none_or(|lane| lane.stopped);
        delivery.status == Status::Aside && delivery.due_at <= now && !stopped
    }

    pub(super) fn settle(&mut self, settlement: &Settlement) -> bool {
        if self.claims.get(&settlement.target) != Some(&settlement.epoch) {
            return false;
        }
        self.claims.remove(&settlement.target);
        match &settlement.target {
            Target::Lane(id) => self.settle_lane(&id.clone(), settlement).unwrap_or(false),
            Target::Aside(event) => {
                self.settle_aside(&event.clone(), settlement);
                false
            }
        }
    }

    pub(super) fn settle_lane(&mut self, id: &HandoverId, settlement: &Settlement) -> Option<bool> {
        let (sequence, now) = (settlement.sequence, settlement.at);
        let bot = self.lanes.get(id)?.bot.clone();
        let logged = self
            .events
            .iter()
            .find(|logged| logged.handover == *id && logged.event.sequence == sequence)?;
        let event = logged.event.id.clone();
        self.count_attempt(id, sequence, settlement.attempt.as_ref());
        let lane = self.lanes.get_mut(id)?;
        let tries = lane.tries.and(settlement.attempt.as_ref());
        let left = |status, due_at, reason| Delivery {
            event: event.clone(),
            handover: id.clone(),
            bot: bot.clone(),
            sequence,
            status,
            tries,
            due_at,
            reason,
            replay: false,
        };
        match &settlement.verdict {
            Verdict::Done => {}
            Verdict::Again { at } => {
                (lane.tries, lane.due_at) = (tries, *at);
                return Some(*at <= now);
            }
            Verdict::Aside { at } => self.deliveries.push(left(Status::Aside, *at, None)),
            Verdict::Failed { reason } => self.deliveries.push(left(Status::Failed, now, Some(*reason))),
            Verdict::Stop => {
                (lane.tries, lane.due_at, lane.stopped) = (tries, now, true);
                self.deliveries.push(left(Status::Failed, now, Some("gone")));
                return Some(false);
            }
        }
        (lane.head, lane.tries, lane.due_at) = (sequence, Tries::default(), now);
        if settlement.verdict == Verdict::Done {
            lane.quiet_since = now;
        }
        Some(lane.head < lane.tail)
    }

    pub(super) fn settle_aside(&mut self, event: &EventId, settlement: &Settlement) {
        let mut deliveries = self.deliveries.iter_mut();
        let Some(delivery) = deliveries.find(|delivery| delivery.event == *event) else {
            return;
        };
        let (id, sequence) = (delivery.handover.clone(), delivery.sequence);
        delivery.tries = delivery.tries.and(settlement.attempt.as_ref());
        if let Verdict::Failed { reason } = &settlement.verdict {
            delivery.reason = Some(reason);
        }
        (delivery.status, delivery.due_at) = match &settlement.verdict {
            Verdict::Done => (Status::Done, settlement.at),
            Verdict::Again { at } | Verdict::Aside { at } => (Status::Aside, *at),
            Verdict::Failed { .. } => (Status::Failed, settlement.at),
            Verdict::Stop => {
                self.lanes.entry(id.clone()).and_modify(|lane| lane.stopped = true);
                (Status::Aside, settlement.at)
            }
        };
        let goes_on = delivery.status != Status::Aside;
        self.count_attempt(&id, sequence, settlement.attempt.as_ref());
        if goes_on {
            self.go_on(&id, settlement.at);
        }
    }

    pub(super) fn count_attempt(&mut self, id: &HandoverId, sequence: u64, attempt: Option<&Attempt>) {
        if let Some(attempt) = attempt {
            self.attempts
                .insert((id.clone(), sequence, attempt.started_at, attempt.number));
            let made = AttemptMade {
                sequence,
                number: attempt.number,
                started_at: attempt.started_at,
                took_millis: attempt.took_millis,
                status: attempt.status,
                error: attempt.error.map(str::to_owned),
            };
            self.tried.push((id.clone(), made));
            let is_old = |of: &HandoverId, which: u64, number: u32| {
                of == id && which == sequence && number + ATTEMPTS_KEPT <= attempt.number
            };
            self.attempts
                .retain(|(of, which, _, number)| !is_old(of, *which, *number));
            self.tried.retain(|(of, made)| !is_old(of, made.sequence, made.number));
        }
    }
}

impl Lane {
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.head < self.tail && !self.stopped && self.due_at <= now
    }
}

impl Tries {
    pub(super) fn and(self, attempt: Option<&Attempt>) -> Self {
        attempt.map_or(self, |attempt| Self {
            attempts: self.attempts + 1,
            first_attempt_at: self.first_attempt_at.or(Some(attempt.started_at)),
        })
    }
}
