//! What each side wrote down during a run. The checker sees nothing else.

use serde::Serialize;

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Ledgers {
    /// Webhook events as 8x8 signed them.
    pub(crate) webhooks: Vec<Webhook>,
    /// Calls 8x8 received, in order.
    pub(crate) calls: Vec<Call>,
    /// Callbacks the bots received, in order.
    pub(crate) callbacks: Vec<Callback>,
    /// What bots wanted of the gateway, and what they were told in the end.
    pub(crate) intents: Vec<Intent>,
    pub(crate) store: Stored,
    /// Conversations at 8x8 in which an agent or a queue is still held.
    pub(crate) held: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Webhook {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) conversation: String,
    /// What somebody said, in events that carry words.
    pub(crate) text: Option<String>,
    pub(crate) acked: bool,
    pub(crate) attempts: usize,
    /// Attempts that the gateway answered, and not with 2xx.
    pub(crate) refused: usize,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) conversation: String,
    /// What was said; of a create the user's name, which is unique.
    pub(crate) text: String,
    /// Carried out, whatever the caller was told.
    pub(crate) taken: bool,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Callback {
    /// Milliseconds since the bots were started.
    pub(crate) at: u64,
    pub(crate) bot: String,
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) handover: String,
    pub(crate) conversation: String,
    pub(crate) sequence: u64,
    /// The webhook event it stands for.
    pub(crate) source: Option<String>,
    /// Read from 8x8 in the place of a webhook event.
    pub(crate) read: bool,
    pub(crate) text: Option<String>,
    pub(crate) ephemeral: bool,
    /// The same for every attempt at an event.
    pub(crate) hash: u64,
    pub(crate) answered: Option<u16>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Intent {
    pub(crate) number: u64,
    pub(crate) kind: &'static str,
    pub(crate) bot: String,
    pub(crate) handover: String,
    /// Unique; empty where nothing is said.
    pub(crate) text: String,
    pub(crate) attempts: u32,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) enum Outcome {
    /// Nobody said how it ended.
    #[default]
    Open,
    /// 2xx; for a message its status then.
    Done(String),
    /// A definite no, with its code.
    Refused(String),
}

/// The gateway's own file, read when all is quiet.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Stored {
    pub(crate) handovers: Vec<StoredHandover>,
    pub(crate) events: Vec<StoredEvent>,
    pub(crate) messages: Vec<StoredMessage>,
    /// Webhook events no handover has taken.
    pub(crate) unplaced: Vec<String>,
    /// Webhook events that a handover has taken.
    pub(crate) placed: Vec<String>,
    pub(crate) open_calls: usize,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct StoredHandover {
    pub(crate) id: String,
    pub(crate) bot: String,
    pub(crate) state: String,
    pub(crate) conversation: String,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct StoredEvent {
    pub(crate) id: String,
    pub(crate) handover: String,
    pub(crate) sequence: u64,
    pub(crate) kind: String,
    pub(crate) source: Option<String>,
    /// What was said; nothing where it was erased since.
    pub(crate) text: Option<String>,
    pub(crate) fate: Fate,
}

/// How far the gateway says it got with an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) enum Fate {
    #[default]
    Pending,
    /// Its lane is past it.
    Done,
    /// Listed as failed, or retried aside.
    Listed,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct StoredMessage {
    pub(crate) handover: String,
    pub(crate) text: String,
    pub(crate) status: String,
}
