//! Takes what is due from the store, has it tried, and writes down what came of it.
//!
//! * A lane has one claim at a time, so its events are tried one by one in their order; lanes do not wait for each other.
//! * A claim ends by its settlement. When the process dies between a bot's answer and the settlement, the event is tried
//!   again by the next process, and the bot drops the repeat by its id.
//! * Nothing but the store decides what is due. What is held in memory says where to look first; the store is asked at the
//!   start and from then on regularly, so that a lost wake-up delays an event and no more.
//! * Settlements the store could not take are kept and offered again; until it takes them nothing new is claimed.
//! * When a bot's outage begins is known before the attempt that showed it is judged, so that nothing is given up for it.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::delivery::DeliveryMetrics;
use crate::delivery::DeliverySettings;
use crate::delivery::Ephemerals;
use crate::delivery::Roster;
use crate::delivery::attempt;
use crate::delivery::attempt::Ended;
use crate::delivery::attempt::Means;
use crate::delivery::attempt::What;
use crate::delivery::board::Board;
use crate::delivery::breaker::Call;
use crate::delivery::breaker::Sign;
use crate::delivery::claims;
use crate::delivery::claims::Taken;
use crate::delivery::ephemeral::Offer;
use crate::delivery::finish;
use crate::delivery::lanes::Next;
use crate::delivery::lines::Granted;
use crate::delivery::outages::Outages;
use crate::delivery::poison;
use crate::delivery::poison::Poison;
use crate::delivery::roster::Bots;
use crate::delivery::survey::Survey;
use crate::domain::BotName;
use crate::domain::Timestamp;
use crate::store::Claimed;
use crate::store::Settlement;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Target;
use crate::store::Verdict;

/// An event whose bot has no address any more is looked at again after this.
const UNADDRESSED: Duration = Duration::from_mins(1);
/// What a dispatcher is made of.
pub struct DispatcherParts {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    pub settings: DeliverySettings,
    pub roster: Roster,
    /// Made with the [`crate::delivery::Wake`] that the dispatcher is to listen to.
    pub ephemerals: Ephemerals,
    pub metrics: DeliveryMetrics,
}

pub struct Dispatcher {
    store: Arc<dyn Store>,
    roster: Roster,
    ephemerals: Ephemerals,
    metrics: DeliveryMetrics,
    means: Means,
    board: Board,
    survey: Survey,
    /// `None` until the store was asked which bots were away.
    outages: Option<Outages>,
    poison: Poison,
    attempts: JoinSet<Ended>,
    /// Ended claims the store does not know of yet.
    unsettled: Vec<(BotName, Settlement)>,
    /// The store did not take them last time.
    refused: bool,
    /// Bots with events and no address, each warned of once.
    unaddressed: HashSet<BotName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Worked,
    /// Nothing is due and nothing under way.
    Idle,
}

impl Dispatcher {
    pub fn new(parts: DispatcherParts) -> Self {
        let settings = Arc::new(parts.settings);
        let store = parts.store;
        Self {
            roster: parts.roster,
            ephemerals: parts.ephemerals,
            metrics: parts.metrics,
            board: Board::new(settings.max_in_flight, settings.max_in_flight_per_bot),
            survey: Survey::new(parts.clock.now()),
            outages: None,
            poison: Poison::default(),
            means: Means {
                clock: parts.clock,
                settings,
                store: Arc::clone(&store),
            },
            store,
            attempts: JoinSet::new(),
            unsettled: Vec::new(),
            refused: false,
            unaddressed: HashSet::new(),
        }
    }

