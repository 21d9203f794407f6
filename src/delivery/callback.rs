//! Sends one callback and reports what the bot answered. Retrying is the dispatcher's business.

use std::error::Error;
use std::io;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;
use reqwest::Response;
use url::Url;

use crate::clock::Clock;
use crate::delivery::answer;
use crate::delivery::answer::Answer;
use crate::delivery::answer::Fault;
use crate::delivery::roster::Bot;
use crate::delivery::signing;
use crate::domain::EventContext;
use crate::domain::HandoverEvent;
use crate::domain::Marks;
use crate::domain::Timestamp;
use crate::outbound::NameNotFound;
use crate::outbound::RefusedAddress;
use crate::outbound::UrlFault;

/// So much of an answer is read; the rest is not waited for.
const ANSWER_LIMIT: usize = 64 * 1024;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const HANDOVER_ID: HeaderName = HeaderName::from_static("handover-id");
const HANDOVER_SEQUENCE: HeaderName = HeaderName::from_static("handover-sequence");
const HANDOVER_ATTEMPT: HeaderName = HeaderName::from_static("handover-attempt");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// One event, to be posted to one address.
#[derive(Debug)]
pub(crate) struct Callback<'a> {
    pub(crate) event: &'a HandoverEvent,
    pub(crate) context: &'a EventContext,
    pub(crate) marks: Marks,
    /// Counted from 1.
    pub(crate) attempt: u32,
}

impl Callback<'_> {
    /// Makes the attempt. Ends by itself only with the bot's answer: the time-out is the caller's.
    pub(crate) async fn post(&self, bot: &Bot, url: Url, clock: &Clock) -> Answer {
        match bot.delivery.policy.check(&url) {
            Ok(()) => {}
            Err(UrlFault::RefusedAddress) => return Answer::fault(Fault::RefusedAddress),
            Err(_) => return Answer::fault(Fault::BadUrl),
        }
        let Ok(body) = self.event.render(self.context, self.marks) else {
            return Answer::fault(Fault::Unsendable);
        };
        let Ok(headers) = self.headers(bot, body.as_bytes(), clock.now()) else {
            return Answer::fault(Fault::Unsendable);
        };
        let request = bot.client.post(url).headers(headers).body(body);
        match request.send().await {
            Ok(response) => read(response, clock.now()).await,
            Err(error) => Answer::fault(fault_of(&error)),
        }
    }

    fn headers(&self, bot: &Bot, body: &[u8], now: Timestamp) -> Result<HeaderMap, http::Error> {
        let seconds = now.as_seconds().to_string();
        let id = self.event.id.as_str();
        let mut headers = HeaderMap::with_capacity(16);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(WEBHOOK_ID, HeaderValue::from_str(id)?);
        if let Some(value) = signing::signatures(&bot.delivery.secrets, id, &seconds, body) {
            headers.insert(WEBHOOK_SIGNATURE, HeaderValue::try_from(value)?);
        }
        headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::try_from(seconds)?);
        headers.insert(HANDOVER_ID, HeaderValue::from_str(self.context.handover.as_str())?);
        headers.insert(HANDOVER_SEQUENCE, HeaderValue::from(self.event.sequence));
        headers.insert(HANDOVER_ATTEMPT, HeaderValue::from(self.attempt));
        headers.insert(TRACEPARENT, HeaderValue::try_from(traceparent())?);
        if let Some(value) = &bot.authorization {
            headers.insert(header::AUTHORIZATION, value.clone());
        }
        Ok(headers)
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
        return found.unwrap_or(if error.is_timeout() {
            Fault::Timeout
        } else {
            Fault::Connect
        });
    }
    if error.is_builder() {
        Fault::Unsendable
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
