//! The proxy does to a connection what it says, so that a scenario that survives it has survived something.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::proxy::Mode;
use crate::proxy::Proxy;

const SOON: Duration = Duration::from_millis(300);

/// A proxy before a server that says everything back.
async fn before_an_echo() -> (Proxy, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start().await;
    proxy.point_at(Some(&listener.local_addr().unwrap().to_string()));
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(async move {
                let (mut from, mut to) = stream.into_split();
                drop(tokio::io::copy(&mut from, &mut to).await);
            });
        }
    });
    (proxy, server)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.url().trim_start_matches("http://"))
        .await
        .unwrap()
}

/// What comes back of ten bytes: their number, or the error; `None` when nothing came in time.
async fn echoed(stream: &mut TcpStream, within: Duration) -> Option<Result<usize, std::io::ErrorKind>> {
    if let Err(error) = stream.write_all(b"0123456789").await {
        return Some(Err(error.kind()));
    }
    let mut got = [0; 10];
    let mut count = 0;
    let reading = async {
        while count < 10 {
            match stream.read(&mut got[count..]).await {
                Ok(0) => return Ok(count),
                Ok(more) => count += more,
                Err(error) if count == 0 => return Err(error.kind()),
                Err(_) => return Ok(count),
            }
        }
        Ok(count)
    };
    tokio::time::timeout(within, reading).await.ok()
}

#[tokio::test]
async fn a_partition_holds_everything_and_lets_it_through_when_it_is_over() {
    let (proxy, _server) = before_an_echo().await;
    let mut stream = connect(&proxy).await;
    assert_eq!(echoed(&mut stream, SOON * 10).await, Some(Ok(10)));
    proxy.set(Mode::Silent);
    assert_eq!(echoed(&mut stream, SOON).await, None);
    proxy.set(Mode::Pass);
    let mut got = [0; 10];
    stream.read_exact(&mut got).await.unwrap();
}

#[tokio::test]
async fn a_half_open_connection_never_answers_again_and_a_new_one_does() {
    let (proxy, _server) = before_an_echo().await;
    let mut stream = connect(&proxy).await;
    assert_eq!(echoed(&mut stream, SOON * 10).await, Some(Ok(10)));
    proxy.set(Mode::HalfOpen);
    assert_eq!(echoed(&mut stream, SOON).await, None);
    let mut new = connect(&proxy).await;
    assert_eq!(echoed(&mut new, SOON * 10).await, Some(Ok(10)));
    proxy.set(Mode::Pass);
    assert_eq!(echoed(&mut stream, SOON).await, None);
}

#[tokio::test]
async fn a_reset_a_cut_and_a_black_hole_are_what_they_say() {
    let (proxy, _server) = before_an_echo().await;
    proxy.set(Mode::CutAfter(4));
    let mut stream = connect(&proxy).await;
    let cut = echoed(&mut stream, SOON * 10).await;
    assert!(matches!(cut, Some(Ok(0..=4) | Err(_))), "{cut:?}");
    proxy.set(Mode::Pass);
    let mut stream = connect(&proxy).await;
    assert_eq!(echoed(&mut stream, SOON * 10).await, Some(Ok(10)));
    proxy.set(Mode::Reset);
    let gone = echoed(&mut stream, SOON * 10).await;
    assert!(matches!(gone, Some(Ok(0) | Err(_))), "{gone:?}");
    proxy.set(Mode::BlackHole);
    let mut hole = connect(&proxy).await;
    assert_eq!(echoed(&mut hole, SOON).await, None);
    proxy.set(Mode::Pass);
    assert_eq!(echoed(&mut hole, SOON).await, None);
}
