//! Sends webhook events: one lane a conversation, the next event after the last one was acknowledged or given up.
//! Each attempt carries the same event id and a new time, retry counter and signature.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::header;
use tokio::sync::Notify;

use super::clock;
use super::faults::{Rule, Stage, Surface};
use super::ids;
use super::ledger::{EventEntry, Ledger, is_success};
use super::signer::{SignOverrides, SignedHeaders};
use super::state::State;
use super::world::{Conversation, Rendered};

/// How long a `reorder` fault waits for the event to swap with.
const SWAP_WAIT: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(crate) struct Lanes {
    /// A lane is here as long as its task runs.
    waiting: Mutex<HashMap<String, VecDeque<Outgoing>>>,
    drained: Notify,
}

/// One event on its way to the webhook of its channel.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) entry: EventEntry,
    pub(crate) event_id: String,
    pub(crate) event_type: String,
    pub(crate) conversation_id: String,
    pub(crate) channel_id: String,
    pub(crate) body: Bytes,
    pub(crate) tampering: Tampering,
}

/// What is made wrong in every attempt at an event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tampering {
    pub(crate) sign: SignOverrides,
    /// Put in place after signing; nothing removes the header.
    pub(crate) headers: Vec<(String, Option<String>)>,
}

/// What the webhook said.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Outgoing {
    pub(crate) fn new(ledger: &Ledger, conversation: &Conversation, event: Rendered) -> Self {
        let event_id = ids::token();
        let body = Bytes::from(event.body.to_string());
        Self {
            entry: ledger.event(&event_id, &event.event_type, &conversation.id, &body),
            event_id,
            event_type: event.event_type,
            conversation_id: conversation.id.clone(),
            channel_id: conversation.channel_id.clone(),
            body,
            tampering: Tampering::default(),
        }
    }
}

impl State {
    pub(crate) fn enqueue(self: &Arc<Self>, outgoing: Outgoing) {
        let key = outgoing.conversation_id.clone();
        if self.lanes.push(outgoing) {
            let shared = Arc::clone(self);
            drop(self.start(async move { shared.run_lane(&key).await }));
        }
    }

    /// Returns when nothing is waiting for this conversation's webhook any more.
    pub(crate) async fn lane_drained(&self, conversation_id: &str) {
        loop {
            let drained = self.lanes.drained.notified();
            if !self.lanes.is_running(conversation_id) {
                return;
            }
            drained.await;
        }
    }

    async fn run_lane(&self, key: &str) {
        while let Some(outgoing) = self.lanes.pop_or_close(key) {
            if self.faults.take_reorder(&outgoing.event_type, key)
                && let Some(next) = self.lanes.pop_within(key, SWAP_WAIT).await
            {
                self.deliver(&next).await;
            }
            self.deliver(&outgoing).await;
        }
    }

    async fn deliver(&self, outgoing: &Outgoing) {
        let mut waits = self.options.retry_schedule.iter();
        for retry in 0.. {
            let at = clock::now_ms();
            let outcome = self.attempt(outgoing, retry).await;
            let acked = outcome.as_ref().is_ok_and(|&status| is_success(status));
            self.ledger.attempt(outgoing.entry, at, outcome);
            if acked {
                return;
            }
            let Some(&wait) = waits.next() else { break };
            tokio::time::sleep(wait).await;
        }
        self.ledger.given_up(outgoing.entry);
    }

    async fn attempt(&self, outgoing: &Outgoing, retry: u32) -> Result<u16, String> {
        let fault = self
            .faults
            .take(Surface::Webhook, &outgoing.event_type, Some(&outgoing.conversation_id));
        match fault {
            None => self.post(outgoing, retry).await.map(|answer| answer.status),
            Some(fault) => self.faulty_attempt(outgoing, retry, &fault).await,
        }
    }

