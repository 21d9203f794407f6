//! One claimed event, or one ephemeral one: the attempt with its time-out, and what is to be written down about it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use serde::Deserialize;
use url::Url;

use crate::clock::Clock;
use crate::delivery::DeliverySettings;
use crate::delivery::answer::Answer;
use crate::delivery::answer::Fault;
use crate::delivery::callback::Callback;
use crate::delivery::ephemeral::Offer;
use crate::delivery::retry;
use crate::delivery::retry::Place;
use crate::delivery::retry::Tried;
use crate::delivery::roster::Bot;
use crate::domain::BotName;
use crate::domain::Marks;
use crate::domain::Timestamp;
use crate::store::Attempt;
use crate::store::Claimed;
use crate::store::KeptWebhook;
use crate::store::Settlement;
use crate::store::Store;
use crate::store::Target;
use crate::store::Verdict;

/// What every attempt needs.
#[derive(Clone)]
pub(crate) struct Means {
    pub(crate) clock: Clock,
    pub(crate) settings: Arc<DeliverySettings>,
    pub(crate) store: Arc<dyn Store>,
}

/// An attempt that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) bot: BotName,
    pub(crate) answer: Answer,
    pub(crate) left: Left,
}

/// What an attempt leaves to be done.
#[derive(Debug)]
pub(crate) enum Left {
    Settle(Settlement),
    /// It was an ephemeral event, of which nothing is written down.
    Nothing(Target),
}

/// Tries a claimed event.
pub(crate) async fn logged(claimed: Claimed, bot: Arc<Bot>, means: Means) -> Ended {
    let place = match claimed.target {
        Target::Lane(_) => Place::Head,
        Target::Aside(_) => Place::Aside,
    };
    let started_at = means.clock.now();
    if claimed.event.kind.is_webhook() && claimed.event.is_erased() {
        return never(claimed, started_at);
    }
    let webhook = webhook(&claimed, &means).await;
    let callback = Callback {
        event: &claimed.event,
        context: &claimed.context,
        marks: Marks {
            late: place == Place::Aside,
        },
        attempt: claimed.attempts.saturating_add(1),
        webhook: webhook.as_ref(),
    };
    let answer = bounded(&callback, &bot, claimed.callback_url.as_deref(), &means).await;
    let now = means.clock.now();
    let tried = Tried {
        attempt: callback.attempt,
        first_at: claimed.first_attempt_at.unwrap_or(started_at),
        class: claimed.event.kind.class(),
        place,
    };
    let verdict = retry::judge(answer, &tried, &means.settings, now, rand::random());
    tell(&claimed, &tried, answer, &verdict, now);
    let attempt = Attempt {
        number: tried.attempt,
        started_at,
        took_millis: u32::try_from(now.since(started_at).as_millis()).unwrap_or(u32::MAX),
        status: answer.status,
        error: answer.fault.map(Fault::as_str),
    };
    let bot = claimed.context.bot.clone();
    let left = Left::Settle(settlement(claimed, verdict, Some(attempt), now));
    Ended { bot, answer, left }
}

/// What was to be passed on as it came is erased: there is nothing to try.
fn never(claimed: Claimed, now: Timestamp) -> Ended {
    tracing::warn!(handover.id = %claimed.context.handover, bot = %claimed.context.bot,
        "a webhook was erased before the bot took it, it is a failed delivery now");
    let verdict = Verdict::Failed { reason: "erased" };
    Ended {
        bot: claimed.context.bot.clone(),
        answer: Answer::fault(Fault::Unsendable),
        left: Left::Settle(settlement(claimed, verdict, None, now)),
    }
}

/// Tries an ephemeral event, once.
pub(crate) async fn ephemeral(offer: Box<Offer>, bot: Arc<Bot>, means: Means) -> Ended {
    let callback = Callback {
        event: &offer.event,
        context: &offer.context,
        marks: Marks::default(),
        attempt: 1,
        webhook: offer.webhook.as_ref(),
    };
    let answer = bounded(&callback, &bot, offer.callback_url.as_deref(), &means).await;
    Ended {
        bot: offer.context.bot,
        answer,
        left: Left::Nothing(Target::Lane(offer.context.handover)),
    }
}

pub(crate) fn settlement(claimed: Claimed, verdict: Verdict, attempt: Option<Attempt>, at: Timestamp) -> Settlement {
    Settlement {
        target: claimed.target,
        epoch: claimed.epoch,
        handover: claimed.context.handover,
        sequence: claimed.event.sequence,
        verdict,
        attempt,
        at,
    }
}

/// What an event stands for that is passed on as it came. Without it nothing can be sent, and the attempt fails.
async fn webhook(claimed: &Claimed, means: &Means) -> Option<KeptWebhook> {
    #[derive(Deserialize)]
    struct Passed {
        source: PassedSource,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct PassedSource {
        event_id: String,
    }
    if !claimed.event.kind.is_webhook() {
        return None;
    }
    let passed: Passed = serde_json::from_str(claimed.event.extra.as_str()).ok()?;
    let (handover, id) = (&claimed.context.handover, &passed.source.event_id);
    means.store.webhook_of(handover, id).await.ok().flatten()
}

/// The attempt, cut off when it takes too long. One that panics ends like one that could not be sent.
async fn bounded(callback: &Callback<'_>, bot: &Bot, own_url: Option<&str>, means: &Means) -> Answer {
    let url = match own_url {
        Some(text) => Url::parse(text).ok(),
        None => bot.delivery.callback_url.clone(),
    };
    let Some(url) = url else {
        return Answer::fault(Fault::BadUrl);
    };
    let post = AssertUnwindSafe(callback.post(bot, url, &means.clock)).catch_unwind();
    tokio::select! {
        answer = post => answer.unwrap_or_else(|_panic| Answer::fault(Fault::Unsendable)),
        () = means.clock.sleep(means.settings.timeout) => Answer::fault(Fault::Timeout),
    }
}

/// The first failure of an event and its end are worth a line, what lies between is not.
fn tell(claimed: &Claimed, tried: &Tried, answer: Answer, verdict: &Verdict, now: Timestamp) {
    let handover = &claimed.context.handover;
    let (bot, sequence) = (&claimed.context.bot, claimed.event.sequence);
    let (status, error) = (answer.status, answer.fault.map(Fault::as_str));
    let attempt = tried.attempt;
    match verdict {
        Verdict::Done => {
            tracing::debug!(handover.id = %handover, %bot, delivery.attempt = attempt, "bot accepted event {sequence}");
        }
        Verdict::Again { at } if attempt == 1 => {
            let delay = at.since(now);
            tracing::warn!(handover.id = %handover, %bot, delivery.attempt = attempt, status, error,
                "bot did not accept event {sequence}, next try in {delay:?}");
        }
        Verdict::Again { at } => {
            let delay = at.since(now);
            tracing::debug!(handover.id = %handover, %bot, delivery.attempt = attempt, status, error,
                "bot did not accept event {sequence}, next try in {delay:?}");
        }
        Verdict::Aside { .. } => {
            tracing::warn!(handover.id = %handover, %bot, delivery.attempt = attempt, status, error,
                "event {sequence} held its handover long enough, it is retried beside the later ones");
        }
        Verdict::Failed { reason } => {
            tracing::warn!(handover.id = %handover, %bot, delivery.attempt = attempt, status, error, reason,
                "event {sequence} was given up and is a failed delivery now");
        }
        Verdict::Stop => {
            tracing::warn!(handover.id = %handover, %bot, delivery.attempt = attempt, status,
                "bot answered 410 to event {sequence}, this handover's callbacks stop");
        }
    }
}
