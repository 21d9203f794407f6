//! Any history of calls and restarts: the SQLite store answers as the model does.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use handover_gateway::domain::BotName;
use handover_gateway::domain::Handover;
use handover_gateway::domain::State;
use handover_gateway::store::AgentKnows;
use handover_gateway::store::BacklogAsked;
use handover_gateway::store::Claimed;
use handover_gateway::store::Committed;
use handover_gateway::store::GivenUp;
use handover_gateway::store::Kept;
use handover_gateway::store::KeptAnswer;
use handover_gateway::store::Opened;
use handover_gateway::store::Recover;
use handover_gateway::store::Settlement;
use handover_gateway::store::Store;
use handover_gateway::store::Target;
use handover_gateway::store::Verdict;
use proptest::prelude::ProptestConfig;
use proptest::proptest;

use crate::store_contract::fixtures::account;
use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::bot;
use crate::store_contract::fixtures::call;
use crate::store_contract::fixtures::conversation;
use crate::store_contract::fixtures::creating;
use crate::store_contract::fixtures::end;
use crate::store_contract::fixtures::key;
use crate::store_contract::fixtures::lane;
use crate::store_contract::fixtures::message;
use crate::store_contract::fixtures::next;
use crate::store_contract::fixtures::receipt;
use crate::store_contract::fixtures::settlement;
use crate::store_contract::stand::Stand;
use crate::store_contract::steps::Input;
use crate::store_contract::steps::Step;
use crate::store_contract::steps::What;
use crate::store_contract::steps::step;

const SCOPE: &str = "POST /v1/handovers";

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_tell_the_same_story(steps in proptest::collection::vec(step(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::new();
            for step in steps {
                pair.take(step).await;
                pair.compare().await;
            }
        });
    }
}

/// The store under test, the model, and what a process would know of both.
struct Pair {
    sqlite: Stand,
    model: Stand,
    now: i64,
    handovers: Vec<Handover>,
    /// Each claim as either store gave it; settled ones stay, so that an old epoch is tried too.
    claims: Vec<(Claimed, Claimed)>,
}

impl Pair {
    fn new() -> Self {
        Self {
            sqlite: Stand::sqlite(),
            model: Stand::model(),
            now: 0,
            handovers: Vec::new(),
            claims: Vec::new(),
        }
    }

    fn both(&self) -> [Arc<dyn Store>; 2] {
        [self.sqlite.store(), self.model.store()]
    }

