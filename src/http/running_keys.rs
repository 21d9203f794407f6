//! The idempotency keys of calls that run now in this process, so that a repeat does not run beside the first.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::domain::BotName;
use crate::handovers::Key;

/// Cheap to clone; all clones share the same set.
#[derive(Clone, Debug, Default)]
pub struct RunningKeys(Arc<Mutex<HashMap<Name, [u8; 32]>>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Name {
    bot: BotName,
    scope: String,
    key: String,
}

/// The key runs until this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    keys: RunningKeys,
    name: Name,
}

/// What is wrong with starting a call whose key is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    SameRequest,
    OtherRequest,
}

impl RunningKeys {
    pub(super) fn start(&self, bot: &BotName, key: &Key) -> Result<Running, Taken> {
        let name = Name {
            bot: bot.clone(),
            scope: key.scope.clone(),
            key: key.key.clone(),
        };
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match keys.entry(name.clone()) {
            Entry::Occupied(running) if *running.get() == key.request_sha256 => Err(Taken::SameRequest),
            Entry::Occupied(_) => Err(Taken::OtherRequest),
            Entry::Vacant(free) => {
                free.insert(key.request_sha256);
                drop(keys);
                Ok(Running {
                    keys: self.clone(),
                    name,
                })
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.keys
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(scope: &str, body: u8) -> Key {
        Key {
            scope: scope.to_owned(),
            key: "k".to_owned(),
            request_sha256: [body; 32],
        }
    }

    #[test]
    fn a_key_runs_once_a_bot_and_scope_until_its_call_is_over() {
        let keys = RunningKeys::default();
        let (bot, other) = (BotName::new("a"), BotName::new("b"));
        let first = keys.start(&bot, &key("POST /x", 1)).unwrap();
        assert_eq!(keys.start(&bot, &key("POST /x", 1)).unwrap_err(), Taken::SameRequest);
        assert_eq!(keys.start(&bot, &key("POST /x", 2)).unwrap_err(), Taken::OtherRequest);
        drop(keys.start(&other, &key("POST /x", 1)).unwrap());
        drop(keys.start(&bot, &key("POST /y", 1)).unwrap());
        drop(first);
        drop(keys.start(&bot, &key("POST /x", 2)).unwrap());
    }
}
