//! A bot asks for an agent: the intent is written, 8x8 is asked once, and its answer is written.

use std::sync::Arc;
use std::time::Duration;

use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::CreateBody;
use crate::chat_gateway::CreateConversation;
use crate::chat_gateway::HistoryMessage;
use crate::domain::ConversationId;
use crate::domain::Facts;
use crate::domain::HandBack;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::domain::HistoryFile;
use crate::domain::Origin;
use crate::domain::PastMessage;
use crate::domain::RawJson;
use crate::domain::Routing;
use crate::domain::State;
use crate::domain::Stop;
use crate::domain::Timers;
use crate::domain::User;
use crate::domain::transition::Input;
use crate::handovers::Bot;
use crate::handovers::CommandError;
use crate::handovers::Demand;
use crate::handovers::Duplicate;
use crate::handovers::Handovers;
use crate::handovers::Key;
use crate::handovers::problem;
use crate::handovers::service::Along;
use crate::handovers::service::ChangeError;
use crate::handovers::session_map::Slot;
use crate::store::Opened;
use crate::store::Reference;

const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// A valid request for a handover.
#[derive(Debug)]
pub struct OpenHandover {
    pub bot: Arc<Bot>,
    pub user: User,
    pub history: Vec<HistoryMessage>,
    pub history_files: Vec<HistoryFile>,
    pub queue_id: Option<String>,
    /// The queues it goes through, `queue_id` first; empty where the configuration decides.
    pub queues: Vec<Stop>,
    pub channel_id: Option<String>,
    pub callback_url: Option<String>,
    pub bot_session_id: Option<String>,
    pub metadata: Option<RawJson>,
    /// Merged into what 8x8 is sent.
    pub properties: Option<RawJson>,
    pub queue_timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    pub max_age: Option<Duration>,
    /// Whether the bot is to lead again after the agents.
    pub hand_back: bool,
    pub availability: Demand,
}

#[derive(Debug)]
pub enum OpenedAs {
    New(Handover),
    /// The session's live one, where the bot's setting says so.
    Existing(Handover),
}

impl Handovers {
    pub async fn open(self: &Arc<Self>, command: OpenHandover, key: Option<Key>) -> Result<OpenedAs, CommandError> {
        let this = Arc::clone(self);
        self.parts
            .supervisor
            .finish(async move { this.open_now(command, key).await })
            .await?
    }

    async fn open_now(self: &Arc<Self>, mut command: OpenHandover, key: Option<Key>) -> Result<OpenedAs, CommandError> {
        command.redact();
        let facts = self.facts(&command)?;
        let (bot, id, asked_at) = (Arc::clone(&command.bot), facts.id.clone(), facts.created_at);
        let mut handover = Handover::creating(facts, command.user.clone());
        handover.progress.history_files = command.history_files;
        if let Some(queue) = &mut handover.progress.queue {
            queue.name = bot.tenant.queue_names.get(&queue.id).cloned();
            let chain = bot.tenant.chain(&queue.id);
            handover.progress.routing = Routing::starting(command.queues, chain);
        }
        handover.progress.hand_back = command.hand_back.then_some(HandBack::AtJoin);
        let history = command.history.iter().map(past).collect();
        let claim = key
            .as_ref()
            .map(|key| key.claim(&bot.name, Reference::Handover(id.clone()), asked_at));
        let create = CreateConversation {
            handover: id.clone(),
            channel_id: handover.facts.channel_id.clone(),
            queue_id: handover.facts.queue_id.clone(),
            user: bot.shown_user(command.user, handover.facts.bot_session_id.as_deref()),
            history: command.history,
            properties: command.properties,
        };
        // A conflict with what we set shows before anything is written or sent.
        let body = CreateBody::try_from(&create)?;
        if command.availability == Demand::Require
            && let Some(live) = self.refuse_without_agents(&bot, &handover.facts).await?
        {
            return self.taken(&bot, live).await;
        }
        failpoint!("create.before_intent");
        match self.parts.store.open(handover.clone(), claim).await? {
            Opened::Done => {}
            Opened::SessionTaken(taken) => return self.taken(&bot, taken).await,
            Opened::KeyTaken(record) => return Err(CommandError::KeyTaken(Box::new(record))),
        }
        failpoint!("create.after_intent");
        let slot = self.take_in(handover);
        let (asked, ()) = tokio::join!(self.ask_for_conversation(&bot, body), self.keep_history(&id, history));
        failpoint!("create.after_call");
        self.conclude_create(&slot, asked, &bot, key).await?;
        failpoint!("create.after_record");
        let handover = slot.handover.lock().await.clone();
        Ok(OpenedAs::New(handover))
    }

    /// For the transcript. A handover goes on without it.
    async fn keep_history(&self, id: &HandoverId, history: Vec<PastMessage>) {
        if history.is_empty() {
            return;
        }
        if let Err(error) = self.parts.store.keep_history(id, history).await {
            tracing::warn!(handover.id = %id, error = %error, "what was said before the handover could not be kept");
        }
    }

