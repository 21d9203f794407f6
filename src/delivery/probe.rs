//! Tries a bot's address: a signed event of a type no bot acts on, and the same with a signature that is wrong.

use std::time::Duration;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;
use reqwest::RequestBuilder;
use serde_json::json;

use crate::clock::Clock;
use crate::delivery::BotDelivery;
use crate::delivery::CallbackFormat;
use crate::delivery::Roster;
use crate::delivery::RosterError;
use crate::delivery::SigningKey;
use crate::delivery::answer::Fault;
use crate::delivery::callback::fault_of;
use crate::delivery::signing;
use crate::domain::BotName;
use crate::domain::EventId;
use crate::outbound::OutboundSettings;

/// Receivers ignore types they do not know.
const PROBE_TYPE: &str = "doctor.ping";

/// The bots whose addresses can be tried.
pub struct Probe {
    roster: Roster,
    clock: Clock,
    patience: Duration,
}

/// What a bot made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probed {
    Answered(u16),
    /// Why no answer came, as the log of deliveries says it.
    Failed(&'static str),
    /// Its events are pulled.
    NoAddress,
    /// It is given 8x8's own webhooks and knows no events of ours.
    OtherFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeSignature {
    Right,
    Wrong,
}

impl Probe {
    pub fn new(
        bots: Vec<BotDelivery>,
        outbound: OutboundSettings,
        clock: Clock,
        patience: Duration,
    ) -> Result<Self, RosterError> {
        Ok(Self {
            roster: Roster::new(bots, outbound)?,
            clock,
            patience,
        })
    }

    /// One attempt; nothing is recorded and nothing repeated.
    pub async fn send(&self, bot: &BotName, signature: ProbeSignature) -> Probed {
        let bots = self.roster.current();
        let Some((bot, url)) = bots
            .get(bot)
            .and_then(|bot| Some((bot, bot.delivery.callback_url.clone()?)))
        else {
            return Probed::NoAddress;
        };
        if bot.delivery.format == CallbackFormat::Passthrough {
            return Probed::OtherFormat;
        }
        if bot.delivery.policy.check(&url).is_err() {
            return Probed::Failed("refused-address");
        }
        let now = self.clock.now();
        let id = EventId::generate(now);
        // With what bots look at before the type, since not every bot copes without.
        let data = json!({"handoverId": null, "sequence": 0, "metadata": {}});
        let body =
            json!({"id": id.as_str(), "type": PROBE_TYPE, "timestamp": now.to_string(), "data": data}).to_string();
        let keys = match signature {
            ProbeSignature::Right => bot.delivery.secrets.clone(),
            ProbeSignature::Wrong => vec![SigningKey::random()],
        };
        let Ok(mut headers) = headers(&keys, id.as_str(), &now.as_seconds().to_string(), body.as_bytes()) else {
            return Probed::Failed("unsendable");
        };
        let sending = async {
            if bot
                .credentials
                .add(&mut headers, &bot.delivery.policy, now)
                .await
                .is_err()
            {
                return Probed::Failed(Fault::Token.as_str());
            }
            answer(bot.client.post(url).headers(headers).body(body)).await
        };
        let in_time = tokio::time::timeout(self.patience, sending).await;
        in_time.unwrap_or(Probed::Failed(Fault::Timeout.as_str()))
    }
}

async fn answer(request: RequestBuilder) -> Probed {
    match request.send().await {
        Ok(answer) => Probed::Answered(answer.status().as_u16()),
        Err(error) => Probed::Failed(fault_of(&error).as_str()),
    }
}

fn headers(keys: &[SigningKey], id: &str, seconds: &str, body: &[u8]) -> Result<HeaderMap, http::Error> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(HeaderName::from_static("webhook-id"), HeaderValue::from_str(id)?);
    headers.insert(
        HeaderName::from_static("webhook-timestamp"),
        HeaderValue::from_str(seconds)?,
    );
    if let Some(value) = signing::signatures(keys, id, seconds, body) {
        headers.insert(
            HeaderName::from_static("webhook-signature"),
            HeaderValue::try_from(value)?,
        );
    }
    Ok(headers)
}
