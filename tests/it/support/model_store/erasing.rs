//! The model without what people said and who they are.

use bytes::Bytes;
use handover_gateway::domain::Handover;
use handover_gateway::domain::HandoverId;
use handover_gateway::domain::Timestamp;
use handover_gateway::domain::WebhookHeaders;
use handover_gateway::store::AuditEntry;
use handover_gateway::store::Reference;

use crate::support::model_store::model::Model;
use crate::support::model_store::model::Open;
use crate::support::model_store::model::Status;

impl Model {
    pub(super) fn is_erased(&self, id: &HandoverId) -> bool {
        self.find(id).is_some_and(Handover::is_erased)
    }

    pub(super) fn begin_erasing(&mut self, handover: Handover, entry: Option<AuditEntry>) -> bool {
        let stored = self.handovers.iter_mut().find(|other| other.id() == handover.id());
        let Some(stored) = stored.filter(|stored| stored.version + 1 == handover.version && !stored.state().is_live())
        else {
            return false;
        };
        *stored = handover;
        self.audit.extend(entry);
        true
    }

    /// All at once.
    pub(super) fn erase(&mut self, id: &HandoverId) -> usize {
        let mut gone = usize::from(self.histories.remove(id).is_some());
        for (receipt, taken) in &mut self.webhook_events {
            if taken.as_ref() == Some(id) && (!receipt.body.is_empty() || !receipt.headers.is_empty()) {
                (receipt.body, receipt.headers) = (Bytes::new(), WebhookHeaders::default());
                gone += 1;
            }
        }
        for message in self.messages.iter_mut().filter(|message| message.handover == *id) {
            let before = message.clone();
            message.text = None;
            message.cards.clear();
            message.attachments.clear();
            gone += usize::from(*message != before);
        }
        for logged in self.events.iter_mut().filter(|logged| logged.handover == *id) {
            let erased = logged.event.erased();
            gone += usize::from(erased != logged.event);
            logged.event = erased;
        }
        let mine = |call: &&mut (_, Open)| call.1 == Open::No;
        for (call, _) in self
            .calls
            .iter_mut()
            .filter(mine)
            .filter(|(call, _)| call.handover == *id)
        {
            let erased = call.call.erased();
            gone += usize::from(erased != call.call);
            call.call = erased;
        }
        for (record, _) in self.keys.values_mut() {
            let is_about = match &record.reference {
                Reference::Handover(about) | Reference::Message(about, _) => about == id,
                Reference::Nothing => false,
            };
            if let (true, Some(answer)) = (is_about, &mut record.answer) {
                let erased = answer.erased();
                gone += usize::from(erased != *answer);
                *answer = erased;
            }
        }
        if !self.has_open_call(id) && self.is_erased(id) {
            self.erased.insert(id.clone());
        }
        gone
    }

    pub(super) fn erasable(&self, ended_before: Timestamp, limit: usize) -> Vec<HandoverId> {
        let begun = |handover: &&Handover| handover.is_erased() && !self.erased.contains(handover.id());
        let due = |handover: &&Handover| {
            let ended = handover.progress.ended_at.filter(|_| !handover.state().is_live());
            ended.is_some_and(|at| at < ended_before)
                && !handover.is_erased()
                && !self.has_something_to_deliver(handover.id())
        };
        let free = |handover: &&Handover| !self.has_open_call(handover.id());
        let mut first: Vec<&Handover> = self.handovers.iter().filter(begun).filter(free).collect();
        first.sort_by_key(|handover| handover.id().clone());
        let mut then: Vec<&Handover> = self.handovers.iter().filter(due).filter(free).collect();
        then.sort_by_key(|handover| handover.progress.ended_at);
        let all = first.into_iter().chain(then);
        all.take(limit).map(|handover| handover.id().clone()).collect()
    }

    fn has_something_to_deliver(&self, id: &HandoverId) -> bool {
        let Some(lane) = self.lanes.get(id).filter(|lane| !lane.stopped) else {
            return false;
        };
        let aside = |delivery: &_| {
            let crate::support::model_store::model::Delivery { handover, status, .. } = delivery;
            handover == id && matches!(*status, Status::Aside | Status::Waiting)
        };
        lane.head < lane.tail || self.deliveries.iter().any(aside)
    }
}
