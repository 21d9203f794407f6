//! Bots as one real server: every callback is written down as it came and answered as the bot is told to behave.

use std::collections::HashMap;
use std::hash::DefaultHasher;
use std::hash::Hash as _;
use std::hash::Hasher as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::routing::post;
use handover_gateway::domain::Source;
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::ledger::Callback;
use crate::secrets::CALLBACK_SECRET;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Manner {
    #[default]
    Good,
    /// So many of a hundred are answered with this status.
    Refuse(u32, u16),
    Slow(Duration),
    /// Takes the callback and says nothing.
    Hang,
}

pub(crate) struct Bots {
    address: String,
    book: Arc<Book>,
    _server: JoinSet<()>,
}

struct Book {
    started: Instant,
    callbacks: Mutex<Vec<Callback>>,
    manners: Mutex<HashMap<String, Manner>>,
    forged: Mutex<Vec<String>>,
}

impl Bots {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let book = Arc::new(Book {
            started: Instant::now(),
            callbacks: Mutex::default(),
            manners: Mutex::default(),
            forged: Mutex::default(),
        });
        let router = Router::new()
            .route("/{bot}", post(receive))
            .with_state(Arc::clone(&book));
        let mut server = JoinSet::new();
        server.spawn(async move { drop(axum::serve(listener, router).await) });
        Self {
            address,
            book,
            _server: server,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.address
    }

    pub(crate) fn behave(&self, bot: &str, manner: Manner) {
        self.book.manners.lock().unwrap().insert(bot.to_owned(), manner);
    }

    pub(crate) fn all_behave(&self) {
        self.book.manners.lock().unwrap().clear();
    }

    pub(crate) fn callbacks(&self) -> Vec<Callback> {
        self.book.callbacks.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.book.callbacks.lock().unwrap().len()
    }

    /// Callbacks whose signature was wrong.
    pub(crate) fn forged(&self) -> Vec<String> {
        self.book.forged.lock().unwrap().clone()
    }
}

async fn receive(
    State(book): State<Arc<Book>>,
    Path(bot): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let signature = Webhook::new(CALLBACK_SECRET).unwrap();
    let is_signed = is_signed(&signature, &headers, &body).is_some();
    let is_new = signature.verify(&body, &headers).is_ok();
    let callback = read(&book, &bot, &body);
    if !is_signed {
        book.forged.lock().unwrap().push(format!("{bot}: {}", callback.id));
    }
    let number = {
        let mut callbacks = book.callbacks.lock().unwrap();
        callbacks.push(callback);
        callbacks.len() - 1
    };
    let manner = book.manners.lock().unwrap().get(&bot).copied().unwrap_or_default();
    let status = match manner {
        // As a bot has to refuse what is signed for another time.
        _ if !is_new => 401,
        Manner::Good => 204,
        Manner::Refuse(percent, status) if rand::random_range(0..100) < percent => status,
        Manner::Refuse(..) => 204,
        Manner::Slow(delay) => {
            tokio::time::sleep(delay).await;
            204
        }
        Manner::Hang => std::future::pending().await,
    };
    book.callbacks.lock().unwrap()[number].answered = Some(status);
    StatusCode::from_u16(status).unwrap()
}

/// Whether it is signed for the time it names, whenever that is.
fn is_signed(signature: &Webhook, headers: &HeaderMap, body: &Bytes) -> Option<()> {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let (id, at) = (header("webhook-id")?, header("webhook-timestamp")?);
    let expected = signature.sign(id, at.parse().ok()?, body).ok()?;
    header("webhook-signature")?
        .split(' ')
        .any(|one| one == expected)
        .then_some(())
}

fn read(book: &Book, bot: &str, body: &Bytes) -> Callback {
    let mut event: Value = serde_json::from_slice(body).unwrap_or_default();
    // One that is retried beside its lane is marked, and is the same event all the same.
    if let Some(data) = event["data"].as_object_mut() {
        data.remove("late");
    }
    let data = &event["data"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut hasher = DefaultHasher::new();
    event.to_string().hash(&mut hasher);
    Callback {
        at: u64::try_from(book.started.elapsed().as_millis()).unwrap(),
        bot: bot.to_owned(),
        id: text(&event["id"]),
        kind: text(&event["type"]),
        handover: text(&data["handoverId"]),
        conversation: text(&data["conversationId"]),
        sequence: data["sequence"].as_u64().unwrap_or_default(),
        source: data["source"]["eventId"].as_str().map(str::to_owned),
        read: data["source"]["eventType"] == Source::RECONCILED,
        text: data["message"]["text"].as_str().map(str::to_owned),
        ephemeral: data["ephemeral"] == true,
        hash: hasher.finish(),
        answered: None,
    }
}
