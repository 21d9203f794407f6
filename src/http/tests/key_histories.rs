//! Any history of calls with keys, repeated, at the same time, and with the end of the process in the middle of them: a key
//! stands for one run of one body, at 8x8 too, and what was answered once is answered again.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::response::IntoResponse as _;
use axum::response::Response;
use proptest::prelude::Just;
use proptest::prelude::ProptestConfig;
use proptest::prelude::Strategy;
use proptest::prop_oneof;
use proptest::proptest;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use url::Url;

use crate::http::tests::fixture::Answer;
use crate::http::tests::fixture::Gateway;
use crate::supervisor::Supervisor;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 10, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn a_key_stands_for_one_run_of_one_body_whenever_the_process_dies(
        steps in proptest::collection::vec(step(), 1..40)
    ) {
        let mut rig = Rig::new();
        for step in steps {
            rig.take(step);
        }
        rig.judge();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Create,
    Message,
}

#[derive(Clone, Copy, Debug)]
struct Keyed {
    what: What,
    key: u8,
    body: u8,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Call(Keyed),
    /// Two at the same time, with the same key.
    Both(Keyed, u8),
    /// The process ends so much later, and the next one starts.
    Dies(Keyed, Duration),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let keyed = || {
        let what = prop_oneof![Just(What::Create), Just(What::Message)];
        (what, 0..3_u8, 0..2_u8).prop_map(|(what, key, body)| Keyed { what, key, body })
    };
    prop_oneof![
        6 => keyed().prop_map(Step::Call),
        2 => (keyed(), 0..2_u8).prop_map(|(keyed, other)| Step::Both(keyed, other)),
        4 => (keyed(), 0..12_000_u64).prop_map(|(keyed, micros)| Step::Dies(keyed, Duration::from_micros(micros))),
        1 => Just(Step::Restart),
    ]
}

/// What a key may stand for, as far as a caller can know.
struct Known {
    /// The bodies; `None` where it may still be free.
    bodies: BTreeSet<Option<u8>>,
    /// Once a call was answered.
    answer: Option<String>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            bodies: BTreeSet::from([None]),
            answer: None,
        }
    }
}

struct Rig {
    keys: HashMap<(What, u8), Known>,
    eight: EightX8,
    /// The path of a handover that there is all the time.
    handover: String,
    process: Option<Process>,
    folder: TempDir,
}

/// All that a process has ends with its runtime, wherever it is.
struct Process {
    gateway: Gateway,
    runtime: Runtime,
}

impl Rig {
    fn new() -> Self {
        let (eight, folder) = (EightX8::start(), tempfile::tempdir().unwrap());
        let process = start(&folder, &eight);
        let handover = process.runtime.block_on(process.gateway.opened());
        Self {
            keys: HashMap::new(),
            eight,
            handover,
            process: Some(process),
            folder,
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Call(keyed) => {
                let answer = self.block_on(self.call(keyed));
                self.learn(keyed, &answer);
            }
            Step::Both(keyed, body) => {
                let other = Keyed { body, ..keyed };
                let both = async { tokio::join!(self.call(keyed), self.call(other)) };
                let (one, another) = self.block_on(both);
                let mut answers = [(keyed, one), (other, another)];
                // What was carried out says most.
                answers.sort_by_key(|(_, answer)| (answer.status, answer.header("idempotent-replayed").is_some()));
                for (keyed, answer) in answers {
                    self.learn(keyed, &answer);
                }
            }
            Step::Dies(keyed, after) => {
                let cut = async { tokio::time::timeout(after, self.call(keyed)).await };
                match self.block_on(cut) {
                    Ok(answer) => self.learn(keyed, &answer),
                    Err(_) => self.may_stand_for(keyed),
                }
                self.restart();
            }
            Step::Restart => self.restart(),
        }
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.process.as_ref().unwrap().runtime.block_on(work)
    }

    async fn call(&self, keyed: Keyed) -> Answer {
        let (gateway, mark) = (&self.process.as_ref().unwrap().gateway, mark(keyed));
        let (path, body) = match keyed.what {
            What::Create => ("/v1/handovers".to_owned(), json!({"user": {"name": mark}})),
            What::Message => (format!("{}/messages", self.handover), json!({"text": mark})),
        };
        let key = format!("k-{}", keyed.key);
        let headers = [("idempotency-key", key.as_str())];
        gateway.call_with("POST", &path, &body.to_string(), &headers).await
    }

