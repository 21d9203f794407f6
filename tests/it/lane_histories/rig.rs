//! A dispatcher over a store in a folder, and the end of the process that both are in.

use std::sync::Arc;
use std::time::Duration;

use handover_gateway::clock::Clock;
use handover_gateway::delivery::BacklogKeeper;
use handover_gateway::delivery::BotDelivery;
use handover_gateway::delivery::CallbackAuth;
use handover_gateway::delivery::CallbackFormat;
use handover_gateway::delivery::DeliveryMetrics;
use handover_gateway::delivery::DeliverySettings;
use handover_gateway::delivery::Dispatcher;
use handover_gateway::delivery::DispatcherParts;
use handover_gateway::delivery::Ephemerals;
use handover_gateway::delivery::Roster;
use handover_gateway::delivery::SigningKey;
use handover_gateway::delivery::Wake;
use handover_gateway::domain::BotName;
use handover_gateway::domain::EventId;
use handover_gateway::domain::EventType;
use handover_gateway::domain::Handover;
use handover_gateway::domain::TenantName;
use handover_gateway::domain::Timestamp;
use handover_gateway::outbound::AddressPolicy;
use handover_gateway::outbound::OutboundSettings;
use handover_gateway::store::Committed;
use handover_gateway::store::Opened;
use handover_gateway::store::Recover;
use handover_gateway::store::Redelivery as _;
use handover_gateway::store::Store as _;
use handover_gateway::store::sqlite::SqliteStore;
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::lane_histories::ledger::Ledger;
use crate::lane_histories::ledger::Store;
use crate::lane_histories::steps::BOTS;
use crate::lane_histories::steps::HANDOVERS;
use crate::store_contract::fixtures::at;
use crate::store_contract::fixtures::creating;
use crate::store_contract::fixtures::next;
use crate::store_contract::stand::settings;
use crate::support::bot::Bots;
use crate::support::config::SECRET;
use crate::support::wait::eventually;

/// So many undelivered events a bot may have, where a history keeps to the quota.
const QUOTA: usize = 6;
/// The gateway works at least so long between two steps …
const BREATH: Duration = Duration::from_millis(1);
/// … and so many times that where something is under way: a bot that hangs does not end.
const BREATHS: usize = 5;
/// In this much of the clock's time everything must be over once the bots are well.
const OVER_WITHIN: Duration = Duration::from_hours(4);

pub(crate) struct Rig {
    pub(crate) ledger: Ledger,
    pub(crate) file: Store,
    clock: Clock,
    roster: Roster,
    handovers: Vec<Handover>,
    /// Ids of what was logged, each with its bot.
    pub(crate) logged: Vec<(String, String)>,
    process: Option<Process>,
    folder: TempDir,
}

