//! Who did what to what is kept: the audit log. Nothing in it is what people said, or a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::domain::BotName;
use crate::domain::Timestamp;
use crate::store::Store;
use crate::store::StoreError;

/// Entries are kept this long …
pub const AUDIT_KEPT: Duration = Duration::from_hours(24 * 365);
/// … and no more than so many of them.
pub const AUDIT_AT_MOST: u64 = 1_000_000;

/// On whose behalf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A bot, by its API.
    Bot(BotName),
    /// Somebody with an admin token, on the admin port.
    Operator,
    /// Somebody who ran a command of the program.
    Cli,
    /// A signal to the process.
    Signal,
    /// The gateway by itself, as its settings say.
    Gateway,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bot(name) => write!(f, "bot:{}", name.as_str()),
            Self::Operator => f.write_str("operator"),
            Self::Cli => f.write_str("cli"),
            Self::Signal => f.write_str("signal"),
            Self::Gateway => f.write_str("gateway"),
        }
    }
}

/// One entry, as it is written and as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    pub at: Timestamp,
    pub actor: String,
    /// `content.erase`, `delivery.resend` …: what, and what was done to it.
    pub action: String,
    /// The id of a handover or a delivery, or a name from the settings.
    pub target: Option<String>,
    /// Of the call that asked for it, as its log lines have it.
    pub request_id: Option<String>,
    /// `done`, or a short word of our own for why not.
    pub outcome: String,
    /// Names of ours, and how many.
    pub counts: BTreeMap<String, u64>,
}

impl AuditEntry {
    /// An entry of what was done.
    pub fn new(at: Timestamp, actor: &Actor, action: &'static str) -> Self {
        Self {
            at,
            actor: actor.to_string(),
            action: action.to_owned(),
            target: None,
            request_id: None,
            outcome: "done".to_owned(),
            counts: BTreeMap::new(),
        }
    }

    #[must_use]
    pub fn target(mut self, id: impl Into<String>) -> Self {
        self.target = Some(id.into());
        self
    }

    #[must_use]
    pub fn request_id(mut self, id: Option<String>) -> Self {
        self.request_id = id;
        self
    }

    #[must_use]
    pub fn outcome(mut self, word: &'static str) -> Self {
        word.clone_into(&mut self.outcome);
        self
    }

    #[must_use]
    pub fn count(mut self, name: &'static str, number: usize) -> Self {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        self.counts.insert(name.to_owned(), number);
        self
    }

    /// One line of log under a target of its own, so that the log's shipping can keep it apart. It is written also when the
    /// store takes nothing.
    pub fn log(&self) {
        tracing::info!(
            target: "handover_gateway::audit",
            actor = self.actor,
            action = self.action,
            target_id = self.target,
            request_id = self.request_id,
            outcome = self.outcome,
            counts = ?self.counts,
            "audit"
        );
    }
}

/// Logs an entry and keeps it.
pub async fn audit(store: &dyn Store, entry: AuditEntry) -> Result<(), StoreError> {
    entry.log();
    store.append_audit(entry).await
}
