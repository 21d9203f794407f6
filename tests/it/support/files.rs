//! A bot's web server with files on it, which behaves as the path says.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;

use bytes::Bytes;
use http::Request;
use http::Response;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(crate) struct FileServer {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    _server: JoinSet<()>,
}

impl FileServer {
    /// `/size/N/NAME` has N bytes, `/status/N` answers N, `/to/URL` redirects, `/close` hangs up.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let mut server = JoinSet::new();
        server.spawn(accept(listener, Arc::clone(&asked)));
        Self {
            address,
            asked,
            _server: server,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// The paths asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// What `/size/N/NAME` has.
pub(crate) fn bytes(size: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(size).collect()
}

async fn accept(listener: TcpListener, asked: Arc<Mutex<Vec<String>>>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let asked = Arc::clone(&asked);
        connections.spawn(async move {
            let service = service_fn(move |request| std::future::ready(answer(&request, &asked)));
            // A connection that breaks is what some tests are about.
            drop(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}

fn answer(request: &Request<Incoming>, asked: &Mutex<Vec<String>>) -> io::Result<Response<Full<Bytes>>> {
    let path = request.uri().path().to_owned();
    asked.lock().unwrap().push(path.clone());
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let mut response = Response::builder();
    let body = match parts[0] {
        "size" => bytes(parts[1].parse().unwrap()),
        "status" => {
            response = response.status(parts[1].parse::<u16>().unwrap());
            Vec::new()
        }
        "to" => {
            response = response
                .status(302)
                .header("location", format!("/{}", parts[1..].join("/")));
            Vec::new()
        }
        _ => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "as the test says")),
    };
    let kind = match path.rsplit_once('.') {
        Some((_, "png")) => "image/png",
        _ => "text/plain",
    };
    response
        .header("content-type", kind)
        .body(Full::from(body))
        .map_err(io::Error::other)
}
