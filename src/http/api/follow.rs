//! Watches a bot's events without missing one: listen first, then read the log, then wait. A wake-up is a hint; what is
//! told is always read from the log, in its order.

use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::response::IntoResponse as _;
use axum::response::Response;
use axum::response::sse::Event;
use axum::response::sse::KeepAlive;
use axum::response::sse::Sse;
use futures_util::stream;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::bus::News;
use crate::bus::What;
use crate::domain::BotName;
use crate::domain::HandoverId;
use crate::domain::Timestamp;
use crate::http::ApiState;
use crate::http::accept::accepts;
use crate::http::api_limits::Place;
use crate::http::problem::Refusal;

const KEEP_ALIVE: Duration = Duration::from_secs(15);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What a bot listens to.
pub(super) struct Listener {
    receiver: Option<Receiver<News>>,
    /// Only this handover's.
    handover: Option<HandoverId>,
    stop: CancellationToken,
    _place: Place,
}

/// What happened while listening.
pub(super) enum Heard {
    /// The log may have grown.
    Logged,
    Ephemeral(Event),
    /// The process is stopping, or the bot is to show its key again.
    Stop,
}

impl Listener {
    /// A bot has so many at a time.
    pub(super) fn new(state: &ApiState, bot: &BotName, handover: Option<HandoverId>) -> Result<Self, Refusal> {
        Ok(Self {
            _place: state.limits.follow(bot)?,
            receiver: state.bus.listen(bot),
            handover,
            stop: state.supervisor.stop_token(),
        })
    }

    pub(super) async fn next(&mut self) -> Heard {
        loop {
            let news = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Heard::Stop,
                news = heard(self.receiver.as_mut()) => news,
            };
            match news {
                Ok(news) if self.handover.as_ref().is_some_and(|own| *own != news.handover) => {}
                Ok(News {
                    what: What::Logged { .. },
                    ..
                }) => return Heard::Logged,
                Ok(News {
                    what: What::Ephemeral { name, body },
                    ..
                }) => {
                    return Heard::Ephemeral(Event::default().event(name).data(body));
                }
                // Wake-ups were lost, so there may be something.
                Err(RecvError::Lagged(_)) => return Heard::Logged,
                Err(RecvError::Closed) => return Heard::Stop,
            }
        }
    }

    /// Waits until the log may have grown, the time is up (on the gateway's clock) or the process stops.
    pub(super) async fn logged_within(&mut self, state: &ApiState, until: Timestamp) -> bool {
        let time_is_up = state.clock.sleep_until(until);
        let logged = async {
            loop {
                match self.next().await {
                    Heard::Logged => return true,
                    Heard::Ephemeral(_) => {}
                    Heard::Stop => return false,
                }
            }
        };
        tokio::select! {
            logged = logged => logged,
            () = time_is_up => false,
        }
    }
}

async fn heard(receiver: Option<&mut Receiver<News>>) -> Result<News, RecvError> {
    match receiver {
        Some(receiver) => receiver.recv().await,
        None => Err(RecvError::Closed),
    }
}

/// One page of a log, ready to be streamed.
pub(super) struct StreamPage {
    pub(super) events: VecDeque<Event>,
    pub(super) next: Next,
}

/// What follows a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// There may be more in the log.
    Read,
    Wait,
    /// Nothing will come any more.
    End,
}

/// A log that can be read page by page; it remembers how far it was read.
#[async_trait::async_trait]
pub(super) trait Log: Send + 'static {
    async fn page(&mut self) -> Result<StreamPage, Refusal>;
}

struct Follow<L> {
    log: L,
    listener: Listener,
    ready: VecDeque<Event>,
    next: Next,
}

/// The log as a stream of server-sent events, and what comes after it.
pub(super) async fn stream(mut log: impl Log, listener: Listener) -> Result<Response, Refusal> {
    // A fault at the start is told as a problem; later the stream just ends, and its reader comes back.
    let first = log.page().await?;
    let follow = Follow {
        log,
        listener,
        ready: first.events,
        next: first.next,
    };
    let events = stream::unfold(follow, |mut follow| async move {
        follow.event().await.map(|event| (Ok::<_, Infallible>(event), follow))
    });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response())
}

impl<L: Log> Follow<L> {
    async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            match self.next {
                Next::End => return None,
                Next::Read => match self.log.page().await {
                    Ok(page) => (self.ready, self.next) = (page.events, page.next),
                    Err(_told_where_it_failed) => return None,
                },
                Next::Wait => match self.listener.next().await {
                    Heard::Logged => self.next = Next::Read,
                    Heard::Ephemeral(event) => return Some(event),
                    Heard::Stop => return None,
                },
            }
        }
    }
}

pub(super) fn wants_stream(headers: &HeaderMap) -> bool {
    accepts(headers, "text/event-stream")
}

/// Where a stream that broke off is to go on.
pub(super) fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(LAST_EVENT_ID)?
        .to_str()
        .ok()
        .map(str::trim)
        .filter(|id| !id.is_empty())
}
