//! A dispatcher between the fake store and a fake bot.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::fake_bot::FakeBot;
use super::fake_store::FakeStore;
use crate::clock::Clock;
use crate::delivery::BotDelivery;
use crate::delivery::CallbackAuth;
use crate::delivery::CallbackFormat;
use crate::delivery::DeliveryMetrics;
use crate::delivery::DeliverySettings;
use crate::delivery::Dispatcher;
use crate::delivery::DispatcherParts;
use crate::delivery::Ephemerals;
use crate::delivery::Progress;
use crate::delivery::Roster;
use crate::delivery::SigningKey;
use crate::delivery::Wake;
use crate::domain::BotName;
use crate::domain::EventContext;
use crate::domain::EventId;
use crate::domain::EventType;
use crate::domain::HandoverEvent;
use crate::domain::HandoverId;
use crate::domain::RawJson;
use crate::domain::State;
use crate::domain::TenantName;
use crate::domain::Timestamp;
use crate::outbound::AddressPolicy;
use crate::outbound::OutboundSettings;

pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(super) struct Rig {
    pub(super) clock: Clock,
    pub(super) store: Arc<FakeStore>,
    pub(super) bot: FakeBot,
    pub(super) roster: Roster,
    pub(super) wake: Wake,
    pub(super) ephemerals: Ephemerals,
    pub(super) dispatcher: Dispatcher,
}

impl Rig {
    pub(super) async fn new() -> Self {
        Self::with_clock(Clock::manual(Timestamp::from_millis(1_763_640_000_000))).await
    }

    pub(super) async fn with_clock(clock: Clock) -> Self {
        let bot = FakeBot::start().await;
        let store = Arc::new(FakeStore::default());
        let wake = Wake::new();
        let ephemerals = Ephemerals::new(wake.clone());
        let roster = Roster::new(vec![delivery("support", &bot)], OutboundSettings::default()).unwrap();
        let dispatcher = dispatcher(&clock, &store, &roster, &ephemerals);
        Self {
            clock,
            store,
            bot,
            roster,
            wake,
            ephemerals,
            dispatcher,
        }
    }

    /// As if the process had ended and a new one begun; the claims of the old one are gone.
    pub(super) fn restart(&mut self) {
        self.dispatcher = dispatcher(&self.clock, &self.store, &self.roster, &self.ephemerals);
        let mut state = self.store.state();
        for entry in state.lanes.values_mut().flat_map(|lane| &mut lane.entries) {
            entry.held = None;
        }
    }

    pub(super) fn handover(&self, bot: &str) -> EventContext {
        EventContext {
            handover: HandoverId::generate(self.clock.now()),
            bot: BotName::new(bot),
            conversation: None,
            bot_session_id: None,
            metadata: None,
        }
    }

    pub(super) fn log(&self, context: &EventContext, kind: EventType, sequence: u64) {
        self.store.log(context, self.event(kind, sequence));
        self.wake.lane(&context.handover, &context.bot);
    }

    pub(super) fn event(&self, kind: EventType, sequence: u64) -> HandoverEvent {
        HandoverEvent {
            id: EventId::generate(self.clock.now()),
            kind,
            sequence,
            at: self.clock.now(),
            state: State::Active,
            late: false,
            extra: RawJson::parse("{}").unwrap(),
        }
    }

    /// Works until nothing is due.
    pub(super) async fn settle(&mut self) {
        while self.dispatcher.step().await.unwrap() == Progress::Worked {}
    }

    /// Lets time pass, then works until nothing is due.
    pub(super) async fn later(&mut self, by: Duration) {
        self.clock.advance(by);
        self.settle().await;
    }
}

fn dispatcher(clock: &Clock, store: &Arc<FakeStore>, roster: &Roster, ephemerals: &Ephemerals) -> Dispatcher {
    Dispatcher::new(DispatcherParts {
        store: Arc::clone(store) as Arc<dyn crate::store::Store>,
        clock: clock.clone(),
        settings: DeliverySettings::default(),
        roster: roster.clone(),
        ephemerals: ephemerals.clone(),
        metrics: DeliveryMetrics::default(),
    })
}

pub(super) fn delivery(name: &str, bot: &FakeBot) -> BotDelivery {
    BotDelivery {
        bot: BotName::new(name),
        tenant: TenantName::new("acme"),
        callback_url: Some(format!("http://{}/handover?key=1", bot.address).parse().unwrap()),
        secrets: vec![SigningKey::parse(&SecretString::from(SECRET)).unwrap()],
        events: None,
        format: CallbackFormat::Native,
        app_token: None,
        auth: CallbackAuth::Bearer(SecretString::from("token-1")),
        policy: AddressPolicy {
            allow_http: true,
            allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
            ..AddressPolicy::default()
        },
    }
}