    fn facts(&self, command: &OpenHandover) -> Result<Facts, CommandError> {
        let (bot, tenant) = (&command.bot, &command.bot.tenant);
        let now = self.parts.clock.now();
        let first = |a: &Option<String>, b: &Option<String>, c: &Option<String>| {
            a.clone().or_else(|| b.clone()).or_else(|| c.clone())
        };
        Ok(Facts {
            id: HandoverId::generate(now),
            tenant: tenant.name.clone(),
            account: tenant.account.clone(),
            bot: bot.name.clone(),
            origin: Origin::Bot,
            channel_id: first(&command.channel_id, &bot.channel_id, &tenant.channel_id)
                .or_else(|| tenant.standing.registered_channel())
                .ok_or(CommandError::NoChannel)?,
            queue_id: first(&command.queue_id, &bot.queue_id, &tenant.queue_id),
            one_per_session: bot.duplicate != Duplicate::Allow,
            bot_session_id: command.bot_session_id.clone(),
            metadata: command.metadata.clone(),
            callback_url: command.callback_url.clone(),
            reopened_from: None,
            arrival: None,
            timers: Timers {
                queue: command.queue_timeout.or(bot.queue_timeout),
                idle: command.idle_timeout.or(bot.idle_timeout),
                max_age: command.max_age.unwrap_or(bot.max_age),
                transfer_grace: tenant.transfer_grace,
            },
            created_at: now,
            recovered_at: None,
        })
    }

    async fn taken(self: &Arc<Self>, bot: &Bot, id: HandoverId) -> Result<OpenedAs, CommandError> {
        match bot.duplicate {
            Duplicate::Return => {
                let slot = self.slot(&id).await?.ok_or(CommandError::NotFound)?;
                let handover = slot.handover.lock().await.clone();
                Ok(OpenedAs::Existing(handover))
            }
            Duplicate::Reject | Duplicate::Allow => Err(CommandError::Exists(id)),
        }
    }

    async fn ask_for_conversation(&self, bot: &Bot, body: CreateBody) -> Result<ConversationId, ChatGatewayError> {
        failpoint!("create.before_call");
        let gateway = bot.tenant.chat_gateway.asked_by(&bot.name);
        let created = self.while_bot_waits(bot, || gateway.create(&body)).await?;
        Ok(created.id)
    }

    /// Repeats only what provably did not reach 8x8, or what 8x8 asked to be repeated, for as long as a bot waits.
    pub(super) async fn while_bot_waits<T, F>(&self, bot: &Bot, call: impl Fn() -> F) -> Result<T, ChatGatewayError>
    where
        F: Future<Output = Result<T, ChatGatewayError>>,
    {
        let clock = &self.parts.clock;
        let until = clock.now().plus(bot.tenant.send_wait);
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match call().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let wait = pause.max(error.retry_after().unwrap_or_default());
            if !error.is_provably_unsent() || clock.now().plus(wait) > until {
                return Err(error);
            }
            clock.sleep(wait).await;
            pause *= 2;
        }
    }

    pub(super) async fn conclude_create(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        asked: Result<ConversationId, ChatGatewayError>,
        bot: &Bot,
        key: Option<Key>,
    ) -> Result<(), CommandError> {
        let error = match asked {
            Ok(conversation) => return self.conclude_with(slot, Input::Created(conversation)).await,
            Err(error) => error,
        };
        // An event of 8x8's may have told by now that it did take the conversation.
        if slot.handover.lock().await.state() != State::Creating {
            return Ok(());
        }
        let handover = Some(slot.id.clone());
        if matches!(error, ChatGatewayError::Unanswered(_)) {
            tracing::warn!(handover.id = %slot.id, "8x8 did not say whether it took the conversation, looking for it");
            self.resolve_create(slot, self.parts.clock.now());
            return Err(CommandError::ChatGateway { error, handover });
        }
        self.conclude_with(slot, Input::NotCreated(problem::of_create(&error, &slot.id)))
            .await?;
        if let (true, Some(key)) = (error.is_provably_unsent(), key) {
            self.parts.store.release_key(&bot.name, &key.scope, &key.key).await?;
        }
        Err(CommandError::ChatGateway { error, handover })
    }

    /// Writes 8x8's answer to a create. When the store is away, what 8x8 said is kept in mind and written when it is back.
    async fn conclude_with(self: &Arc<Self>, slot: &Arc<Slot>, input: Input) -> Result<(), CommandError> {
        let bound = self.bind(slot, input.clone()).await;
        if let Err(error) = &bound {
            tracing::warn!(handover.id = %slot.id, error = %error, "8x8's answer to the create could not be recorded yet");
            let (this, slot) = (Arc::clone(self), Arc::clone(slot));
            self.parts.supervisor.run(async move {
                this.until_it_works(|| this.bind(&slot, input.clone())).await;
            });
        }
        bound.map_err(|_logged| CommandError::Unrecorded(slot.id.clone()))
    }

    /// Writes 8x8's answer to a create, and applies the events that came before it.
    pub(super) async fn bind(self: &Arc<Self>, slot: &Arc<Slot>, input: Input) -> Result<(), ChangeError> {
        let mut handover = slot.handover.lock().await;
        self.change_locked(slot, &mut handover, input, Along::default()).await?;
        self.apply_kept_now_or_later(slot, &mut handover).await;
        Ok(())
    }
}

fn past(said: &HistoryMessage) -> PastMessage {
    PastMessage {
        author: said.author_type,
        text: said.text.clone(),
        cards: said.cards.clone(),
    }
}