    /// Delivers until it is stopped, then brings to an end what is under way: at most one time-out long.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut failures = 0;
        while !stop.is_cancelled() {
            match self.step().await {
                Ok(Progress::Worked) => failures = 0,
                Ok(Progress::Idle) => {
                    failures = 0;
                    let next = self.next_look();
                    tokio::select! {
                        () = self.ephemerals.wake().called() => {}
                        () = self.means.clock.sleep_until(next) => {}
                        () = stop.cancelled() => {}
                    }
                }
                Err(error @ StoreError::Broken(_)) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "deliveries end, the store is broken"
                    );
                    return;
                }
                Err(error) => {
                    let wait = claims::wait_after(failures);
                    failures = failures.saturating_add(1);
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "deliveries wait {wait:?} for the store"
                    );
                    tokio::select! {
                        () = self.means.clock.sleep(wait) => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
        }
        let unsettled = self.unsettled.into_iter().map(|(_, settlement)| settlement).collect();
        finish::finish(&self.means, self.attempts, unsettled, self.outages.unwrap_or_default()).await;
    }

    /// Does what there is to do now. When all that is left is under way, waits for some of it to end.
    pub async fn step(&mut self) -> Result<Progress, StoreError> {
        let looked = self.look().await;
        while let Some(ended) = self.attempts.try_join_next() {
            self.end(ended);
        }
        let now = self.means.clock.now();
        let holds = self.refused || self.outages.is_none();
        let granted = if holds { Vec::new() } else { self.board.grant(now) };
        let kept = self.keep(now).await;
        if granted.is_empty() && self.unsettled.is_empty() {
            looked.and(kept)?;
            return Ok(self.wait().await);
        }
        let store = Arc::clone(&self.store);
        let settlements = self
            .unsettled
            .iter()
            .map(|(_, settlement)| settlement.clone())
            .collect();
        let targets = granted.iter().map(|granted| granted.target.clone()).collect();
        let (settled, claimed) = tokio::join!(
            claims::settle(&*store, settlements),
            claims::claim(&*store, targets, now)
        );
        let claimed = self.take_claims(granted, claimed);
        self.take_settled(settled)?;
        claimed.and(looked).and(kept).map(|()| Progress::Worked)
    }

    /// Writes down what is rare: outages, and events that cannot be read.
    async fn keep(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.take_turns(now);
        if let Some(outages) = &mut self.outages {
            outages.write(&*self.store).await?;
        }
        self.poison.set_aside(&*self.store, &self.metrics, now).await
    }

    /// Learns what is new: offers first, so that whatever was logged before one of them is known when it is looked at.
    async fn look(&mut self) -> Result<(), StoreError> {
        let offers = self.ephemerals.take();
        let bots = self.roster.current();
        let now = self.means.clock.now();
        for (handover, bot) in self.ephemerals.wake().take() {
            self.board.wake(&bots, &bot, Target::Lane(handover), now);
        }
        self.board.ring(now);
        if self.outages.is_none() {
            let outages = Outages::restored(&*self.store, &mut self.board, &self.metrics, now);
            self.outages = Some(outages.await?);
        }
        if now >= self.survey.next_at() {
            self.survey.ask(&*self.store, &mut self.board, &bots, now).await?;
        }
        if !self.survey.is_complete() {
            return Ok(());
        }
        for offer in offers.into_values() {
            if let Some(offer) = self.board.offer(Box::new(offer)) {
                self.send(&bots, offer);
            }
        }
        Ok(())
    }

    /// Tells of outages that began or ended, each once.
    fn take_turns(&mut self, now: Timestamp) {
        if let Some(outages) = &mut self.outages {
            outages.take(self.board.turns(), &self.metrics, now);
        }
    }

    /// Waits for an attempt to end or something new to show.
    async fn wait(&mut self) -> Progress {
        if self.attempts.is_empty() {
            return Progress::Idle;
        }
        let next = self.next_look();
        tokio::select! {
            Some(ended) = self.attempts.join_next() => self.end(ended),
            () = self.ephemerals.wake().called() => {}
            () = self.means.clock.sleep_until(next) => {}
        }
        Progress::Worked
    }

    fn next_look(&self) -> Timestamp {
        let survey = self.survey.next_at();
        self.board.next_alarm().map_or(survey, |alarm| alarm.min(survey))
    }

    /// Starts what was claimed, and takes note of what was not.
    fn take_claims(&mut self, granted: Vec<Granted>, taken: Result<Taken, StoreError>) -> Result<(), StoreError> {
        let now = self.means.clock.now();
        let Taken { claimed, unreadable } = match taken {
            Ok(taken) => taken,
            Err(error) => {
                for granted in granted {
                    self.board.take_back(granted, now);
                }
                return Err(error);
            }
        };
        let bots = self.roster.current();
        let by_target = |claimed: Claimed| (claimed.target.clone(), claimed);
        let mut claims: HashMap<Target, Claimed> = claimed.into_iter().map(by_target).collect();
        let mut unreadable: HashMap<Target, StoreError> = unreadable.into_iter().collect();
        for granted in granted {
            if let Some(claimed) = claims.remove(&granted.target) {
                self.poison.read(&granted.target);
                self.start(&bots, claimed);
            } else if let Some(error) = unreadable.remove(&granted.target) {
                self.poison.met(granted.target.clone(), error);
                self.board.unreadable(granted, now, now.plus(poison::AGAIN));
            } else if let Some(offer) = self.board.missed(granted, now) {
                self.send(&bots, offer);
            }
        }
        Ok(())
    }

    fn start(&mut self, bots: &Bots, claimed: Claimed) {
        failpoint!("delivery.after_claim");
        let name = &claimed.context.bot;
        match bots.get(name) {
            Some(bot) if !bot.delivery.wants(claimed.event.kind) => self.spare(claimed, Verdict::Done),
            Some(bot) if claimed.callback_url.is_some() || bot.delivery.callback_url.is_some() => {
                self.metrics.started();
                if claimed.replay {
                    self.metrics.replayed();
                }
                self.attempts
                    .spawn(attempt::logged(claimed, Arc::clone(bot), self.means.clone()));
            }
            Some(_) | None => {
                if self.unaddressed.insert(name.clone()) {
                    tracing::warn!(bot = %name, "bot {name} has no callback address, its events wait until it has");
                }
                let at = self.means.clock.now().plus(UNADDRESSED);
                self.spare(claimed, Verdict::Again { at });
            }
        }
    }

    /// Ends a claim without a call.
    fn spare(&mut self, claimed: Claimed, verdict: Verdict) {
        let (bot, now) = (claimed.context.bot.clone(), self.means.clock.now());
        self.board.spared(&bot, &claimed.target, now);
        let settlement = attempt::settlement(claimed, verdict, None, now);
        self.unsettled.push((bot, settlement));
    }

    /// Starts an ephemeral event, for which the board holds lane and slot.
    fn send(&mut self, bots: &Bots, offer: Box<Offer>) {
        let wanted = bots.get(&offer.context.bot).filter(|bot| {
            let addressed = offer.callback_url.is_some() || bot.delivery.callback_url.is_some();
            addressed && bot.delivery.wants(offer.event.kind)
        });
        if let Some(bot) = wanted {
            self.metrics.started();
            self.attempts
                .spawn(attempt::ephemeral(offer, Arc::clone(bot), self.means.clone()));
        } else {
            let (bot, target) = (&offer.context.bot, Target::Lane(offer.context.handover.clone()));
            self.board.spared(bot, &target, self.means.clock.now());
            let next = self.board.passed(bot, target);
            // It was held for no time, in which nothing can have been offered.
            drop(next);
        }
    }

    /// An attempt is over: its slot is free at once, its lane when the settlement is in the store.
    fn end(&mut self, ended: Result<Ended, JoinError>) {
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // Its claim stays with this process, so the lane rests until the next one.
                tracing::error!(error = &error as &dyn std::error::Error, "a delivery was cut off");
                return;
            }
        };
        let (answer, now) = (ended.answer, self.means.clock.now());
        let sign = match (&ended.what, answer.sign()) {
            // A bot may want nothing of a kind of event that is no matter of its work.
            (What::Ephemeral(_), Sign::Doubt) => Sign::Nothing,
            (What::Ephemeral(_) | What::Logged(_), sign) => sign,
        };
        let call = Call {
            sign,
            handover: &ended.handover,
            started_at: ended.started_at,
            ended_at: now,
            retry_after: answer.retry_after,
        };
        self.metrics.ended(answer);
        self.board.answered(&ended.bot, ended.target(), answer, &call);
        self.take_turns(now);
        match ended.what {
            What::Logged(claimed) => {
                let times = (ended.started_at, ended.over_at);
                // Nothing is claimed before they are known.
                let none = Outages::default();
                let outages = self.outages.as_ref().unwrap_or(&none);
                let settlement = attempt::concluded(*claimed, answer, times, outages, &self.means.settings);
                failpoint!("delivery.before_settle");
                self.unsettled.push((ended.bot, settlement));
            }
            What::Ephemeral(target) => {
                if let Some(offer) = self.board.passed(&ended.bot, target) {
                    self.send(&self.roster.current(), offer);
                }
            }
        }
    }

    fn take_settled(&mut self, settled: Result<Vec<bool>, StoreError>) -> Result<(), StoreError> {
        self.refused = settled.is_err();
        let more = settled?;
        failpoint!("delivery.after_settle");
        // Those that ended without a call since were put behind the ones the store has taken.
        let later = self.unsettled.split_off(more.len().min(self.unsettled.len()));
        let settled = std::mem::replace(&mut self.unsettled, later);
        let bots = self.roster.current();
        for ((bot, settlement), more) in settled.into_iter().zip(more) {
            if matches!(settlement.verdict, Verdict::Failed { .. }) {
                self.metrics.failed();
            }
            if matches!(settlement.target, Target::Aside(_)) {
                self.survey.hurry(self.board.len(), self.means.clock.now());
            }
            let next = if more { Next::More } else { Next::Nothing };
            if let Some(offer) = self.board.settled(&bot, settlement, next) {
                self.send(&bots, offer);
            }
        }
        Ok(())
    }
}