    fn place(&self, which: u8) -> Option<usize> {
        self.handovers.len().checked_sub(1 + usize::from(which))
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Open { session, key } => self.open(session, key).await,
            Step::Commit(input) => self.commit(input).await,
            Step::End { which } => self.end(which).await,
            Step::Unplaced { event, body } => {
                let kept = receipt(&format!("e-{event}"), &format!("body {body}"));
                let [one, other] = self.both();
                let answer: Kept = one.keep_unplaced(kept.clone()).await.unwrap();
                assert_eq!(answer, other.keep_unplaced(kept).await.unwrap());
            }
            Step::Claim { which } => {
                let target = self.place(which).map(|place| lane(&self.handovers[place]));
                self.claim(target.into_iter().collect()).await;
            }
            Step::ClaimAsides => {
                let due = self.model.store().due_asides(at(self.now), 4).await.unwrap();
                let targets = due.into_iter().map(|aside| Target::Aside(aside.event));
                self.claim(targets.collect()).await;
            }
            Step::Settle { which, verdict } => self.settle(which, &verdict).await,
            Step::Resend { which } => self.resend(which).await,
            Step::Recover { since } => self.recover(since).await,
            Step::Knows { which, knows } => self.knows(which, knows).await,
            Step::GiveUp { which, what } => self.give_up(which, what).await,
            Step::Answer { key } => self.answer(key).await,
            Step::Release { key } => {
                let key = format!("k-{key}");
                for store in self.both() {
                    store.release_key(&bot(), SCOPE, &key).await.unwrap();
                }
            }
            Step::Prune => self.prune().await,
            Step::Wait(seconds) => self.now += seconds,
            Step::Restart => {
                self.sqlite.restart();
                self.model.restart();
                // An epoch of an earlier process may be given out again, so its claims are not tried.
                self.claims.clear();
            }
        }
    }

    async fn open(&mut self, session: u8, key_name: Option<u8>) {
        let handover = creating(Some(&format!("s-{session}")), at(self.now));
        let claim = key_name.map(|name| key(&format!("k-{name}"), &handover));
        let [one, other] = self.both();
        let answer = one.open(handover.clone(), claim.clone()).await.unwrap();
        assert_eq!(answer, other.open(handover.clone(), claim).await.unwrap());
        if answer == Opened::Done {
            self.handovers.push(handover);
        }
    }

    async fn commit(&mut self, input: Input) {
        let Some(place) = self.place(input.which) else { return };
        let mut handover = self.handovers[place].clone();
        if input.stale {
            handover.version = handover.version.saturating_sub(1);
        }
        if let (Some(name), None) = (input.conversation, &handover.progress.conversation) {
            handover.progress.conversation = Some(conversation(&format!("c-{name}")));
        }
        let mut commit = next(&mut handover, input.events, at(self.now));
        commit.deliver = input.deliver;
        commit.receipt = input
            .receipt
            .map(|(event, body)| receipt(&format!("e-{event}"), &format!("body {body}")));
        commit.claim = input.key.map(|name| key(&format!("k-{name}"), &handover));
        commit.message = input
            .client_id
            .map(|name| message(&handover, Some(&format!("m-{name}"))));
        if input.client_id.is_some() {
            commit.calls = vec![call(&handover)];
        }
        let [one, other] = self.both();
        let answer = one.commit(commit.clone()).await.unwrap();
        assert_eq!(answer, other.commit(commit).await.unwrap());
        if answer == Committed::Done {
            self.handovers[place] = handover;
        }
    }

    async fn end(&mut self, which: u8) {
        let Some(place) = self.place(which) else { return };
        let mut handover = self.handovers[place].clone();
        let commit = end(&mut handover, at(self.now));
        let [one, other] = self.both();
        let answer = one.commit(commit.clone()).await.unwrap();
        assert_eq!(answer, other.commit(commit).await.unwrap());
        if answer == Committed::Done {
            self.handovers[place] = handover;
        }
    }

    async fn answer(&self, name: u8) {
        let Some(place) = self.place(0) else { return };
        let claim = key(&format!("k-{name}"), &self.handovers[place]);
        let answer = KeptAnswer {
            status: 201,
            content_type: "application/json".to_owned(),
            location: None,
            body: self.now.to_string(),
        };
        for store in self.both() {
            store.keep_answer(claim.clone(), answer.clone()).await.unwrap();
        }
    }

    async fn claim(&mut self, targets: Vec<Target>) {
        let [one, other] = self.both();
        let mine = one.claim(targets.clone(), at(self.now)).await.unwrap();
        let theirs = other.claim(targets, at(self.now)).await.unwrap();
        same(&without_epochs(&mine), &without_epochs(&theirs));
        self.claims.extend(mine.into_iter().zip(theirs));
    }

    async fn settle(&mut self, which: u8, verdict: &Verdict) {
        let Some((mine, theirs)) = self.claims.iter().rev().nth(usize::from(which)) else {
            return;
        };
        let settle =
            |claimed: &Claimed| -> Vec<Settlement> { vec![settlement(claimed, verdict.clone(), at(self.now))] };
        let [one, other] = self.both();
        let answer = one.settle(settle(mine)).await.unwrap();
        assert_eq!(answer, other.settle(settle(theirs)).await.unwrap());
    }

    async fn resend(&self, which: u8) {
        let [one, other] = self.both();
        let newest = one.bot_events(&bot(), 0, usize::MAX).await.unwrap().events;
        let Some(event) = newest.iter().rev().nth(usize::from(which)) else {
            return;
        };
        let mine = one.resend(&bot(), &event.event.id, at(self.now)).await.unwrap();
        let theirs = other.resend(&bot(), &event.event.id, at(self.now)).await.unwrap();
        assert_eq!(mine, theirs);
    }

    async fn recover(&self, since: i64) {
        let recover = Recover {
            bot: bot(),
            since: at(since),
            until: at(self.now),
            now: at(self.now),
            start: at(self.now),
            apart: Duration::from_secs(2),
            limit: 2,
        };
        let [one, other] = self.both();
        let answer = one.recover(recover.clone()).await.unwrap();
        assert_eq!(answer, other.recover(recover).await.unwrap());
    }

    async fn knows(&mut self, which: u8, knows: AgentKnows) {
        let Some(place) = self.place(which) else { return };
        let mut handover = self.handovers[place].clone();
        if handover.state().is_live() {
            handover.progress.state = State::Active;
        }
        let mut commit = next(&mut handover, 0, at(self.now));
        commit.agent_knows = Some(knows);
        let [one, other] = self.both();
        let answer = one.commit(commit.clone()).await.unwrap();
        assert_eq!(answer, other.commit(commit).await.unwrap());
        if answer == Committed::Done {
            self.handovers[place] = handover;
        }
    }

    async fn give_up(&mut self, which: u8, what: What) {
        let Some(place) = self.place(which) else { return };
        let id = self.handovers[place].id().clone();
        let given_up = match what {
            What::Head => GivenUp::Unreadable(Target::Lane(id)),
            What::OfLane(events) => GivenUp::OfLane(id, events),
            What::OfBot(events) => GivenUp::OfBot(bot(), events),
        };
        let [one, other] = self.both();
        let gone = one.give_up(given_up.clone(), at(self.now)).await.unwrap();
        assert_eq!(gone, other.give_up(given_up, at(self.now)).await.unwrap());
    }

    async fn prune(&mut self) {
        let (keys, handovers) = (at(self.now - 60), at(self.now - 30));
        let mut gone = [0, 0];
        for (store, gone) in self.both().iter().zip(&mut gone) {
            loop {
                let slice = store.prune(keys, handovers, 5).await.unwrap();
                if slice == 0 {
                    break;
                }
                *gone += slice;
            }
        }
        assert_eq!(gone[0], gone[1]);
    }

    /// All that can be read of either.
    async fn compare(&self) {
        let [one, other] = self.both();
        same(&one.load().await, &other.load().await);
        same(&one.bot_position(&bot()).await, &other.bot_position(&bot()).await);
        let everything = usize::MAX;
        let asked = BacklogAsked {
            long_lane: 2,
            weigh_from: 1,
        };
        same(&one.backlog(asked).await, &other.backlog(asked).await);
        for bot in [bot(), BotName::new("sales")] {
            let mine = one.bot_events(&bot, 0, everything).await;
            same(&mine, &other.bot_events(&bot, 0, everything).await);
        }
        for until in [self.now, 1_000] {
            let mine = one.due_lanes(at(until), everything).await;
            same(&mine, &other.due_lanes(at(until), everything).await);
            let mine = one.due_asides(at(until), everything).await;
            same(&mine, &other.due_asides(at(until), everything).await);
        }
        let mine = one.failed_deliveries(&bot(), None, 3).await;
        same(&mine, &other.failed_deliveries(&bot(), None, 3).await);
        for before in [self.now - 10, self.now] {
            let mine = one.held_up(at(before), None, everything).await;
            same(&mine, &other.held_up(at(before), None, everything).await);
            let mine = one.caught_up(at(before), None, everything).await;
            same(&mine, &other.caught_up(at(before), None, everything).await);
        }
        for name in 0..4 {
            let on = conversation(&format!("c-{name}"));
            let mine = one.handover_of_conversation(&account(), &on).await;
            same(&mine, &other.handover_of_conversation(&account(), &on).await);
        }
        for name in 0..4 {
            let name = format!("k-{name}");
            let mine = one.idempotency(&bot(), SCOPE, &name).await;
            same(&mine, &other.idempotency(&bot(), SCOPE, &name).await);
        }
        let on = conversation("c-1");
        same(
            &one.unplaced(&account(), &on).await,
            &other.unplaced(&account(), &on).await,
        );
        for handover in &self.handovers {
            let id = handover.id();
            same(&one.handover(id).await, &other.handover(id).await);
            same(
                &one.events(id, 0, everything).await,
                &other.events(id, 0, everything).await,
            );
            same(&one.messages(id).await, &other.messages(id).await);
        }
    }
}

fn without_epochs(claimed: &[Claimed]) -> Vec<Claimed> {
    let epochless = |claimed: &Claimed| Claimed {
        epoch: 0,
        ..claimed.clone()
    };
    claimed.iter().map(epochless).collect()
}

/// Errors and most answers have no equality of their own; what they show is enough.
#[track_caller]
fn same(one: &impl Debug, other: &impl Debug) {
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
}
