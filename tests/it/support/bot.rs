//! Bots as real HTTP servers: each callback is recorded as it came, checked, and answered as the test says.

use std::collections::HashMap;
use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::config::SECRET;
use super::reply::Answer;
use super::reply::Reply;
use super::wait::eventually;
use super::wait::within;

/// A folder of the server that takes anything and proves nothing: for looking at what someone else sends.
pub(crate) const CAPTURE: &str = "capture";

/// One callback as it came.
#[derive(Clone, Debug)]
pub(crate) struct Callback {
    pub(crate) bot: String,
    pub(crate) headers: HeaderMap,
    pub(crate) raw: Bytes,
    /// The body, or null when it is not JSON.
    pub(crate) event: Value,
    pub(crate) at: Instant,
    /// The status it was answered with, once it was.
    pub(crate) answered: Option<u16>,
}

#[derive(Clone)]
pub(crate) struct Bots {
    address: String,
    state: Arc<State>,
    _server: Arc<JoinSet<()>>,
}

#[derive(Default)]
struct State {
    callbacks: Mutex<Vec<Callback>>,
    rules: Mutex<Vec<Rule>>,
    secrets: Mutex<HashMap<String, String>>,
    faults: Mutex<Vec<String>>,
    /// Handovers whose callback is being answered.
    busy: Mutex<HashSet<String>>,
}

struct Rule {
    matches: Box<dyn Fn(&Callback) -> bool + Send>,
    times: usize,
    reply: Reply,
}

impl Bots {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State::default());
        let mut server = JoinSet::new();
        server.spawn(accept(listener, Arc::clone(&state)));
        Self {
            address,
            state,
            _server: Arc::new(server),
        }
    }

    /// A bot's callback address is this and its name.
    pub(crate) fn url(&self) -> String {
        self.address.clone()
    }

    pub(crate) fn verify_with(&self, bot: &str, secret: &str) {
        self.state
            .secrets
            .lock()
            .unwrap()
            .insert(bot.to_owned(), secret.to_owned());
    }

    /// Answers so many of the callbacks that match with `reply`; what no rule matches is answered 204.
    pub(crate) fn answer(&self, times: usize, reply: Reply, matches: impl Fn(&Callback) -> bool + Send + 'static) {
        self.state.rules.lock().unwrap().push(Rule {
            matches: Box::new(matches),
            times,
            reply,
        });
    }

    pub(crate) fn forget_rules(&self) {
        self.state.rules.lock().unwrap().clear();
    }

    /// Everything that came, in the order in which it came.
    pub(crate) fn callbacks(&self) -> Vec<Callback> {
        self.state.callbacks.lock().unwrap().clone()
    }

    pub(crate) fn captured(&self) -> Vec<Callback> {
        self.callbacks()
            .into_iter()
            .filter(|callback| callback.bot == CAPTURE)
            .collect()
    }

    /// All attempts at a handover's events.
    pub(crate) fn attempts(&self, handover: &str) -> Vec<Callback> {
        self.callbacks()
            .into_iter()
            .filter(|callback| callback.handover() == handover)
            .collect()
    }

    /// The logged events of a handover, each as it came first.
    pub(crate) fn events(&self, handover: &str) -> Vec<Callback> {
        let mut seen = HashSet::new();
        let mut first = self.attempts(handover);
        first.retain(|callback| !callback.is_ephemeral() && seen.insert(callback.id().to_owned()));
        first
    }

    /// Types of a handover's logged events in the order in which each came first.
    pub(crate) fn kinds(&self, handover: &str) -> Vec<String> {
        self.events(handover)
            .iter()
            .map(|callback| callback.kind().to_owned())
            .collect()
    }

    /// Waits for exactly these events and checks that they are numbered from 1 without a gap.
    pub(crate) async fn told(&self, handover: &str, expected: &[&str]) -> Vec<Callback> {
        let seen = within(super::wait::PATIENCE, async || {
            let events = self.answered(handover);
            (events.len() >= expected.len()).then_some(())
        });
        let in_time = seen.await.is_some();
        assert_eq!(self.kinds(handover), expected, "in time: {in_time}");
        assert!(in_time, "all came, not all were answered");
        let events = self.events(handover);
        let numbers: Vec<_> = events.iter().map(Callback::sequence).collect();
        let expected: Vec<_> = (1..=u64::try_from(events.len()).unwrap()).collect();
        assert_eq!(numbers, expected);
        events
    }

    /// The first logged event of a type.
    pub(crate) async fn event(&self, handover: &str, kind: &str) -> Callback {
        eventually(
            &format!("{kind} of {handover}, having seen {:?}", self.kinds(handover)),
            async || {
                self.answered(handover)
                    .into_iter()
                    .find(|callback| callback.kind() == kind)
            },
        )
        .await
    }

    /// The first callback that matches.
    pub(crate) async fn callback(&self, what: &str, matches: impl Fn(&Callback) -> bool) -> Callback {
        eventually(what, async || self.callbacks().into_iter().find(&matches)).await
    }

    /// Signatures that were wrong, handovers called twice at the same time: what a right gateway never does.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.state.faults.lock().unwrap().clone()
    }

    /// First deliveries that were answered 2xx at some attempt.
    fn answered(&self, handover: &str) -> Vec<Callback> {
        let good: HashSet<_> = self
            .attempts(handover)
            .iter()
            .filter(|callback| callback.answered.is_some_and(|status| (200..300).contains(&status)))
            .map(|callback| callback.id().to_owned())
            .collect();
        let mut events = self.events(handover);
        events.retain(|callback| good.contains(callback.id()));
        events
    }
}

