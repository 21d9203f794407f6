//! Takes what is due from the store, has it tried, and writes down what came of it.
//!
//! * A lane has one claim at a time, so its events are tried one by one in their order; lanes do not wait for each other.
//! * A claim ends by its settlement. When the process dies between a bot's answer and the settlement, the event is tried
//!   again by the next process, and the bot drops the repeat by its id.
//! * Nothing but the store decides what is due. What is held in memory says where to look first; the store is asked at the
//!   start and from then on regularly, so that a lost wake-up delays an event and no more.
//! * Settlements the store could not take are kept and offered again; until it takes them nothing new is claimed.

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
use crate::delivery::attempt::Left;
use crate::delivery::attempt::Means;
use crate::delivery::board::Board;
use crate::delivery::board::Due;
use crate::delivery::ephemeral::Offer;
use crate::delivery::lanes::Next;
use crate::delivery::lines::Granted;
use crate::delivery::roster::Bots;
use crate::domain::BotName;
use crate::domain::Timestamp;
use crate::store::Claimed;
use crate::store::Settlement;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Target;
use crate::store::Verdict;

/// How often the store is asked, and how far ahead.
const POLL: Duration = Duration::from_secs(1);
/// So many are asked for at once at least.
const PAGE: usize = 1000;
/// An event whose bot has no address any more is looked at again after this.
const UNADDRESSED: Duration = Duration::from_mins(1);
/// The wait after the store failed once; twice as long each time up to the second.
const STORE_WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// So often the last settlements are offered to a failing store when the process stops.
const LAST_TRIES: u32 = 4;

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
    attempts: JoinSet<Ended>,
    /// Ended claims the store does not know of yet.
    unsettled: Vec<(BotName, Settlement)>,
    /// The store did not take them last time.
    refused: bool,
    next_poll: Timestamp,
    /// All lanes with something to deliver have been seen once, also those that wait for a retry.
    surveyed: bool,
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
        Self {
            store: parts.store,
            roster: parts.roster,
            ephemerals: parts.ephemerals,
            metrics: parts.metrics,
            board: Board::new(settings.max_in_flight, settings.max_in_flight_per_bot),
            next_poll: parts.clock.now(),
            means: Means {
                clock: parts.clock,
                settings,
            },
            attempts: JoinSet::new(),
            unsettled: Vec::new(),
            refused: false,
            surveyed: false,
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
                    let wait = store_wait(failures);
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
        self.finish().await;
    }

    /// Does what there is to do now. When all that is left is under way, waits for some of it to end.
    pub async fn step(&mut self) -> Result<Progress, StoreError> {
        self.look().await?;
        while let Some(ended) = self.attempts.try_join_next() {
            self.end(ended);
        }
        let granted = if self.refused { Vec::new() } else { self.board.grant() };
        if granted.is_empty() && self.unsettled.is_empty() {
            return Ok(self.wait().await);
        }
        let store = Arc::clone(&self.store);
        let settlements = self
            .unsettled
            .iter()
            .map(|(_, settlement)| settlement.clone())
            .collect();
        let targets = granted.iter().map(|granted| granted.target.clone()).collect();
        let now = self.means.clock.now();
        let (settled, claimed) = tokio::join!(settle(&*store, settlements), claim(&*store, targets, now));
        let claimed = self.take_claims(granted, claimed);
        self.take_settled(settled)?;
        claimed.map(|()| Progress::Worked)
    }

    /// Learns what is new: offers first, so that whatever was logged before one of them is known when it is looked at.
    async fn look(&mut self) -> Result<(), StoreError> {
        let offers = self.ephemerals.take();
        let bots = self.roster.current();
        for (handover, bot) in self.ephemerals.wake().take() {
            self.board.wake(&bots, &bot, Target::Lane(handover));
        }
        let now = self.means.clock.now();
        self.board.ring(now);
        if now >= self.next_poll {
            self.poll(&bots, now).await?;
        }
        for offer in offers.into_values() {
            if let Some(offer) = self.board.offer(Box::new(offer)) {
                self.send(&bots, offer);
            }
        }
        Ok(())
    }

    /// Asks the store. It tells again what stands in line here already, so more is asked for than is known; asking for much
    /// is done less often.
    async fn poll(&mut self, bots: &Bots, now: Timestamp) -> Result<(), StoreError> {
        let known = self.board.len();
        let limit = known.saturating_mul(2).max(PAGE);
        let soon = now.plus(POLL);
        let until = if self.surveyed {
            soon
        } else {
            Timestamp::from_millis(i64::MAX)
        };
        let lanes = self.store.due_lanes(until, limit).await?;
        let asides = self.store.due_asides(soon, limit).await?;
        let all = lanes.len() < limit && asides.len() < limit;
        for lane in lanes {
            self.board.found(bots, Due::from(lane), now);
        }
        for aside in asides {
            self.board.found(bots, Due::from(aside), now);
        }
        self.surveyed |= all;
        if all {
            let pages = u32::try_from(known / (PAGE * 10)).unwrap_or(u32::MAX);
            self.next_poll = now.plus(POLL.saturating_mul(pages.saturating_add(1)));
        }
        Ok(())
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
        self.board
            .next_alarm()
            .map_or(self.next_poll, |alarm| alarm.min(self.next_poll))
    }

    /// Starts what was claimed, and takes note of what was not.
    fn take_claims(
        &mut self,
        granted: Vec<Granted>,
        claimed: Result<Vec<Claimed>, StoreError>,
    ) -> Result<(), StoreError> {
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                granted.into_iter().for_each(|granted| self.board.take_back(granted));
                return Err(error);
            }
        };
        let bots = self.roster.current();
        let mut claims: HashMap<Target, Claimed> = claimed
            .into_iter()
            .map(|claimed| (claimed.target.clone(), claimed))
            .collect();
        for granted in granted {
            match claims.remove(&granted.target) {
                Some(claimed) => self.start(&bots, claimed),
                None => {
                    if let Some(offer) = self.board.missed(granted) {
                        self.send(&bots, offer);
                    }
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, bots: &Bots, claimed: Claimed) {
        let name = &claimed.context.bot;
        match bots.get(name) {
            Some(bot) if !bot.delivery.wants(claimed.event.kind) => self.spare(claimed, Verdict::Done),
            Some(bot) if claimed.callback_url.is_some() || bot.delivery.callback_url.is_some() => {
                self.metrics.started();
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
        let bot = claimed.context.bot.clone();
        self.board.spared(&bot);
        let settlement = attempt::settlement(claimed, verdict, None, self.means.clock.now());
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
            self.board.spared(&offer.context.bot);
            let next = self
                .board
                .passed(&offer.context.bot, Target::Lane(offer.context.handover));
            // It was held for no time, in which nothing can have been offered.
            drop(next);
        }
    }

    /// An attempt is over: its slot is free at once, its lane when the settlement is in the store.
    fn end(&mut self, ended: Result<Ended, JoinError>) {
        let Ended { bot, answer, left } = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // Its claim stays with this process, so the lane rests until the next one.
                tracing::error!(error = &error as &dyn std::error::Error, "a delivery was cut off");
                return;
            }
        };
        self.metrics.ended(answer);
        self.board.answered(&bot, answer);
        match left {
            Left::Settle(settlement) => self.unsettled.push((bot, settlement)),
            Left::Nothing(target) => {
                if let Some(offer) = self.board.passed(&bot, target) {
                    self.send(&self.roster.current(), offer);
                }
            }
        }
    }

    fn take_settled(&mut self, settled: Result<Vec<bool>, StoreError>) -> Result<(), StoreError> {
        self.refused = settled.is_err();
        let more = settled?;
        // Those that ended without a call since were put behind the ones the store has taken.
        let later = self.unsettled.split_off(more.len().min(self.unsettled.len()));
        let settled = std::mem::replace(&mut self.unsettled, later);
        let bots = self.roster.current();
        for ((bot, settlement), more) in settled.into_iter().zip(more) {
            if matches!(settlement.verdict, Verdict::Failed { .. }) {
                self.metrics.failed();
            }
            let next = if more { Next::More } else { Next::Nothing };
            if let Some(offer) = self.board.settled(&bot, settlement, next) {
                self.send(&bots, offer);
            }
        }
        Ok(())
    }

    /// Waits for the attempts in hand and settles them, without starting anything.
    async fn finish(mut self) {
        let mut failures = 0;
        while !(self.attempts.is_empty() && self.unsettled.is_empty()) {
            if let Some(Ok(ended)) = self.attempts.join_next().await {
                self.metrics.ended(ended.answer);
                if let Left::Settle(settlement) = ended.left {
                    self.unsettled.push((ended.bot, settlement));
                }
            }
            let settlements = self
                .unsettled
                .iter()
                .map(|(_, settlement)| settlement.clone())
                .collect();
            match settle(&*self.store, settlements).await {
                Ok(_) => self.unsettled.clear(),
                Err(error) if failures == LAST_TRIES && self.attempts.is_empty() => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "{} deliveries could not be written down, they will be made again",
                        self.unsettled.len()
                    );
                    return;
                }
                Err(_) => {
                    self.means.clock.sleep(store_wait(failures)).await;
                    failures = (failures + 1).min(LAST_TRIES);
                }
            }
        }
    }
}

fn store_wait(failures: u32) -> Duration {
    let (first, most) = STORE_WAIT;
    first.saturating_mul(2_u32.saturating_pow(failures)).min(most)
}

async fn settle(store: &dyn Store, settlements: Vec<Settlement>) -> Result<Vec<bool>, StoreError> {
    if settlements.is_empty() {
        return Ok(Vec::new());
    }
    store.settle(settlements).await
}

async fn claim(store: &dyn Store, targets: Vec<Target>, now: Timestamp) -> Result<Vec<Claimed>, StoreError> {
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    store.claim(targets, now).await
}
