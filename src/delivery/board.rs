//! What the dispatcher knows of all lanes and bots: who is to be tried next. Memory only, and no waiting.

use std::collections::HashSet;
use std::time::Duration;

use crate::delivery::answer::Answer;
use crate::delivery::breaker::Call;
use crate::delivery::breaker::Turn;
use crate::delivery::ephemeral::Offer;
use crate::delivery::lanes::Lanes;
use crate::delivery::lanes::Next;
use crate::delivery::lanes::Then;
use crate::delivery::lines::Granted;
use crate::delivery::lines::Kind;
use crate::delivery::lines::Lines;
use crate::delivery::roster::Bots;
use crate::domain::BotName;
use crate::domain::Timestamp;
use crate::store::Aside;
use crate::store::DueLane;
use crate::store::Settlement;
use crate::store::Target;
use crate::store::Verdict;

/// A lane whose bot answered 410 gets no ephemeral events either; remembered so long.
const STOPPED_FOR: Duration = Duration::from_hours(24);

#[derive(Debug)]
pub(crate) struct Board {
    lanes: Lanes,
    lines: Lines,
    /// Bots that have events and no configuration, each warned of once.
    strangers: HashSet<BotName>,
}

/// Something the store has to deliver.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) bot: BotName,
    pub(crate) target: Target,
    pub(crate) at: Timestamp,
}

impl From<DueLane> for Due {
    fn from(lane: DueLane) -> Self {
        Self {
            bot: lane.bot,
            target: Target::Lane(lane.handover),
            at: lane.due_at,
        }
    }
}

impl From<Aside> for Due {
    fn from(aside: Aside) -> Self {
        Self {
            bot: aside.bot,
            target: Target::Aside(aside.event),
            at: aside.due_at,
        }
    }
}

impl Board {
    pub(crate) fn new(slots: usize, per_bot: usize) -> Self {
        Self {
            lanes: Lanes::default(),
            lines: Lines::new(slots, per_bot),
            strangers: HashSet::new(),
        }
    }

    /// How many targets are known here.
    pub(crate) fn len(&self) -> usize {
        self.lanes.len()
    }

