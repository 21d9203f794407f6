//! The contact centre beside its chats: schedules, the figures of each queue, and the tokens given out to ask for them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clock;
use super::ids;
use super::options::Options;

pub(crate) struct Centre {
    pub(crate) schedules: BTreeMap<String, Schedule>,
    pub(crate) figures: BTreeMap<String, Figures>,
    /// How long new tokens live.
    pub(crate) token_life: Duration,
    tokens: HashMap<String, i64>,
}

pub(crate) struct Schedule {
    pub(crate) name: String,
    /// As it is answered: 0 open, -1 closed, 1 to 6 or `Choice #1` to `Choice #6`.
    pub(crate) status: Value,
}

/// One queue. Times are in seconds here, whatever the API that shows them takes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Figures {
    /// Free right now.
    pub(crate) available: u64,
    pub(crate) busy: u64,
    pub(crate) wrap_up: u64,
    pub(crate) on_break: u64,
    pub(crate) offline: u64,
    pub(crate) logged_out: u64,
    pub(crate) waiting: u64,
    pub(crate) average_wait_seconds: Option<f64>,
}

impl Centre {
    pub(crate) fn new(options: &Options) -> Self {
        let schedules = options.schedules.iter().map(|(id, name)| {
            let open = Schedule {
                name: name.clone(),
                status: json!(0),
            };
            (id.clone(), open)
        });
        let one_agent = Figures {
            available: 1,
            ..Figures::default()
        };
        Self {
            schedules: schedules.collect(),
            figures: options
                .queues
                .iter()
                .map(|(id, _)| (id.clone(), one_agent.clone()))
                .collect(),
            token_life: options.token_life,
            tokens: HashMap::new(),
        }
    }

    /// By id, or by name.
    pub(crate) fn schedule(&self, id: &str) -> Option<&Schedule> {
        let by_name = || self.schedules.values().find(|schedule| schedule.name == id);
        self.schedules.get(id).or_else(by_name)
    }

    pub(crate) fn new_token(&mut self) -> String {
        let now = clock::now_ms();
        self.tokens.retain(|_, expires_at| *expires_at > now);
        let token = ids::token();
        let life = i64::try_from(self.token_life.as_millis()).unwrap_or(i64::MAX);
        self.tokens.insert(token.clone(), now.saturating_add(life));
        token
    }

    pub(crate) fn accepts(&self, token: &str) -> bool {
        self.tokens
            .get(token)
            .is_some_and(|expires_at| *expires_at > clock::now_ms())
    }

    pub(crate) fn revoke_tokens(&mut self) {
        self.tokens.clear();
    }
}
