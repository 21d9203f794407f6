//! Tells the dispatcher which lanes have something new. A hint, never the truth: what is lost here is found in the store.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::sync::Notify;

use crate::domain::BotName;
use crate::domain::HandoverId;

/// Cheap to clone; all clones wake the same dispatcher. A lane waits here once, however often it is named.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    lanes: Mutex<HashMap<HandoverId, BotName>>,
    notify: Notify,
}

impl Wake {
    pub fn new() -> Self {
        Self::default()
    }

    /// To be called after each commit that logged something to deliver.
    pub fn lane(&self, handover: &HandoverId, bot: &BotName) {
        let mut lanes = self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if !lanes.contains_key(handover) {
            lanes.insert(handover.clone(), bot.clone());
        }
        drop(lanes);
        self.call();
    }

    /// To be called when something is due that is in no lane.
    pub fn nudge(&self) {
        self.call();
    }

    /// Wakes the dispatcher without a lane.
    pub(crate) fn call(&self) {
        self.0.notify.notify_one();
    }

    pub(crate) async fn called(&self) {
        self.0.notify.notified().await;
    }

    pub(crate) fn take(&self) -> HashMap<HandoverId, BotName> {
        mem::take(&mut *self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
