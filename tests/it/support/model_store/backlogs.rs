//! The model's backlogs: what waits, what is given up, and when bots were away.

use handover_gateway::domain::HandoverId;
use handover_gateway::domain::Timestamp;
use handover_gateway::store::Backlog;
use handover_gateway::store::BacklogAsked;
use handover_gateway::store::GivenUp;
use handover_gateway::store::OUTAGES_KEPT;
use handover_gateway::store::Outage;
use handover_gateway::store::Target;

use crate::support::model_store::model::Delivery;
use crate::support::model_store::model::Logged;
use crate::support::model_store::model::Model;
use crate::support::model_store::model::Status;
use crate::support::model_store::model::Tries;

impl Model {
    pub(super) fn give_up(&mut self, given_up: &GivenUp, now: Timestamp) -> usize {
        if let GivenUp::Unreadable(target @ Target::Aside(event)) = given_up {
            if self.claims.contains_key(target) {
                return 0;
            }
            let is_it = |delivery: &&mut Delivery| delivery.event == *event && delivery.status == Status::Aside;
            let Some(delivery) = self.deliveries.iter_mut().find(is_it) else {
                return 0;
            };
            (delivery.status, delivery.due_at, delivery.reason) = (Status::Failed, now, Some("unreadable"));
            let id = delivery.handover.clone();
            self.go_on(&id, now);
            return 1;
        }
        let mut waiting: Vec<Logged> = self
            .events
            .iter()
            .filter(|logged| self.waits(logged))
            .cloned()
            .collect();
        waiting.sort_by_key(|logged| logged.position);
        let (of, most, reason) = match given_up {
            GivenUp::Unreadable(Target::Lane(id)) => (Some(id.clone()), 1, "unreadable"),
            GivenUp::Unreadable(Target::Aside(_)) => return 0,
            GivenUp::OfLane(id, events) => (Some(id.clone()), (*events).min(500), "backlog-quota"),
            GivenUp::OfBot(bot, events) => {
                waiting.retain(|logged| self.lanes[&logged.handover].bot == *bot);
                (None, (*events).min(500), "backlog-quota")
            }
        };
        waiting.retain(|logged| of.as_ref().is_none_or(|id| logged.handover == *id));
        waiting.truncate(usize::try_from(most).unwrap());
        waiting.retain(|logged| !self.claims.contains_key(&Target::Lane(logged.handover.clone())));
        for logged in &waiting {
            self.fail(logged, reason, now);
        }
        waiting.len()
    }

    pub(super) fn backlog(&self, asked: BacklogAsked) -> Vec<Backlog> {
        let mut bots: Vec<_> = self.lanes.values().map(|lane| lane.bot.clone()).collect();
        bots.sort();
        bots.dedup();
        let of = |bot| {
            let lanes = self.lanes.iter().filter(|(_, lane)| lane.bot == bot);
            let mut lanes: Vec<_> = lanes
                .filter(|(_, lane)| lane.head < lane.tail && !lane.stopped)
                .collect();
            lanes.sort_by_key(|(id, _)| (*id).clone());
            let events: u64 = lanes.iter().map(|(_, lane)| lane.tail - lane.head).sum();
            let first = |id: &HandoverId, head| {
                let mut events = self.events.iter();
                let found = events.find(|logged| logged.handover == *id && logged.event.sequence == head + 1);
                found.map(|logged| logged.event.at)
            };
            let waits = |logged: &&Logged| {
                lanes.iter().any(|(id, lane)| {
                    let sequence = logged.event.sequence;
                    logged.handover == **id && sequence > lane.head && sequence <= lane.tail
                })
            };
            let bytes = || {
                self.events
                    .iter()
                    .filter(waits)
                    .map(|logged| logged.event.extra.as_str().len() as u64)
            };
            let long = lanes.iter().map(|(id, lane)| ((*id).clone(), lane.tail - lane.head));
            Backlog {
                events,
                bytes: (events >= asked.weigh_from).then(|| bytes().sum()),
                oldest_at: lanes.iter().filter_map(|(id, lane)| first(id, lane.head)).min(),
                long_lanes: long.filter(|(_, events)| *events > asked.long_lane).collect(),
                bot,
            }
        };
        bots.into_iter().map(of).filter(|backlog| backlog.events > 0).collect()
    }

    pub(super) fn keep_outage(&mut self, outage: Outage) {
        let bot = outage.bot.clone();
        self.outages.insert((outage.since, bot.clone()), outage);
        let mine: Vec<_> = self.outages.keys().filter(|(_, of)| *of == bot).cloned().collect();
        for key in mine.iter().rev().skip(OUTAGES_KEPT) {
            self.outages.remove(key);
        }
    }

    fn waits(&self, logged: &Logged) -> bool {
        self.lanes.get(&logged.handover).is_some_and(|lane| {
            logged.deliver && !lane.stopped && logged.event.sequence > lane.head && lane.head < lane.tail
        })
    }

    fn fail(&mut self, logged: &Logged, reason: &'static str, now: Timestamp) {
        let lane = self.lanes.get_mut(&logged.handover).unwrap();
        let listed = self.deliveries.iter().position(|one| one.event == logged.event.id);
        let before = listed.map(|place| self.deliveries.remove(place));
        self.deliveries.push(Delivery {
            event: logged.event.id.clone(),
            handover: logged.handover.clone(),
            bot: lane.bot.clone(),
            sequence: logged.event.sequence,
            status: Status::Failed,
            tries: std::mem::take(&mut lane.tries),
            due_at: now,
            reason: Some(reason),
            replay: before.is_some_and(|before| before.replay),
        });
        (lane.head, lane.tries, lane.due_at) = (logged.event.sequence, Tries::default(), now);
    }
}