    async fn faulty_attempt(&self, outgoing: &Outgoing, retry: u32, fault: &Rule) -> Result<u16, String> {
        tokio::time::sleep(fault.delay).await;
        if fault.drop == Some(Stage::Before) {
            return Err("fault: not sent".to_owned());
        }
        if fault.hang == Some(Stage::Before) {
            tokio::time::sleep(self.options.hang_limit).await;
            return Err("fault: hung before sending".to_owned());
        }
        let extra = join_all((0..fault.duplicate).map(|_| self.post(outgoing, retry)));
        let (answer, _) = tokio::join!(self.post(outgoing, retry), extra);
        if fault.drop == Some(Stage::After) {
            return Err("fault: answer not read".to_owned());
        }
        if fault.hang == Some(Stage::After) {
            tokio::time::sleep(self.options.answer_limit).await;
            return Err("fault: answer timed out".to_owned());
        }
        fault.status.map_or_else(|| answer.map(|answer| answer.status), Ok)
    }

    /// Signs and posts an event once, now.
    pub(crate) async fn post(&self, outgoing: &Outgoing, retry: u32) -> Result<Answer, String> {
        let url = self.webhook_url(&outgoing.channel_id).ok_or("no webhook url is set")?;
        let headers = self.signed_headers(outgoing, retry)?;
        let response = self.send(url, headers, outgoing.body.clone()).await?;
        let status = response.status().as_u16();
        Ok(Answer {
            status,
            body: response.text().await.unwrap_or_default(),
        })
    }

    pub(crate) fn signed_headers(&self, outgoing: &Outgoing, retry: u32) -> Result<Vec<(String, String)>, String> {
        let headers = SignedHeaders {
            event_id: &outgoing.event_id,
            tenant_id: &self.options.tenant_id,
            customer_id: &self.options.customer_id,
            retry,
            transmission_time_ms: clock::now_ms(),
        };
        let key = self.keys.current().map_err(|error| error.to_string())?;
        let signature = key.sign_as(&outgoing.body, headers, &outgoing.tampering.sign);
        let six = signature.map_err(|error| error.to_string())?;
        let mut all: Vec<_> = six.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        all.extend(self.options.webhook_headers.iter().cloned());
        for (name, value) in &outgoing.tampering.headers {
            all.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            all.extend(value.iter().map(|value| (name.clone(), value.clone())));
        }
        Ok(all)
    }

    pub(crate) async fn send(
        &self,
        url: String,
        headers: Vec<(String, String)>,
        body: Bytes,
    ) -> Result<reqwest::Response, String> {
        let mut request = self.http.post(url).timeout(self.options.answer_limit).body(body);
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request = request.header(header::CACHE_CONTROL, "no-cache");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().await.map_err(|error| describe(&error))
    }

    pub(crate) fn webhook_url(&self, channel_id: &str) -> Option<String> {
        let world = self.world();
        world
            .webhook_of_channel(channel_id)
            .map(|webhook| webhook.uri.clone())
            .filter(|uri| !uri.is_empty())
    }
}

fn describe(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

impl Lanes {
    /// Whether the lane was closed, so that its task must be started.
    fn push(&self, outgoing: Outgoing) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = waiting.get_mut(&outgoing.conversation_id) {
            lane.push_back(outgoing);
            return false;
        }
        waiting.insert(outgoing.conversation_id.clone(), VecDeque::from([outgoing]));
        true
    }

    fn is_running(&self, key: &str) -> bool {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(key)
    }

    fn pop_or_close(&self, key: &str) -> Option<Outgoing> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let next = waiting.get_mut(key).and_then(VecDeque::pop_front);
        if next.is_none() {
            waiting.remove(key);
            self.drained.notify_waiters();
        }
        next
    }

    fn pop(&self, key: &str) -> Option<Outgoing> {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_mut(key)
            .and_then(VecDeque::pop_front)
    }

    async fn pop_within(&self, key: &str, limit: Duration) -> Option<Outgoing> {
        let find = async {
            loop {
                if let Some(next) = self.pop(key) {
                    return next;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(limit, find).await.ok()
    }
}