/// What goes when the process goes.
struct Process {
    store: Arc<SqliteStore>,
    wake: Wake,
    dispatcher: JoinSet<()>,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        let (ledger, folder) = (Ledger::open().await, tempfile::tempdir().unwrap());
        let clock = Clock::manual(at(0));
        let bots = BOTS.iter().map(|bot| delivery(bot, &ledger.bots)).collect();
        let roster = Roster::new(bots, OutboundSettings::default()).unwrap();
        let process = start(&folder, &clock, &roster);
        let mut handovers = Vec::new();
        for (number, bot) in (0..HANDOVERS).zip(BOTS.iter().cycle()) {
            let mut handover = creating(Some(&format!("s-{number}")), clock.now());
            let facts = Arc::make_mut(&mut handover.facts);
            (facts.bot, facts.callback_url) = (BotName::new(bot), None);
            let opened = process.store.open(handover.clone(), None).await.unwrap();
            assert_eq!(opened, Opened::Done);
            handovers.push(handover);
        }
        Self {
            file: Store::of(&folder.path().join("handover.db")),
            ledger,
            clock,
            roster,
            handovers,
            logged: Vec::new(),
            process: Some(process),
            folder,
        }
    }

    fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    pub(crate) async fn log(&mut self, which: usize, events: u64, kind: EventType) {
        let process = self.process.as_ref().unwrap();
        let handover = &mut self.handovers[which];
        let mut commit = next(handover, events, self.clock.now());
        for event in &mut commit.events {
            event.kind = kind;
            let bot = handover.facts.bot.as_str().to_owned();
            self.logged.push((event.id.as_str().to_owned(), bot));
        }
        assert_eq!(process.store.commit(commit).await.unwrap(), Committed::Done);
        process.wake.lane(handover.id(), &handover.facts.bot);
    }

    pub(crate) async fn resend(&self, bot: &str, event: &str) {
        self.ledger.asked_for(event);
        let (bot, event) = (BotName::new(bot), EventId::parse(event).unwrap());
        let resent = self.process().store.resend(&bot, &event, self.clock.now()).await;
        assert!(resent.unwrap().is_some());
    }

    /// One of the newest of a bot's events.
    pub(crate) fn newest(&self, bot: &str, which: usize) -> Option<String> {
        let mut of_bot = self.logged.iter().rev().filter(|(_, of)| of == bot);
        of_bot.nth(which).map(|(event, _)| event.clone())
    }

    pub(crate) async fn recover(&self, bot: &str) {
        let now = self.clock.now();
        let recover = Recover {
            bot: BotName::new(bot),
            since: at(0),
            until: now,
            now,
            start: now,
            apart: Duration::from_millis(20),
            limit: usize::MAX,
        };
        self.process().store.recover(recover).await.unwrap();
    }

    pub(crate) async fn keep_to_quota(&self) {
        let settings = DeliverySettings {
            backlog_per_bot: QUOTA,
            ..DeliverySettings::default()
        };
        let store = Arc::clone(&self.process().store);
        let mut keeper = BacklogKeeper::new(store, self.clock.clone(), &settings, DeliveryMetrics::default());
        keeper.step().await.unwrap();
    }

    /// In several steps, so that what comes due on the way has its turn.
    pub(crate) async fn pass(&self, by: Duration) {
        for _ in 0..4 {
            self.clock.advance(by / 4);
            self.breathe().await;
        }
    }

    /// The process ends without having finished anything, and the next one starts.
    pub(crate) async fn crash(&mut self, after: Duration) {
        tokio::time::sleep(after).await;
        let Process {
            store, mut dispatcher, ..
        } = self.process.take().unwrap();
        dispatcher.shutdown().await;
        // What was under way ends with its task.
        eventually("nothing has the store", async || {
            (Arc::strong_count(&store) == 1).then_some(())
        })
        .await;
        drop(store);
        self.process = Some(start(&self.folder, &self.clock, &self.roster));
    }

    /// The bots are well and time passes, until nothing is left to do.
    pub(crate) async fn until_all_is_over(&self) {
        let until = self.clock.now().plus(OVER_WITHIN);
        let mut pace = BREATH;
        let mut came = 0;
        while self.file.under_way() > 0 {
            let now = self.clock.now();
            assert!(now < until, "{} are left after all that time", self.file.under_way());
            let so_far = self.ledger.bots.callbacks().len();
            pace = if so_far > came {
                BREATH * 100
            } else {
                pace.saturating_mul(2).min(Duration::from_secs(4))
            };
            came = so_far;
            self.clock.advance(pace);
            self.breathe().await;
        }
    }

    pub(crate) async fn breathe(&self) {
        for _ in 0..BREATHS {
            tokio::time::sleep(BREATH).await;
            self.ledger.note_done(&self.file);
            if !self.is_held().await {
                break;
            }
        }
    }

    /// Whether something is being tried.
    async fn is_held(&self) -> bool {
        let (store, ever) = (&self.process().store, Timestamp::from_millis(i64::MAX));
        let lanes = store.due_lanes(ever, usize::MAX).await.unwrap().len();
        let asides = store.due_asides(ever, usize::MAX).await.unwrap().len();
        lanes + asides < self.file.under_way()
    }
}

fn start(folder: &TempDir, clock: &Clock, roster: &Roster) -> Process {
    let url = format!("sqlite://{}/handover.db", folder.path().display());
    let store = Arc::new(SqliteStore::open(&settings(url), clock.clone()).unwrap());
    let wake = Wake::new();
    let dispatcher = Dispatcher::new(DispatcherParts {
        store: Arc::clone(&store) as Arc<dyn handover_gateway::store::Store>,
        clock: clock.clone(),
        settings: DeliverySettings::default(),
        roster: roster.clone(),
        ephemerals: Ephemerals::new(wake.clone()),
        metrics: DeliveryMetrics::default(),
    });
    let mut process = Process {
        store,
        wake,
        dispatcher: JoinSet::new(),
    };
    process.dispatcher.spawn(dispatcher.run(CancellationToken::new()));
    process
}

fn delivery(name: &str, bots: &Bots) -> BotDelivery {
    BotDelivery {
        bot: BotName::new(name),
        tenant: TenantName::new("acme"),
        callback_url: Some(format!("{}/{name}", bots.url()).parse().unwrap()),
        secrets: vec![SigningKey::parse(&SecretString::from(SECRET)).unwrap()],
        events: None,
        format: CallbackFormat::Native,
        app_token: None,
        auth: CallbackAuth::None,
        policy: AddressPolicy {
            allow_http: true,
            allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
            ..AddressPolicy::default()
        },
    }
}
