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
use crate::delivery::outages::Outages;
use crate::delivery::retry;
use crate::delivery::retry::Place;
use crate::delivery::retry::Tried;
use crate::delivery::roster::Bot;
use crate::domain::BotName;
use crate::domain::HandoverId;
use crate::domain::Marks;
use crate::domain::Timestamp;
use crate::store::Attempt;
use crate::store::Claimed;
use crate::store::KeptWebhook;
use crate::store::Settlement;
use crate::store::Store;
use crate::store::StoreError;
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
    pub(crate) handover: HandoverId,
    pub(crate) answer: Answer,
    pub(crate) started_at: Timestamp,
    pub(crate) over_at: Timestamp,
    pub(crate) what: What,
}

/// What was tried.
#[derive(Debug)]
pub(crate) enum What {
    Logged(Box<Claimed>),
    /// Of an ephemeral event nothing is written down.
    Ephemeral(Target),
}

impl Ended {
    pub(crate) fn target(&self) -> &Target {
        match &self.what {
            What::Logged(claimed) => &claimed.target,
            What::Ephemeral(target) => target,
        }
    }
}

/// Tries a claimed event.
pub(crate) async fn logged(claimed: Claimed, bot: Arc<Bot>, means: Means) -> Ended {
    let started_at = means.clock.now();
    // Whatever goes wrong in here, the claim must come back: its lane would wait for it.
    let tried = AssertUnwindSafe(post(&claimed, &bot, &means)).catch_unwind().await;
    Ended {
        bot: claimed.context.bot.clone(),
        handover: claimed.context.handover.clone(),
        answer: tried.unwrap_or_else(|_panic| Answer::fault(Fault::Unsendable)),
        started_at,
        over_at: means.clock.now(),
        what: What::Logged(Box::new(claimed)),
    }
}

async fn post(claimed: &Claimed, bot: &Bot, means: &Means) -> Answer {
    if is_gone(claimed) {
        return Answer::fault(Fault::Unsendable);
    }
    let Ok(webhook) = webhook(claimed, means).await else {
        return Answer::fault(Fault::Store);
    };
    let callback = Callback {
        event: &claimed.event,
        context: &claimed.context,
        marks: Marks {
            late: place(claimed) != Place::Head,
        },
        attempt: claimed.attempts.saturating_add(1),
        replay: claimed.replay,
        webhook: webhook.as_ref(),
    };
    failpoint!("delivery.before_send");
    let answer = bounded(&callback, bot, claimed.callback_url.as_deref(), means).await;
    failpoint!("delivery.after_send");
    answer
}

/// Tries an ephemeral event, once.
pub(crate) async fn ephemeral(offer: Box<Offer>, bot: Arc<Bot>, means: Means) -> Ended {
    let started_at = means.clock.now();
    let callback = Callback {
        event: &offer.event,
        context: &offer.context,
        marks: Marks::default(),
        attempt: 1,
        replay: false,
        webhook: offer.webhook.as_ref(),
    };
    let answer = bounded(&callback, &bot, offer.callback_url.as_deref(), &means).await;
    Ended {
        bot: offer.context.bot,
        handover: offer.context.handover.clone(),
        answer,
        started_at,
        over_at: means.clock.now(),
        what: What::Ephemeral(Target::Lane(offer.context.handover)),
    }
}

/// What is to be written down about an attempt; `outages` knows of this one already.
pub(crate) fn concluded(
    claimed: Claimed,
    answer: Answer,
    (started_at, ended_at): (Timestamp, Timestamp),
    outages: &Outages,
    settings: &DeliverySettings,
) -> Settlement {
    let first_at = claimed.first_attempt_at.unwrap_or(started_at);
    let tried = Tried {
        attempt: claimed.attempts.saturating_add(1),
        first_at,
        class: claimed.event.kind.class(),
        place: place(&claimed),
        away: outages.away(&claimed.context.bot, first_at, ended_at),
    };
    let verdict = if is_gone(&claimed) {
        Verdict::Failed { reason: "erased" }
    } else {
        retry::judge(answer, &tried, settings, ended_at, rand::random())
    };
    tell(&claimed, &tried, answer, &verdict, ended_at);
    let attempt = Attempt {
        number: tried.attempt,
        started_at,
        took_millis: u32::try_from(ended_at.since(started_at).as_millis()).unwrap_or(u32::MAX),
        status: answer.status,
        error: answer.fault.map(Fault::as_str),
    };
    settlement(claimed, verdict, Some(attempt), ended_at)
}

/// Whether it is a webhook to be passed on that was erased before the bot took it: there is nothing left to send.
fn is_gone(claimed: &Claimed) -> bool {
    claimed.event.kind.is_webhook() && claimed.event.is_erased()
}

fn place(claimed: &Claimed) -> Place {
    match claimed.target {
        Target::Lane(_) => Place::Head,
        Target::Aside(_) if claimed.replay => Place::Replay,
        Target::Aside(_) => Place::Aside,
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
async fn webhook(claimed: &Claimed, means: &Means) -> Result<Option<KeptWebhook>, StoreError> {
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
        return Ok(None);
    }
    let Ok(passed) = serde_json::from_str::<Passed>(claimed.event.extra.as_str()) else {
        return Ok(None);
    };
    let (handover, id) = (&claimed.context.handover, &passed.source.event_id);
    match means.store.webhook_of(handover, id).await {
        // It will not be better later.
        Err(StoreError::Inconsistent { .. }) => Ok(None),
        read => read,
    }
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
