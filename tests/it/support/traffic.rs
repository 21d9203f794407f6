//! Webhooks and calls that go on while something else is done, and the proof that nobody noticed.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use http::Method;
use serde_json::Value;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::bot::Callback;
use super::client::Client;
use super::client::http_client;
use super::wait::eventually;
use super::wait::within;
use super::world::World;
use super::world::show;

const HANDOVERS: usize = 3;
/// Webhooks a second, and how many of each conversation are asked for at a time.
const RATE: usize = 60;
const PORTION: usize = 10;
/// As fast as a user writes who writes fast.
const PAUSE: Duration = Duration::from_millis(60);

pub(crate) struct Traffic {
    handovers: Vec<(String, String)>,
    stop: CancellationToken,
    /// The key the bot calls with now.
    key: Arc<Mutex<Option<String>>>,
    /// By conversation.
    posting: JoinSet<(String, Vec<String>)>,
    loading: JoinSet<Vec<Value>>,
}

impl Traffic {
    pub(crate) async fn start(world: &World) -> Self {
        let mut handovers = Vec::new();
        for _ in 0..HANDOVERS {
            handovers.push(world.api.open(json!({})).await);
        }
        world.eight.all_acknowledged().await;
        let (stop, key) = (CancellationToken::new(), Arc::<Mutex<Option<String>>>::default());
        let mut posting = JoinSet::new();
        for (id, conversation) in handovers.iter().cloned() {
            let post = post(world.api.clone(), id, Arc::clone(&key), stop.clone());
            posting.spawn(async move { (conversation, post.await) });
        }
        let conversations: Vec<_> = handovers.iter().map(|(_, conversation)| conversation.clone()).collect();
        let mut loading = JoinSet::new();
        loading.spawn(load(world.eight.url(), conversations, stop.clone()));
        let traffic = Self {
            handovers,
            stop,
            key,
            posting,
            loading,
        };
        traffic.flows(world).await;
        traffic
    }

    /// The bot calls with this key from its next call on.
    pub(crate) fn call_with(&self, key: &str) {
        *self.key.lock().unwrap() = Some(key.to_owned());
    }

    /// Some more of it went through, both ways.
    pub(crate) async fn flows(&self, world: &World) {
        let (told, calls) = (world.bots.callbacks().len(), world.eight.calls("message").await.len());
        eventually("traffic flows", async || {
            let goes =
                world.bots.callbacks().len() >= told + 20 && world.eight.calls("message").await.len() >= calls + 4;
            goes.then_some(())
        })
        .await;
    }

    /// Ends it. Every webhook was taken at its first attempt, every call was answered well, every event was told once and
    /// in order, and 8x8 has each message once.
    pub(crate) async fn unharmed(self, world: &World) {
        self.stop.cancel();
        let mut sent = 0;
        for report in self.loading.join_all().await.into_iter().flatten() {
            let count = report["sent"].as_u64().unwrap();
            assert_eq!(
                (&report["acked"], &report["failures"]),
                (&json!(count), &json!(0)),
                "{report}"
            );
            sent += usize::try_from(count).unwrap();
        }
        let mut posted = 0;
        for (conversation, taken) in self.posting.join_all().await {
            posted += taken.len();
            let arrived = within(Duration::from_secs(30), async || {
                let texts = world.eight.texts(&conversation).await;
                (texts.len() >= taken.len()).then_some(texts)
            });
            assert_eq!(arrived.await.unwrap_or_default(), taken);
        }
        let each = sent / self.handovers.len();
        for (id, _) in &self.handovers {
            told_once(world, id, each).await;
        }
        show(&format!("{sent} webhooks and {posted} calls went through"));
    }
}

/// Each of a handover's events came once, in its order, and so many of them are messages.
async fn told_once(world: &World, id: &str, messages: usize) {
    let is_message = |kind: &String| kind == "message.created";
    eventually("everything is told", async || {
        let told = world.bots.kinds(id).iter().filter(|kind| is_message(kind)).count();
        (told >= messages).then_some(())
    })
    .await;
    let attempts = world.bots.attempts(id);
    let ids: HashSet<_> = attempts.iter().map(Callback::id).collect();
    let mut again: HashMap<&str, usize> = HashMap::new();
    for callback in &attempts {
        *again.entry(callback.id()).or_default() += 1;
    }
    again.retain(|_, times| *times > 1);
    assert_eq!((ids.len(), again.len()), (attempts.len(), 0), "told again: {again:?}");
    let numbers: Vec<_> = attempts.iter().map(Callback::sequence).collect();
    let expected: Vec<_> = (1..=u64::try_from(attempts.len()).unwrap()).collect();
    assert_eq!(numbers, expected);
    let told = world.bots.kinds(id).iter().filter(|kind| is_message(kind)).count();
    assert_eq!(told, messages);
}

async fn post(api: Client, id: String, key: Arc<Mutex<Option<String>>>, stop: CancellationToken) -> Vec<String> {
    let mut taken = Vec::new();
    while !stop.is_cancelled() {
        let text = format!("message {}", taken.len());
        let key = key.lock().unwrap().clone();
        let api = key.map_or_else(|| api.clone(), |key| api.with_key(Some(&key)));
        let call = api.call(Method::POST, &format!("/v1/handovers/{id}/messages"));
        let reply = call.json(&json!({"text": text})).send().await;
        assert_eq!(reply.ok(202)["status"], "accepted", "{reply}");
        taken.push(text);
        tokio::time::sleep(PAUSE).await;
    }
    taken
}

async fn load(url: String, conversations: Vec<String>, stop: CancellationToken) -> Vec<Value> {
    let http = http_client();
    let mut reports = Vec::new();
    while !stop.is_cancelled() {
        let load =
            json!({"conversationIds": conversations, "eventsPerConversation": PORTION, "concurrency": 4, "rate": RATE});
        let response = http
            .post(format!("{url}/sandbox/load"))
            .json(&load)
            .send()
            .await
            .unwrap();
        reports.push(response.json().await.unwrap());
    }
    reports
}
