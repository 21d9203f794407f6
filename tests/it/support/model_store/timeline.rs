//! The model's timeline.

use handover_gateway::domain::HandoverId;
use handover_gateway::store::CallMade;
use handover_gateway::store::DeliveryLeft;
use handover_gateway::store::EventRecorded;
use handover_gateway::store::MessagePosted;
use handover_gateway::store::Timeline;

use crate::support::model_store::model::Delivery;
use crate::support::model_store::model::Model;
use crate::support::model_store::model::Status;

impl Model {
    pub(super) fn timeline(&self, id: &HandoverId, limit: usize) -> Timeline {
        let mut timeline = Timeline::default();
        let events = self.events.iter().filter(|logged| logged.handover == *id);
        timeline.events = events
            .map(|logged| EventRecorded {
                id: logged.event.id.clone(),
                kind: logged.event.kind,
                sequence: logged.event.sequence,
                at: logged.event.at,
                state: logged.event.state,
                late: logged.event.late,
            })
            .collect();
        let tried = self.tried.iter().filter(|(of, _attempt)| of == id);
        timeline.attempts = tried.map(|(_of, attempt)| attempt.clone()).collect();
        timeline
            .attempts
            .sort_by_key(|attempt| (attempt.sequence, attempt.started_at, attempt.number));
        let left = self.deliveries.iter().filter(|delivery| delivery.handover == *id);
        timeline.deliveries = left.map(left_lane).collect();
        timeline.deliveries.sort_by_key(|delivery| delivery.sequence);
        let calls = self.calls.iter().filter(|(call, _open)| call.handover == *id);
        timeline.calls = calls
            .map(|(call, _open)| {
                let ended = self.ended_calls.get(&call.id).copied();
                CallMade::of(call.id.clone(), &call.call, call.created_at, ended)
            })
            .collect();
        let messages = self
            .messages
            .iter()
            .filter(|message| message.handover == *id && !message.notice);
        timeline.messages = messages
            .map(|message| MessagePosted {
                id: message.id.clone(),
                author: message.author,
                status: message.status,
                created_at: message.created_at,
            })
            .collect();
        timeline.cut = keep(&mut timeline.events, limit)
            | keep(&mut timeline.attempts, limit)
            | keep(&mut timeline.deliveries, limit)
            | keep(&mut timeline.calls, limit)
            | keep(&mut timeline.messages, limit);
        timeline
    }
}

fn left_lane(delivery: &Delivery) -> DeliveryLeft {
    let status = match delivery.status {
        Status::Aside => "aside",
        Status::Waiting => "waiting",
        Status::Failed => "failed",
        Status::Done => "done",
    };
    DeliveryLeft {
        event: delivery.event.clone(),
        sequence: delivery.sequence,
        status: status.to_owned(),
        attempts: delivery.tries.attempts,
        at: delivery.due_at,
        reason: delivery.reason.map(str::to_owned),
    }
}

/// The newest; whether others went.
fn keep<T>(rows: &mut Vec<T>, limit: usize) -> bool {
    let over = rows.len().saturating_sub(limit);
    rows.drain(..over);
    over > 0
}
