//! Where each lane stands that is not idle. Held in memory; the store is the truth.

use std::collections::BTreeMap;
use std::collections::HashMap;

use crate::delivery::ephemeral::Offer;
use crate::domain::BotName;
use crate::domain::Timestamp;
use crate::store::Target;

#[derive(Debug, Default)]
pub(crate) struct Lanes {
    standings: HashMap<Target, Standing>,
    /// When those that wait are to be looked at again. An entry its lane no longer waits for is passed over.
    alarms: BTreeMap<Timestamp, Vec<(BotName, Target)>>,
}

#[derive(Debug)]
enum Standing {
    /// In its bot's line.
    Ready,
    /// Something of it is with the bot, or is being claimed or settled. `woken` when something was logged since.
    Held { woken: bool, offer: Option<Box<Offer>> },
    /// Nothing is to be sent before this.
    Waiting { until: Timestamp },
    /// Its bot is not configured.
    Parked,
}

/// What a lane has to do next, as far as the store knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    More,
    Nothing,
    NotBefore(Timestamp),
}

/// What follows from it.
#[derive(Debug)]
pub(crate) enum Then {
    StandInLine,
    Rest,
    /// Nothing that was logged waits, so the ephemeral event may go. The lane is held for it.
    Send(Box<Offer>),
}

impl Lanes {
    pub(crate) fn len(&self) -> usize {
        self.standings.len()
    }

    /// Something was logged. `true` when the lane is to stand in line.
    pub(crate) fn wake(&mut self, target: &Target) -> bool {
        match self.standings.get_mut(target) {
            Some(Standing::Held { woken, .. }) => {
                *woken = true;
                false
            }
            // The head waits, and what is new waits behind it.
            Some(Standing::Ready | Standing::Waiting { .. }) => false,
            None | Some(Standing::Parked) => {
                self.standings.insert(target.clone(), Standing::Ready);
                true
            }
        }
    }

    /// The store says that the target is due at `at`. `true` when it is to stand in line.
    pub(crate) fn due(&mut self, bot: &BotName, target: &Target, at: Timestamp, now: Timestamp) -> bool {
        match self.standings.get(target) {
            Some(Standing::Ready | Standing::Held { .. }) => false,
            Some(Standing::Waiting { until }) if *until == at && at > now => false,
            None | Some(Standing::Waiting { .. } | Standing::Parked) => {
                if at > now {
                    self.wait(bot, target.clone(), at);
                    return false;
                }
                self.standings.insert(target.clone(), Standing::Ready);
                true
            }
        }
    }

    pub(crate) fn park(&mut self, target: Target) {
        self.standings.entry(target).or_insert(Standing::Parked);
    }

    pub(crate) fn hold(&mut self, target: &Target) {
        let held = Standing::Held {
            woken: false,
            offer: None,
        };
        self.standings.insert(target.clone(), held);
    }

    /// It could not be claimed, and stands in line again.
    pub(crate) fn unhold(&mut self, target: &Target) {
        self.standings.insert(target.clone(), Standing::Ready);
    }

    /// An ephemeral event for an idle lane may be sent at once, and holds the lane. One for a lane whose event is under way
    /// waits for that; one for a lane with a backlog is dropped.
    pub(crate) fn offer(&mut self, offer: Box<Offer>) -> Option<Box<Offer>> {
        let target = Target::Lane(offer.context.handover.clone());
        match self.standings.get_mut(&target) {
            None => {
                self.hold(&target);
                Some(offer)
            }
            Some(Standing::Held { offer: kept, .. }) => {
                *kept = Some(offer);
                None
            }
            Some(Standing::Ready | Standing::Waiting { .. } | Standing::Parked) => None,
        }
    }

    /// What was held is over.
    pub(crate) fn ended(&mut self, bot: &BotName, target: Target, next: Next) -> Then {
        let (woken, offer) = match self.standings.remove(&target) {
            Some(Standing::Held { woken, offer }) => (woken, offer),
            None | Some(Standing::Ready | Standing::Waiting { .. } | Standing::Parked) => (false, None),
        };
        match (next, offer) {
            (Next::NotBefore(at), _) => {
                self.wait(bot, target, at);
                Then::Rest
            }
            (Next::More, _) => {
                self.standings.insert(target, Standing::Ready);
                Then::StandInLine
            }
            // The settlement may have looked before what was logged since.
            (Next::Nothing, _) if woken => {
                self.standings.insert(target, Standing::Ready);
                Then::StandInLine
            }
            (Next::Nothing, Some(offer)) => {
                self.hold(&target);
                Then::Send(offer)
            }
            (Next::Nothing, None) => Then::Rest,
        }
    }

    /// The waiting ones whose time has come. They are to stand in line.
    pub(crate) fn ring(&mut self, now: Timestamp) -> Vec<(BotName, Target)> {
        let mut rung = Vec::new();
        while let Some(entry) = self.alarms.first_entry()
            && *entry.key() <= now
        {
            for (bot, target) in entry.remove() {
                if let Some(standing) = self.standings.get_mut(&target)
                    && matches!(standing, Standing::Waiting { until } if *until <= now)
                {
                    *standing = Standing::Ready;
                    rung.push((bot, target));
                }
            }
        }
        rung
    }

    pub(crate) fn next_alarm(&self) -> Option<Timestamp> {
        self.alarms.keys().next().copied()
    }

    fn wait(&mut self, bot: &BotName, target: Target, until: Timestamp) {
        self.standings.insert(target.clone(), Standing::Waiting { until });
        self.alarms.entry(until).or_default().push((bot.clone(), target));
    }
}
