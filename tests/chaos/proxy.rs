//! A TCP proxy whose network fails as it is told: slow, cut, silent, gone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use socket2::SockRef;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::watch;
use tokio::task::JoinSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// Each piece comes so much later.
    Delay(Duration),
    /// New connections are reset, and those there are.
    Reset,
    /// The answer is cut after so many bytes, by a reset.
    CutAfter(usize),
    /// New connections are taken and never answered.
    BlackHole,
    /// A byte at a time.
    Drip(Duration),
    /// Nothing gets through while it lasts, everything after it: a partition.
    Silent,
    /// Connections that are there are dead for good and nobody is told; new ones work.
    HalfOpen,
}

pub(crate) struct Proxy {
    address: SocketAddr,
    inner: Arc<Inner>,
    _server: JoinSet<()>,
}

struct Inner {
    target: Mutex<Option<String>>,
    mode: watch::Sender<(Mode, u64)>,
    /// When an answer 2xx came through first after it was asked for.
    first_answer: Mutex<Option<Instant>>,
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            target: Mutex::default(),
            mode: watch::Sender::new((Mode::Pass, 0)),
            first_answer: Mutex::default(),
        });
        let mut server = JoinSet::new();
        server.spawn(accept(listener, Arc::clone(&inner)));
        Self {
            address,
            inner,
            _server: server,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `None` while nobody is there.
    pub(crate) fn point_at(&self, target: Option<&str>) {
        *self.inner.target.lock().unwrap() = target.map(|url| url.trim_start_matches("http://").to_owned());
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.inner.mode.send_modify(|now| *now = (mode, now.1 + 1));
    }

    pub(crate) fn watch_for_an_answer(&self) {
        *self.inner.first_answer.lock().unwrap() = None;
    }

    pub(crate) fn first_answer(&self) -> Option<Instant> {
        *self.inner.first_answer.lock().unwrap()
    }
}

async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (mode, born) = *inner.mode.borrow();
        let target = inner.target.lock().unwrap().clone();
        if mode == Mode::Reset {
            reset(&client);
            continue;
        }
        let inner = Arc::clone(&inner);
        connections.spawn(async move {
            let connection = Connection {
                born,
                is_hole: mode == Mode::BlackHole,
                inner,
            };
            connection.run(client, target).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

struct Connection {
    born: u64,
    is_hole: bool,
    inner: Arc<Inner>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

impl Connection {
    async fn run(self, client: TcpStream, target: Option<String>) {
        if self.is_hole {
            // The caller gives up first; a test is over before this.
            let mut client = client;
            let mut piece = [0; 4096];
            while client.read(&mut piece).await.is_ok_and(|count| count > 0) {}
            return;
        }
        let server = match target {
            Some(target) => TcpStream::connect(target).await.ok(),
            None => None,
        };
        let Some(server) = server else { return reset(&client) };
        drop(client.set_nodelay(true));
        drop(server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let there = self.pump(Way::There, from_client, to_server);
        let back = self.pump(Way::Back, from_server, to_client);
        // One end that closes takes the other with it: HTTP has no use for half a connection.
        tokio::select! {
            () = there => {}
            () = back => {}
        }
    }

    async fn pump(&self, way: Way, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut piece = vec![0; 16 * 1024];
        let mut mode = self.inner.mode.subscribe();
        let mut passed = 0;
        loop {
            let count = tokio::select! {
                read = from.read(&mut piece) => match read {
                    Ok(count) if count > 0 => count,
                    Ok(_) | Err(_) => return,
                },
                () = self.is_reset(&mut mode) => return reset(to.as_ref()),
            };
            if way == Way::Back && piece.starts_with(b"HTTP/1.1 2") {
                self.inner.first_answer.lock().unwrap().get_or_insert_with(Instant::now);
            }
            passed += count;
            if self.pass_on(way, &piece[..count], passed, &mut to).await.is_none() {
                return;
            }
        }
    }

    async fn is_reset(&self, mode: &mut watch::Receiver<(Mode, u64)>) {
        let broken = mode.wait_for(|(mode, _)| *mode == Mode::Reset).await.is_err();
        if broken {
            std::future::pending::<()>().await;
        }
    }

    /// `None` when the connection is over.
    async fn pass_on(&self, way: Way, piece: &[u8], passed: usize, to: &mut OwnedWriteHalf) -> Option<()> {
        let mut changes = self.inner.mode.subscribe();
        let (mode, since) = *changes.borrow();
        match mode {
            Mode::Pass | Mode::BlackHole => to.write_all(piece).await.ok(),
            Mode::Delay(delay) => {
                tokio::time::sleep(delay).await;
                to.write_all(piece).await.ok()
            }
            Mode::Reset => {
                reset(to.as_ref());
                None
            }
            Mode::CutAfter(limit) if way == Way::Back && passed > limit => {
                let rest = piece.len().saturating_sub(passed - limit);
                to.write_all(&piece[..rest]).await.ok()?;
                reset(to.as_ref());
                None
            }
            Mode::CutAfter(_) => to.write_all(piece).await.ok(),
            Mode::Drip(pause) => {
                for byte in piece {
                    to.write_all(&[*byte]).await.ok()?;
                    tokio::time::sleep(pause).await;
                }
                Some(())
            }
            Mode::Silent => {
                changes.wait_for(|(mode, _)| *mode != Mode::Silent).await.ok()?;
                to.write_all(piece).await.ok()
            }
            Mode::HalfOpen if self.born < since => std::future::pending().await,
            Mode::HalfOpen => to.write_all(piece).await.ok(),
        }
    }
}

/// Closes by RST instead of FIN, when it is dropped.
fn reset(stream: &TcpStream) {
    drop(SockRef::from(stream).set_linger(Some(Duration::ZERO)));
}