    fn restart(&mut self) {
        self.process = None;
        self.process = Some(start(&self.folder, &self.eight));
    }

    fn may_stand_for(&mut self, keyed: Keyed) {
        let known = self.keys.entry((keyed.what, keyed.key)).or_default();
        if known.bodies.contains(&None) {
            known.bodies.insert(Some(keyed.body));
        }
    }

    fn learn(&mut self, keyed: Keyed, answer: &Answer) {
        let known = self.keys.entry((keyed.what, keyed.key)).or_default();
        let is_repeat = answer.header("idempotent-replayed") == Some("true");
        let told = format!("{keyed:?} of {:?}: {} {}", known.bodies, answer.status, answer.text);
        match answer.status {
            201 | 202 => {
                let was_free = known.bodies.contains(&None);
                assert!(was_free || known.bodies.contains(&Some(keyed.body)), "{told}");
                assert!(is_repeat || was_free, "it ran again: {told}");
                if let Some(first) = &known.answer {
                    assert_eq!(answer.text, *first, "{told}");
                } else if !is_repeat {
                    known.answer = Some(answer.text.clone());
                }
                known.bodies = BTreeSet::from([Some(keyed.body)]);
            }
            422 => {
                known.bodies.retain(|body| body.is_some_and(|body| body != keyed.body));
                assert!(!known.bodies.is_empty(), "{told}");
            }
            // One with this body runs at this moment, whatever comes of it.
            409 => {}
            // It has run, and nobody knows yet what came of it.
            504 => {
                assert!(known.answer.is_none(), "{told}");
                known.bodies.retain(|body| *body == Some(keyed.body));
                assert!(!known.bodies.is_empty(), "{told}");
            }
            _ => panic!("{told}"),
        }
    }

    fn judge(&self) {
        let made = self.eight.made.lock().unwrap();
        for (what, key) in self.keys.keys() {
            let of = |body| {
                made.get(&mark(Keyed {
                    what: *what,
                    key: *key,
                    body,
                }))
                .copied()
            };
            let runs = [of(0), of(1)].into_iter().flatten().sum::<u32>();
            assert!(runs <= 1, "{what:?} with key {key} reached 8x8 {runs} times");
        }
    }
}

fn start(folder: &TempDir, eight: &EightX8) -> Process {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let url = format!("sqlite://{}/handover.db", folder.path().display());
    let over = async { Gateway::over(&url, &eight.url, Supervisor::new(), Duration::from_secs(20)) };
    Process {
        gateway: runtime.block_on(over),
        runtime,
    }
}

fn mark(keyed: Keyed) -> String {
    format!("mark-{:?}-{}-{}", keyed.what, keyed.key, keyed.body)
}

/// Outlives the gateway, and counts what reached it.
struct EightX8 {
    url: Url,
    made: Arc<Mutex<HashMap<String, u32>>>,
    _runtime: Runtime,
}

impl EightX8 {
    fn start() -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let made: Arc<Mutex<HashMap<String, u32>>> = Arc::default();
        let counted = Arc::clone(&made);
        let router = Router::new().fallback(move |method: Method, uri: Uri, body: String| {
            let made = Arc::clone(&counted);
            async move { answer(&method, uri.path(), &body, &made).await }
        });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            url: url.parse().unwrap(),
            made,
            _runtime: runtime,
        }
    }
}

async fn answer(method: &Method, path: &str, body: &str, made: &Mutex<HashMap<String, u32>>) -> Response {
    let is_create = path.ends_with("/conversations");
    if method == Method::POST && (is_create || path.ends_with("/messages")) {
        let mark = body.find("mark-").map(|at| body[at..].split('"').next().unwrap());
        if let Some(mark) = mark {
            *made.lock().unwrap().entry(mark.to_owned()).or_default() += 1;
        }
    }
    // Long enough for somebody to die meanwhile.
    tokio::time::sleep(Duration::from_millis(2)).await;
    if !(method == Method::POST && is_create) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let body: Value = serde_json::from_str(body).unwrap();
    let own = &body["user"]["additionalProperties"][0]["value"];
    (StatusCode::ACCEPTED, Json(json!({ "conversationId": own }))).into_response()
}
