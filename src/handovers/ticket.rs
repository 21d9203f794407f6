//! Joins a bot's waiting call with the lane that carries it out, so that exactly one of answer and event tells the fate.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Notify;

use crate::chat_gateway::ChatGatewayError;
use crate::domain::MessageStatus;

/// How a call stands, or went.
#[derive(Debug)]
pub(super) enum Fate {
    /// Still under way; for a message, how it stands.
    Open(MessageStatus),
    Done,
    /// 8x8 said no, or the time ran out. The error is told to whoever waits first.
    Failed(Option<ChatGatewayError>),
    Unconfirmed,
    /// A file that goes with it could not be fetched.
    Unfetched {
        place: usize,
        why: String,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Ticket(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<Inner>,
    settled: Notify,
}

#[derive(Debug)]
struct Inner {
    fate: Fate,
    /// How it stood when the bot was answered.
    answered: Option<MessageStatus>,
    /// The last word is being recorded; whoever waits will be told it.
    deciding: bool,
}

/// Recording the last word takes no longer, or the store is away and the bot learns of it by an event.
const RECORDING: Duration = Duration::from_secs(5);

impl Ticket {
    pub(super) fn new() -> Self {
        let state = Mutex::new(Inner {
            fate: Fate::Open(MessageStatus::Queued),
            answered: None,
            deciding: false,
        });
        Self(Arc::new(Shared {
            state,
            settled: Notify::new(),
        }))
    }

    /// The lane's word on a call still under way.
    pub(super) fn stands(&self, status: MessageStatus) {
        self.with(|inner| inner.fate = Fate::Open(status));
    }

    /// The lane is about to record its last word. How it stood when the bot was answered; `None` when the bot still waits,
    /// and goes on waiting for [`Ticket::settle`].
    pub(super) fn decide(&self) -> Option<MessageStatus> {
        self.with(|inner| {
            inner.deciding = inner.answered.is_none();
            inner.answered
        })
    }

    /// The lane's last word.
    pub(super) fn settle(&self, fate: Fate) {
        self.with(|inner| inner.fate = fate);
        self.0.settled.notify_one();
    }

    /// Waits for the last word, at most `wait`; then takes how it stands.
    pub(super) async fn wait(&self, wait: Duration) -> Fate {
        // A time-out is an answer here: the call is still open.
        drop(tokio::time::timeout(wait, self.0.settled.notified()).await);
        if self.with(|inner| inner.deciding && matches!(inner.fate, Fate::Open(_))) {
            drop(tokio::time::timeout(RECORDING, self.0.settled.notified()).await);
        }
        self.with(|inner| {
            let (fate, stands) = match &mut inner.fate {
                Fate::Open(status) => (Fate::Open(*status), *status),
                Fate::Done => (Fate::Done, MessageStatus::Accepted),
                Fate::Failed(error) => (Fate::Failed(error.take()), MessageStatus::Failed),
                Fate::Unconfirmed => (Fate::Unconfirmed, MessageStatus::Unconfirmed),
                Fate::Unfetched { place, why } => {
                    let (place, why) = (*place, std::mem::take(why));
                    (Fate::Unfetched { place, why }, MessageStatus::Failed)
                }
            };
            inner.answered = Some(stands);
            fate
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
