//! One bot-to-agent episode: what was settled when it opened, and where it stands.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::domain::AccountId;
use crate::domain::Agents;
use crate::domain::Backfilled;
use crate::domain::BotName;
use crate::domain::ConversationId;
use crate::domain::EndHandover;
use crate::domain::EndReason;
use crate::domain::HandBack;
use crate::domain::HandoverId;
use crate::domain::HistoryFile;
use crate::domain::Outcome;
use crate::domain::OwnWords;
use crate::domain::RawJson;
use crate::domain::Reopening;
use crate::domain::Routing;
use crate::domain::TenantName;
use crate::domain::Timestamp;
use crate::domain::User;

/// Changed only by [`crate::domain::transition::next`]; `version` counts the changes, so that a commit can tell whether
/// it was computed from the newest.
#[derive(Clone, Debug, PartialEq)]
pub struct Handover {
    pub facts: Arc<Facts>,
    pub version: u64,
    pub progress: Progress,
}

/// Settled at the create, never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub id: HandoverId,
    pub tenant: TenantName,
    pub account: AccountId,
    pub bot: BotName,
    pub origin: Origin,
    pub channel_id: String,
    /// The queue asked for at the create.
    pub queue_id: Option<String>,
    pub bot_session_id: Option<String>,
    /// Whether `bot_session_id` may have one live handover only.
    pub one_per_session: bool,
    pub metadata: Option<RawJson>,
    /// Where this handover's events go, when not to the bot's own address.
    pub callback_url: Option<String>,
    pub reopened_from: Option<HandoverId>,
    /// How the user came, where the conversation began at 8x8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<Arrival>,
    pub timers: Timers,
    pub created_at: Timestamp,
    /// When it was rebuilt from 8x8, where the store was lost: what was said before is 8x8's to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered_at: Option<Timestamp>,
}

/// What changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub state: State,
    pub last_sequence: u64,
    pub updated_at: Timestamp,
    pub user: Arc<User>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    #[serde(default)]
    pub agents: Agents,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<EndReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_joined_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Since when it waits in a queue: the queue time-out counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_since: Option<Timestamp>,
    /// Which queues it goes through.
    #[serde(default, skip_serializing_if = "Routing::is_default")]
    pub routing: Routing,
    /// The last message either way: the idle time-out counts from here.
    pub last_message_at: Timestamp,
    /// A TRANSFER or its queue was seen: the agent who left is not the last.
    #[serde(default)]
    pub transfer_seen: bool,
    /// When 8x8 is to be asked whether the conversation goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask_at: Option<Timestamp>,
    /// Answers that said neither yes nor no.
    #[serde(default)]
    pub asked: u8,
    /// The words that put an ended conversation into its queue again, until it is known what 8x8 made of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reopening: Option<Box<Reopening>>,
    /// An end that came before 8x8 answered the create.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_requested: Option<EndHandover>,
    /// Files of the history, until 8x8 has the conversation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history_files: Vec<HistoryFile>,
    /// 8x8's newest time of an event that changed the state; an older one may not take it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_mark: Option<i64>,
    /// What CONVERSATION_UPDATE last said of user, channel and number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_seen: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand_back: Option<HandBack>,
    /// What was posted in the user's name and may come back as the user's, newest last.
    #[serde(default, skip_serializing_if = "OwnWords::is_empty")]
    pub own_words: OwnWords,
    /// The agent was told that the user is not receiving messages.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub agent_knows: bool,
    /// What was read from 8x8 before its event of it came, if that ever does.
    #[serde(default, skip_serializing_if = "Backfilled::is_empty")]
    pub backfilled: Backfilled,
    /// Since when what people said and who they are is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Creating,
    Queued,
    Active,
    Transferring,
    Bot,
    Ended,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    Bot,
    Agent,
}

/// What 8x8 says of a conversation that a user began in one of its channels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Arrival {
    /// `WhatsApp`, `WebChat`, or whatever 8x8 says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msisdn: Option<String>,
}

/// Who opened the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Bot,
    Channel,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// How long a handover may stay where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timers {
    pub queue: Option<Duration>,
    pub idle: Option<Duration>,
    pub max_age: Duration,
    pub transfer_grace: Duration,
}

impl Handover {
    /// A handover about to be asked of 8x8.
    pub fn creating(facts: Facts, user: User) -> Self {
        let at = facts.created_at;
        let queue = facts.queue_id.clone().map(|id| Queue { id, name: None });
        let progress = Progress {
            state: State::Creating,
            last_sequence: 0,
            updated_at: at,
            user: Arc::new(user),
            conversation: None,
            queue,
            agents: Agents::default(),
            end_reason: None,
            outcome: None,
            agent_joined_at: None,
            ended_at: None,
            queued_since: None,
            routing: Routing::default(),
            last_message_at: at,
            transfer_seen: false,
            ask_at: None,
            asked: 0,
            reopening: None,
            end_requested: None,
            history_files: Vec::new(),
            state_mark: None,
            conversation_seen: None,
            hand_back: None,
            own_words: OwnWords::default(),
            agent_knows: false,
            backfilled: Backfilled::default(),
            erased_at: None,
        };
        Self {
            facts: Arc::new(facts),
            version: 0,
            progress,
        }
    }

    /// A conversation that began at 8x8 and is led by the bot.
    pub fn led_by_bot(facts: Facts, user: User, conversation: ConversationId) -> Self {
        let mut handover = Self::creating(facts, user);
        handover.progress.state = State::Bot;
        handover.progress.conversation = Some(conversation);
        handover
    }

    pub fn id(&self) -> &HandoverId {
        &self.facts.id
    }

    pub fn state(&self) -> State {
        self.progress.state
    }
}

impl State {
    pub const ALL: [Self; 7] = [
        Self::Creating,
        Self::Queued,
        Self::Active,
        Self::Transferring,
        Self::Bot,
        Self::Ended,
        Self::Failed,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Queued => "queued",
            Self::Active => "active",
            Self::Transferring => "transferring",
            Self::Bot => "bot",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub const fn is_live(self) -> bool {
        match self {
            Self::Creating | Self::Queued | Self::Active | Self::Transferring | Self::Bot => true,
            Self::Ended | Self::Failed => false,
        }
    }

    pub const fn control(self) -> Control {
        match self {
            Self::Queued | Self::Active | Self::Transferring => Control::Agent,
            Self::Creating | Self::Bot | Self::Ended | Self::Failed => Control::Bot,
        }
    }
}
