//! Bots and agents who talk through everything: many handovers at once, each call repeated under its key until somebody
//! says how it ended, some callers hanging up in between.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use http::Method;
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::control::Control;
use crate::control::http_client;
use crate::ledger::Intent;
use crate::ledger::Outcome;
use crate::plays;
use crate::secrets::WORD;
use crate::secrets::api_key;

const ATTEMPT: Duration = Duration::from_secs(8);
/// A caller gives up after this, or this long after the end was called.
const GIVES_UP: Duration = Duration::from_secs(40);
const AT_THE_END: Duration = Duration::from_secs(15);
pub(crate) const BOTS: [&str; 2] = ["support", "sales"];

pub(crate) struct Traffic {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

pub(crate) struct Shared {
    http: reqwest::Client,
    gateway: String,
    pub(crate) control: Control,
    intents: Mutex<Vec<Intent>>,
    /// Bodies of refusals, which are to show no secret and no word.
    refusals: Mutex<String>,
}

impl Shared {
    pub(crate) fn new(gateway: String, control: Control) -> Arc<Self> {
        Arc::new(Self {
            http: http_client(ATTEMPT),
            gateway,
            control,
            intents: Mutex::default(),
            refusals: Mutex::default(),
        })
    }

    pub(crate) fn intents(&self) -> Vec<Intent> {
        self.intents.lock().unwrap().clone()
    }

    pub(crate) fn refusals(&self) -> String {
        self.refusals.lock().unwrap().clone()
    }

    /// One call, once.
    pub(crate) async fn call(&self, bot: &str, method: Method, path: &str) -> Option<Value> {
        let request = self
            .http
            .request(method, format!("{}{path}", self.gateway))
            .bearer_auth(api_key(bot));
        let response = request.send().await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        response.json().await.ok()
    }
}

impl Traffic {
    /// Each worker plays one handover after the other.
    pub(crate) fn start(shared: &Arc<Shared>, seed: u64, workers: u64) -> Self {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for worker in 0..workers {
            let mut player = Player {
                bot: BOTS[usize::from(worker % 3 == 2)],
                stop: stop.clone(),
                ..Player::new(shared, seed ^ (worker << 32))
            };
            tasks.spawn(async move {
                let mut next = usize::try_from(worker).unwrap();
                while !player.stop.is_cancelled() {
                    plays::play(&mut player, next).await;
                    next += 1;
                }
            });
        }
        Self { tasks, stop }
    }

    /// Lets every play come to its end.
    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}

pub(crate) struct Player {
    pub(crate) shared: Arc<Shared>,
    pub(crate) random: StdRng,
    pub(crate) bot: &'static str,
    pub(crate) stop: CancellationToken,
    stopped_at: Option<Instant>,
}

/// What a bot asks for.
pub(crate) struct Ask<'a> {
    pub(crate) kind: &'static str,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) handover: &'a str,
    /// Made from the unique text.
    pub(crate) body: Box<dyn Fn(&str) -> Value + Send + Sync + 'a>,
}

/// How one attempt went.
enum Tried {
    Told(Outcome, Value),
    Again,
}

impl Player {
    pub(crate) fn new(shared: &Arc<Shared>, seed: u64) -> Self {
        Self {
            shared: Arc::clone(shared),
            random: StdRng::seed_from_u64(seed),
            bot: BOTS[0],
            stop: CancellationToken::new(),
            stopped_at: None,
        }
    }

    /// Something only this call can have said.
    pub(crate) fn words(number: u64, what: &str) -> String {
        format!("{WORD} {what} {number}")
    }

    /// Asks until the answer is definite. Its body when that was yes.
    pub(crate) async fn ask(&mut self, ask: Ask<'_>) -> Option<Value> {
        let (number, text) = self.begin(&ask);
        let body = (ask.body)(&text);
        let started = Instant::now();
        loop {
            self.shared.intents.lock().unwrap()[number].attempts += 1;
            // Some hang up and come back for the answer.
            let patience = if started.elapsed() < ATTEMPT && self.random.random_ratio(1, 12) {
                Duration::from_millis(self.random.random_range(1..40))
            } else {
                ATTEMPT
            };
            let key = format!("key-{number}");
            let tried = tokio::time::timeout(patience, self.try_once(&ask, &key, &body)).await;
            match tried {
                Ok(Tried::Told(outcome, answer)) => {
                    let is_yes = matches!(outcome, Outcome::Done(_));
                    let intent = &mut self.shared.intents.lock().unwrap()[number];
                    intent.outcome = outcome;
                    if ask.kind == "create" || ask.kind == "reopen" {
                        answer["id"]
                            .as_str()
                            .unwrap_or_default()
                            .clone_into(&mut intent.handover);
                    }
                    return is_yes.then_some(answer);
                }
                Ok(Tried::Again) | Err(_) => {}
            }
            if self.is_late(started) {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(self.random.random_range(20..80))).await;
        }
    }

    fn begin(&self, ask: &Ask<'_>) -> (usize, String) {
        let mut intents = self.shared.intents.lock().unwrap();
        let number = intents.len();
        let unique = Self::words(number as u64, "word");
        // Where nothing is said there is nothing to look for.
        let text = if ["create", "message", "reopen"].contains(&ask.kind) {
            unique
        } else {
            String::new()
        };
        intents.push(Intent {
            number: number as u64,
            kind: ask.kind,
            bot: self.bot.to_owned(),
            handover: ask.handover.to_owned(),
            text: text.clone(),
            ..Intent::default()
        });
        (number, text)
    }

    fn is_late(&mut self, started: Instant) -> bool {
        if self.stop.is_cancelled() && self.stopped_at.is_none() {
            self.stopped_at = Some(Instant::now());
        }
        started.elapsed() > GIVES_UP || self.stopped_at.is_some_and(|at| at.elapsed() > AT_THE_END)
    }

    /// Whether nobody waits any more for what may never come.
    pub(crate) fn is_over(&self) -> bool {
        self.stop.is_cancelled()
    }

    async fn try_once(&self, ask: &Ask<'_>, key: &str, body: &Value) -> Tried {
        let shared = &self.shared;
        let mut request = shared
            .http
            .request(ask.method.clone(), format!("{}{}", shared.gateway, ask.path));
        request = request.bearer_auth(api_key(self.bot)).json(body);
        if ask.method == Method::POST {
            request = request.header("idempotency-key", key);
        }
        let Ok(response) = request.send().await else {
            return Tried::Again;
        };
        let status = response.status().as_u16();
        let Ok(text) = response.text().await else {
            return Tried::Again;
        };
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        if (200..300).contains(&status) {
            let said = answer["status"].as_str().or(answer["state"].as_str()).unwrap_or("yes");
            return Tried::Told(Outcome::Done(said.to_owned()), answer);
        }
        shared.refusals.lock().unwrap().push_str(&text);
        let code = answer["code"].as_str().unwrap_or_default();
        match status {
            429 | 503 | 504 => Tried::Again,
            409 if code == "idempotency-in-progress" => Tried::Again,
            _ => Tried::Told(Outcome::Refused(format!("{status} {code}")), answer),
        }
    }

    pub(crate) async fn pause(&mut self, millis: std::ops::Range<u64>) {
        let pause = Duration::from_millis(self.random.random_range(millis));
        tokio::time::sleep(pause).await;
    }
}