impl Callback {
    pub(crate) fn kind(&self) -> &str {
        self.event["type"].as_str().unwrap_or_default()
    }

    pub(crate) fn data(&self) -> &Value {
        &self.event["data"]
    }

    pub(crate) fn id(&self) -> &str {
        self.event["id"].as_str().unwrap_or_default()
    }

    pub(crate) fn handover(&self) -> &str {
        self.data()["handoverId"].as_str().unwrap_or_default()
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.data()["sequence"].as_u64().unwrap_or_default()
    }

    /// What an agent said.
    pub(crate) fn text(&self) -> &str {
        self.data()["message"]["text"].as_str().unwrap_or_default()
    }

    pub(crate) fn is_ephemeral(&self) -> bool {
        self.data()["ephemeral"] == true
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| receive(Arc::clone(&state), request));
            // A connection that breaks is what some tests are about.
            drop(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn receive(state: Arc<State>, request: Request<Incoming>) -> io::Result<Answer> {
    let (parts, body) = request.into_parts();
    let raw = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let callback = Callback {
        bot: parts.uri.path().trim_start_matches('/').to_owned(),
        event: serde_json::from_slice(&raw).unwrap_or_default(),
        headers: parts.headers,
        raw,
        at: Instant::now(),
        answered: None,
    };
    let reply = state.rule_for(&callback);
    let number = state.record(&callback);
    let lane = Lane::enter(&state, &callback);
    tokio::time::sleep(reply.delay).await;
    if let Some(status) = reply.shown() {
        state.callbacks.lock().unwrap()[number].answered = Some(status);
    }
    let answer = reply.send().await;
    drop(lane);
    answer
}

impl State {
    fn record(&self, callback: &Callback) -> usize {
        if callback.bot != CAPTURE {
            self.check(callback);
        }
        let mut callbacks = self.callbacks.lock().unwrap();
        callbacks.push(callback.clone());
        callbacks.len() - 1
    }

    fn check(&self, callback: &Callback) {
        let secrets = self.secrets.lock().unwrap();
        let secret = secrets.get(&callback.bot).map_or(SECRET, String::as_str);
        let checked = Webhook::new(secret).unwrap().verify(&callback.raw, &callback.headers);
        if let Err(error) = checked {
            self.fault(format!("{}: {error}", callback.kind()));
        }
        if callback.header("webhook-id") != callback.id() {
            self.fault(format!("{}: webhook-id is not the event's", callback.kind()));
        }
    }

    fn fault(&self, fault: String) {
        self.faults.lock().unwrap().push(fault);
    }

    fn rule_for(&self, callback: &Callback) -> Reply {
        let mut rules = self.rules.lock().unwrap();
        let Some(rule) = rules.iter_mut().find(|rule| rule.times > 0 && (rule.matches)(callback)) else {
            // Long enough to see that another callback of the handover comes meanwhile.
            return Reply::status(204).after(Duration::from_millis(1));
        };
        rule.times -= 1;
        rule.reply.clone()
    }
}

/// One handover's callbacks are to come one at a time. Leaving is not seen when the caller hangs up.
struct Lane {
    state: Arc<State>,
    handover: Option<String>,
}

impl Lane {
    fn enter(state: &Arc<State>, callback: &Callback) -> Self {
        let handover = Some(callback.handover().to_owned()).filter(|id| !id.is_empty() && !callback.is_ephemeral());
        if let Some(handover) = &handover
            && !state.busy.lock().unwrap().insert(handover.clone())
        {
            state.fault(format!(
                "{handover} was called while a callback of it was being answered"
            ));
        }
        Self {
            state: Arc::clone(state),
            handover,
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(handover) = &self.handover {
            self.state.busy.lock().unwrap().remove(handover);
        }
    }
}

/// How long something may take that is not to be slowed down by a bot that misbehaves.
pub(crate) const PROMPT: Duration = Duration::from_secs(3);
