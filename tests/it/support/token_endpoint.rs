//! Somebody else's token endpoint, as Aisera's: it records what it is asked, and answers as it should or as the test says.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::Mutex;

use bytes::Bytes;
use http::Request;
use http::Response;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(crate) struct TokenEndpoint {
    address: String,
    state: Arc<State>,
    _server: JoinSet<()>,
}

struct State {
    asked: Mutex<Vec<Asked>>,
    refusals: Mutex<VecDeque<u16>>,
    expires_in: Mutex<Value>,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) content_type: String,
    pub(crate) form: BTreeMap<String, String>,
}

impl TokenEndpoint {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            asked: Mutex::default(),
            refusals: Mutex::default(),
            expires_in: Mutex::new(json!(3600)),
        });
        let mut server = JoinSet::new();
        server.spawn(accept(listener, Arc::clone(&state)));
        Self {
            address,
            state,
            _server: server,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/tenant-users/oauth2/token", self.address)
    }

    /// How long the tokens say they are good, as a number or a text.
    pub(crate) fn expires_in(&self, value: Value) {
        *self.state.expires_in.lock().unwrap() = value;
    }

    /// Answers the next request with this status.
    pub(crate) fn refuse(&self, status: u16) {
        self.state.refusals.lock().unwrap().push_back(status);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    pub(crate) fn grants(&self) -> Vec<String> {
        self.asked()
            .iter()
            .map(|asked| asked.form["grant_type"].clone())
            .collect()
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
            let service = service_fn(move |request| answer(Arc::clone(&state), request));
            drop(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let content_type = parts.headers.get("content-type").map(|value| value.to_str().unwrap());
    let number = {
        let mut asked = state.asked.lock().unwrap();
        asked.push(Asked {
            content_type: content_type.unwrap_or_default().to_owned(),
            form: url::form_urlencoded::parse(&body).into_owned().collect(),
        });
        asked.len()
    };
    let refusal = state.refusals.lock().unwrap().pop_front();
    let (status, body) = match refusal {
        Some(status) => (status, json!({"error": "no"})),
        None => (200, tokens(number, &state.expires_in.lock().unwrap())),
    };
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from(body.to_string()))).unwrap())
}

fn tokens(number: usize, expires_in: &Value) -> Value {
    let pair = json!({"access_token": format!("access-{number}"), "refresh_token": format!("refresh-{number}"),
        "token_type": "bearer", "expires_in": expires_in});
    let mut whole = pair.clone();
    whole["values"] = pair;
    whole
}
