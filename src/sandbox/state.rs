//! Everything one sandbox holds, the tasks it owns, and the one way to change a conversation.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::agents;
use super::centre::Centre;
use super::clock;
use super::faults::Faults;
use super::ledger::Ledger;
use super::notifier::{Lanes, Outgoing};
use super::options::Options;
use super::signer::{Keys, Signer};
use super::world::{Conversation, Event, World};

pub(crate) type Shared = Arc<State>;

pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) keys: Keys,
    pub(crate) faults: Faults,
    pub(crate) ledger: Ledger,
    pub(crate) lanes: Lanes,
    pub(crate) http: reqwest::Client,
    world: Mutex<World>,
    centre: Mutex<Centre>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl State {
    pub(crate) fn new(options: Options, signer: Signer, http: reqwest::Client) -> Self {
        Self {
            world: Mutex::new(World::new(&options)),
            centre: Mutex::new(Centre::new(&options)),
            ledger: Ledger::new(options.ledger_limit),
            keys: Keys::new(signer),
            faults: Faults::default(),
            lanes: Lanes::default(),
            http,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            options,
        }
    }

    /// Starts a task that ends with the sandbox.
    pub(crate) fn start<F>(&self, task: F) -> tokio::task::JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(task))
    }

    pub(crate) fn cancel(&self) {
        self.stop.cancel();
        self.tasks.close();
    }

    pub(crate) async fn stopped(&self) {
        self.tasks.wait().await;
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn centre(&self) -> MutexGuard<'_, Centre> {
        self.centre.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a conversation and sends its first events.
    pub(crate) fn open(
        self: &Arc<Self>,
        mut conversation: Conversation,
        step: impl FnOnce(&mut Conversation) -> Vec<Event>,
    ) {
        let id = conversation.id.clone();
        let events = {
            let mut world = self.world();
            conversation.order = world.next_order();
            let events = step(&mut conversation);
            self.emit(&world, &conversation, &events);
            world.conversations.insert(id.clone(), conversation);
            events
        };
        agents::react(self, &id, &events);
    }

    /// Changes a conversation and sends what follows from it, in one piece: the order of events is the order of
    /// changes. `None` when there is no such conversation.
    pub(crate) fn change<T>(
        self: &Arc<Self>,
        id: &str,
        step: impl FnOnce(&mut Conversation, u64) -> (T, Vec<Event>),
    ) -> Option<T> {
        let (result, events) = {
            let mut world = self.world();
            let order = world.next_order();
            let conversation = world.conversations.get_mut(id)?;
            let (result, events) = step(conversation, order);
            if let Some(conversation) = world.conversations.get(id) {
                self.emit(&world, conversation, &events);
            }
            (result, events)
        };
        agents::react(self, id, &events);
        Some(result)
    }

    fn emit(self: &Arc<Self>, world: &World, conversation: &Conversation, events: &[Event]) {
        for event in events {
            for webhook_id in conversation.hearers(event) {
                let dialect = world.dialect(&conversation.channel_id, webhook_id.as_deref());
                if let Some(rendered) = event.render(dialect, &conversation.id, clock::now_ms()) {
                    let outgoing = Outgoing::new(&self.ledger, conversation, rendered);
                    self.enqueue(Outgoing { webhook_id, ..outgoing });
                }
            }
        }
    }
}
