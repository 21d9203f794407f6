//! Sends one callback and reports what the bot answered. Retrying is the dispatcher's business.

use std::error::Error;
use std::io;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;
use reqwest::Response;
use url::Url;

use crate::clock::Clock;
use crate::delivery::CallbackFormat;
use crate::delivery::answer;
use crate::delivery::answer::Answer;
use crate::delivery::answer::Fault;
use crate::delivery::callback_auth::Renewal;
use crate::delivery::roster::Bot;
use crate::delivery::signing;
use crate::domain::EventContext;
use crate::domain::HandoverEvent;
use crate::domain::Marks;
use crate::domain::Timestamp;
use crate::outbound::NameNotFound;
use crate::outbound::RefusedAddress;
use crate::outbound::UrlFault;
use crate::store::KeptWebhook;

/// So much of an answer is read; the rest is not waited for.
const ANSWER_LIMIT: usize = 64 * 1024;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const HANDOVER_ID: HeaderName = HeaderName::from_static("handover-id");
const HANDOVER_SEQUENCE: HeaderName = HeaderName::from_static("handover-sequence");
const HANDOVER_ATTEMPT: HeaderName = HeaderName::from_static("handover-attempt");
const HANDOVER_REPLAY: HeaderName = HeaderName::from_static("handover-replay");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// One event, to be posted to one address.
#[derive(Debug)]
pub(crate) struct Callback<'a> {
    pub(crate) event: &'a HandoverEvent,
    pub(crate) context: &'a EventContext,
    pub(crate) marks: Marks,
    /// Counted from 1.
    pub(crate) attempt: u32,
    /// Somebody asked for it again.
    pub(crate) replay: bool,
    /// What is passed on in the event's place, where it stands for a webhook.
    pub(crate) webhook: Option<&'a KeptWebhook>,
}

impl Callback<'_> {
    /// Makes the attempt. Ends by itself only with the bot's answer: the time-out is the caller's.
    pub(crate) async fn post(&self, bot: &Bot, url: Url, clock: &Clock) -> Answer {
        match bot.delivery.policy.check(&url) {
            Ok(()) => {}
            Err(UrlFault::RefusedAddress) => return Answer::fault(Fault::RefusedAddress),
            Err(_) => return Answer::fault(Fault::BadUrl),
        }
        let Some(content) = self.content(bot) else {
            return Answer::fault(Fault::Unsendable);
        };
        let Ok(mut headers) = self.headers(bot, &content, clock.wall()) else {
            return Answer::fault(Fault::Unsendable);
        };
        let policy = &bot.delivery.policy;
        let Ok(()) = bot.credentials.add(&mut headers, policy, clock.now()).await else {
            return Answer::fault(Fault::Token);
        };
        let answer = send(bot, &url, &headers, &content.body, clock).await;
        if answer.status != Some(401) || bot.credentials.refused(&headers, clock.now()) == Renewal::No {
            return answer;
        }
        let used = headers.get(header::AUTHORIZATION).cloned();
        match bot.credentials.add(&mut headers, policy, clock.now()).await {
            Ok(()) if headers.get(header::AUTHORIZATION) != used.as_ref() => {
                send(bot, &url, &headers, &content.body, clock).await
            }
            Ok(()) => answer,
            Err(_fault) => Answer::fault(Fault::Token),
        }
    }

    /// `None` for what cannot be put into the bot's format.
    fn content(&self, bot: &Bot) -> Option<Content> {
        let (content_type, body) = match bot.delivery.format {
            CallbackFormat::Native => (
                "application/json",
                self.event.render(self.context, self.marks).ok()?.into(),
            ),
            CallbackFormat::CloudEvents => {
                let body = self.event.render_cloud_event(self.context, self.marks, &bot.source);
                ("application/cloudevents+json", body.ok()?.into())
            }
            CallbackFormat::Passthrough => ("application/json", self.webhook?.body.clone()),
        };
        Some(Content { content_type, body })
    }

    fn headers(&self, bot: &Bot, content: &Content, now: Timestamp) -> Result<HeaderMap, http::Error> {
        let seconds = now.as_seconds().to_string();
        let id = self.event.id.as_str();
        let mut headers = HeaderMap::with_capacity(24);
        for (name, value) in self.webhook.iter().flat_map(|webhook| &webhook.headers.0) {
            let mut value = HeaderValue::from_str(value)?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_bytes(name.as_bytes())?, value);
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content.content_type));
        headers.insert(WEBHOOK_ID, HeaderValue::from_str(id)?);
        if let Some(value) = signing::signatures(&bot.delivery.secrets, id, &seconds, &content.body) {
            headers.insert(WEBHOOK_SIGNATURE, HeaderValue::try_from(value)?);
        }
        headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::try_from(seconds)?);
        headers.insert(HANDOVER_ID, HeaderValue::from_str(self.context.handover.as_str())?);
        headers.insert(HANDOVER_SEQUENCE, HeaderValue::from(self.event.sequence));
        headers.insert(HANDOVER_ATTEMPT, HeaderValue::from(self.attempt));
        if self.replay {
            headers.insert(HANDOVER_REPLAY, HeaderValue::from_static("1"));
        }
        headers.insert(TRACEPARENT, HeaderValue::try_from(traceparent())?);
        Ok(headers)
    }
}

/// A body as it goes out, and what it is.
struct Content {
    content_type: &'static str,
    body: Bytes,
}

async fn send(bot: &Bot, url: &Url, headers: &HeaderMap, body: &Bytes, clock: &Clock) -> Answer {
    let request = bot.client.post(url.clone()).headers(headers.clone()).body(body.clone());
    match request.send().await {
        Ok(response) => read(response, clock.wall()).await,
        Err(error) => Answer::fault(fault_of(&error)),
    }
}

/// Reads the answer to its end, or as far as it interests us. A connection whose answer was not read to its end is closed.
async fn read(mut response: Response, now: Timestamp) -> Answer {
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| answer::retry_after(value, now));
    let mut answer = Answer {
        status: Some(response.status().as_u16()),
        fault: None,
        retry_after,
    };
    let mut left = ANSWER_LIMIT;
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if chunk.len() < left => left -= chunk.len(),
            Ok(_) => return answer,
            Err(_) => {
                answer.fault = Some(Fault::Cut);
                return answer;
            }
        }
    }
}

/// A new trace for each attempt, since what an event came from is not kept with it.
fn traceparent() -> String {
    format!(
        "00-{:032x}-{:016x}-01",
        rand::random::<u128>() | 1,
        rand::random::<u64>() | 1
    )
}

pub(super) fn fault_of(error: &reqwest::Error) -> Fault {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    let mut found = None;
    while let Some(cause) = source {
        if cause.is::<RefusedAddress>() {
            return Fault::RefusedAddress;
        }
        if cause.is::<NameNotFound>() {
            return Fault::Dns;
        }
        if cause.downcast_ref::<io::Error>().is_some_and(is_tls) {
            found = Some(Fault::Tls);
        }
        source = cause.source();
    }
    if error.is_connect() {
        // Also where nothing answers at all: a bot that hangs over an event is another thing.
        return found.unwrap_or(Fault::Connect);
    }
    if error.is_builder() {
        // The rest of the request is known to be good.
        Fault::BadUrl
    } else if error.is_timeout() {
        Fault::Timeout
    } else {
        Fault::Cut
    }
}

/// What rustls has to say comes as invalid data of the connection, at times in a further wrapping.
fn is_tls(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    error.kind() == io::ErrorKind::InvalidData || inner.is_some_and(is_tls)
}
