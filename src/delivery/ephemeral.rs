//! Events that live in memory only: the latest of each handover waits here until the dispatcher looks.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::delivery::Wake;
use crate::domain::EventContext;
use crate::domain::HandoverEvent;
use crate::domain::HandoverId;
use crate::store::KeptWebhook;

/// Cheap to clone; all clones offer to the same dispatcher.
#[derive(Clone, Debug)]
pub struct Ephemerals {
    offers: Arc<Mutex<HashMap<HandoverId, Offer>>>,
    wake: Wake,
}

/// An ephemeral event on its way to a bot: sent once, or dropped.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) context: EventContext,
    pub(crate) event: HandoverEvent,
    /// The handover's own callback address, when it was created with one.
    pub(crate) callback_url: Option<String>,
    /// The webhook itself, for a bot that gets those.
    pub(crate) webhook: Option<KeptWebhook>,
}

impl Ephemerals {
    pub fn new(wake: Wake) -> Self {
        Self {
            offers: Arc::default(),
            wake,
        }
    }

    /// Takes the place of an earlier one of the same handover. Must be called after [`Wake::lane`] for what was logged
    /// before it, so that it cannot overtake that.
    pub fn offer(&self, context: EventContext, event: HandoverEvent, callback_url: Option<String>) {
        self.put(Offer {
            context,
            event,
            callback_url,
            webhook: None,
        });
    }

    /// The same for a webhook that is passed on as it came.
    pub fn pass_on(
        &self,
        context: EventContext,
        event: HandoverEvent,
        callback_url: Option<String>,
        webhook: KeptWebhook,
    ) {
        self.put(Offer {
            context,
            event,
            callback_url,
            webhook: Some(webhook),
        });
    }

    fn put(&self, offer: Offer) {
        let handover = offer.context.handover.clone();
        let mut offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        offers.insert(handover, offer);
        drop(offers);
        self.wake.call();
    }

    /// The handle that what is offered here wakes the dispatcher by.
    pub fn wake(&self) -> &Wake {
        &self.wake
    }

    pub(crate) fn take(&self) -> HashMap<HandoverId, Offer> {
        mem::take(&mut *self.offers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