    pub(crate) fn next_alarm(&self) -> Option<Timestamp> {
        [self.lanes.next_alarm(), self.lines.next_alarm()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The bot was away when the process before this one ended.
    pub(crate) fn restore(&mut self, bot: &BotName, since: Timestamp, usual: f64, now: Timestamp) {
        self.lines.restore(bot, since, usual, now);
    }

    /// Something was logged.
    pub(crate) fn wake(&mut self, bots: &Bots, bot: &BotName, target: Target, now: Timestamp) {
        if !self.knows(bots, bot, &target) {
            return;
        }
        self.lines.arrived(bot, now);
        if self.lanes.wake(&target) {
            self.lines.push(bot, target, Kind::Fresh);
        }
    }

    /// The store has something that is due, or will be.
    pub(crate) fn found(&mut self, bots: &Bots, due: Due, now: Timestamp) {
        if self.knows(bots, &due.bot, &due.target) && self.lanes.due(&due.bot, &due.target, due.at, now) {
            self.lines.push(&due.bot, due.target, Kind::Fresh);
        }
    }

    /// Lines up what has waited long enough.
    pub(crate) fn ring(&mut self, now: Timestamp) {
        for (bot, target) in self.lanes.ring(now) {
            self.lines.push(&bot, target, Kind::Retry);
        }
    }

    /// What is to be claimed now.
    pub(crate) fn grant(&mut self, now: Timestamp) -> Vec<Granted> {
        let granted = self.lines.grant(now);
        for granted in &granted {
            self.lanes.hold(&granted.target);
        }
        granted
    }

    /// The claim could not be made.
    pub(crate) fn take_back(&mut self, granted: Granted, now: Timestamp) {
        self.lanes.unhold(&granted.target);
        self.lines.take_back(granted, now);
    }

    /// There was nothing to claim.
    pub(crate) fn missed(&mut self, granted: Granted, now: Timestamp) -> Option<Box<Offer>> {
        self.lines.withdraw(&granted.bot, &granted.target, now);
        self.ended(&granted.bot, granted.target, Next::Nothing)
    }

    /// What there was could not be read, and is looked at again.
    pub(crate) fn unreadable(&mut self, granted: Granted, now: Timestamp, again: Timestamp) {
        self.lines.withdraw(&granted.bot, &granted.target, now);
        let dropped = self.ended(&granted.bot, granted.target, Next::NotBefore(again));
        // An ephemeral event does not wait.
        drop(dropped);
    }

    /// A claimed event ends without a call.
    pub(crate) fn spared(&mut self, bot: &BotName, target: &Target, now: Timestamp) {
        self.lines.withdraw(bot, target, now);
    }

    /// The bot answered, or did not.
    pub(crate) fn answered(&mut self, bot: &BotName, target: &Target, answer: Answer, call: &Call<'_>) {
        self.lines.learn(bot, answer, call);
        self.lines.release(bot, target);
    }

    /// Outages that began or ended since this was asked last, each with the rate its bot was used to.
    pub(crate) fn turns(&mut self) -> Vec<(BotName, Turn, f64)> {
        let turns = self.lines.turns();
        let with_usual = |(bot, turn)| {
            let usual = self.lines.usual(&bot);
            (bot, turn, usual)
        };
        turns.into_iter().map(with_usual).collect()
    }

    /// A settlement is in the store. An ephemeral event is handed out when it may go now; it has its slot.
    pub(crate) fn settled(&mut self, bot: &BotName, settlement: Settlement, next: Next) -> Option<Box<Offer>> {
        let next = match (&settlement.verdict, &settlement.target) {
            (Verdict::Again { at }, _) => Next::NotBefore(*at),
            (Verdict::Stop, _) => Next::NotBefore(settlement.at.plus(STOPPED_FOR)),
            (Verdict::Done | Verdict::Aside { .. } | Verdict::Failed { .. }, Target::Lane(_)) => next,
            (Verdict::Done | Verdict::Aside { .. } | Verdict::Failed { .. }, Target::Aside(_)) => Next::Nothing,
        };
        self.ended(bot, settlement.target, next)
    }

    /// An ephemeral attempt is over.
    pub(crate) fn passed(&mut self, bot: &BotName, target: Target) -> Option<Box<Offer>> {
        self.ended(bot, target, Next::Nothing)
    }

    /// Hands an ephemeral event back when it may go now; it has its slot.
    pub(crate) fn offer(&mut self, offer: Box<Offer>) -> Option<Box<Offer>> {
        let offer = self.lanes.offer(offer)?;
        self.with_slot(offer)
    }

    fn ended(&mut self, bot: &BotName, target: Target, next: Next) -> Option<Box<Offer>> {
        match self.lanes.ended(bot, target.clone(), next) {
            Then::StandInLine => {
                self.lines.push(bot, target, Kind::Fresh);
                None
            }
            Then::Rest => None,
            Then::Send(offer) => self.with_slot(offer),
        }
    }

    /// Drops an ephemeral event that would have to wait for a slot, and frees the lane it held.
    fn with_slot(&mut self, offer: Box<Offer>) -> Option<Box<Offer>> {
        let bot = offer.context.bot.clone();
        if self.lines.take_slot(&bot) {
            return Some(offer);
        }
        // Nothing can have been logged or offered since the lane was held, a moment ago.
        drop(
            self.lanes
                .ended(&bot, Target::Lane(offer.context.handover), Next::Nothing),
        );
        None
    }

    fn knows(&mut self, bots: &Bots, bot: &BotName, target: &Target) -> bool {
        if bots.get(bot).is_some() {
            return true;
        }
        if self.strangers.insert(bot.clone()) {
            tracing::warn!(bot = %bot, "bot {bot} is not configured, its events wait until it is");
        }
        self.lanes.park(target.clone());
        false
    }
}
